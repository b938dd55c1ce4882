// The protobuf wire format (https://protobuf.dev/programming-guides/encoding), as far as OTLP needs
// it. It has a cursor that never copies, a growing writer, and no knowledge of messages. Malformed
// bytes throw a 400 with the offset and no byte of the input.
import { badRequest } from '../support/errors.ts'

export const VARINT = 0
export const FIXED64 = 1
export const LEN = 2
export const GROUP_START = 3
export const GROUP_END = 4
export const FIXED32 = 5

/** The tag of a field: `field << 3 | wire type`. */
export const tag = (field: number, wireType: number): number => (field << 3) | wireType

/** Limits nested groups; their depth is the sender's choice. Protobuf parsers stop at 100. */
const MAX_GROUP_DEPTH = 32

/** A position in a message. `end` is the end of the message that is being read. */
export class Cursor {
  readonly bytes: Uint8Array
  pos: number
  end: number

  constructor(bytes: Uint8Array, pos = 0, end = bytes.length) {
    this.bytes = bytes
    this.pos = pos
    this.end = end
  }

  /**
   * Reads a tag or a length of at most 32 bits. A longer varint is refused unless its high bits are
   * zero.
   */
  varint32(): number {
    const bytes = this.bytes
    let result = 0
    for (let shift = 0; shift < 35; shift += 7) {
      if (this.pos >= this.end) throw badRequest('A number is cut off', this.pos)
      const byte = bytes[this.pos++]!
      if (shift === 28 && (byte & 0x70) !== 0)
        throw badRequest('A number is too large', this.pos - 1)
      result |= (byte & 0x7f) << shift
      if (byte < 0x80) return result >>> 0
    }
    throw badRequest('A number is too long', this.pos)
  }

  /** Reads the tag of the next field. Field number 0 and wire types 6 and 7 are refused. */
  tag(): number {
    const at = this.pos
    const result = this.varint32()
    if (result >>> 3 === 0) throw badRequest('Field number 0', at)
    if ((result & 7) > FIXED32) throw badRequest('An unknown wire type', at)
    return result
  }

  /** Reads the length of a length-delimited field and checks it against the surrounding message. */
  length(): number {
    const at = this.pos
    const result = this.varint32()
    if (result > this.end - this.pos) throw badRequest('A field is longer than its message', at)
    return result
  }

  /** Skips a varint of up to 64 bits. */
  skipVarint(): void {
    const limit = Math.min(this.end, this.pos + 10)
    while (this.pos < limit) if (this.bytes[this.pos++]! < 0x80) return
    throw badRequest('A number is cut off or too long', this.pos)
  }

  /** Skips the value of the field whose tag was just read. */
  skip(fieldTag: number, depth = 0): void {
    switch (fieldTag & 7) {
      case VARINT:
        this.skipVarint()
        return
      case FIXED64:
        this.#advance(8)
        return
      case LEN:
        this.#advance(this.length())
        return
      case FIXED32:
        this.#advance(4)
        return
      case GROUP_START:
        this.#skipGroup(fieldTag >>> 3, depth)
        return
      default:
        throw badRequest('The end of a group that did not begin', this.pos)
    }
  }

  #advance(count: number): void {
    if (count > this.end - this.pos) throw badRequest('A field is cut off', this.pos)
    this.pos += count
  }

  #skipGroup(field: number, depth: number): void {
    // promise: groups-nest-bounded
    if (depth >= MAX_GROUP_DEPTH) throw badRequest('Groups are nested too deeply', this.pos)
    while (this.pos < this.end) {
      const inner = this.tag()
      if ((inner & 7) === GROUP_END) {
        if (inner >>> 3 !== field) throw badRequest('The end of another group', this.pos)
        return
      }
      this.skip(inner, depth + 1)
    }
    throw badRequest('A group is cut off', this.pos)
  }
}

/** Number of bytes of `value` (0 to 2^32-1) as a varint. */
export function varintSize(value: number): number {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : value < 0x200000 ? 3 : value < 0x10000000 ? 4 : 5
}

/** Writes `value` (0 to 2^32-1) as a varint at `pos` and returns the position behind it. */
export function putVarint(bytes: Uint8Array, pos: number, value: number): number {
  while (value >= 0x80) {
    bytes[pos++] = (value & 0x7f) | 0x80
    value >>>= 7
  }
  bytes[pos++] = value
  return pos
}

/**
 * One length-delimited field of a small message that is built once, such as a constant, a fact or
 * an answer. Not for the hot path.
 */
export function lenField(field: number, content: Uint8Array): Buffer {
  const head = Buffer.alloc(10)
  const end = putVarint(head, putVarint(head, 0, tag(field, LEN)), content.length)
  return Buffer.concat([head.subarray(0, end), content])
}

/** One varint field. A negative number takes the ten bytes of its two's complement, like int64. */
export function varintField(field: number, value: number | bigint): Buffer {
  const out: number[] = []
  const push = (rest: bigint): void => {
    while (rest >= 0x80n) {
      out.push(Number(rest & 0x7fn) | 0x80)
      rest >>= 7n
    }
    out.push(Number(rest))
  }
  push(BigInt(tag(field, VARINT)))
  push(BigInt.asUintN(64, BigInt(value)))
  return Buffer.from(out)
}
