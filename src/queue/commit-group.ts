// The records that share one synced write, gathered in one buffer, and the callers that wait for
// it.
import { release } from '../support/memory.ts'
import { CHECKSUM_BYTES, putRecord } from './file.ts'

const FIRST_BYTES = 64 * 1024
/** A buffer that grew larger is not reused for the next group. */
const REUSED_BYTES = 1024 * 1024

interface Waiter {
  resolve: () => void
  reject: (error: Error) => void
}

export class CommitGroup {
  bytes = 0
  spans = 0
  /** Consent or the policy changed before the write: nothing of it may reach the disk. */
  discarded = false
  #buffer: Buffer
  #waiters: Waiter[] = []
  readonly #maxBytes: number

  /** A single record may be larger than `maxBytes`. */
  constructor(spare: Buffer | undefined, maxBytes: number) {
    this.#buffer = spare ?? Buffer.allocUnsafeSlow(FIRST_BYTES)
    this.#maxBytes = maxBytes
  }

  /** Copies the record at once. The promise settles with the group. */
  add(record: Uint8Array, spans: number): Promise<void> {
    const needed = this.bytes + record.length + CHECKSUM_BYTES
    if (needed > this.#buffer.length) this.#grow(needed)
    this.bytes = putRecord(this.#buffer, this.bytes, record)
    this.spans += spans
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
    })
  }

  #grow(needed: number): void {
    const grown = Buffer.allocUnsafeSlow(
      Math.max(needed, Math.min(2 * this.#buffer.length, this.#maxBytes)),
    )
    this.#buffer.copy(grown, 0, 0, this.bytes)
    release(this.#buffer)
    this.#buffer = grown
  }

  content(): Buffer {
    return this.#buffer.subarray(0, this.bytes)
  }

  /** Every record of the group is settled: durable, or discarded and counted. */
  acknowledge(): void {
    for (const { resolve } of this.#waiters) resolve()
    this.#waiters = []
  }

  refuse(error: Error): void {
    for (const { reject } of this.#waiters) reject(error)
    this.#waiters = []
  }

  /** The buffer for the next group. A large one is released instead. */
  spare(): Buffer | undefined {
    if (this.#buffer.length <= REUSED_BYTES) return this.#buffer
    release(this.#buffer)
    return undefined
  }
}
