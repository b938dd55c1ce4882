// Drains the queue: every sealed body, one after the other, over one connection, at a fresh random moment of each
// interval, earlier when the queue is half full. Before each request consent is looked at again and a receipt is on disk.
// The application never waits for any of this.
import type { Counters } from '../counters.ts'
import { errorCode } from '../errors.ts'
import type { Log } from '../log.ts'
import { release } from '../memory.ts'
import type { Body, Queue } from '../queue/queue.ts'
import type { Destination, Poster } from './post.ts'
import { momentOf, type Result, resultOf, retryAfterMs, waitMs } from './retry.ts'

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
  random?: () => number
  open?: (to: Destination) => Poster | Promise<Poster>
}

export interface Sender {
  start(): void
  /** Ends a request in flight and starts no other. What was not delivered stays on disk. */
  stop(): Promise<void>
  status(): { nextDrainAt: number; failures: number; lastStatus: number | undefined }
}

/** How often the clock is looked at; timers of Node cannot be longer than 24 days and do not follow a clock that jumps. */
const TICK_MS = 250

/** Loaded when there is something to send: TLS takes 3 MB, and many sidecars send once a day. */
const openLate = async (to: Destination): Promise<Poster> => (await import('./post.ts')).openPoster(to)

export function createSender(options: SendOptions): Sender {
  const { queue, counters, log, allowed, open = openLate } = options
  const now = options.now ?? Date.now
  const random = options.random ?? Math.random
  const abort = new AbortController()
  // The first moment is random as well: one right behind `notBefore` would tell when reporting was turned on.
  const startsAt = Math.max(now(), options.notBefore)
  let interval = 0
  let moment = momentOf(interval, startsAt, options.intervalMs, random)
  let waitUntil = 0
  let failures = 0
  let lastStatus: number | undefined
  let running: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined

  const attempt = async (poster: Poster, body: Body): Promise<Result> => {
    await queue.recordAttempt(body)
    if (!allowed()) return 'retry'
    const answer = await poster.post(body.content, abort.signal)
    // Cancelled: nobody knows what became of it. An answer that came is recorded, whatever has changed since.
    if (abort.signal.aborted) return 'retry'
    const result = resultOf(answer.status)
    const rejected = result === 'delivered' ? Math.min(options.rejectedSpans(answer.body), body.spans) : 0
    await queue.recordOutcome(body, { result, status: answer.status, rejected })
    if (result === 'delivered') {
      counters.add('sent.bodies')
      counters.add('sent.spans', body.spans - rejected)
      counters.add('sent.rejected', rejected)
    } else if (result === 'refused') {
      counters.add('refused.spans', body.spans)
      log.warn('send: the collector refused a body; it is dropped and kept in sent/ for you to see', {
        status: answer.status,
        spans: body.spans,
      })
    } else {
      const wait = waitMs(failures, retryAfterMs(answer.retryAfter, now()), random)
      waitUntil = now() + wait
      failures++
      // One line for the change, none for every further failure.
      if (failures === 1)
        log.warn('send: the collector cannot be reached or is busy; what waits stays on disk', { status: answer.status, code: answer.code })
    }
    lastStatus = answer.status
    return result
  }

  const drain = async (): Promise<void> => {
    let poster: Poster | undefined
    try {
      await queue.seal()
      for (;;) {
        if (abort.signal.aborted) return
        const body = await queue.next(allowed)
        if (body === undefined) return
        poster ??= await open(options.destination)
        const result = await attempt(poster, body).finally(() => release(body.content))
        if (result === 'retry') return
        if (failures > 0) log.info('send: the collector answers again', { failures })
        failures = 0
      }
    } catch (error) {
      if (abort.signal.aborted) return
      waitUntil = now() + waitMs(failures++, undefined, random)
      log.error('send: a drain failed; it is tried again', { code: errorCode(error) })
    } finally {
      poster?.close()
    }
  }

  const tick = (): void => {
    if (running !== undefined) return
    const time = now()
    if (time < options.notBefore || time < waitUntil) return
    const retrying = failures > 0
    if (!retrying && time < moment && !queue.halfFull()) return
    // Last, because it reads files.
    if (!allowed()) return
    if (time >= moment) {
      // Intervals that were slept through are left out, and so is this one where its new moment is over already.
      interval = Math.max(interval, Math.floor((time - startsAt) / options.intervalMs) - 1)
      do moment = momentOf(++interval, startsAt, options.intervalMs, random)
      while (moment <= time)
    }
    running = drain().finally(() => {
      running = undefined
    })
  }

  return {
    start: () => {
      timer = setInterval(tick, Math.min(TICK_MS, options.intervalMs)).unref()
    },
    stop: async () => {
      clearInterval(timer)
      abort.abort()
      await running
    },
    status: () => ({ nextDrainAt: Math.max(moment, waitUntil, options.notBefore), failures, lastStatus }),
  }
}
