// When a drain begins: once in each interval, at a fresh random moment of it. It begins earlier if
// the queue is half full, after a failure when its wait is over, never before the first send delay.
// Everything is spread, because thousands of sidecars start together when a chart is rolled out,
// and retry together when the collector returns. No timer and no network: tests run a week, or ten
// thousand sidecars, with the decisions of the real sender.
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

/**
 * How long a half full queue waits at most: this part of the interval, and this part of the time in
 * which it filled.
 */
const HALF_FULL_INTERVAL_PART = 12
const HALF_FULL_FILL_PART = 4
/** The first wait after a failure, as part of the interval: a minute for hourly reports. */
const FIRST_WAIT_INTERVAL_PART = 60
const FIRST_WAIT_MS = 1_000

export class Schedule {
  readonly #options: ScheduleOptions
  readonly #firstWaitMs: number
  /**
   * The end of the first send delay, by `uptime`. Intervals begin there. Otherwise all sidecars
   * whose delay ends together would send together.
   */
  readonly #startedAt: number
  #interval = 0
  /** The moment of the drain in this interval, by `uptime` like all others. */
  #moment: number
  #emptySince: number
  /** When the drain of a half full queue is due. */
  #halfFullAt: number | undefined
  #waitUntil: number
  #failures = 0

  constructor(options: ScheduleOptions) {
    const { intervalMs, notBefore, now, uptime, random } = options
    const createdAt = uptime()
    this.#options = options
    this.#firstWaitMs = Math.max(FIRST_WAIT_MS, intervalMs / FIRST_WAIT_INTERVAL_PART)
    this.#startedAt = createdAt + Math.max(0, notBefore - now())
    this.#moment = momentOf(this.#interval, this.#startedAt, intervalMs, random)
    this.#emptySince = createdAt
    this.#waitUntil = this.#startedAt
  }

  /** Whether a drain is due. If so, it counts as begun. */
  due(isHalfFull: boolean): boolean {
    const time = this.#options.uptime()
    if (time < this.#waitUntil) return false
    const isHalfFullDue = this.#isHalfFullDue(isHalfFull, time)
    if (this.#failures === 0 && time < this.#moment && !isHalfFullDue) return false
    this.#emptySince = time
    this.#halfFullAt = undefined
    if (time >= this.#moment) this.#chooseMoment(time)
    return true
  }

  /** There was no answer, or one that allows another attempt. A wait begins. */
  failed(retryAfterMs: number | undefined): void {
    const { uptime, random } = this.#options
    this.#waitUntil = uptime() + waitMs(this.#failures++, retryAfterMs, random, this.#firstWaitMs)
  }

  /** The collector settled a body, or no body is left that was attempted. */
  settled(): void {
    this.#failures = 0
  }

  failures(): number {
    return this.#failures
  }

  /** The next drain as far as is known now, in milliseconds since 1970. */
  nextAt(): number {
    const { now, uptime } = this.#options
    const time = uptime()
    const moment = Math.min(this.#moment, this.#halfFullAt ?? this.#moment)
    const next = this.#failures > 0 ? this.#waitUntil : Math.max(moment, this.#waitUntil)
    return now() + Math.max(0, next - time)
  }

  /** Skips intervals in which the process slept, and this one if its new moment is over. */
  #chooseMoment(time: number): void {
    const { intervalMs, random } = this.#options
    const current = Math.floor((time - this.#startedAt) / intervalMs)
    this.#interval = Math.max(this.#interval, current - 1)
    do this.#moment = momentOf(++this.#interval, this.#startedAt, intervalMs, random)
    while (this.#moment <= time)
  }

  /** A queue that fills within seconds waits seconds. Queues that filled together are spread. */
  #isHalfFullDue(isHalfFull: boolean, time: number): boolean {
    const { intervalMs, random } = this.#options
    if (!isHalfFull) this.#halfFullAt = undefined
    else
      this.#halfFullAt ??=
        time +
        random() *
          Math.min(
            intervalMs / HALF_FULL_INTERVAL_PART,
            (time - this.#emptySince) / HALF_FULL_FILL_PART,
          )
    return this.#halfFullAt !== undefined && time >= this.#halfFullAt
  }
}
