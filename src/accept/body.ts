// Reads a request's body and inflates it, never beyond the body limit (413) nor the budget that all requests share
// (503). Chunks are copied into one buffer that grows, because a body sent byte by byte would otherwise cost two
// hundred times its size in small buffers; what a body claims to be is never allocated before it arrives.
import type { IncomingMessage } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { badRequest, errorCode, Refusal, retryLater } from '../errors.ts'
import type { Share } from './budget.ts'

const FIRST_BUFFER = 16 * 1024

const tooLarge = (maxBytes: number): Refusal =>
  new Refusal(413, `The body is larger than ${maxBytes} bytes. Send smaller batches, or raise USAGE_MAX_BODY.`)

export const busy = (): Refusal => retryLater('Too many bytes are being received at once. Send the same request later.', 1)

/** The body as it was sent. Rejects with a Refusal; the rest of a refused body is read and thrown away. */
export function readBody(request: IncomingMessage, maxBytes: number, share: Share): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const header = request.headers['content-length']
    const announced = header === undefined ? undefined : Number(header)
    let buffer: Buffer = Buffer.alloc(0)
    let length = 0

    const refuse = (refusal: Refusal): void => {
      request.removeListener('data', onData)
      request.removeListener('end', onEnd)
      buffer = Buffer.alloc(0)
      // RFC 9112 9.3: the rest is drained so that the client can read the answer; requestTimeout bounds for how long.
      request.resume()
      reject(refusal)
    }
    const grow = (needed: number): boolean => {
      const capacity = Math.min(announced ?? maxBytes, maxBytes, Math.max(FIRST_BUFFER, needed, buffer.length * 2))
      if (!share.take(capacity - buffer.length)) return false
      const grown = Buffer.allocUnsafeSlow(capacity)
      buffer.copy(grown, 0, 0, length)
      buffer = grown
      return true
    }
    const onData = (chunk: Buffer): void => {
      if (length === 0 && chunk.length === announced) {
        if (share.take(chunk.length)) {
          buffer = chunk
          length = chunk.length
        } else refuse(busy())
        return
      }
      const needed = length + chunk.length
      if (needed > maxBytes) refuse(tooLarge(maxBytes))
      else if (needed > buffer.length && !grow(needed)) refuse(busy())
      else {
        chunk.copy(buffer, length)
        length = needed
      }
    }
    const onEnd = (): void => resolve(buffer.subarray(0, length))

    request.on('error', () => reject(new Refusal(400, 'The body was not sent to its end.')))
    if (announced !== undefined && announced > maxBytes) refuse(tooLarge(maxBytes))
    else {
      request.on('data', onData)
      request.on('end', onEnd)
    }
  })
}

/**
 * The inflated body. Synchronous on purpose: one body is inflated at a time, so the memory for it exists once.
 * The last four bytes of gzip (RFC 1952 2.3.1, ISIZE) say the size; they are believed as a first guess only.
 */
export function inflate(body: Uint8Array, maxBytes: number, share: Share): Uint8Array {
  const guess = body.length < 18 ? 0 : new DataView(body.buffer, body.byteOffset + body.length - 4, 4).getUint32(0, true)
  for (const size of [Math.max(guess, 1024), maxBytes]) {
    if (size > maxBytes) throw tooLarge(maxBytes)
    if (!share.take(size)) throw busy()
    try {
      return gunzipSync(body, { maxOutputLength: size, chunkSize: Math.max(size, 64) })
    } catch (error) {
      if (errorCode(error) !== 'ERR_BUFFER_TOO_LARGE') throw badRequest('The gzip stream is broken or cut off, seen', body.length)
    }
  }
  throw tooLarge(maxBytes)
}
