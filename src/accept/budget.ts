// One budget of bytes over everything that is being read, inflated, turned and handled at the same moment. What does
// not fit is refused with 503, so the memory of the process is bounded whatever clients do and however many they are.
// Clients that begin bodies and stop do not keep the room: they give way when others need it.
import { Refusal, retryLater } from '../errors.ts'

/** On loopback a body is there in milliseconds. */
const PATIENCE_MS = 2_000

/** A body that is not there yet. */
interface Reading {
  since: number
  /** Lets go of all that has come of it. */
  giveWay: () => void
}

export class Budget {
  readonly max: number
  #used = 0
  /** The one that began first comes first. */
  readonly #reading = new Set<Reading>()

  constructor(maxBytes: number) {
    this.max = maxBytes
  }

  get used(): number {
    return this.#used
  }

  /** A share that starts empty; everything it took is given back by one `release`. */
  share(): Share {
    let taken = 0
    let reading: Reading | undefined
    const whole = (): void => {
      if (reading !== undefined) this.#reading.delete(reading)
    }
    const release = (): void => {
      whole()
      this.#used -= taken
      taken = 0
    }
    return {
      take: (bytes) => {
        // What would not fit into an empty budget never will: to send it again would be in vain.
        if (taken + bytes > this.max)
          return new Refusal(
            413,
            `The body needs more than ${this.max} bytes to be taken in. Send smaller batches, or raise USAGE_MAX_INFLIGHT.`,
          )
        if (this.#used + bytes > this.max) this.#makeRoom(bytes, reading)
        if (this.#used + bytes > this.max) return retryLater('Too many bytes are being received at once. Send the same request later.', 1)
        this.#used += bytes
        taken += bytes
        return undefined
      },
      reads: (giveUp) => {
        const giveWay = (): void => {
          giveUp(retryLater('The body came too slowly while others needed the room. Send the same request later.', 1))
          release()
        }
        reading = { since: performance.now(), giveWay }
        this.#reading.add(reading)
      },
      whole,
      release,
    }
  }

  #makeRoom(bytes: number, except: Reading | undefined): void {
    const before = performance.now() - PATIENCE_MS
    for (const one of this.#reading) {
      if (one.since > before || this.#used + bytes <= this.max) return
      if (one !== except) one.giveWay()
    }
  }
}

export interface Share {
  /** Why not, and nothing taken, where the budget does not bear `bytes` more. */
  take(bytes: number): Refusal | undefined
  /** A body is being read. Where that takes long, `giveUp` may be called, and what was taken is back then. */
  reads(giveUp: (why: Refusal) => void): void
  /** It is there. */
  whole(): void
  release(): void
}
