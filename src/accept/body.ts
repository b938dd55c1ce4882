// Reads a request's body, never beyond the body limit (413), the budget that all requests share
// (503) and a deadline (408). Chunks are copied into blocks, because a body sent byte by byte would
// otherwise cost two hundred times its size in small buffers, and a buffer that grows leaves holes
// of all sizes to malloc; what a body claims to be is never allocated before it arrives.
import type { Readable } from 'node:stream'
import { Refusal } from '../support/errors.ts'
import { release } from '../support/memory.ts'
import type { Share } from './budget.ts'

const FIRST_BLOCK = 16 * 1024
const BLOCK = 64 * 1024
/**
 * For the whole body: a client that sends it byte by byte would otherwise hold its share of the
 * budget for ever.
 */
const DEADLINE_MS = 30_000

/** One for all: thousands may break off at once. */
const BROKEN_OFF = new Refusal(400, 'The body was not sent to its end.')

export const tooLarge = (maxBytes: number): Refusal =>
  new Refusal(
    413,
    `The body is larger than ${maxBytes} bytes. Send smaller batches, or raise USAGE_MAX_BODY.`,
  )

/**
 * The body as it was sent; `announced` is the length that its header says. Rejects with a Refusal;
 * then `drain` is due.
 */
export function readBody(
  request: Readable,
  announced: number | undefined,
  maxBytes: number,
  share: Share,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const blocks = new Blocks(Math.min(announced ?? maxBytes, maxBytes), share)

    const late = (): void =>
      refuse(new Refusal(408, `The body was not there after ${DEADLINE_MS / 1000} seconds.`))
    // promise: body-deadline
    const timer = setTimeout(late, DEADLINE_MS)
    const stop = (): void => {
      clearTimeout(timer)
      share.whole()
      request.removeListener('data', onData)
      request.removeListener('end', onEnd)
      request.removeListener('close', onBreak)
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

    const onBreak = (): void => refuse(BROKEN_OFF)

    request.on('error', onBreak)
    if (announced !== undefined && announced > maxBytes) refuse(tooLarge(maxBytes))
    else {
      share.reads(refuse)
      request.on('data', onData)
      request.on('end', onEnd)
      // A stream of HTTP/2, which announces no length, ends without an error where its connection
      // does.
      if (announced === undefined) request.on('close', onBreak)
    }
  })
}

/** What has arrived of a body of at most `maxBytes`. */
class Blocks {
  length = 0
  readonly #maxBytes: number
  readonly #share: Share
  readonly #blocks: Buffer[] = []
  /** How much of the last block is filled. */
  #filled = 0

  constructor(maxBytes: number, share: Share) {
    this.#maxBytes = maxBytes
    this.#share = share
  }

  /** Takes the chunk over; or says why not, then it is still the caller's. */
  add(chunk: Buffer): Refusal | undefined {
    // All of it at once, as nearly all bodies come: there is nothing to copy.
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

  /** The whole, which is the caller's from now on. */
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
 * Reads the rest of a refused body and throws it away, so that the client can read the answer (RFC
 * 9112 9.3). Where node:http does this, each chunk waits for the garbage collector.
 */
export function drain(request: Readable): void {
  request.on('data', release)
}
