// Reads a request's body, within the body limit (413), the budget of all requests (503) and a
// deadline (408). It copies chunks into blocks: a body sent byte by byte would otherwise take two
// hundred times its size, and a growing buffer would fragment the heap. It allocates nothing for an
// announced length before the bytes arrive.
import type { Readable } from 'node:stream'
import { Refusal } from '../support/errors.ts'
import { release } from '../support/memory.ts'
import type { Share } from './budget.ts'

const FIRST_BLOCK = 16 * 1024
const BLOCK = 64 * 1024
/** For the whole body: a slow client would otherwise hold its share of the budget for ever. */
const DEADLINE_MS = 30_000

/** One object for all: thousands of clients may disconnect at once. */
const INCOMPLETE = new Refusal(400, 'The body is incomplete.')

export const tooLarge = (maxBytes: number): Refusal =>
  new Refusal(
    413,
    `The body is larger than ${maxBytes} bytes. Send smaller batches, or raise USAGE_MAX_BODY.`,
  )

/**
 * The body as it was sent. `announced` is the length in its header. Rejects with a Refusal; the
 * caller then drains the request.
 */
export function readBody(
  request: Readable,
  announced: number | undefined,
  maxBytes: number,
  share: Share,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const blocks = new Blocks(Math.min(announced ?? maxBytes, maxBytes), share)

    const onDeadline = (): void =>
      refuse(new Refusal(408, `The body did not arrive within ${DEADLINE_MS / 1000} seconds.`))
    // promise: body-deadline
    const timer = setTimeout(onDeadline, DEADLINE_MS)
    const stop = (): void => {
      clearTimeout(timer)
      share.endRead()
      request.removeListener('data', onData)
      request.removeListener('end', onEnd)
      request.removeListener('close', onDisconnect)
    }
    const refuse = (refusal: Refusal): void => {
      stop()
      blocks.release()
      reject(refusal)
    }
    const onData = (chunk: Buffer): void => {
      // promise: body-limit
      const refusal =
        blocks.length + chunk.length > maxBytes ? tooLarge(maxBytes) : blocks.add(chunk)
      if (refusal === undefined) return
      release(chunk)
      refuse(refusal)
    }
    const onEnd = (): void => {
      stop()
      resolve(blocks.join())
    }

    const onDisconnect = (): void => refuse(INCOMPLETE)

    request.on('error', onDisconnect)
    if (announced !== undefined && announced > maxBytes) refuse(tooLarge(maxBytes))
    else {
      share.beginRead(refuse)
      request.on('data', onData)
      request.on('end', onEnd)
      // A stream of HTTP/2 announces no length, and ends without an error if its connection ends.
      if (announced === undefined) request.on('close', onDisconnect)
    }
  })
}

/** The bytes that have arrived of a body of at most `maxBytes`. */
class Blocks {
  length = 0
  readonly #maxBytes: number
  readonly #share: Share
  readonly #blocks: Buffer[] = []
  /** The bytes in use of the last block. */
  #filled = 0

  constructor(maxBytes: number, share: Share) {
    this.#maxBytes = maxBytes
    this.#share = share
  }

  /** Takes the chunk over, or returns why not. Then the chunk is still the caller's. */
  add(chunk: Buffer): Refusal | undefined {
    // Nearly all bodies arrive in one chunk. There is nothing to copy.
    if (this.length === 0 && chunk.length === this.#maxBytes) {
      const refusal = this.#share.take(chunk.length)
      if (refusal !== undefined) return refusal
      this.#blocks.push(chunk)
      this.length = this.#filled = chunk.length
      return undefined
    }
    for (let at = 0; at < chunk.length; ) {
      let block = this.#blocks.at(-1)
      if (block === undefined || this.#filled === block.length) {
        const size = Math.min(
          block === undefined ? FIRST_BLOCK : BLOCK,
          this.#maxBytes - this.length,
        )
        const refusal = this.#share.take(size)
        if (refusal !== undefined) return refusal
        block = Buffer.allocUnsafeSlow(size)
        this.#blocks.push(block)
        this.#filled = 0
      }
      const copied = chunk.copy(block, this.#filled, at)
      at += copied
      this.#filled += copied
      this.length += copied
    }
    release(chunk)
    return undefined
  }

  /** The whole body, which is now the caller's. */
  join(): Uint8Array {
    const blocks = this.#blocks.splice(0)
    if (blocks.length < 2) return blocks[0]?.subarray(0, this.length) ?? new Uint8Array(0)
    const joined = Buffer.allocUnsafeSlow(this.length)
    let at = 0
    for (const block of blocks) {
      at += block.copy(joined, at)
      release(block)
    }
    return joined
  }

  release(): void {
    for (const block of this.#blocks.splice(0)) release(block)
  }
}

/**
 * Reads and discards the rest of a refused body, so that the client can read the answer (RFC 9112
 * 9.3). node:http would leave each chunk to the garbage collector.
 */
export function drain(request: Readable): void {
  request.on('data', release)
}
