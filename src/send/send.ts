// Drains the queue: every sealed body, one after the other, over one connection, when schedule.ts
// allows it. Before each request consent is read again and a receipt is on disk. The application
// never waits for any of this.
import type { Body, Queue } from '../queue/queue.ts'
import type { Counters } from '../support/counters.ts'
import { errorCode } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import { release } from '../support/memory.ts'
import type { Answer, Destination, Poster } from './post.ts'
import { type Result, resultOf, retryAfterMs } from './retry.ts'
import { Schedule } from './schedule.ts'

/** The part of the queue that the sender uses. */
export type SendQueue = Pick<
  Queue,
  'halfFull' | 'next' | 'seal' | 'recordAttempt' | 'recordOutcome'
>

export interface SenderOptions {
  queue: SendQueue
  destination: Destination
  intervalMs: number
  /** Milliseconds since 1970 before which nothing is sent. */
  notBefore: number
  /** False once consent has ended. Asked before every request and every commit. */
  allowed: () => boolean
  /** How many spans the answer of the collector reports as rejected. */
  rejectedSpans: (answer: Buffer) => number
  counters: Counters
  log: Log
  now?: () => number
  /** Milliseconds of a clock that never jumps. `now` if only that is given. */
  uptime?: () => number
  random?: () => number
  open?: (to: Destination) => Poster | Promise<Poster>
}

/** The sender compares the clock this often, because timers of Node cannot exceed 24 days. */
const CLOCK_EVERY_MS = 250

/** What the log says of the collector: one line for each change, none while the state lasts. */
type CollectorState = 'accepting' | 'refusing' | 'unavailable' | 'unknown'

/** Loaded when there is something to send. TLS takes 3 MB, and many sidecars send once a day. */
const openLater = async (to: Destination): Promise<Poster> =>
  (await import('./post.ts')).openPoster(to)

export class Sender {
  readonly #options: SenderOptions
  readonly #schedule: Schedule
  readonly #now: () => number
  readonly #abort = new AbortController()
  #collector: CollectorState = 'accepting'
  #lastStatus: number | undefined
  #draining: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(options: SenderOptions) {
    const { intervalMs, notBefore, now = Date.now, random = Math.random } = options
    const uptime = options.uptime ?? options.now ?? (() => performance.now())
    this.#options = options
    this.#now = now
    this.#schedule = new Schedule({ intervalMs, notBefore, now, uptime, random })
  }

  start(): void {
    const everyMs = Math.min(CLOCK_EVERY_MS, this.#options.intervalMs)
    this.#timer = setInterval(() => void this.drainIfDue(), everyMs).unref()
  }

  /** Compares the clock once. Resolves when the drain that runs, if any, has ended. */
  drainIfDue(): Promise<void> {
    const { queue } = this.#options
    if (
      this.#draining === undefined &&
      !this.#abort.signal.aborted &&
      this.#schedule.due(queue.halfFull())
    ) {
      this.#draining = this.#drain().finally(() => {
        this.#draining = undefined
      })
    }
    return this.#draining ?? Promise.resolve()
  }

  /**
   * Cancels a request in flight and starts no other. Bodies that are not delivered stay on disk.
   * A drain that has begun, or is due, first gets the time of the grace.
   */
  async stop(graceMs = 0): Promise<void> {
    clearInterval(this.#timer)
    if (graceMs > 0) {
      const late = setTimeout(() => this.#abort.abort(), graceMs)
      await this.drainIfDue()
      clearTimeout(late)
    }
    this.#abort.abort()
    await this.#draining
  }

  status(): { nextDrainAt: number; failures: number; lastStatus: number | undefined } {
    return {
      nextDrainAt: this.#schedule.nextAt(),
      failures: this.#schedule.failures(),
      lastStatus: this.#lastStatus,
    }
  }

  async #drain(): Promise<void> {
    const { queue, destination, allowed, open = openLater } = this.#options
    const { signal } = this.#abort
    let poster: Poster | undefined
    let isSealed = false
    try {
      while (allowed() && !signal.aborted) {
        const body = await queue.next(allowed)
        if (body === undefined) {
          if (isSealed) return this.#schedule.settled()
          // Waiting bodies go first. Otherwise each failed attempt would make a small file.
          isSealed = true
          await queue.seal()
          continue
        }
        poster ??= await open(destination)
        const attempt = this.#attempt(poster, body).finally(() => release(body.content))
        if ((await attempt) === 'retry') return
      }
    } catch (error) {
      if (!signal.aborted) this.#fail(error)
    } finally {
      // promise: connection-per-drain
      poster?.close()
    }
  }

  async #attempt(poster: Poster, body: Body): Promise<Result> {
    const { queue, allowed } = this.#options
    const { signal } = this.#abort
    // promise: receipt-before-request
    await queue.recordAttempt(body)
    // promise: consent-before-request
    if (!allowed()) return 'retry'
    const answer = await poster.post(body.content, signal)
    this.#options.log.debug?.('request sent', {
      sequence: body.sequence,
      bytes: body.content.length,
      spans: body.spans,
      status: answer.status,
    })
    // After a cancel the outcome is unknown. An answer that came is recorded, whatever has changed.
    return signal.aborted ? 'retry' : await this.#settle(body, answer)
  }

  async #settle(body: Body, answer: Answer): Promise<Result> {
    const { queue, rejectedSpans } = this.#options
    const { status, code } = answer
    const result = resultOf(status, code)
    const rejected = result === 'delivered' ? Math.min(rejectedSpans(answer.body), body.spans) : 0
    await queue.recordOutcome(body, { result, status, rejected })
    this.#lastStatus = status
    if (result === 'delivered') this.#delivered(body, rejected)
    else if (result === 'refused') this.#refused(body, status)
    else this.#unavailable(answer)
    return result
  }

  #delivered(body: Body, rejected: number): void {
    const { counters, log } = this.#options
    counters.add('sent.bodies')
    counters.add('sent.spans', body.spans - rejected)
    counters.add('sent.rejected', rejected)
    if (this.#changesTo('accepting'))
      log.info('send: collector accepting reports again', { failures: this.#schedule.failures() })
    this.#schedule.settled()
  }

  #refused({ spans }: Body, status: number): void {
    const { counters, log } = this.#options
    // promise: collector-refusals-counted
    counters.add('refused.spans', spans)
    if (this.#changesTo('refusing'))
      log.warn('send: collector refuses reports; they are dropped and kept in sent/', {
        status,
        spans,
      })
    this.#schedule.settled()
  }

  #unavailable({ status, code, retryAfter }: Answer): void {
    this.#schedule.failed(retryAfterMs(retryAfter, this.#now()))
    if (this.#changesTo('unavailable'))
      this.#options.log.warn('send: collector unavailable; reports stay queued', {
        status,
        code,
        retryInSeconds: this.#retryInSeconds(),
      })
  }

  /** The fault is on our side: the disk, or a certificate that cannot be read. */
  #fail(error: unknown): void {
    this.#schedule.failed(undefined)
    if (this.#changesTo('unknown'))
      this.#options.log.error('send: cannot send; reports stay queued', {
        code: errorCode(error),
        retryInSeconds: this.#retryInSeconds(),
      })
  }

  #retryInSeconds(): number {
    return Math.ceil((this.#schedule.nextAt() - this.#now()) / 1000)
  }

  #changesTo(state: CollectorState): boolean {
    const changes = this.#collector !== state
    this.#collector = state
    return changes
  }
}
