// What stands in queue/, sending/ and sent/, in memory, and how a file leaves: delivered, refused,
// dropped for a reason that is counted, or wiped. Nothing here waits for its turn: the front door
// lets one operation in at a time.
import { join } from 'node:path'
import type { Counters, DropReason } from '../support/counters.ts'
import { errorCode } from '../support/errors.ts'
import { release } from '../support/memory.ts'
import { openBody } from './body.ts'
import { type Disk, unlinkIfThere } from './disk.ts'
import { bodyName, queueName, type Stored, scanFile, sequenceOf } from './file.ts'

/** sent/ keeps the last bodies up to this many bytes. */
const SENT_MAX_BYTES = 16 * 1024 * 1024

export const FOLDERS = ['queue', 'sending', 'sent'] as const

export interface Shelf {
  /** In the order of their sequence. */
  stored: Map<number, Stored>
  bytes(): number
  sentBytes(): number
  addSent(sequence: number, bytes: number): void
  path(stored: Stored): string
  drop(stored: Stored, reason: DropReason): Promise<void>
  /** From sending/ to sent/. */
  moveToSent(stored: Stored): Promise<void>
  /**
   * The oldest of sent/ give way until this much can be written, or nothing is left there; gives
   * how much is missing.
   */
  makeRoom(bytes: number): Promise<number>
  /** Everything but the receipts, durably. */
  wipe(): Promise<void>
}

export function createShelf(disk: Disk, folder: string, counters: Counters): Shelf {
  const stored = new Map<number, Stored>()
  const sent = new Map<number, number>()
  const sum = (sizes: Iterable<number>): number =>
    [...sizes].reduce((total, size) => total + size, 0)

  const dropOldestSent = async (): Promise<void> => {
    for (const sequence of sent.keys()) {
      // promise: sent-bounded
      await unlinkIfThere(disk, join(folder, 'sent', bodyName(sequence)))
      sent.delete(sequence)
      return
    }
  }

  const shelf: Shelf = {
    stored,
    bytes: () => {
      let total = 0
      for (const { bytes } of stored.values()) total += bytes
      return total
    },
    sentBytes: () => sum(sent.values()),
    addSent: (sequence, bytes) => void sent.set(sequence, bytes),
    path: ({ sequence, place }) =>
      join(folder, place, place === 'queue' ? queueName(sequence) : bodyName(sequence)),
    drop: async (item, reason) => {
      const spans = item.spans ?? (await spansOf(disk, shelf.path(item)))
      // Every attempted body is kept for the admin to see, whatever became of it.
      if (item.attempted && reason !== 'consent') await shelf.moveToSent(item)
      // Under both names: a commit that failed half way leaves the one that nobody counts on.
      else
        for (const place of ['queue', 'sending'] as const)
          await unlinkIfThere(disk, shelf.path({ ...item, place }))
      stored.delete(item.sequence)
      // promise: drops-counted
      counters.add(`queue.dropped.${reason}`, reason === 'corrupt' ? 1 : spans)
    },
    moveToSent: async (item) => {
      // A file that somebody took away must not hold up those behind it.
      await disk
        .rename(shelf.path(item), join(folder, 'sent', bodyName(item.sequence)))
        .catch((error: unknown) => {
          if (errorCode(error) !== 'ENOENT') throw error
        })
      // promise: sent-synced
      await disk.syncFolder(join(folder, 'sent'))
      // sending/ is synced by the next commit, before the next receipt line; until then the
      // receipts tell.
      stored.delete(item.sequence)
      sent.set(item.sequence, item.bytes)
      for (let total = shelf.sentBytes(); total > SENT_MAX_BYTES; total = shelf.sentBytes())
        await dropOldestSent()
    },
    makeRoom: async (bytes) => {
      for (;;) {
        const missing = bytes - (await disk.free(folder))
        if (missing <= 0 || sent.size === 0) return Math.max(0, missing)
        await dropOldestSent()
      }
    },
    wipe: async () => {
      await wipeFolder(folder, counters, disk, 'consent', stored)
      stored.clear()
      sent.clear()
    },
  }
  return shelf
}

/**
 * Unlinks all that holds spans, and keeps the receipts; creates nothing. `known`: files whose spans
 * are counted already.
 */
export async function wipeFolder(
  folder: string,
  counters: Counters,
  disk: Disk,
  reason: DropReason,
  known?: Map<number, Stored>,
): Promise<void> {
  for (const place of FOLDERS) {
    const path = join(folder, place)
    const names = await disk.list(path)
    for (const name of names) {
      const sequence = sequenceOf(name)
      const waiting = place !== 'sent' && sequence !== undefined
      const spans = waiting
        ? (known?.get(sequence)?.spans ?? (await spansOf(disk, join(path, name))))
        : 0
      await disk.unlink(join(path, name))
      counters.add(`queue.dropped.${reason}`, spans)
    }
    // promise: wipe-synced
    if (names.length > 0 || known !== undefined) await disk.syncFolder(path)
  }
}

/** For the count only: what cannot be read has none. */
async function spansOf(disk: Disk, path: string): Promise<number> {
  try {
    const bytes = await disk.read(path)
    const spans = path.endsWith('.gz')
      ? ((await openBody(bytes, 0))?.spans ?? 0)
      : scanFile(bytes).spans
    release(bytes)
    return spans
  } catch {
    return 0
  }
}
