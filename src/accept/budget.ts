// One budget of bytes over everything that is being read, inflated, turned and handled at the same moment. What does
// not fit is refused with 503, so the memory of the process is bounded whatever clients do and however many they are.
import { Refusal, retryLater } from '../errors.ts'

export class Budget {
  readonly max: number
  #used = 0

  constructor(maxBytes: number) {
    this.max = maxBytes
  }

  get used(): number {
    return this.#used
  }

  /** A share that starts empty; everything it took is given back by one `release`. */
  share(): Share {
    let taken = 0
    return {
      take: (bytes) => {
        // What would not fit into an empty budget never will: to send it again would be in vain.
        if (taken + bytes > this.max)
          return new Refusal(
            413,
            `The body needs more than ${this.max} bytes to be taken in. Send smaller batches, or raise USAGE_MAX_INFLIGHT.`,
          )
        if (this.#used + bytes > this.max) return retryLater('Too many bytes are being received at once. Send the same request later.', 1)
        this.#used += bytes
        taken += bytes
        return undefined
      },
      release: () => {
        this.#used -= taken
        taken = 0
      },
    }
  }
}

export interface Share {
  /** Why not, and nothing taken, where the budget does not bear `bytes` more. */
  take(bytes: number): Refusal | undefined
  release(): void
}
