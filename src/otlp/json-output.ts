// The protobuf output of the JSON converter, in one bounded buffer. A message is opened before its
// length is known. Closing it writes the length in front.
import { Refusal } from '../support/errors.ts'
import { release } from '../support/memory.ts'
import { hexDigit } from './json-reader.ts'
import { putVarint, varintSize } from './wire.ts'

const LONGEST = 0x7fff_ffff
/** Reserved length bytes may exceed the limit for a while. `take` counts exactly. */
const SLACK = 4096
/** Below this a loop is faster than the call that copies. */
const SHORT = 48

/** The characters that escape letters stand for, except `u`. */
const ESCAPES = new Uint8Array(128)
for (const [letter, meaning] of ['""', '\\\\', '//', 'b\b', 'f\f', 'n\n', 'r\r', 't\t'])
  ESCAPES[letter!.charCodeAt(0)] = meaning!.charCodeAt(0)

export class Output {
  bytes: Uint8Array
  pos = 0
  readonly #maxBytes: number

  constructor(capacity: number, maxBytes: number) {
    this.#maxBytes = Math.min(maxBytes, LONGEST)
    this.bytes = new Uint8Array(Math.min(capacity, this.#maxBytes) + SLACK)
  }

  /** A view of the written bytes. Throws a 413 if they exceed the limit. */
  take(): Uint8Array {
    if (this.pos > this.#maxBytes) throw this.#tooLarge()
    return this.bytes.subarray(0, this.pos)
  }

  #ensure(count: number): void {
    const size = this.pos + count
    if (size <= this.bytes.length) return
    const largest = this.#maxBytes + SLACK
    if (size > largest) throw this.#tooLarge()
    const grown = new Uint8Array(Math.min(largest, Math.max(size, this.bytes.length * 2)))
    grown.set(this.bytes.subarray(0, this.pos))
    release(this.bytes)
    this.bytes = grown
  }

  #tooLarge(): Refusal {
    return new Refusal(
      413,
      `The request is larger than ${this.#maxBytes} bytes as protobuf. Send smaller batches, or raise USAGE_MAX_BODY.`,
    )
  }

  byte(value: number): void {
    this.#ensure(1)
    this.bytes[this.pos++] = value
  }

  /** Writes a tag or a number of up to 32 bits. */
  varint(value: number): void {
    this.#ensure(5)
    this.pos = putVarint(this.bytes, this.pos, value)
  }

  varint64(low: number, high: number): void {
    this.#ensure(10)
    const { bytes } = this
    let pos = this.pos
    while (high !== 0 || low >= 0x80) {
      bytes[pos++] = (low & 0x7f) | 0x80
      low = ((low >>> 7) | (high << 25)) >>> 0
      high >>>= 7
    }
    bytes[pos++] = low
    this.pos = pos
  }

  fixed32(value: number): void {
    this.#ensure(4)
    for (let shift = 0; shift < 32; shift += 8) this.bytes[this.pos++] = value >>> shift
  }

  /**
   * Begins a field of unknown length and keeps `reserve` bytes for the length. Returns the position
   * that `close` needs.
   */
  open(tag: number, reserve: number): number {
    this.varint(tag)
    this.#ensure(reserve)
    const at = this.pos
    this.pos += reserve
    return at
  }

  /**
   * Moves short contents so that the length takes one byte. Longer contents stay in place if the
   * length fits. The length may then take more bytes than it needs, which protobuf allows. So
   * nested contents are not moved again at every level.
   */
  close(at: number, reserve: number): void {
    const length = this.pos - at - reserve
    const needed = varintSize(length)
    const size = length < 0x80 ? 1 : Math.max(needed, reserve)
    if (size !== reserve) {
      if (size > reserve) this.#ensure(size - reserve)
      this.bytes.copyWithin(at + size, at + reserve, this.pos)
      this.pos += size - reserve
    }
    let rest = length
    for (let i = 0; i < size - 1; i++) {
      this.bytes[at + i] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.bytes[at + size - 1] = rest
  }

  /** Writes a string field from the inside of a JSON string. */
  text(tag: number, from: Uint8Array, start: number, stop: number, escaped: boolean): void {
    if (escaped) {
      const reserve = varintSize(stop - start)
      const at = this.open(tag, reserve)
      this.unescape(from, start, stop)
      this.close(at, reserve)
      return
    }
    this.varint(tag)
    this.varint(stop - start)
    this.#copy(from, start, stop)
  }

  #copy(from: Uint8Array, start: number, stop: number): void {
    const count = stop - start
    this.#ensure(count)
    if (count > SHORT) this.bytes.set(from.subarray(start, stop), this.pos)
    else for (let i = 0; i < count; i++) this.bytes[this.pos + i] = from[start + i]!
    this.pos += count
  }

  /**
   * Writes the UTF-8 of a checked JSON string. Half a surrogate pair becomes three bytes that are
   * not UTF-8, so that the next check of the text fails.
   */
  unescape(from: Uint8Array, start: number, stop: number): void {
    let run = start
    for (let i = start; i < stop; i++) {
      if (from[i] !== 0x5c) continue
      this.#copy(from, run, i)
      const letter = from[++i]!
      if (letter !== 0x75) this.byte(ESCAPES[letter]!)
      else {
        let unit = hex4(from, i + 1)
        i += 4
        if (unit >= 0xd800 && unit < 0xdc00 && from[i + 1] === 0x5c && from[i + 2] === 0x75) {
          const second = hex4(from, i + 3)
          if (second >= 0xdc00 && second < 0xe000) {
            unit = 0x1_0000 + ((unit & 0x3ff) << 10) + (second & 0x3ff)
            i += 6
          }
        }
        this.#character(unit)
      }
      run = i + 1
    }
    this.#copy(from, run, stop)
  }

  #character(code: number): void {
    this.#ensure(4)
    const { bytes } = this
    if (code < 0x80) {
      bytes[this.pos++] = code
      return
    }
    if (code < 0x800) bytes[this.pos++] = 0xc0 | (code >>> 6)
    else {
      if (code < 0x1_0000) bytes[this.pos++] = 0xe0 | (code >>> 12)
      else {
        bytes[this.pos++] = 0xf0 | (code >>> 18)
        bytes[this.pos++] = 0x80 | ((code >>> 12) & 0x3f)
      }
      bytes[this.pos++] = 0x80 | ((code >>> 6) & 0x3f)
    }
    bytes[this.pos++] = 0x80 | (code & 0x3f)
  }
}

const hex4 = (bytes: Uint8Array, at: number): number =>
  (hexDigit(bytes[at]) << 12) |
  (hexDigit(bytes[at + 1]) << 8) |
  (hexDigit(bytes[at + 2]) << 4) |
  hexDigit(bytes[at + 3])
