// May we report? One answer, the lowest of several switches (off < local < on); what cannot be read
// or understood is `off`. Two of the switches are files and may change while we run: they are
// looked at every two seconds, and anew before anything leaves.
import { MODES, type Mode } from '../support/mode.ts'
import { type Watch, watchFile, watchPresence } from '../support/watch.ts'
import { REPORTING, reportingIn } from './annotations.ts'

/** The switches as they stand; a file that no setting names is left out. */
export interface Switches {
  /** Setting USAGE_REPORTING. */
  reporting: string
  /**
   * Variable DO_NOT_TRACK: any value but the empty text, 0 and false means off
   * (consoledonottrack.com).
   */
  doNotTrack: string | undefined
  /** USAGE_ANNOTATIONS_FILE: `text` is `undefined` where it cannot be read. */
  annotations?: { text: string | undefined }
  /** USAGE_OFF_FILE: `there` is `undefined` where that cannot be found out. */
  offFile?: { there: boolean | undefined }
  /** Any setting is wrong, so that nobody knows what was meant. */
  wrongSettings?: boolean
}

export interface Decision {
  mode: Mode
  /** The switch that decided, by its name. */
  by: string
}

/** The lowest wins; of equal ones the first, in the order of the lines below. */
export function decide({
  reporting,
  annotations,
  doNotTrack,
  offFile,
  wrongSettings = false,
}: Switches): Decision {
  const said: Decision[] = wrongSettings ? [{ mode: 'off', by: 'a wrong setting' }] : []
  said.push({ mode: modeOf(reporting), by: 'USAGE_REPORTING' })
  if (annotations !== undefined) {
    const read = annotations.text === undefined ? 'malformed' : reportingIn(annotations.text)
    if (read === 'malformed') said.push({ mode: 'off', by: 'USAGE_ANNOTATIONS_FILE' })
    else if (read.value !== undefined) said.push({ mode: modeOf(read.value), by: REPORTING })
  }
  // promise: consent-do-not-track
  if (!['', '0', 'false'].includes((doNotTrack ?? '').trim().toLowerCase()))
    said.push({ mode: 'off', by: 'DO_NOT_TRACK' })
  // promise: consent-unreadable-kill-switch-off
  if (offFile !== undefined && offFile.there !== false)
    said.push({ mode: 'off', by: 'USAGE_OFF_FILE' })
  // promise: consent-lowest-wins
  return said.reduce((lowest, next) =>
    MODES.indexOf(next.mode) < MODES.indexOf(lowest.mode) ? next : lowest,
  )
}

/** A word that is none of ours is `off`. */
const modeOf = (word: string): Mode => MODES.find((mode) => mode === word) ?? 'off'

export interface Consent {
  /** As it was seen last. */
  decision(): Decision
  /** As it is now: reads the files anew. */
  refresh(): Decision
  stop(): void
}

export interface ConsentSources {
  reporting: string
  doNotTrack: string | undefined
  annotationsFile: string | undefined
  offFile: string | undefined
  wrongSettings: boolean
}

/**
 * `onChange` is called with every decision that differs from the one before it, also from within
 * look().
 */
export function watchConsent(
  sources: ConsentSources,
  onChange: (decision: Decision) => void,
): Consent {
  const { reporting, doNotTrack, wrongSettings } = sources
  const annotations =
    sources.annotationsFile === undefined
      ? undefined
      : watchFile(sources.annotationsFile, () => refresh())
  const offFile =
    sources.offFile === undefined ? undefined : watchPresence(sources.offFile, () => refresh())
  const watches: Watch<unknown>[] = [annotations, offFile].filter((watch) => watch !== undefined)
  let looking = false

  const decideNow = (): Decision =>
    decide({
      reporting,
      doNotTrack,
      wrongSettings,
      ...(annotations === undefined ? {} : { annotations: { text: annotations.current() } }),
      ...(offFile === undefined ? {} : { offFile: { there: offFile.current() } }),
    })
  let decision = decideNow()

  /**
   * At all files, then decides: one that has risen must not count before one that has fallen in the
   * same moment.
   */
  const refresh = (): Decision => {
    if (looking) return decision
    looking = true
    for (const watch of watches) watch.look()
    looking = false
    const next = decideNow()
    const before = decision
    decision = next
    if (next.mode !== before.mode || next.by !== before.by) onChange(next)
    return decision
  }

  return {
    decision: () => decision,
    refresh,
    stop: () => {
      for (const watch of watches) watch.stop()
    },
  }
}
