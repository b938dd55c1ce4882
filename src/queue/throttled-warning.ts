// Something that goes wrong for a while, such as a full queue: one line in the log when it begins
// and one when it is over, however often it happens in between. Counters tell how often.
import type { Log } from '../support/log.ts'

/** And has not happened for so long. */
const OVER_MS = 600_000

export interface Episode {
  happened(fields?: Record<string, string | number>): void
  /** Called when it did not happen; `mayEnd`: what brought it about is gone. */
  quiet(mayEnd: boolean): void
}

export function createEpisode(log: Log, now: () => number, begins: string, over: string): Episode {
  let lastAt: number | undefined
  return {
    happened: (fields) => {
      if (lastAt === undefined) log.warn(begins, fields)
      lastAt = now()
    },
    quiet: (mayEnd) => {
      // A clock that was set back makes it later, not never.
      if (lastAt === undefined || !mayEnd || Math.abs(now() - lastAt) < OVER_MS) return
      lastAt = undefined
      log.info(over)
    },
  }
}
