// Reads a request's body and inflates it, never beyond the body limit (413), the budget that all requests share (503)
// and a deadline (408). Chunks are copied into one buffer that grows, because a body sent byte by byte would otherwise cost two
// hundred times its size in small buffers; what a body claims to be is never allocated before it arrives.
import type { Readable } from 'node:stream'
import { gunzipSync } from 'node:zlib'
import { badRequest, errorCode, Refusal } from '../errors.ts'
import type { Share } from './budget.ts'

const FIRST_BUFFER = 16 * 1024
/** For the whole body: a client that sends it byte by byte would otherwise hold its share of the budget for ever. */
const DEADLINE_MS = 30_000

const tooLarge = (maxBytes: number): Refusal =>
  new Refusal(413, `The body is larger than ${maxBytes} bytes. Send smaller batches, or raise USAGE_MAX_BODY.`)

/**
 * The body as it was sent; `announced` is the length that its header says. Rejects with a Refusal; node:http then reads the rest and throws it away, so that the client
 * can read the answer (RFC 9112 9.3).
 */
export function readBody(request: Readable, announced: number | undefined, maxBytes: number, share: Share): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    let buffer: Buffer = Buffer.alloc(0)
    let length = 0

    const late = (): void => refuse(new Refusal(408, `The body was not there after ${DEADLINE_MS / 1000} seconds.`))
    const timer = setTimeout(late, DEADLINE_MS)
    const refuse = (refusal: Refusal): void => {
      clearTimeout(timer)
      request.removeListener('data', onData)
      request.removeListener('end', onEnd)
      buffer = Buffer.alloc(0)
      reject(refusal)
    }
    const grow = (needed: number): Refusal | undefined => {
      const capacity = Math.min(announced ?? maxBytes, maxBytes, Math.max(FIRST_BUFFER, needed, buffer.length * 2))
      const refusal = share.take(capacity - buffer.length)
      if (refusal !== undefined) return refusal
      const grown = Buffer.allocUnsafeSlow(capacity)
      buffer.copy(grown, 0, 0, length)
      buffer = grown
      return undefined
    }
    const onData = (chunk: Buffer): void => {
      const needed = length + chunk.length
      const whole = length === 0 && chunk.length === announced
      const refusal =
        needed > maxBytes ? tooLarge(maxBytes) : whole ? share.take(chunk.length) : needed > buffer.length ? grow(needed) : undefined
      if (refusal !== undefined) {
        refuse(refusal)
        return
      }
      if (whole) buffer = chunk
      else chunk.copy(buffer, length)
      length = needed
    }
    const onEnd = (): void => {
      clearTimeout(timer)
      resolve(buffer.subarray(0, length))
    }

    request.on('error', () => refuse(new Refusal(400, 'The body was not sent to its end.')))
    if (announced !== undefined && announced > maxBytes) refuse(tooLarge(maxBytes))
    else {
      request.on('data', onData)
      request.on('end', onEnd)
    }
  })
}

/**
 * The inflated body. Synchronous on purpose: one body is inflated at a time, so the memory for it exists once.
 * The last four bytes of gzip (RFC 1952 2.3.1, ISIZE) say the size; they are believed as a first guess only, because
 * they are wrong where the stream is cut off, has several members, or lies.
 */
export function inflate(body: Uint8Array, maxBytes: number, share: Share): Uint8Array {
  const said = body.length < 18 ? 0 : new DataView(body.buffer, body.byteOffset + body.length - 4, 4).getUint32(0, true)
  let taken = 0
  for (const size of [Math.min(Math.max(said, 1024), maxBytes), maxBytes]) {
    const refusal = share.take(size - taken)
    if (refusal !== undefined) throw refusal
    taken = size
    try {
      return gunzipSync(body, { maxOutputLength: size, chunkSize: Math.max(size, 64) })
    } catch (error) {
      if (errorCode(error) !== 'ERR_BUFFER_TOO_LARGE') throw badRequest('The gzip stream is broken or cut off, seen', body.length)
      if (size === maxBytes) break
    }
  }
  throw tooLarge(maxBytes)
}
