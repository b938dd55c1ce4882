// One budget of bytes over everything that is being read, inflated, turned and handled at the same
// moment. What does not fit is refused with 503, so the memory of the process is bounded whatever
// clients do and however many they are. Clients that begin bodies and stop do not keep the room:
// they give way when others need it.
import { Refusal, retryLater } from '../support/errors.ts'

/** On loopback a body is there in milliseconds. */
const PATIENCE_MS = 2_000

export class Budget {
  readonly max: number
  used = 0
  /** Those whose body is not there yet; the one that began first comes first. */
  readonly reading = new Set<Share>()

  constructor(maxBytes: number) {
    this.max = maxBytes
  }

  /** A share that starts empty; everything it took is given back by one `release`. */
  share(): Share {
    return new Share(this)
  }

  makeRoom(bytes: number, except: Share): void {
    const before = performance.now() - PATIENCE_MS
    for (const share of this.reading) {
      if (share.since > before || this.used + bytes <= this.max) return
      if (share !== except) share.giveWay()
    }
  }
}

export class Share {
  since = 0
  readonly #budget: Budget
  #taken = 0
  #giveUp: ((why: Refusal) => void) | undefined

  constructor(budget: Budget) {
    this.#budget = budget
  }

  /** Why not, and nothing taken, where the budget does not bear `bytes` more. */
  take(bytes: number): Refusal | undefined {
    const budget = this.#budget
    // What would not fit into an empty budget never will: to send it again would be in vain.
    if (this.#taken + bytes > budget.max)
      return new Refusal(
        413,
        `The body needs more than ${budget.max} bytes to be taken in. Send smaller batches, or raise USAGE_MAX_INFLIGHT.`,
      )
    if (budget.used + bytes > budget.max) budget.makeRoom(bytes, this)
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
   * A body is being read. Where that takes long, `giveUp` may be called, and what was taken is back
   * then.
   */
  reads(giveUp: (why: Refusal) => void): void {
    this.since = performance.now()
    this.#giveUp = giveUp
    this.#budget.reading.add(this)
  }

  /** It is there. */
  whole(): void {
    this.#budget.reading.delete(this)
  }

  giveWay(): void {
    this.#giveUp?.(
      retryLater(
        'The body came too slowly while others needed the room. Send the same request later.',
        1,
      ),
    )
    this.release()
  }

  release(): void {
    this.whole()
    this.#budget.used -= this.#taken
    this.#taken = 0
  }
}
