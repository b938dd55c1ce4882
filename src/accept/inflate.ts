// Inflates a body, within the body limit (413) and the budget (503). The size that a gzip stream
// declares may be wrong. Only one large body is inflated at a time, so that the memory of zlib is
// needed once.
import { createGunzip, gunzipSync } from 'node:zlib'
import { badRequest, errorCode, type Refusal } from '../support/errors.ts'
import { release } from '../support/memory.ts'
import { tooLarge } from './body.ts'
import type { Share } from './budget.ts'

/** Up to this size a synchronous call is faster. It leaves three times the size as garbage. */
const SMALL = 64 * 1024
/** Larger than Node's pool, so that each chunk of output can be released. */
const CHUNK_BYTES = 128 * 1024

/** Consumes `body`. Rejects with a Refusal. */
export type Inflate = (body: Uint8Array, maxBytes: number, share: Share) => Promise<Uint8Array>

export function createInflate(): Inflate {
  let turn: Promise<unknown> = Promise.resolve()
  return async (body, maxBytes, share) => {
    try {
      // ISIZE (RFC 1952 2.3.1). It is wrong if the stream is truncated, has several members, or
      // lies.
      const declared =
        body.length < 18
          ? 0
          : new DataView(body.buffer, body.byteOffset + body.length - 4, 4).getUint32(0, true)
      if (declared <= Math.min(SMALL, maxBytes)) {
        const small = inflateSmall(body, Math.max(declared, 1024), share)
        if (small !== undefined) return small
      }
      const inflated = turn.then(() =>
        inflateLarge(body, Math.min(Math.max(declared, SMALL), maxBytes), maxBytes, share),
      )
      turn = inflated.catch(() => undefined)
      return await inflated
    } finally {
      release(body)
    }
  }
}

const corrupt = (body: Uint8Array): Refusal =>
  badRequest('The gzip stream is corrupt or truncated', body.length)

/** `undefined` if the body is larger than it declares. */
function inflateSmall(body: Uint8Array, size: number, share: Share): Uint8Array | undefined {
  const refusal = share.take(size)
  if (refusal !== undefined) throw refusal
  try {
    // promise: inflate-bounded
    return gunzipSync(body, { maxOutputLength: size, chunkSize: size })
  } catch (error) {
    if (errorCode(error) !== 'ERR_BUFFER_TOO_LARGE') throw corrupt(body)
    return undefined
  }
}

function inflateLarge(
  body: Uint8Array,
  first: number,
  maxBytes: number,
  share: Share,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const refused = share.take(first)
    if (refused !== undefined) {
      reject(refused)
      return
    }
    let out = Buffer.allocUnsafeSlow(first)
    let length = 0
    let last: Buffer | undefined
    const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
    const fail = (refusal: Refusal): void => {
      gunzip.destroy()
      release(out)
      reject(refusal)
    }
    /** Grows `out` to `needed` bytes, or returns why not. */
    const grow = (needed: number): Refusal | undefined => {
      // promise: inflate-pieces-bounded
      if (needed > maxBytes) return tooLarge(maxBytes)
      const capacity = Math.min(maxBytes, Math.max(needed, out.length * 2))
      const refusal = share.take(capacity - out.length)
      if (refusal !== undefined) return refusal
      const grown = Buffer.allocUnsafeSlow(capacity)
      out.copy(grown, 0, 0, length)
      release(out)
      out = grown
      return undefined
    }
    gunzip.on('data', (chunk: Buffer) => {
      // zlib fills one buffer over several chunks before it takes the next one.
      if (last !== undefined && last.buffer !== chunk.buffer) release(last)
      last = chunk
      const needed = length + chunk.length
      const refusal = needed > out.length ? grow(needed) : undefined
      if (refusal !== undefined) {
        fail(refusal)
        return
      }
      chunk.copy(out, length)
      length = needed
    })
    gunzip.on('error', () => fail(corrupt(body)))
    gunzip.on('end', () => resolve(out.subarray(0, length)))
    // zlib has stopped writing.
    gunzip.on('close', () => {
      if (last !== undefined) release(last)
    })
    gunzip.end(body)
  })
}
