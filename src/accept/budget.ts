// One budget of bytes for all requests that are being read, inflated, converted and handled. A
// request that does not fit is refused with 503, so that clients cannot exhaust the memory of the
// process. A client that begins a body and stops loses its share when others need it.
import { Refusal, retryLater } from '../support/errors.ts'

/** On loopback a body arrives within milliseconds. */
const PATIENCE_MS = 2_000

export class Budget {
  readonly max: number
  used = 0
  /** Shares whose body is still being read; the oldest comes first. */
  readonly reading = new Set<Share>()

  constructor(maxBytes: number) {
    this.max = maxBytes
  }

  /** An empty share. One `release` gives back everything it took. */
  share(): Share {
    return new Share(this)
  }

  reclaim(bytes: number, except: Share): void {
    const before = performance.now() - PATIENCE_MS
    for (const share of this.reading) {
      if (share.since > before || this.used + bytes <= this.max) return
      if (share !== except) share.interrupt()
    }
  }
}

export class Share {
  since = 0
  readonly #budget: Budget
  #taken = 0
  #refuse: ((why: Refusal) => void) | undefined

  constructor(budget: Budget) {
    this.#budget = budget
  }

  /** Takes `bytes`, or takes nothing and returns why not. */
  take(bytes: number): Refusal | undefined {
    const budget = this.#budget
    // It would not fit into an empty budget either, so a retry cannot help.
    if (this.#taken + bytes > budget.max)
      return new Refusal(
        413,
        `The request needs more than ${budget.max} bytes of memory. Send smaller batches, or raise USAGE_MAX_INFLIGHT.`,
      )
    if (budget.used + bytes > budget.max) budget.reclaim(bytes, this)
    // promise: budget
    if (budget.used + bytes > budget.max)
      return retryLater(
        'Too many bytes are being received at once. Send the same request later.',
        1,
      )
    budget.used += bytes
    this.#taken += bytes
    return undefined
  }

  /**
   * A body is being read. If it takes long, `refuse` may be called and the share is empty again.
   */
  beginRead(refuse: (why: Refusal) => void): void {
    this.since = performance.now()
    this.#refuse = refuse
    this.#budget.reading.add(this)
  }

  endRead(): void {
    this.#budget.reading.delete(this)
  }

  /** Refuses a body that is still being read, and gives its bytes back. */
  interrupt(): void {
    this.#refuse?.(
      retryLater(
        'The body arrived too slowly while other requests needed the memory. Send the same request later.',
        1,
      ),
    )
    this.release()
  }

  release(): void {
    this.endRead()
    this.#budget.used -= this.#taken
    this.#taken = 0
  }
}
