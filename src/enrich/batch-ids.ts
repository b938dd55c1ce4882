// Random batch ids as hex digits. Random bytes are drawn for many ids at once, and each is erased
// from memory when it is used.
import type { Random } from '../anonymize/ids.ts'

export const BATCH_ID_BYTES = 16
const POOL_BYTES = 4096
const HEX = Buffer.from('0123456789abcdef', 'ascii')

export class BatchIds {
  readonly #random: Random
  readonly #pool = Buffer.alloc(POOL_BYTES)
  #poolAt = POOL_BYTES

  constructor(random: Random) {
    this.#random = random
  }

  /** Writes the 32 hex digits of a new id. */
  write(out: Buffer, at: number): void {
    if (this.#poolAt === POOL_BYTES) {
      this.#random(this.#pool)
      this.#poolAt = 0
    }
    for (let i = 0; i < BATCH_ID_BYTES; i++) {
      const byte = this.#pool[this.#poolAt + i]!
      out[at + 2 * i] = HEX[byte >>> 4]!
      out[at + 2 * i + 1] = HEX[byte & 15]!
    }
    this.#pool.fill(0, this.#poolAt, this.#poolAt + BATCH_ID_BYTES)
    // promise: batch-id-once
    this.#poolAt += BATCH_ID_BYTES
  }
}
