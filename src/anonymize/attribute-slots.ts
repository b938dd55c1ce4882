// Fills the numbered slots of a span rule from the span's attributes: position and kind of each
// listed value. Keys are matched as bytes, and unlisted attributes are skipped. If a decoder could
// read a KeyValue or AnyValue in two ways (a duplicate, unknown or truncated member), its slot is
// MALFORMED. Decoders take the last of two keys, so reading the first would let `{key: listed, key:
// secret}` pass one as the other.
import { Cursor, FIXED64, LEN, VARINT } from '../otlp/wire.ts'
import { type ByteTable, MISS } from './byte-table.ts'
import type { SpanOffsets } from './span-offsets.ts'

/**
 * Kinds of a value. OTHER is an array, a map, bytes, nothing at all, or a number that is none (NaN,
 * infinity).
 */
export const ABSENT = 0
export const STRING = 1
export const BOOL = 2
export const INT = 3
export const DOUBLE = 4
export const OTHER = 5
export const MALFORMED = 6
export type ValueKind = 0 | 1 | 2 | 3 | 4 | 5 | 6

/**
 * Wire type of each member of AnyValue (opentelemetry/proto/common/v1/common.proto), by its number.
 */
const VALUE_WIRE_TYPES = [-1, LEN, VARINT, VARINT, FIXED64, LEN, LEN, LEN, VARINT]

/** One value: text as a place in `bytes`, the rest as a number (booleans 0 and 1). */
export class InputValue {
  kind: ValueKind = ABSENT
  bytes: Buffer = Buffer.alloc(0)
  start = 0
  end = 0
  /** Exact for integers within ±(2^53 − 1); beyond, the nearest double. */
  number = 0

  set(kind: ValueKind, bytes: Buffer, start: number, end: number, number: number): void {
    this.kind = kind
    this.bytes = bytes
    this.start = start
    this.end = end
    this.number = number
  }

  get isEmptyText(): boolean {
    return this.kind === STRING && this.start === this.end
  }
}

const DOUBLE_VIEW = new DataView(new ArrayBuffer(8))

export class AttributeSlots {
  readonly #keys: ByteTable
  readonly values: readonly InputValue[]
  /** Numbers of the slots that the present span filled, in the order of their first appearance. */
  readonly filled: Int32Array
  filledCount = 0

  constructor(keys: ByteTable) {
    this.#keys = keys
    this.values = Array.from({ length: keys.size }, () => new InputValue())
    this.filled = new Int32Array(keys.size)
  }

  /** Empties what the last span filled, then reads the attributes that `offsets` found. */
  fill(bytes: Buffer, offsets: SpanOffsets): void {
    this.clear()
    const { attributes, attributeCount } = offsets
    for (let i = 0; i < attributeCount; i++)
      this.readKeyValue(bytes, attributes[2 * i]!, attributes[2 * i + 1]!)
  }

  clear(): void {
    // promise: span-without-earlier-values
    for (let i = 0; i < this.filledCount; i++) this.values[this.filled[i]!]!.kind = ABSENT
    this.filledCount = 0
  }

  /** Makes every slot MALFORMED, because the message that holds them is invalid. */
  markAll(): void {
    for (let slot = 0; slot < this.values.length; slot++) this.#mark(slot)
  }

  /**
   * KeyValue{1: key, 2: value}, in the order and with the one-byte lengths that every encoder
   * writes; else the long way.
   */
  readKeyValue(bytes: Buffer, start: number, end: number): void {
    const keyEnd = start + 2 + bytes[start + 1]!
    if (bytes[start] === 0x0a && bytes[start + 1]! < 0x80 && bytes[keyEnd] === 0x12) {
      let at = keyEnd + 1
      let length = bytes[at++]!
      // Two bytes at most: `end` is a length that fits nowhere.
      if (length >= 0x80) length = bytes[at]! < 0x80 ? (length & 0x7f) | (bytes[at++]! << 7) : end
      if (at + length === end) {
        const slot = this.#keys.find(bytes, start + 2, keyEnd)
        if (slot !== MISS) this.#put(slot, bytes, at, end)
        return
      }
    }
    this.#readOddKeyValue(bytes, start, end)
  }

  #readOddKeyValue(bytes: Buffer, start: number, end: number): void {
    const cursor = new Cursor(bytes, start, end)
    const named: number[] = []
    let keys = 0
    let values = 0
    let valueStart = end
    let valueEnd = end
    let sound = true
    try {
      while (cursor.pos < end) {
        const fieldTag = cursor.tag()
        const field = fieldTag >>> 3
        // key_strindex means nothing outside profiles: "treat as absent" (common.proto).
        if (field > 3 || (fieldTag & 7) !== (field === 3 ? VARINT : LEN)) sound = false
        if (field > 2 || (fieldTag & 7) !== LEN) {
          cursor.skip(fieldTag)
          continue
        }
        const length = cursor.length()
        if (field === 1) {
          keys++
          named.push(this.#keys.find(bytes, cursor.pos, cursor.pos + length))
        } else {
          values++
          valueStart = cursor.pos
          valueEnd = cursor.pos + length
        }
        cursor.pos += length
      }
    } catch {
      // promise: key-value-complete
      sound = false
    }
    for (const slot of named) {
      if (slot === MISS) continue
      if (sound && keys <= 1 && values <= 1) this.#put(slot, bytes, valueStart, valueEnd)
      else this.#mark(slot)
    }
  }

  #mark(slot: number): void {
    const value = this.values[slot]!
    if (value.kind === ABSENT) this.filled[this.filledCount++] = slot
    value.kind = MALFORMED
  }

  #put(slot: number, bytes: Buffer, start: number, end: number): void {
    const value = this.values[slot]!
    // A listed key twice on one span, whatever the values.
    if (value.kind !== ABSENT) {
      value.kind = MALFORMED
      return
    }
    this.filled[this.filledCount++] = slot
    if (
      bytes[start] === 0x0a &&
      start + 2 + bytes[start + 1]! === end &&
      bytes[start + 1]! < 0x80
    ) {
      value.set(STRING, bytes, start + 2, end, 0)
    } else {
      readAnyValue(value, bytes, start, end)
    }
  }
}

/**
 * AnyValue: exactly one member of the oneof, of its own wire type, to the end. No member is a value
 * of another kind.
 */
function readAnyValue(value: InputValue, bytes: Buffer, start: number, end: number): void {
  value.set(OTHER, bytes, start, end, 0)
  if (start === end) return
  const cursor = new Cursor(bytes, start, end)
  try {
    const fieldTag = cursor.tag()
    const field = fieldTag >>> 3
    if (VALUE_WIRE_TYPES[field] !== (fieldTag & 7)) {
      value.kind = MALFORMED
      return
    }
    if (field === 1) {
      const length = cursor.length()
      value.set(STRING, bytes, cursor.pos, cursor.pos + length, 0)
      cursor.pos += length
    } else if (field === 2 || field === 3 || field === 8) {
      readInt64(value, cursor)
      if (field === 2) value.set(BOOL, bytes, start, end, value.number === 0 ? 0 : 1)
      // string_value_strindex points into a dictionary that a trace request does not have
      // (common.proto).
      else if (field === 8) value.kind = OTHER
    } else if (field === 4) {
      const at = cursor.pos
      cursor.skip(fieldTag)
      for (let i = 0; i < 8; i++) DOUBLE_VIEW.setUint8(i, bytes[at + i]!)
      const number = DOUBLE_VIEW.getFloat64(0, true)
      value.set(Number.isFinite(number) ? DOUBLE : OTHER, bytes, start, end, number)
    } else {
      cursor.skip(fieldTag)
    }
    if (cursor.pos !== end) value.kind = MALFORMED
  } catch {
    value.kind = MALFORMED
  }
}

/** A varint of 64 bits in two's complement; at most ten bytes, of which the tenth holds one bit. */
function readInt64(value: InputValue, cursor: Cursor): void {
  const start = cursor.pos
  cursor.skipVarint()
  const { bytes } = value
  if (cursor.pos - start === 10 && bytes[cursor.pos - 1]! > 1) {
    value.kind = MALFORMED
    cursor.pos = -1
    return
  }
  let low = 0
  let high = 0
  for (let i = start, shift = 0; i < cursor.pos; i++, shift += 7) {
    const bits = bytes[i]! & 0x7f
    if (shift < 28) low |= bits << shift
    else if (shift === 28) {
      low |= bits << 28
      high |= bits >>> 4
    } else high |= bits << (shift - 32)
  }
  // `high | 0` is the signed upper half: bit 63 makes the number negative.
  value.set(INT, bytes, start, cursor.pos, (high | 0) * 0x1_0000_0000 + (low >>> 0))
}
