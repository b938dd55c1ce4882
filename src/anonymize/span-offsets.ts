// Finds the position of each field and attribute of one Span. It copies nothing, and skips events,
// links, trace state and status message by their length. test/fixtures/malformed.md says what
// becomes of malformed input.

import { Cursor, LEN, VARINT } from '../otlp/wire.ts'
import { badRequest } from '../support/errors.ts'

/**
 * Fields of Span that occur at most once (opentelemetry/proto/trace/v1/trace.proto), as a mask of
 * their numbers.
 */
const SINGULAR = [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15, 16].reduce(
  (mask, field) => mask | (1 << field),
  0,
)
/** Wire type of each known field of Span, by its number. */
const SPAN_WIRE_TYPES = [-1, 2, 2, 2, 2, 2, 0, 1, 1, 2, 0, 2, 0, 2, 0, 2, 5]

export const NO_ID = -1
/** SDKs stop at 128 by default; a span with more than this is rejected. */
const MAX_SPAN_ATTRIBUTES = 4096

/** Where the parts of a span lie in the body. One is made and filled again for every span. */
export class SpanOffsets {
  /**
   * False: an id is missing or wrong, a field occurs twice, or there are too many attributes; the
   * span is rejected, the request is not.
   */
  valid = false
  traceId = NO_ID
  spanId = NO_ID
  /** NO_ID for a root span. */
  parentId = NO_ID
  nameStart = 0
  nameEnd = 0
  /**
   * Positions of the two fixed64 in nanoseconds since 1970; NO_ID: the field is absent, its value
   * 0.
   */
  startTime = NO_ID
  endTime = NO_ID
  statusStart = 0
  statusEnd = 0
  attributeCount = 0
  /** Start and end of each attribute's KeyValue, two by two. */
  attributes: Int32Array = new Int32Array(256)

  /** Reads the span from `cursor` to its end. Throws a 400 where the frame itself is malformed. */
  read(cursor: Cursor): void {
    // promise: span-without-earlier-ids
    this.traceId = this.spanId = this.parentId = this.startTime = this.endTime = NO_ID
    this.nameStart = this.nameEnd = this.statusStart = this.statusEnd = this.attributeCount = 0
    const { bytes, end } = cursor
    let seen = 0
    let valid = true
    while (cursor.pos < end) {
      // Nearly every tag and every length is one byte; only the rest takes the call.
      let fieldTag = bytes[cursor.pos]!
      if (fieldTag < 0x80) cursor.pos++
      else fieldTag = cursor.tag()
      const field = fieldTag >>> 3
      if (field > 16) {
        cursor.skip(fieldTag)
        continue
      }
      if ((fieldTag & 7) !== SPAN_WIRE_TYPES[field])
        throw badRequest('A field of Span has the wrong wire type', cursor.pos)
      if ((SINGULAR >>> field) & 1) {
        // promise: span-field-once
        if ((seen >>> field) & 1) valid = false
        seen |= 1 << field
      }
      if ((fieldTag & 7) !== LEN) {
        if (field === 7) this.startTime = cursor.pos
        else if (field === 8) this.endTime = cursor.pos
        cursor.skip(fieldTag)
        continue
      }
      const short = bytes[cursor.pos]!
      let length: number
      if (short < 0x80 && short < end - cursor.pos) {
        length = short
        cursor.pos++
      } else length = cursor.length()
      const start = cursor.pos
      cursor.pos = start + length
      if (field === 9) valid = this.#addAttribute(start, cursor.pos) && valid
      else if (field === 1) {
        this.traceId = start
        valid &&= length === 16 && anyBit(bytes, start, 16)
      } else if (field === 2) {
        this.spanId = start
        valid &&= length === 8 && anyBit(bytes, start, 8)
      } else if (field === 4) {
        valid &&= length === 0 || length === 8
        this.parentId = length === 8 && anyBit(bytes, start, 8) ? start : NO_ID
      } else if (field === 5) {
        this.nameStart = start
        this.nameEnd = cursor.pos
      } else if (field === 15) {
        this.statusStart = start
        this.statusEnd = cursor.pos
      }
    }
    this.valid = valid && this.traceId !== NO_ID && this.spanId !== NO_ID
  }

  /**
   * False, and not kept, beyond the bound: two bytes of input would otherwise cost eight of memory
   * without end.
   */
  #addAttribute(start: number, end: number): boolean {
    if (this.attributeCount === MAX_SPAN_ATTRIBUTES) return false
    const at = this.attributeCount * 2
    if (at === this.attributes.length) {
      const grown = new Int32Array(at * 2)
      grown.set(this.attributes)
      this.attributes = grown
    }
    this.attributes[at] = start
    this.attributes[at + 1] = end
    this.attributeCount++
    return true
  }

  /**
   * Code of the status: 0 unset, 1 ok, 2 error (Status.StatusCode); `undefined` where it cannot be
   * told.
   */
  statusCode(bytes: Uint8Array): number | undefined {
    const cursor = new Cursor(bytes, this.statusStart, this.statusEnd)
    let code = 0
    let seen = false
    try {
      while (cursor.pos < cursor.end) {
        const fieldTag = cursor.tag()
        if (fieldTag >>> 3 === 3) {
          if (seen || (fieldTag & 7) !== VARINT) return undefined
          seen = true
          code = cursor.varint32()
        } else if (fieldTag >>> 3 === 2 && (fieldTag & 7) !== LEN) return undefined
        else cursor.skip(fieldTag)
      }
    } catch {
      return undefined
    }
    return code <= 2 ? code : undefined
  }

  /** End minus start in nanoseconds (exact below 104 days); `undefined` where one of them is 0. */
  durationNs(bytes: Uint8Array): number | undefined {
    const start = this.startTime
    const end = this.endTime
    if (start === NO_ID || end === NO_ID || !anyBit(bytes, start, 8) || !anyBit(bytes, end, 8))
      return undefined
    return (
      (uint32(bytes, end + 4) - uint32(bytes, start + 4)) * 0x1_0000_0000 +
      (uint32(bytes, end) - uint32(bytes, start))
    )
  }
}

/** Little-endian, unsigned. */
export function uint32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  )
}

function anyBit(bytes: Uint8Array, start: number, length: number): boolean {
  for (let i = start; i < start + length; i++) if (bytes[i] !== 0) return true
  return false
}
