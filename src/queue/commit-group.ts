// The records that wait for one shared synced write, gathered in one buffer, and who waits for
// them.
import { release } from '../support/memory.ts'
import { CHECKSUM_BYTES, putRecord } from './file.ts'

const FIRST_BYTES = 64 * 1024
/** A buffer that grew over this is not kept for the next group. */
const KEPT_BYTES = 1024 * 1024

interface Waiter {
  resolve: () => void
  reject: (error: Error) => void
}

export class Group {
  bytes = 0
  spans = 0
  /** Consent or the policy changed before it was written: nothing of it may reach the disk. */
  discarded = false
  #buffer: Buffer
  #waiters: Waiter[] = []
  readonly #maxBytes: number

  /** One record alone may be larger than `maxBytes`. */
  constructor(spare: Buffer | undefined, maxBytes: number) {
    this.#buffer = spare ?? Buffer.allocUnsafeSlow(FIRST_BYTES)
    this.#maxBytes = maxBytes
  }

  /** Copies the record at once; the promise tells what became of it. */
  add(record: Uint8Array, spans: number): Promise<void> {
    const needed = this.bytes + record.length + CHECKSUM_BYTES
    if (needed > this.#buffer.length) {
      const grown = Buffer.allocUnsafeSlow(
        Math.max(needed, Math.min(2 * this.#buffer.length, this.#maxBytes)),
      )
      this.#buffer.copy(grown, 0, 0, this.bytes)
      release(this.#buffer)
      this.#buffer = grown
    }
    this.bytes = putRecord(this.#buffer, this.bytes, record)
    this.spans += spans
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject })
    })
  }

  content(): Buffer {
    return this.#buffer.subarray(0, this.bytes)
  }

  settle(error?: Error): void {
    for (const { resolve, reject } of this.#waiters) {
      if (error === undefined) resolve()
      else reject(error)
    }
    this.#waiters = []
  }

  /** The buffer, for the next group; a large one is given back. */
  spare(): Buffer | undefined {
    if (this.#buffer.length <= KEPT_BYTES) return this.#buffer
    release(this.#buffer)
    return undefined
  }
}
