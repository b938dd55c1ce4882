// The format of queue/<sequence>.otlp. Such a file is a list of records. Each is one whole field 1
// of an ExportTraceServiceRequest (`0a LEN ResourceSpans`), followed by its CRC-32 as a field that
// OTLP readers skip. So the file itself is a readable request. Records before the first wrong
// checksum are whole. Bytes after it are never trusted.
import { crc32 } from 'node:zlib'

/** Tag of ExportTraceServiceRequest.resource_spans, length-delimited. */
const RECORD_TAG = 0x0a
/** Field 15, fixed32 (protobuf.dev/programming-guides/encoding). */
const CHECKSUM_TAG = 0x7d
export const CHECKSUM_BYTES = 5

/** Paths of fields from the request down: its batches, and their spans through ScopeSpans. */
export const BATCHES = [1]
export const SPANS = [1, 2, 2]

/**
 * The phases of a file, in their order.
 * `queued`: a file of queue/. `committed`: a body in sending/ that was never sent.
 * `attempted`: the receipts name an attempt. `settled`: delivered or refused, not in sent/ yet.
 */
export type FilePhase = 'queued' | 'committed' | 'attempted' | 'settled'

/** A file of queue/ or sending/. */
export interface StoredFile {
  sequence: number
  phase: FilePhase
  /** Up to the end of the last record that is whole and durable. */
  bytes: number
  /** Milliseconds since 1970. */
  firstAppendAt: number
  /** `undefined` for a body of an earlier process until it is read. */
  spans: number | undefined
}

/** Up to 15 digits, so that a file is found again whatever sequence a damaged receipt names. */
const NAME = /^(\d{12,15})\.otlp(\.gz)?$/

export const queueName = (sequence: number): string => `${String(sequence).padStart(12, '0')}.otlp`
export const bodyName = (sequence: number): string => `${queueName(sequence)}.gz`

/** The sequence in the name of one of our files. `undefined` for any other file. */
export function sequenceOf(name: string): number | undefined {
  const digits = NAME.exec(name)?.[1]
  return digits === undefined ? undefined : Number(digits)
}

/** Writes a record and its checksum into `target` at `at`. Gives the position behind them. */
export function putRecord(target: Buffer, at: number, record: Uint8Array): number {
  target.set(record, at)
  const end = at + record.length
  target[end] = CHECKSUM_TAG
  return target.writeUInt32LE(crc32(record), end + 1)
}

export interface Scan {
  /** Views of the file's bytes, without the checksums. */
  records: Uint8Array[]
  spans: number
  /** Where the last whole record and its checksum end. */
  length: number
  /** `torn`: the last record is cut off. `corrupt`: bytes are there and wrong. */
  state: 'whole' | 'torn' | 'corrupt'
}

export function scanFile(bytes: Buffer): Scan {
  const records: Uint8Array[] = []
  let at = 0
  let state: Scan['state'] = 'whole'
  while (at < bytes.length) {
    const end = bytes[at] === RECORD_TAG ? endOfLen(bytes, at + 1) : Number.NaN
    if (end + CHECKSUM_BYTES > bytes.length) {
      state = 'torn'
      break
    }
    // promise: checksum-checked
    if (
      bytes[end] !== CHECKSUM_TAG ||
      bytes.readUInt32LE(end + 1) !== crc32(bytes.subarray(at, end))
    ) {
      // A power loss leaves the last record wrong, or zeros to the end. Anything else is damage.
      const torn =
        end + CHECKSUM_BYTES === bytes.length || bytes.subarray(at).every((byte) => byte === 0)
      state = torn ? 'torn' : 'corrupt'
      break
    }
    records.push(bytes.subarray(at, end))
    at = end + CHECKSUM_BYTES
  }
  const spans = records.reduce((sum, record) => sum + countFields(record, SPANS), 0)
  return { records, spans, length: at, state }
}

/** The end of the value whose length is at `at`. Infinite if the length is cut off. */
function endOfLen(bytes: Uint8Array, at: number): number {
  const reader = new Reader(bytes, at)
  return reader.varint(bytes.length) + reader.at
}

/**
 * How often the length-delimited field at the end of `path` occurs. Malformed bytes are counted as
 * far as they can be read.
 */
export const countFields = (bytes: Uint8Array, path: readonly number[]): number =>
  new Reader(bytes, 0).count(path, 0, bytes.length)

/** Allocates nothing, because it visits every field of every span that is sent. */
class Reader {
  readonly #bytes: Uint8Array
  at: number

  constructor(bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.at = at
  }

  /** Reads a varint of up to 53 bits. Infinite if it is cut off or too long. */
  varint(end: number): number {
    let value = 0
    for (let factor = 1; this.at < end && factor < 2 ** 63; factor *= 128) {
      const byte = this.#bytes[this.at++]!
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
    }
    return Number.POSITIVE_INFINITY
  }

  count(path: readonly number[], depth: number, end: number): number {
    let count = 0
    while (this.at < end) {
      const tag = this.varint(end)
      const wireType = tag & 7
      const number = wireType === 2 || wireType === 0 ? this.varint(end) : 0
      const next = this.at + (wireType === 2 ? number : wireType === 5 ? 4 : wireType === 1 ? 8 : 0)
      if (!(next <= end)) return count
      if (wireType === 2 && Math.floor(tag / 8) === path[depth]) {
        count += depth === path.length - 1 ? 1 : this.count(path, depth + 1, next)
      }
      this.at = next
    }
    return count
  }
}
