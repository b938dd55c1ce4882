// Builds and reads the bodies of OTLP responses, in the encoding of the request. A receiver writes
// ExportTraceServiceResponse or google.rpc.Status. A sender reads rejected spans and retry hints.
import { Cursor, LEN, lenField, VARINT, varintField } from './wire.ts'

export type Encoding = 'protobuf' | 'json'

/**
 * How many spans of a request were rejected, and why, for the application's developer. `message` is
 * empty if none was.
 */
export interface ExportResult {
  rejected: number
  message: string
}

/**
 * ExportTraceServiceResponse. "The server MUST leave the partial_success field unset in case of a
 * successful response". A message without rejected spans is a warning.
 */
export function successBody(encoding: Encoding, rejected: number, message: string): Buffer {
  const isFull = rejected === 0 && message === ''
  if (encoding === 'json') {
    const rejectedSpans = rejected === 0 ? {} : { rejectedSpans: String(rejected) }
    const errorMessage = message === '' ? {} : { errorMessage: message }
    return Buffer.from(
      JSON.stringify(isFull ? {} : { partialSuccess: { ...rejectedSpans, ...errorMessage } }),
    )
  }
  if (isFull) return Buffer.alloc(0)
  return lenField(
    1,
    Buffer.concat([
      rejected === 0 ? Buffer.alloc(0) : varintField(1, rejected),
      textField(2, message),
    ]),
  )
}

const INVALID_ARGUMENT = 3
const BAD_REQUEST = 'type.googleapis.com/google.rpc.BadRequest'
const RETRY_INFO = 'type.googleapis.com/google.rpc.RetryInfo'

/**
 * google.rpc.Status; `code` is a google.rpc.Code. OTLP asks for a google.rpc.BadRequest in the
 * details of bad data.
 */
export function statusBody(encoding: Encoding, code: number, message: string): Buffer {
  if (encoding === 'json') {
    const details = {
      details: [{ '@type': BAD_REQUEST, fieldViolations: [{ description: message }] }],
    }
    return Buffer.from(
      JSON.stringify({ code, message, ...(code === INVALID_ARGUMENT ? details : {}) }),
    )
  }
  const head = Buffer.concat([
    code === 0 ? Buffer.alloc(0) : varintField(1, code),
    textField(2, message),
  ])
  return code === INVALID_ARGUMENT
    ? Buffer.concat([head, detail(BAD_REQUEST, lenField(1, textField(2, message)))])
    : head
}

/**
 * google.rpc.Status for the trailer `grpc-status-details-bin`. `undefined` if it adds nothing to
 * the other trailers.
 */
export function statusDetails(
  code: number,
  message: string,
  retryAfterSeconds: number | undefined,
): Buffer | undefined {
  if (retryAfterSeconds === undefined && code !== INVALID_ARGUMENT) return undefined
  const status = statusBody('protobuf', code, message)
  if (retryAfterSeconds === undefined) return status
  return Buffer.concat([status, detail(RETRY_INFO, lenField(1, varintField(1, retryAfterSeconds)))])
}

/** Status.details: a google.protobuf.Any. */
const detail = (type: string, value: Uint8Array): Buffer =>
  lenField(3, Buffer.concat([textField(1, type), lenField(2, value)]))

/** A string field. Protobuf leaves out the empty string. */
const textField = (field: number, text: string): Buffer =>
  text === '' ? Buffer.alloc(0) : lenField(field, Buffer.from(text))

/** partial_success.rejected_spans of a collector's protobuf response; 0 if absent or invalid. */
export function rejectedSpans(body: Uint8Array): number {
  try {
    const cursor = new Cursor(body)
    let rejected = 0
    while (cursor.pos < cursor.end) {
      const fieldTag = cursor.tag()
      if (fieldTag >>> 3 !== 1) {
        cursor.skip(fieldTag)
        continue
      }
      if ((fieldTag & 7) !== LEN) return 0
      const length = cursor.length()
      const partial = new Cursor(body, cursor.pos, cursor.pos + length)
      cursor.pos += length
      rejected = readPartial(partial) ?? rejected
    }
    return rejected
  } catch {
    return 0
  }
}

/** `undefined` where the field is absent. */
function readPartial(cursor: Cursor): number | undefined {
  let rejected: number | undefined
  while (cursor.pos < cursor.end) {
    const fieldTag = cursor.tag()
    if (fieldTag >>> 3 !== 1) {
      cursor.skip(fieldTag)
      continue
    }
    const start = cursor.pos
    cursor.skip(fieldTag)
    rejected = (fieldTag & 7) === VARINT ? countIn(cursor.bytes, start, cursor.pos) : 0
  }
  return rejected
}

/** An int64 as a count. Negative or unsafe values count as 0. */
function countIn(bytes: Uint8Array, start: number, end: number): number {
  let count = 0
  for (let i = end - 1; i >= start; i--) count = count * 128 + (bytes[i]! & 0x7f)
  return Number.isSafeInteger(count) ? count : 0
}
