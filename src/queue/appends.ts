// The way in: records gather while a commit runs and share the next one, one synced write for all
// that wait. What may wait is bounded, and so is what may be kept: over it the record is answered
// 503, or the oldest file goes.
import type { Counters } from '../support/counters.ts'
import { errorCode, type Refusal, retryLater } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import { type Growing, SEAL_BYTES } from './active-file.ts'
import { Group } from './commit-group.ts'
import { CHECKSUM_BYTES } from './file.ts'
import type { Shelf } from './file-index.ts'
import { createEpisode } from './throttled-warning.ts'

export interface AppendsOptions {
  shelf: Shelf
  growing: Growing
  maxBytes: number
  /** What may wait in memory for the disk. */
  maxWaitingBytes: number
  maxAgeMs: number
  full: 'refuse' | 'drop-oldest' | 'ring'
  /** Runs one operation after all that were asked for before it. */
  inTurn: (operation: () => Promise<void>) => Promise<void>
  /** A wipe or a change of policy has not come to its end: nothing may come in. */
  blocked: () => boolean
  closed: () => boolean
  nextSequence: () => number
  counters: Counters
  log: Log
  now: () => number
}

export interface Appends {
  append(record: Uint8Array, spans: number): Promise<void>
  /** The same, in a file that holds nothing else. */
  appendIsolated(record: Uint8Array, spans: number): Promise<void>
  /** What waits now is settled at once, and nothing of it reaches the disk. */
  discard(reason: 'policy' | 'consent'): void
  waitingBytes(): number
}

const FULL_RETRY_SECONDS = 60
const BUSY_RETRY_SECONDS = 1

export function createAppends(options: AppendsOptions): Appends {
  const { shelf, growing, maxBytes, counters, log, now } = options
  const maxWaiting = Math.min(options.maxWaitingBytes, maxBytes)
  const episodes = {
    full: createEpisode(
      log,
      now,
      'queue: full; requests are answered 503',
      'queue: there is room again',
    ),
    dropping: createEpisode(
      log,
      now,
      'queue: full; the oldest spans are dropped',
      'queue: there is room again, and nothing is dropped',
    ),
    busy: createEpisode(
      log,
      now,
      'queue: the disk is too slow; requests are answered 503',
      'queue: the disk keeps up again',
    ),
    unwritable: createEpisode(
      log,
      now,
      'queue: a write failed; requests are answered 503',
      'queue: it can be written again',
    ),
  }
  const full = (): Refusal => {
    episodes.full.happened()
    return retryLater(
      'The queue is full. It empties when the collector can be reached.',
      FULL_RETRY_SECONDS,
    )
  }
  const busy = (): Refusal => {
    episodes.busy.happened()
    return retryLater('Too much waits for the disk.', BUSY_RETRY_SECONDS)
  }
  const unwritable = (): Refusal => retryLater('The queue cannot be written.', BUSY_RETRY_SECONDS)
  let group: Group | undefined
  /** Each of one record, on its way to a file of its own. */
  const lonely = new Set<Group>()
  let spare: Buffer | undefined
  let waiting = 0

  const makeRoom = async (bytes: number): Promise<void> => {
    for (const item of shelf.stored.values()) {
      const missing = await growing.missing(bytes)
      // Where others fill the disk, dropping all we have would win nothing.
      if (shelf.bytes() + bytes <= maxBytes && (missing === 0 || missing > shelf.bytes())) return
      if (item === growing.stored()) await growing.seal()
      await shelf.drop(item, 'full')
      if (options.full === 'drop-oldest') episodes.dropping.happened()
    }
  }

  const commit = async (mine: Group): Promise<void> => {
    if (group === mine) group = undefined
    lonely.delete(mine)
    try {
      if (mine.discarded) return
      if (options.blocked()) throw unwritable()
      await growing.dropOld(options.maxAgeMs, now())
      if (options.full !== 'refuse') await makeRoom(mine.bytes)
      await growing.append(mine.content(), mine.spans, options.nextSequence, now())
      mine.settle()
      for (const episode of Object.values(episodes)) episode.quiet(2 * shelf.bytes() <= maxBytes)
    } catch (error) {
      counters.add('queue.refused', mine.spans)
      const code = errorCode(error)
      if (code !== 'ENOSPC') episodes.unwritable.happened({ code })
      // promise: failed-write-503
      mine.settle(code === 'ENOSPC' ? full() : unwritable())
    } finally {
      waiting -= mine.bytes
      spare = mine.spare()
    }
    const file = growing.stored()
    // By age as well, so that fresh spans do not share the fate of old ones.
    if (
      file !== undefined &&
      (file.bytes >= SEAL_BYTES || now() - file.since > options.maxAgeMs / 8)
    )
      await growing.seal()
  }

  /**
   * `undefined` where the record may wait; `'drop'` where it can never fit into a queue that
   * refuses nothing.
   */
  const verdict = (size: number): Refusal | 'drop' | undefined => {
    if (options.closed()) return unwritable()
    if (options.full === 'refuse') {
      // promise: queue-bounded
      if (shelf.bytes() + waiting + size > maxBytes) return full()
    } else if (size > maxBytes) return 'drop'
    // promise: pending-bounded
    return waiting > 0 && waiting + size > maxWaiting ? busy() : undefined
  }

  /** Undefined where the record may wait, with its bytes counted; else what the caller is told. */
  const turnedAway = (size: number, spans: number): Promise<void> | undefined => {
    const refused = verdict(size)
    if (refused === undefined) {
      waiting += size
      return undefined
    }
    if (refused === 'drop') {
      counters.add('queue.dropped.full', spans)
      return Promise.resolve()
    }
    // promise: refused-spans-counted
    counters.add('queue.refused', spans)
    return Promise.reject(refused)
  }

  const discard = (mine: Group, reason: 'policy' | 'consent'): void => {
    mine.discarded = true
    counters.add(`queue.dropped.${reason}`, mine.spans)
    mine.settle()
  }

  return {
    append: (record, spans) => {
      const told = turnedAway(record.length + CHECKSUM_BYTES, spans)
      if (told !== undefined) return told
      if (group === undefined) {
        const mine = new Group(spare, maxWaiting)
        spare = undefined
        group = mine
        // After all requests that have arrived in this round of the event loop: they share the
        // commit.
        void options.inTurn(() =>
          new Promise<void>((resolve) => void setImmediate(resolve)).then(() => commit(mine)),
        )
      }
      return group.add(record, spans)
    },
    appendIsolated: (record, spans) => {
      const told = turnedAway(record.length + CHECKSUM_BYTES, spans)
      if (told !== undefined) return told
      const mine = new Group(undefined, maxWaiting)
      lonely.add(mine)
      void options.inTurn(async () => {
        // promise: isolated-record
        await growing.seal()
        await commit(mine)
        await growing.seal()
      })
      return mine.add(record, spans)
    },
    discard: (reason) => {
      if (group !== undefined) discard(group, reason)
      group = undefined
      for (const mine of lonely) discard(mine, reason)
      lonely.clear()
    },
    waitingBytes: () => waiting,
  }
}
