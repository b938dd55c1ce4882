// Reads and writes the parts of a gRPC call: the length-prefixed message, the deadline and the
// status message.
import { Refusal } from '../support/errors.ts'

/** Compressed flag and length of a message. */
export const PREFIX_BYTES = 5

/** The one message of a unary call, as it was sent. */
export function messageOf(
  body: Uint8Array,
  coding: string,
  maxBytes: number,
): { message: Uint8Array; isGzip: boolean } {
  const length =
    body.length < PREFIX_BYTES ? -1 : new DataView(body.buffer, body.byteOffset).getUint32(1)
  if (length > maxBytes)
    throw new Refusal(
      413,
      `The message is larger than ${maxBytes} bytes. Send smaller batches, or raise USAGE_MAX_BODY.`,
    )
  if (length !== body.length - PREFIX_BYTES)
    throw new Refusal(400, 'The call does not contain exactly one complete message.')
  const message = body.subarray(PREFIX_BYTES)
  const compressed = body[0]
  if (compressed === 0) return { message, isGzip: false }
  if (compressed !== 1 || coding === 'identity')
    throw new Refusal(400, 'The message has an unknown compressed flag.')
  if (coding !== 'gzip') throw new Refusal(415, 'Send grpc-encoding gzip, or none.')
  return { message, isGzip: true }
}

/** An uncompressed message. */
export function withPrefix(message: Buffer): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

const UNIT_MS: Record<string, number> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
}

/** Milliseconds of a grpc-timeout, at most what a timer takes; `undefined` if it is none. */
export function deadlineOf(timeout: string): number | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(timeout)
  if (match === null) return undefined
  return Math.min(Number(match[1]) * UNIT_MS[match[2]!]!, 2 ** 31 - 1)
}

/** "Percent-Byte-Unencoded": printable ASCII without the percent sign. */
export const percentEncoded = (message: string): string =>
  message.replace(/[^\x20-\x24\x26-\x7e]/gu, (character) => encodeURIComponent(character))
