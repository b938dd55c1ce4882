// The UTC day and month under which ids and pseudonyms are made. They are those of the moment when
// the sidecar accepts a request. They never go back while the process lives, so a clock that jumps
// cannot join what two periods separate.
import type { Period } from '../policy/policy.ts'

const DAY_MS = 86_400_000

export class Clock {
  #day = 0
  #text = '1970-01-01'

  /** Moves on to the day of `nowMs`, if that is a later one. */
  advance(nowMs: number): void {
    const day = Math.floor(nowMs / DAY_MS)
    // promise: day-never-returns
    if (day <= this.#day) return
    this.#day = day
    this.#text = new Date(day * DAY_MS).toISOString().slice(0, 10)
  }

  /** `2026-10-05` or `2026-10`, or the word itself for what never changes. */
  period(of: Period): string {
    return of === 'day' ? this.#text : of === 'month' ? this.#text.slice(0, 7) : of
  }
}
