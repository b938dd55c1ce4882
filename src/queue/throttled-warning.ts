// A problem that lasts for a while, such as a full queue. The log gets one line when it begins and
// one when it is over, however often it occurs. Counters say how often.
import type { Log } from '../support/log.ts'

/** A problem is over when it has not occurred for this long. */
const QUIET_MS = 600_000

export class ThrottledWarning {
  readonly #log: Log
  readonly #now: () => number
  readonly #began: string
  readonly #ended: string
  #lastAt: number | undefined

  /** `began` and `ended` are the events in the log. */
  constructor(log: Log, now: () => number, began: string, ended: string) {
    this.#log = log
    this.#now = now
    this.#began = began
    this.#ended = ended
  }

  /** The problem occurred. */
  raise(fields?: Record<string, string | number>): void {
    if (this.#lastAt === undefined) this.#log.warn(this.#began, fields)
    this.#lastAt = this.#now()
  }

  /** The problem did not occur. `mayEnd`: its cause is gone, too. */
  settle(mayEnd: boolean): void {
    // A clock that was set back delays the end. It does not prevent it.
    if (this.#lastAt === undefined || !mayEnd || Math.abs(this.#now() - this.#lastAt) < QUIET_MS)
      return
    this.#lastAt = undefined
    this.#log.info(this.#ended)
  }
}
