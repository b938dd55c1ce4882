// The epoch: a random id in a file that stands for one unbroken time of `local` or `on`. All
// records in the data directory belong to it. A batch may be sent only in the epoch of `on` in
// which it was accepted. So the file is written before the first request is accepted, and removed
// before anything else when consent ends. It also holds the time since which the policy is in
// force, as the first report under a policy waits from then.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { join } from 'node:path'
import { syncFolder, writeDurably } from '../support/durable-file.ts'
import { errorCode } from '../support/errors.ts'

export interface Epoch {
  id: string
  mode: 'local' | 'on'
  /** Its start in milliseconds since 1970. */
  since: number
  /** Digest of the policy in force. */
  policy: string
  policySince: number
}

const TIME = String.raw`\d{4}-\d\d-\d\dT[\d:.]{8,12}Z`
const EPOCH = new RegExp(`^([0-9a-f]{32}) (local|on)\n(${TIME})\n(\\S+) (${TIME})\n$`)

/** The epoch of this data directory. `undefined` if the file is missing or malformed. */
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

/** Begins an epoch, durably. Wipe the records of the last one first. */
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

/** The same epoch under another policy, in force since `policySince`. Durable. */
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

/** Ends the epoch, durably. Nothing that was accepted in it may be sent from now on. */
export function endEpoch(folder: string): void {
  if (!fs.existsSync(folder)) return
  for (const name of ['epoch', 'epoch.tmp']) {
    try {
      fs.unlinkSync(join(folder, name))
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error
    }
  }
  // Also if there was nothing to remove: an earlier attempt may have failed here.
  syncFolder(folder)
}

const OURS = ['epoch', 'epoch.tmp', 'queue', 'sending', 'sent']

/** Whether the data directory holds files of the sidecar, or cannot be read. Creates nothing. */
export function isUsed(folder: string): boolean {
  try {
    return fs.readdirSync(folder).some((name) => OURS.includes(name))
  } catch (error) {
    return errorCode(error) !== 'ENOENT'
  }
}
