// Makes the trace and span ids that are sent. `linked`: a keyed permutation of the incoming ids
// under keys that change every UTC day. So stages still refer to their execution, and the ids match
// none in the user's own tracing. `random`: new ids. Ids are made in three native calls for many
// spans, because one call per id would cost more than the rest of the pass.
//
//   trace id   AES-128(trace key, id)                         one block
//   span id    first 8 bytes of AES-128(span key, id ‖ copy)  copy: uint64, 0 except
//                                                         for the copies of a split
//   keys       HKDF-SHA256(secret, salt "usage-sidecar/ids/v1",
//                          info lp(project, "trace" or "span", day), 16 bytes)
import { type Cipheriv, createCipheriv, randomBytes } from 'node:crypto'
import { release } from '../support/memory.ts'
import { deriveKey, lengthPrefixed } from './actions/pseudonym.ts'

const BLOCK_BYTES = 16
/** An id of zeros would be invalid for the collector; -1 says that there is no id to write. */
const NO_POSITION = -1

export type Random = (buffer: Uint8Array) => void

/**
 * So many are made at once, and no more: a request may hold a hundred thousand spans, each noted
 * here with 60 bytes.
 */
const MAX_PENDING = 4096

export class Ids {
  readonly #secret: Uint8Array
  readonly #project: string
  readonly #random: Random
  #traceCipher: Cipheriv | undefined
  #spanCipher: Cipheriv | undefined
  // Of each span that is being made: a block for its trace id, and blocks for its span id and its
  // parent's.
  #traceIn: Buffer = Buffer.alloc(64 * BLOCK_BYTES)
  #spanIn: Buffer = Buffer.alloc(128 * BLOCK_BYTES)
  /** Where in the output the ids go: trace, span, parent; NO_POSITION for none. */
  #places: Int32Array = new Int32Array(64 * 3)
  #linked = 0
  #randomPlaces: Int32Array = new Int32Array(64 * 2)
  #randoms = 0

  /** Without a secret the keys live in memory only. */
  constructor(project: string, secret: Uint8Array | undefined, random: Random) {
    this.#project = project
    this.#secret = secret ?? randomBytes(32)
    this.#random = random
  }

  setDay(day: string): void {
    const cipher = (which: string): Cipheriv => {
      const key = deriveKey(
        this.#secret,
        'usage-sidecar/ids/v1',
        lengthPrefixed(this.#project, which, day),
        16,
      )
      // ECB because each id is one block of its own and equal ids must give equal ids: a
      // permutation, not a message.
      return createCipheriv('aes-128-ecb', key, null).setAutoPadding(false)
    }
    this.#traceCipher = cipher('trace')
    this.#spanCipher = cipher('span')
  }

  begin(): void {
    this.#linked = 0
    this.#randoms = 0
  }

  /**
   * Notes that the ids at these places of the input are to be made and written at those of the
   * output.
   */
  link(
    body: Uint8Array,
    traceId: number,
    spanId: number,
    parentId: number,
    copy: number,
    outTrace: number,
    outSpan: number,
    outParent: number,
  ): void {
    const n = this.#linked++
    if ((n + 1) * BLOCK_BYTES > this.#traceIn.length) this.#grow()
    const traceIn = this.#traceIn
    const spanIn = this.#spanIn
    for (let i = 0, at = n * BLOCK_BYTES; i < 16; i++) traceIn[at + i] = body[traceId + i]!
    const span = n * 2 * BLOCK_BYTES
    const parent = span + BLOCK_BYTES
    for (let i = 0; i < 8; i++) {
      spanIn[span + i] = body[spanId + i]!
      spanIn[parent + i] = outParent === NO_POSITION ? 0 : body[parentId + i]!
    }
    // The rest of both blocks is 0 and stays so.
    spanIn[span + 15] = copy
    const places = this.#places
    places[n * 3] = outTrace
    places[n * 3 + 1] = outSpan
    places[n * 3 + 2] = outParent
  }

  /** Notes that fresh ids are to be written at these places of the output. */
  invent(outTrace: number, outSpan: number): void {
    const n = this.#randoms++
    if (n * 2 === this.#randomPlaces.length) this.#randomPlaces = grown(this.#randomPlaces)
    this.#randomPlaces[n * 2] = outTrace
    this.#randomPlaces[n * 2 + 1] = outSpan
  }

  /** So much was noted that `finish` is due. */
  get full(): boolean {
    return this.#linked + this.#randoms >= MAX_PENDING
  }

  /** Makes all that was noted since the last call and writes it into `out`. */
  finish(out: Uint8Array): void {
    if (this.#linked > 0) this.#writeLinked(out)
    if (this.#randoms > 0) this.#writeRandom(out)
    this.begin()
  }

  #writeLinked(out: Uint8Array): void {
    const count = this.#linked
    const traces = this.#traceCipher!.update(this.#traceIn.subarray(0, count * BLOCK_BYTES))
    const spans = this.#spanCipher!.update(this.#spanIn.subarray(0, count * 2 * BLOCK_BYTES))
    const places = this.#places
    for (let n = 0; n < count; n++) {
      const trace = places[n * 3]!
      const span = places[n * 3 + 1]!
      const parent = places[n * 3 + 2]!
      for (let i = 0, at = n * BLOCK_BYTES; i < 16; i++) out[trace + i] = traces[at + i]!
      for (let i = 0, at = n * 2 * BLOCK_BYTES; i < 8; i++) out[span + i] = spans[at + i]!
      if (parent !== NO_POSITION)
        for (let i = 0, at = (n * 2 + 1) * BLOCK_BYTES; i < 8; i++) out[parent + i] = spans[at + i]!
    }
    release(traces)
    release(spans)
  }

  #writeRandom(out: Uint8Array): void {
    const fresh = new Uint8Array(this.#randoms * 24)
    this.#random(fresh)
    for (let n = 0; n < this.#randoms; n++) {
      const trace = this.#randomPlaces[n * 2]!
      const span = this.#randomPlaces[n * 2 + 1]!
      // The specification refuses ids of zeros; setting one bit keeps them out at the price of that
      // bit.
      fresh[n * 24] = fresh[n * 24]! | 1
      fresh[n * 24 + 16] = fresh[n * 24 + 16]! | 1
      out.set(fresh.subarray(n * 24, n * 24 + 16), trace)
      out.set(fresh.subarray(n * 24 + 16, n * 24 + 24), span)
    }
    release(fresh)
  }

  #grow(): void {
    this.#traceIn = grown(this.#traceIn)
    this.#spanIn = grown(this.#spanIn)
    this.#places = grown(this.#places)
  }
}

function grown<T extends Buffer | Int32Array>(array: T): T {
  const larger = (
    array instanceof Int32Array ? new Int32Array(array.length * 2) : Buffer.alloc(array.length * 2)
  ) as T
  larger.set(array)
  return larger
}
