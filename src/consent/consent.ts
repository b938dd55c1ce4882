// May we report? One answer, the lowest of several switches (off < local < on); what cannot be read or understood is
// `off`. And the epoch: a random id in a file that stands for one unbroken time of `on`. A batch may leave only if it was
// accepted and is sent within the same epoch, so the file is made before the first accept and ended before all else.
import { randomBytes } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { errorCode } from '../errors.ts'

export type Mode = 'off' | 'local' | 'on'
export const MODES: readonly Mode[] = ['off', 'local', 'on']

export interface Switches {
  /** Setting USAGE_REPORTING. */
  reporting: string
  /** Variable DO_NOT_TRACK: any value but the empty text, 0 and false means off (consoledonottrack.com). */
  doNotTrack: string | undefined
}

export interface Decision {
  mode: Mode
  /** The switch that decided, by its name. */
  by: string
}

export function decide({ reporting, doNotTrack }: Switches): Decision {
  if (doNotTrack !== undefined && !['', '0', 'false'].includes(doNotTrack.trim().toLowerCase())) return { mode: 'off', by: 'DO_NOT_TRACK' }
  const mode = MODES.find((candidate) => candidate === reporting)
  return { mode: mode ?? 'off', by: 'USAGE_REPORTING' }
}

const EPOCH = /^[0-9a-f]{32}\n(\d{4}-\d\d-\d\dT[\d:.]{8,12}Z)\n$/

export interface Epoch {
  id: string
  /** When it began, milliseconds since 1970: the first send waits from here. */
  since: number
}

/** The epoch of this data folder; `undefined` where there is none or its file is not whole. */
export function readEpoch(folder: string): Epoch | undefined {
  try {
    const text = readFileSync(join(folder, 'epoch'), 'utf8')
    const since = EPOCH.exec(text)?.[1]
    return since === undefined || Number.isNaN(Date.parse(since)) ? undefined : { id: text.slice(0, 32), since: Date.parse(since) }
  } catch {
    return undefined
  }
}

/** Begins an epoch; durable when it returns. What was on disk before must be wiped already. */
export function beginEpoch(folder: string, nowMs: number): Epoch {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const epoch = { id: randomBytes(16).toString('hex'), since: nowMs }
  const temporary = join(folder, 'epoch.tmp')
  const file = openSync(temporary, 'w', 0o600)
  try {
    writeSync(file, `${epoch.id}\n${new Date(nowMs).toISOString()}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, join(folder, 'epoch'))
  syncFolder(folder)
  return epoch
}

/**
 * Ends the epoch, durably, before anything else happens; nothing that was accepted in it may leave from now on. Where
 * its file is gone already, a process that was killed may have removed it: only the sync keeps it from coming back.
 */
export function endEpoch(folder: string): void {
  if (!folderExists(folder)) return
  try {
    unlinkSync(join(folder, 'epoch'))
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
  }
  syncFolder(folder)
}

/** Whether a data folder was ever used; `off` must find out without making it. */
export function folderExists(folder: string): boolean {
  return existsSync(folder)
}

function syncFolder(folder: string): void {
  const directory = openSync(folder, 'r')
  try {
    fsyncSync(directory)
  } finally {
    closeSync(directory)
  }
}
