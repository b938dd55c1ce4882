// The epoch: a random id in a file that stands for one unbroken time of `local` or of `on`, to
// which all belongs that lies in the data folder. A batch may leave only if it was accepted and is
// sent within the same epoch of `on`, so the file is made before the first accept and ended before
// all else. It also says since when the present policy is in force, because the first report under
// a policy waits from there.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { join } from 'node:path'
import { syncFolder, writeDurably } from '../support/durable-file.ts'
import { errorCode } from '../support/errors.ts'

export interface Epoch {
  id: string
  mode: 'local' | 'on'
  /** When it began, milliseconds since 1970. */
  since: number
  /** Digest of the policy in force. */
  policy: string
  policySince: number
}

const TIME = String.raw`\d{4}-\d\d-\d\dT[\d:.]{8,12}Z`
const EPOCH = new RegExp(`^([0-9a-f]{32}) (local|on)\n(${TIME})\n(\\S+) (${TIME})\n$`)

/** The epoch of this data folder; `undefined` where there is none or its file is not whole. */
export function readEpoch(folder: string): Epoch | undefined {
  try {
    const [, id, mode, since, policy, policySince] =
      EPOCH.exec(fs.readFileSync(join(folder, 'epoch'), 'utf8')) ?? []
    const times = { since: Date.parse(since ?? ''), policySince: Date.parse(policySince ?? '') }
    if (id === undefined || policy === undefined || Number.isNaN(times.since + times.policySince))
      return undefined
    return { id, mode: mode === 'on' ? 'on' : 'local', policy, ...times }
  } catch {
    return undefined
  }
}

/** Begins an epoch; durable when it returns. What was on disk before must be wiped already. */
export function beginEpoch(
  folder: string,
  mode: Epoch['mode'],
  policy: string,
  nowMs: number,
): Epoch {
  return writeEpoch(folder, {
    id: randomBytes(16).toString('hex'),
    mode,
    since: nowMs,
    policy,
    policySince: nowMs,
  })
}

/** The same epoch under another policy, in force since `policySince`; durable when it returns. */
export function renewEpoch(
  folder: string,
  epoch: Epoch,
  policy: string,
  policySince: number,
): Epoch {
  return writeEpoch(folder, { ...epoch, policy, policySince })
}

function writeEpoch(folder: string, epoch: Epoch): Epoch {
  const time = (ms: number): string => new Date(ms).toISOString()
  writeDurably(
    join(folder, 'epoch'),
    `${epoch.id} ${epoch.mode}\n${time(epoch.since)}\n${epoch.policy} ${time(epoch.policySince)}\n`,
  )
  return epoch
}

/**
 * Ends the epoch, durably, before anything else happens: nothing that was accepted in it may leave
 * from now on.
 */
export function endEpoch(folder: string): void {
  if (!fs.existsSync(folder)) return
  for (const name of ['epoch', 'epoch.tmp']) {
    try {
      fs.unlinkSync(join(folder, name))
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error
    }
  }
  // Also where there was nothing to take away: an earlier try may have failed right here.
  syncFolder(folder)
}

const OURS = ['epoch', 'epoch.tmp', 'queue', 'sending', 'sent']

/**
 * Whether anything of ours is in a data folder, or nobody knows; `off` must find out without making
 * anything.
 */
export function isUsed(folder: string): boolean {
  try {
    return fs.readdirSync(folder).some((name) => OURS.includes(name))
  } catch (error) {
    return errorCode(error) !== 'ENOENT'
  }
}
