// Finds which of a fixed set of byte strings is at a position of a buffer, without a copy or a
// string. It matches span names, attribute keys and kept values. The time does not depend on their
// number. Open addressing over FNV-1a (RFC 9923), at most half full.
import type { Fold } from '../policy/policy.ts'

export const MISS = -1
/** With a fold only: a byte above 127 was met, so bytes alone cannot tell; compare as text. */
export const NOT_ASCII = -2

export class ByteTable {
  readonly #entries: readonly Uint8Array[]
  readonly #places: Int32Array
  readonly #fold: Fold

  /** `entries` are distinct; `find` gives their index. */
  constructor(entries: readonly Uint8Array[], fold?: Fold) {
    this.#entries = entries
    this.#fold = fold
    let size = 4
    while (size < entries.length * 2) size *= 2
    this.#places = new Int32Array(size).fill(MISS)
    entries.forEach((entry, index) => {
      let place = fnv(entry, 0, entry.length) & (size - 1)
      while (this.#places[place] !== MISS) place = (place + 1) & (size - 1)
      this.#places[place] = index
    })
  }

  get size(): number {
    return this.#entries.length
  }

  /** Index of the entry equal to `bytes[start, end)`, or MISS, or NOT_ASCII. */
  find(bytes: Uint8Array, start: number, end: number): number {
    return this.#fold === undefined
      ? this.#findExact(bytes, start, end)
      : this.#findFolded(bytes, start, end)
  }

  #findExact(bytes: Uint8Array, start: number, end: number): number {
    const places = this.#places
    const mask = places.length - 1
    let place = fnv(bytes, start, end) & mask
    for (;;) {
      const index = places[place]!
      if (index === MISS || equals(this.#entries[index]!, bytes, start, end)) return index
      place = (place + 1) & mask
    }
  }

  #findFolded(bytes: Uint8Array, start: number, end: number): number {
    const [first, last] = this.#fold === 'upper' ? [0x61, 0x7a] : [0x41, 0x5a]
    let hash = 0x811c9dc5
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!
      if (byte >= 0x80) return NOT_ASCII
      hash = Math.imul(hash ^ (byte >= first && byte <= last ? byte ^ 0x20 : byte), 0x01000193)
    }
    const mask = this.#places.length - 1
    let place = (hash ^ (hash >>> 15)) & mask
    for (;;) {
      const index = this.#places[place]!
      if (index === MISS || equalsFolded(this.#entries[index]!, bytes, start, end, first, last))
        return index
      place = (place + 1) & mask
    }
  }
}

function fnv(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i]!, 0x01000193)
  return hash ^ (hash >>> 15)
}

function equals(entry: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (entry.length !== end - start) return false
  // promise: keep-compares-whole
  for (let i = 0; i < entry.length; i++) if (entry[i] !== bytes[start + i]) return false
  return true
}

function equalsFolded(
  entry: Uint8Array,
  bytes: Uint8Array,
  start: number,
  end: number,
  first: number,
  last: number,
): boolean {
  if (entry.length !== end - start) return false
  for (let i = 0; i < entry.length; i++) {
    const byte = bytes[start + i]!
    if (entry[i] !== (byte >= first && byte <= last ? byte ^ 0x20 : byte)) return false
  }
  return true
}
