// What is in queue/, sending/ and sent/, in memory, and how a file leaves: moved to sent/, dropped
// for a counted reason, or wiped. Nothing in this file waits for its turn: callers run in the
// executor of the queue.
import { join } from 'node:path'
import type { Counters, DropReason } from '../support/counters.ts'
import { errorCode } from '../support/errors.ts'
import { release } from '../support/memory.ts'
import { openBody } from './body.ts'
import { type Disk, unlinkIfThere } from './disk.ts'
import { bodyName, queueName, type StoredFile, scanFile, sequenceOf } from './file.ts'

/** sent/ keeps the newest bodies up to this many bytes. */
const SENT_MAX_BYTES = 16 * 1024 * 1024

export const FOLDERS = ['queue', 'sending', 'sent'] as const

export class FileIndex {
  /** Of queue/ and sending/, in the order of their sequence. */
  readonly files = new Map<number, StoredFile>()
  /** Bytes by sequence, the oldest first. */
  readonly #sent = new Map<number, number>()
  readonly #disk: Disk
  readonly #folder: string
  readonly #counters: Counters

  constructor(disk: Disk, folder: string, counters: Counters) {
    this.#disk = disk
    this.#folder = folder
    this.#counters = counters
  }

  /** Of queue/ and sending/. */
  bytes(): number {
    let total = 0
    for (const { bytes } of this.files.values()) total += bytes
    return total
  }

  sentBytes(): number {
    let total = 0
    for (const bytes of this.#sent.values()) total += bytes
    return total
  }

  addSent(sequence: number, bytes: number): void {
    this.#sent.set(sequence, bytes)
  }

  path({ sequence, phase }: StoredFile): string {
    return phase === 'queued' ? this.#queuePath(sequence) : this.#sendingPath(sequence)
  }

  #queuePath(sequence: number): string {
    return join(this.#folder, 'queue', queueName(sequence))
  }

  #sendingPath(sequence: number): string {
    return join(this.#folder, 'sending', bodyName(sequence))
  }

  #sentPath(sequence: number): string {
    return join(this.#folder, 'sent', bodyName(sequence))
  }

  async drop(file: StoredFile, reason: DropReason): Promise<void> {
    const { sequence, phase } = file
    const spans = file.spans ?? (await spansOf(this.#disk, this.path(file)))
    const wasAttempted = phase === 'attempted' || phase === 'settled'
    // The admin can see every body that was attempted, whatever became of it.
    if (wasAttempted && reason !== 'consent') await this.moveToSent(file)
    else {
      // Both, because a commit that failed half way leaves a second file.
      await unlinkIfThere(this.#disk, this.#queuePath(sequence))
      await unlinkIfThere(this.#disk, this.#sendingPath(sequence))
    }
    this.files.delete(sequence)
    // promise: drops-counted
    this.#counters.add(`queue.dropped.${reason}`, reason === 'corrupt' ? 1 : spans)
  }

  /** From sending/ to sent/. */
  async moveToSent({ sequence, bytes }: StoredFile): Promise<void> {
    await this.#disk
      .rename(this.#sendingPath(sequence), this.#sentPath(sequence))
      .catch((error: unknown) => {
        // A file removed from outside must not block the files behind it.
        if (errorCode(error) !== 'ENOENT') throw error
      })
    // promise: sent-synced
    await this.#disk.syncFolder(join(this.#folder, 'sent'))
    // The next commit syncs sending/, before the next receipt. Until then the receipts decide.
    this.files.delete(sequence)
    this.#sent.set(sequence, bytes)
    while (this.sentBytes() > SENT_MAX_BYTES) await this.#dropOldestSent()
  }

  /**
   * Removes the oldest files of sent/ until this many bytes can be written, or sent/ is empty.
   * Gives how many bytes are still missing.
   */
  async reserveSpace(bytes: number): Promise<number> {
    for (;;) {
      const missing = bytes - (await this.#disk.free(this.#folder))
      if (missing <= 0 || this.#sent.size === 0) return Math.max(0, missing)
      await this.#dropOldestSent()
    }
  }

  async #dropOldestSent(): Promise<void> {
    for (const sequence of this.#sent.keys()) {
      // promise: sent-bounded
      await unlinkIfThere(this.#disk, this.#sentPath(sequence))
      this.#sent.delete(sequence)
      return
    }
  }

  /** Everything but the receipts, durably. */
  async wipe(): Promise<void> {
    await wipeFiles(this.#folder, this.#counters, this.#disk, 'consent', this.files)
    this.files.clear()
    this.#sent.clear()
  }
}

/**
 * Removes every file that holds spans and keeps the receipts. Creates nothing. `known`: files whose
 * spans are counted already.
 */
export async function wipeFiles(
  folder: string,
  counters: Counters,
  disk: Disk,
  reason: DropReason,
  known?: ReadonlyMap<number, StoredFile>,
): Promise<void> {
  for (const place of FOLDERS) {
    const path = join(folder, place)
    const names = await disk.list(path)
    for (const name of names) {
      const sequence = sequenceOf(name)
      const isLost = place !== 'sent' && sequence !== undefined
      const spans = isLost
        ? (known?.get(sequence)?.spans ?? (await spansOf(disk, join(path, name))))
        : 0
      await disk.unlink(join(path, name))
      counters.add(`queue.dropped.${reason}`, spans)
    }
    // promise: wipe-synced
    if (names.length > 0 || known !== undefined) await disk.syncFolder(path)
  }
}

/** For the count only. A file that cannot be read counts as none. */
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
