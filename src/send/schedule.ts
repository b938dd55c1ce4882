// When a drain begins: once in each interval, at a fresh random moment of it; earlier when the
// queue is half full; after a failure when its wait is over; never before the delay of the first
// send. Everything is spread, because thousands of sidecars begin together when a chart is rolled
// out and come back together when the collector does. No timer and no network in here: a test lives
// a week, or ten thousand sidecars, with the sender's own decisions.
import { momentOf, waitMs } from './retry.ts'

export interface ScheduleOptions {
  intervalMs: number
  /** Milliseconds since 1970 before which nothing is sent. */
  notBefore: number
  /** Milliseconds since 1970. */
  now: () => number
  /** Milliseconds of a clock that never jumps. */
  uptime: () => number
  random: () => number
}

export interface Schedule {
  /**
   * Whether it is time for a drain, which is then taken to begin. `pressed`: the queue is half
   * full.
   */
  due(pressed: boolean): boolean
  /** No answer, or one that asks for another attempt; a wait begins. */
  failed(retryAfterMs: number | undefined): void
  /** Nothing is to be tried again: the collector answered, or nothing is left that waits for it. */
  settled(): void
  failures(): number
  /** Milliseconds since 1970, as far as is known now. */
  nextAt(): number
}

/**
 * The wait of a queue that is half full, at most, as part of the interval and of the time in which
 * it filled.
 */
const PRESSED_INTERVAL_PART = 12
const PRESSED_FILL_PART = 4
/**
 * The first wait after a failure, as part of the interval: who reports once an hour need not come
 * back within a second.
 */
const FIRST_WAIT_INTERVAL_PART = 60
const FIRST_WAIT_MS = 1_000

export function createSchedule({
  intervalMs,
  notBefore,
  now,
  uptime,
  random,
}: ScheduleOptions): Schedule {
  const madeAt = uptime()
  /**
   * The end of the delay, by the clock that no one sets. Counted from here: else all whose delay
   * ends together would send together.
   */
  const startedAt = madeAt + Math.max(0, notBefore - now())
  const firstWaitMs = Math.max(FIRST_WAIT_MS, intervalMs / FIRST_WAIT_INTERVAL_PART)
  let interval = 0
  let moment = momentOf(interval, startedAt, intervalMs, random)
  let emptySince = madeAt
  let pressedAt: number | undefined
  let waitUntil = startedAt
  let failures = 0

  /**
   * Intervals that were slept through are left out, and so is this one where its new moment is over
   * already.
   */
  const pass = (time: number): void => {
    interval = Math.max(interval, Math.floor((time - startedAt) / intervalMs) - 1)
    do moment = momentOf(++interval, startedAt, intervalMs, random)
    while (moment <= time)
  }

  /**
   * What fills within seconds does not wait for minutes, and those that filled up together do not
   * come together.
   */
  const pressedDue = (pressed: boolean, time: number): boolean => {
    if (!pressed) pressedAt = undefined
    else
      pressedAt ??=
        time +
        random() *
          Math.min(intervalMs / PRESSED_INTERVAL_PART, (time - emptySince) / PRESSED_FILL_PART)
    return pressedAt !== undefined && time >= pressedAt
  }

  return {
    due: (pressed) => {
      const time = uptime()
      if (time < waitUntil) return false
      const pressing = pressedDue(pressed, time)
      if (failures === 0 && time < moment && !pressing) return false
      emptySince = time
      pressedAt = undefined
      if (time >= moment) pass(time)
      return true
    },
    failed: (retryAfterMs) => {
      waitUntil = uptime() + waitMs(failures++, retryAfterMs, random, firstWaitMs)
    },
    settled: () => {
      failures = 0
    },
    failures: () => failures,
    nextAt: () => {
      const time = uptime()
      const next =
        failures > 0 ? waitUntil : Math.max(Math.min(moment, pressedAt ?? moment), waitUntil)
      return now() + Math.max(0, next - time)
    },
  }
}
