// Decodes a trace request into plain objects, for `show`, `policy preview` and the collector. The
// sidecar's pipeline never does this. Fields that no reader needs are skipped, including unknown
// ones such as the queue's checksum. Malformed bytes throw a 400. If a field occurs twice, the last
// one counts, as protobuf says.
import { badRequest } from '../support/errors.ts'
import { Cursor, FIXED64, LEN, VARINT } from './wire.ts'

/** The value of an attribute. */
export type Value =
  | { kind: 'string'; value: string }
  | { kind: 'int'; value: bigint }
  | { kind: 'bool'; value: boolean }
  | { kind: 'double'; value: number }
  | { kind: 'bytes'; value: Uint8Array }
  | { kind: 'array'; value: Value[] }
  | { kind: 'map'; value: Attribute[] }
  | { kind: 'empty'; value: null }

export interface Attribute {
  key: string
  value: Value
}

export interface DecodedSpan {
  /** Lower-case hex of the bytes, whatever their number; `''` if there are none. */
  traceId: string
  spanId: string
  parentSpanId: string
  name: string
  kind: number
  startTimeUnixNano: bigint
  endTimeUnixNano: bigint
  attributes: Attribute[]
  statusCode: number
  statusMessage: string
  eventCount: number
  linkCount: number
}

export interface DecodedResourceSpans {
  /** Attributes of the resource. */
  attributes: Attribute[]
  scopeSpans: { spans: DecodedSpan[] }[]
}

export interface DecodedRequest {
  resourceSpans: DecodedResourceSpans[]
}

/** Limits nested arrays and maps, because each level takes stack. */
const MAX_DEPTH = 64
const EMPTY: Value = Object.freeze({ kind: 'empty', value: null })
const MASK_64 = (1n << 64n) - 1n

export function decodeRequest(bytes: Uint8Array): DecodedRequest {
  const resourceSpans: DecodedResourceSpans[] = []
  const cursor = new Cursor(bytes)
  eachField(cursor, (field, wireType) => {
    if (field !== 1) return false
    resourceSpans.push(decodeResourceSpans(message(cursor, wireType)))
    return true
  })
  return { resourceSpans }
}

/**
 * Calls `read` with every field. `read` consumes the value, or returns false and the value is
 * skipped.
 */
function eachField(cursor: Cursor, read: (field: number, wireType: number) => boolean): void {
  while (cursor.pos < cursor.end) {
    const fieldTag = cursor.tag()
    if (!read(fieldTag >>> 3, fieldTag & 7)) cursor.skip(fieldTag)
  }
}

function expect(cursor: Cursor, wireType: number, wanted: number): void {
  if (wireType !== wanted) throw badRequest('A field has the wrong wire type', cursor.pos)
}

/** A cursor on the embedded message. The outer cursor moves behind it. */
function message(cursor: Cursor, wireType: number): Cursor {
  expect(cursor, wireType, LEN)
  const length = cursor.length()
  const inner = new Cursor(cursor.bytes, cursor.pos, cursor.pos + length)
  cursor.pos += length
  return inner
}

const buffer = ({ bytes, pos, end }: Cursor): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset + pos, end - pos)
/** Replaces invalid UTF-8 by U+FFFD. A string is no reason to refuse a request. */
const text = (cursor: Cursor, wireType: number): string =>
  buffer(message(cursor, wireType)).toString('utf8')
const hex = (cursor: Cursor, wireType: number): string =>
  buffer(message(cursor, wireType)).toString('hex')

/** Reads 64 bits and refuses more than ten bytes. */
function varint(cursor: Cursor, wireType: number): bigint {
  expect(cursor, wireType, VARINT)
  const start = cursor.pos
  cursor.skipVarint()
  if (cursor.pos - start <= 4) {
    let small = 0
    for (let i = cursor.pos - 1; i >= start; i--) small = (small << 7) | (cursor.bytes[i]! & 0x7f)
    return BigInt(small)
  }
  let result = 0n
  for (let i = cursor.pos - 1; i >= start; i--)
    result = (result << 7n) | BigInt(cursor.bytes[i]! & 0x7f)
  return result & MASK_64
}

const int32 = (cursor: Cursor, wireType: number): number =>
  Number(BigInt.asIntN(32, varint(cursor, wireType)))

/** Reads the eight bytes of a fixed64 or a double. */
function eight(cursor: Cursor, wireType: number): Buffer {
  expect(cursor, wireType, FIXED64)
  if (cursor.end - cursor.pos < 8) throw badRequest('A field is cut off', cursor.pos)
  cursor.pos += 8
  return Buffer.from(cursor.bytes.buffer, cursor.bytes.byteOffset + cursor.pos - 8, 8)
}

function decodeResourceSpans(cursor: Cursor): DecodedResourceSpans {
  const decoded: DecodedResourceSpans = { attributes: [], scopeSpans: [] }
  eachField(cursor, (field, wireType) => {
    if (field === 1) {
      const resource = message(cursor, wireType)
      eachField(
        resource,
        (inner, innerType) =>
          inner === 1 && decoded.attributes.push(attribute(message(resource, innerType), 0)) > 0,
      )
    } else if (field === 2) {
      const scope = message(cursor, wireType)
      const spans: DecodedSpan[] = []
      eachField(
        scope,
        (inner, innerType) => inner === 2 && spans.push(decodeSpan(message(scope, innerType))) > 0,
      )
      decoded.scopeSpans.push({ spans })
    } else return false
    return true
  })
  return decoded
}

function decodeSpan(cursor: Cursor): DecodedSpan {
  const span: DecodedSpan = {
    traceId: '',
    spanId: '',
    parentSpanId: '',
    name: '',
    kind: 0,
    startTimeUnixNano: 0n,
    endTimeUnixNano: 0n,
    attributes: [],
    statusCode: 0,
    statusMessage: '',
    eventCount: 0,
    linkCount: 0,
  }
  eachField(cursor, (field, wireType) => {
    if (field === 1) span.traceId = hex(cursor, wireType)
    else if (field === 2) span.spanId = hex(cursor, wireType)
    else if (field === 4) span.parentSpanId = hex(cursor, wireType)
    else if (field === 5) span.name = text(cursor, wireType)
    else if (field === 6) span.kind = int32(cursor, wireType)
    else if (field === 7) span.startTimeUnixNano = eight(cursor, wireType).readBigUInt64LE()
    else if (field === 8) span.endTimeUnixNano = eight(cursor, wireType).readBigUInt64LE()
    else if (field === 9) span.attributes.push(attribute(message(cursor, wireType), 0))
    else if (field === 15) decodeStatus(span, message(cursor, wireType))
    else if (field === 11 || field === 13) {
      message(cursor, wireType)
      if (field === 11) span.eventCount++
      else span.linkCount++
    } else return false
    return true
  })
  return span
}

function decodeStatus(span: DecodedSpan, cursor: Cursor): void {
  eachField(cursor, (field, wireType) => {
    if (field === 2) span.statusMessage = text(cursor, wireType)
    else if (field === 3) span.statusCode = int32(cursor, wireType)
    else return false
    return true
  })
}

function attribute(cursor: Cursor, depth: number): Attribute {
  const decoded: Attribute = { key: '', value: EMPTY }
  eachField(cursor, (field, wireType) => {
    if (field === 1) decoded.key = text(cursor, wireType)
    else if (field === 2) decoded.value = anyValue(message(cursor, wireType), depth)
    else return false
    return true
  })
  return decoded
}

function anyValue(cursor: Cursor, depth: number): Value {
  let value: Value = EMPTY
  eachField(cursor, (field, wireType) => {
    if (field === 1) value = { kind: 'string', value: text(cursor, wireType) }
    else if (field === 2) value = { kind: 'bool', value: varint(cursor, wireType) !== 0n }
    else if (field === 3)
      value = { kind: 'int', value: BigInt.asIntN(64, varint(cursor, wireType)) }
    else if (field === 4) value = { kind: 'double', value: eight(cursor, wireType).readDoubleLE() }
    else if (field === 5)
      value = { kind: 'array', value: values(message(cursor, wireType), depth + 1, anyValue) }
    else if (field === 6)
      value = { kind: 'map', value: values(message(cursor, wireType), depth + 1, attribute) }
    // Copied, because the value may outlive the request.
    else if (field === 7)
      value = { kind: 'bytes', value: Uint8Array.from(buffer(message(cursor, wireType))) }
    else return false
    return true
  })
  return value
}

/** `values` of an ArrayValue or a KeyValueList. */
function values<T>(cursor: Cursor, depth: number, read: (item: Cursor, depth: number) => T): T[] {
  if (depth > MAX_DEPTH) throw badRequest('Values are nested too deeply', cursor.pos)
  const items: T[] = []
  eachField(
    cursor,
    (field, wireType) => field === 1 && items.push(read(message(cursor, wireType), depth)) > 0,
  )
  return items
}
