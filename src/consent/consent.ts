// Decides the mode of reporting: the lowest that any switch allows (off < local < on). A switch
// that cannot be read or understood means `off`. Two switches are files that may change at run
// time. They are read every two seconds, and again before anything is sent.
import { MODES, type Mode } from '../support/mode.ts'
import { type Watch, watchFile, watchPresence } from '../support/watch.ts'
import { REPORTING, reportingIn } from './annotations.ts'

/** The state of the switches. Files that no setting names are left out. */
export interface Switches {
  /** Setting USAGE_REPORTING. */
  reporting: string
  /**
   * Variable DO_NOT_TRACK. Any value but the empty text, 0 and false means off
   * (consoledonottrack.com).
   */
  doNotTrack: string | undefined
  /** USAGE_ANNOTATIONS_FILE. `text` is `undefined` if the file cannot be read. */
  annotations?: { text: string | undefined }
  /** USAGE_OFF_FILE. `exists` is `undefined` if that cannot be checked. */
  offFile?: { exists: boolean | undefined }
  /** A setting is invalid, so the intention of the admin is not known. */
  hasInvalidSettings?: boolean
}

export interface Decision {
  mode: Mode
  /** The name of the switch that decided. */
  by: string
}

/** The lowest mode wins. If modes are equal, the first switch of the list decides. */
export function decide({
  reporting,
  annotations,
  doNotTrack,
  offFile,
  hasInvalidSettings = false,
}: Switches): Decision {
  const votes: Decision[] = hasInvalidSettings ? [{ mode: 'off', by: 'an invalid setting' }] : []
  votes.push({ mode: modeOf(reporting), by: 'USAGE_REPORTING' })
  if (annotations !== undefined) {
    const read = annotations.text === undefined ? 'malformed' : reportingIn(annotations.text)
    if (read === 'malformed') votes.push({ mode: 'off', by: 'USAGE_ANNOTATIONS_FILE' })
    else if (read.value !== undefined) votes.push({ mode: modeOf(read.value), by: REPORTING })
  }
  // promise: consent-do-not-track
  if (!['', '0', 'false'].includes((doNotTrack ?? '').trim().toLowerCase()))
    votes.push({ mode: 'off', by: 'DO_NOT_TRACK' })
  // promise: consent-unreadable-kill-switch-off
  if (offFile !== undefined && offFile.exists !== false)
    votes.push({ mode: 'off', by: 'USAGE_OFF_FILE' })
  // promise: consent-lowest-wins
  return votes.reduce((lowest, next) =>
    MODES.indexOf(next.mode) < MODES.indexOf(lowest.mode) ? next : lowest,
  )
}

/** An unknown word means `off`. */
const modeOf = (word: string): Mode => MODES.find((mode) => mode === word) ?? 'off'

export interface Consent {
  /** As of the last read. */
  decision(): Decision
  /** Reads the files anew. */
  refresh(): Decision
  stop(): void
}

export interface ConsentSources {
  reporting: string
  doNotTrack: string | undefined
  annotationsFile: string | undefined
  offFile: string | undefined
  hasInvalidSettings: boolean
}

/** Calls `onChange` with each decision that differs from the last one, also within refresh(). */
export function watchConsent(
  sources: ConsentSources,
  onChange: (decision: Decision) => void,
): Consent {
  const { reporting, doNotTrack, hasInvalidSettings } = sources
  const annotations =
    sources.annotationsFile === undefined
      ? undefined
      : watchFile(sources.annotationsFile, () => refresh())
  const offFile =
    sources.offFile === undefined ? undefined : watchPresence(sources.offFile, () => refresh())
  const watches: Watch<unknown>[] = [annotations, offFile].filter((watch) => watch !== undefined)
  let isReading = false

  const decideNow = (): Decision =>
    decide({
      reporting,
      doNotTrack,
      hasInvalidSettings,
      ...(annotations === undefined ? {} : { annotations: { text: annotations.current() } }),
      ...(offFile === undefined ? {} : { offFile: { exists: offFile.current() } }),
    })
  let decision = decideNow()

  /**
   * Reads all files, then decides. So a switch that rises never counts before another that falls at
   * the same moment.
   */
  const refresh = (): Decision => {
    if (isReading) return decision
    isReading = true
    for (const watch of watches) watch.look()
    isReading = false
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
