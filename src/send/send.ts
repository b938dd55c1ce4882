// Drains the queue: every sealed body, one after the other, over one connection, when schedule.ts
// says so. Before each request consent is looked at again and a receipt is on disk. The application
// never waits for any of this.

import type { Body, Queue } from '../queue/queue.ts'
import type { Counters } from '../support/counters.ts'
import { errorCode } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import { release } from '../support/memory.ts'
import type { Answer, Destination, Poster } from './post.ts'
import { type Result, resultOf, retryAfterMs } from './retry.ts'
import { createSchedule } from './schedule.ts'

export interface SendOptions {
  queue: Queue
  destination: Destination
  intervalMs: number
  /** Milliseconds since 1970 before which nothing is sent. */
  notBefore: number
  /** False once consent has ended; asked before every request and every commit. */
  allowed: () => boolean
  /** How many spans the collector's answer says it rejected. */
  rejectedSpans: (answer: Buffer) => number
  counters: Counters
  log: Log
  now?: () => number
  /** Milliseconds of a clock that never jumps; `now` where only that is given. */
  uptime?: () => number
  random?: () => number
  open?: (to: Destination) => Poster | Promise<Poster>
}

export interface Sender {
  start(): void
  /**
   * One look at the clock: drains if it is time, and resolves when the drain has come to its end.
   */
  look(): Promise<void>
  /**
   * Ends a request in flight and starts no other; what was not delivered stays on disk. With a
   * grace, a drain that has begun, or whose moment has come, first gets that time.
   */
  stop(graceMs?: number): Promise<void>
  status(): { nextDrainAt: number; failures: number; lastStatus: number | undefined }
}

/** How often the clock is looked at; timers of Node cannot be longer than 24 days. */
const LOOK_EVERY_MS = 250

/** What the log was last told of the collector: one line for each change, none while it lasts. */
type State = 'delivers' | 'refuses' | 'away' | 'failed'

/** Loaded when there is something to send: TLS takes 3 MB, and many sidecars send once a day. */
const openLater = async (to: Destination): Promise<Poster> =>
  (await import('./post.ts')).openPoster(to)

export function createSender(options: SendOptions): Sender {
  const {
    queue,
    counters,
    log,
    allowed,
    now = Date.now,
    random = Math.random,
    open = openLater,
  } = options
  const uptime = options.uptime ?? options.now ?? (() => performance.now())
  const abort = new AbortController()
  const { intervalMs, notBefore } = options
  const schedule = createSchedule({ intervalMs, notBefore, now, uptime, random })
  let state: State = 'delivers'
  let lastStatus: number | undefined
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  const become = (next: State, tell: () => void): void => {
    if (state !== next) tell()
    state = next
  }

  const settle = async (
    body: Body,
    { status, code, retryAfter, body: answer }: Answer,
  ): Promise<Result> => {
    const result = resultOf(status, code)
    const rejected =
      result === 'delivered' ? Math.min(options.rejectedSpans(answer), body.spans) : 0
    await queue.recordOutcome(body, { result, status, rejected })
    lastStatus = status
    if (result === 'delivered') {
      counters.add('sent.bodies')
      counters.add('sent.spans', body.spans - rejected)
      counters.add('sent.rejected', rejected)
      become('delivers', () =>
        log.info('send: the collector takes bodies again', { failures: schedule.failures() }),
      )
    } else if (result === 'refused') {
      // promise: collector-refusals-counted
      counters.add('refused.spans', body.spans)
      become('refuses', () =>
        log.warn(
          'send: the collector refuses bodies; they are dropped and kept in sent/ for you to see',
          { status, spans: body.spans },
        ),
      )
    } else {
      become('away', () =>
        log.warn('send: the collector cannot be reached or is busy; what waits stays on disk', {
          status,
          code,
        }),
      )
    }
    if (result === 'retry') schedule.failed(retryAfterMs(retryAfter, now()))
    else schedule.settled()
    return result
  }

  const attempt = async (poster: Poster, body: Body): Promise<Result> => {
    // promise: receipt-before-request
    await queue.recordAttempt(body)
    // promise: consent-before-request
    if (!allowed()) return 'retry'
    const answer = await poster.post(body.content, abort.signal)
    // Cancelled: nobody knows what became of it. An answer that came is recorded, whatever has
    // changed since.
    return abort.signal.aborted ? 'retry' : await settle(body, answer)
  }

  const drain = async (): Promise<void> => {
    let poster: Poster | undefined
    let sealed = false
    try {
      while (allowed() && !abort.signal.aborted) {
        const body = await queue.next(allowed)
        if (body === undefined) {
          if (sealed) return schedule.settled()
          // After what waited already: sealing first would make a small file of every attempt while
          // the collector is away.
          sealed = true
          await queue.seal()
          continue
        }
        poster ??= await open(options.destination)
        if ((await attempt(poster, body).finally(() => release(body.content))) === 'retry') return
      }
    } catch (error) {
      if (abort.signal.aborted) return
      schedule.failed(undefined)
      become('failed', () =>
        log.error('send: a drain failed; it is tried again', { code: errorCode(error) }),
      )
    } finally {
      // promise: connection-per-drain
      poster?.close()
    }
  }

  const look = (): Promise<void> => {
    if (running === undefined && !abort.signal.aborted && schedule.due(queue.halfFull())) {
      running = drain().finally(() => {
        running = undefined
      })
    }
    return running ?? Promise.resolve()
  }

  return {
    start: () => {
      timer = setInterval(() => void look(), Math.min(LOOK_EVERY_MS, intervalMs)).unref()
    },
    look,
    stop: async (graceMs = 0) => {
      clearInterval(timer)
      if (graceMs > 0) {
        const late = setTimeout(() => abort.abort(), graceMs)
        await look()
        clearTimeout(late)
      }
      abort.abort()
      await running
    },
    status: () => ({ nextDrainAt: schedule.nextAt(), failures: schedule.failures(), lastStatus }),
  }
}
