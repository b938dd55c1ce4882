// Thousands of sidecars and one collector in simulated time. Sender and schedule are real. Queue,
// network and clock are simulated. The result is the time and answer of each request.

import type { Body } from '../../src/queue/queue.ts'
import type { Answer, Poster } from '../../src/send/post.ts'
import { Sender, type SendQueue } from '../../src/send/send.ts'
import { Counters } from '../../src/support/counters.ts'
import { createLog } from '../../src/support/log.ts'

export const HOUR = 3_600_000
/** The time from a request to its answer. */
const REQUEST_MS = 50
/** How often a sender compares the clock. */
const CLOCK_EVERY_MS = 250

export interface Fleet {
  sidecars: number
  /** They start at random moments within this time from 0. */
  startedWithinMs: number
  firstSendDelayMs: number
  /** Spans come all the time. A file is sealed at this age, or when it is about to be sent. */
  sealAfterMs: number
  endsAtMs: number
  /** The answer of the collector at this time: a status, or 0 for none, and Retry-After. */
  collector: (timeMs: number) => { status: number; retryAfter?: string }
  seed: number
}

export interface Asked {
  timeMs: number
  status: number
}

export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A queue that gets spans all the time. */
function steadyQueue(startedAt: number, sealAfterMs: number, now: () => number): SendQueue {
  let sealedUpTo = startedAt
  const waiting: Body[] = []
  let sequence = 0
  const seal = (upTo: number): void => {
    waiting.push({
      sequence: ++sequence,
      content: Buffer.alloc(0),
      sha256: '',
      batches: 1,
      spans: 1,
    })
    sealedUpTo = upTo
  }
  return {
    seal: async () => {
      if (now() > sealedUpTo) seal(now())
    },
    next: async () => {
      while (now() - sealedUpTo > sealAfterMs) seal(sealedUpTo + sealAfterMs)
      return waiting[0]
    },
    recordAttempt: () => Promise.resolve(),
    recordOutcome: async (_, { result }) => {
      if (result !== 'retry') waiting.shift()
    },
    halfFull: () => false,
  }
}

/** Every request to the collector, unordered. */
export async function requestsOf(fleet: Fleet): Promise<Asked[]> {
  const random = seeded(fleet.seed)
  const asked: Asked[] = []
  let time = 0
  const now = (): number => time
  const poster: Poster = {
    post: async () => {
      const { status, retryAfter } = fleet.collector(time)
      asked.push({ timeMs: time, status })
      time += REQUEST_MS
      return { status, code: '', retryAfter, body: Buffer.alloc(0) } satisfies Answer
    },
    close: () => undefined,
  }
  const counters = new Counters()
  const log = createLog('error', () => undefined)
  const start = (): Sender =>
    new Sender({
      queue: steadyQueue(time, fleet.sealAfterMs, now),
      destination: {} as never,
      intervalMs: HOUR,
      notBefore: time + fleet.firstSendDelayMs,
      allowed: () => true,
      rejectedSpans: () => 0,
      counters,
      log,
      now,
      random,
      open: () => poster,
    })

  // One after the other: sidecars and answers do not depend on other sidecars.
  for (let number = 0; number < fleet.sidecars; number++) {
    const startedAt = Math.floor(random() * fleet.startedWithinMs)
    time = startedAt
    const sender = start()
    while (time < fleet.endsAtMs) {
      await sender.drainIfDue()
      const next = Math.max(sender.status().nextDrainAt, time + 1)
      time = startedAt + Math.ceil((next - startedAt) / CLOCK_EVERY_MS) * CLOCK_EVERY_MS
    }
  }
  return asked
}

export interface Rate {
  /** Requests in the busiest second. */
  peak: number
  /** Requests a second, from the first request to the last. */
  mean: number
  /** Requests a second, for each minute from `fromMs`. */
  minutes: number[]
}

export function rateOf(asked: readonly Asked[], fromMs: number, toMs: number): Rate {
  const seconds = new Uint32Array(Math.ceil((toMs - fromMs) / 1000))
  let count = 0
  for (const { timeMs } of asked) {
    if (timeMs < fromMs || timeMs >= toMs) continue
    seconds[Math.floor((timeMs - fromMs) / 1000)]!++
    count++
  }
  const minutes = Array.from({ length: Math.ceil(seconds.length / 60) }, (_, minute) => {
    const part = seconds.subarray(minute * 60, minute * 60 + 60)
    return part.reduce((sum, value) => sum + value, 0) / part.length
  })
  return {
    peak: seconds.reduce((most, value) => Math.max(most, value), 0),
    mean: count / ((toMs - fromMs) / 1000),
    minutes,
  }
}
