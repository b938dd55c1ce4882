// Inflates a body, never beyond the body limit (413) and the budget (503): its size is not known
// before, whatever it says of itself. Of the large ones one is inflated at a time, so that what
// this costs besides exists once.
import { createGunzip, gunzipSync } from 'node:zlib'
import { badRequest, errorCode, type Refusal } from '../support/errors.ts'
import { release } from '../support/memory.ts'
import { tooLarge } from './body.ts'
import type { Share } from './budget.ts'

/** Up to here one call is faster. It leaves three times the size to the garbage collector. */
const SMALL = 64 * 1024
/** Larger than Node's pool, so that each piece of output can be given back. */
const PIECE = 128 * 1024

/** Consumes `body`. Rejects with a Refusal. */
export type Inflate = (body: Uint8Array, maxBytes: number, share: Share) => Promise<Uint8Array>

export function createInflate(): Inflate {
  let turn: Promise<unknown> = Promise.resolve()
  return async (body, maxBytes, share) => {
    try {
      // ISIZE (RFC 1952 2.3.1); wrong where the stream is cut off, has several members, or lies.
      const said =
        body.length < 18
          ? 0
          : new DataView(body.buffer, body.byteOffset + body.length - 4, 4).getUint32(0, true)
      if (said <= Math.min(SMALL, maxBytes)) {
        const small = inflateSmall(body, Math.max(said, 1024), share)
        if (small !== undefined) return small
      }
      const mine = turn.then(() =>
        inflateLarge(body, Math.min(Math.max(said, SMALL), maxBytes), maxBytes, share),
      )
      turn = mine.catch(() => undefined)
      return await mine
    } finally {
      release(body)
    }
  }
}

const broken = (body: Uint8Array): Refusal =>
  badRequest('The gzip stream is broken or cut off, seen', body.length)

/** `undefined` where it is larger than it says. */
function inflateSmall(body: Uint8Array, size: number, share: Share): Uint8Array | undefined {
  const refusal = share.take(size)
  if (refusal !== undefined) throw refusal
  try {
    // promise: inflate-bounded
    return gunzipSync(body, { maxOutputLength: size, chunkSize: size })
  } catch (error) {
    if (errorCode(error) !== 'ERR_BUFFER_TOO_LARGE') throw broken(body)
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
    const gunzip = createGunzip({ chunkSize: PIECE })
    const fail = (refusal: Refusal): void => {
      gunzip.destroy()
      release(out)
      reject(refusal)
    }
    /** Room for `needed` bytes, or why there is none. */
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
    gunzip.on('data', (piece: Buffer) => {
      // zlib fills one buffer to its end, over several pieces, before it takes another.
      if (last !== undefined && last.buffer !== piece.buffer) release(last)
      last = piece
      const needed = length + piece.length
      const refusal = needed > out.length ? grow(needed) : undefined
      if (refusal !== undefined) {
        fail(refusal)
        return
      }
      piece.copy(out, length)
      length = needed
    })
    gunzip.on('error', () => fail(broken(body)))
    gunzip.on('end', () => resolve(out.subarray(0, length)))
    // zlib has stopped writing.
    gunzip.on('close', () => {
      if (last !== undefined) release(last)
    })
    gunzip.end(body)
  })
}
