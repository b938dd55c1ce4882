// The sender with a queue on a real folder, a collector that is a function, and a clock that the
// test sets. A week passes in a second, and every decision is made by the code of the product.
import type { TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { openQueue, type QueueOptions } from '../../src/queue/queue.ts'
import type { Answer, Poster } from '../../src/send/post.ts'
import { Sender, type SenderOptions } from '../../src/send/send.ts'
import { Counters } from '../../src/support/counters.ts'
import { createLog, type Log } from '../../src/support/log.ts'
import { seeded } from '../nightly/fleet.ts'
import { temporaryFolder } from '../queue/queue-setup.ts'
import { idsIn, queueOptions } from './queue-records.ts'

export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR
const START = Date.UTC(2026, 10, 24, 9)

export interface Post {
  at: number
  status: number
  ids: string[]
}

export type Collector = (at: number, post: number) => Partial<Answer> & { status: number }

export interface Life {
  folder: string
  counters: Counters
  queue: Awaited<ReturnType<typeof openQueue>>
  sender: Sender
  /** Milliseconds since the life began, by both clocks unless the wall clock is set. */
  time(): number
  /** Runs every drain that is due until this time. Calls `meanwhile` every ten minutes. */
  until(time: number, meanwhile?: (time: number) => Promise<void>): Promise<void>
  /** Moves both clocks. The sender does not compare them. */
  advance(byMs: number): void
  /** Moves the wall clock only. */
  setClock(byMs: number): void
  posts: Post[]
  /** The events of the log. */
  log: { at: number; level: string; event: string }[]
}

/** Time since the life began, and what the wall clock is ahead of it. */
class Clock {
  elapsed = 0
  offset = START
  now = (): number => this.offset + this.elapsed
  uptime = (): number => this.elapsed
}

export async function live(
  t: TestContext,
  collector: Collector,
  {
    queue: queueChanges = {},
    send: sendChanges = {},
  }: { queue?: Partial<QueueOptions>; send?: Partial<SenderOptions> } = {},
): Promise<Life> {
  const clock = new Clock()
  const { now, uptime } = clock
  const counters = new Counters()
  const posts: Post[] = []
  const lines: Life['log'] = []
  const log = logInto(lines, clock)
  const folder = queueChanges.folder ?? (await temporaryFolder(t))
  const queue = await openQueue(queueOptions(folder, { counters, log, now, ...queueChanges }))
  t.after(() => queue.close())
  const poster = posterTo(collector, posts, clock)
  const sender = new Sender({
    queue,
    destination: {} as never,
    intervalMs: HOUR,
    notBefore: 0,
    allowed: () => true,
    rejectedSpans: () => 0,
    counters,
    log,
    now,
    uptime,
    random: seeded(7),
    open: () => poster,
    ...sendChanges,
  })
  return {
    folder,
    counters,
    queue,
    sender,
    time: uptime,
    until: (time, meanwhile = async () => undefined) => runUntil(sender, clock, time, meanwhile),
    advance: (byMs) => {
      clock.elapsed += byMs
    },
    setClock: (byMs) => {
      clock.offset += byMs
    },
    posts,
    log: lines,
  }
}

const logInto = (lines: Life['log'], clock: Clock): Log =>
  createLog(
    'info',
    (line) => {
      const { level, event } = JSON.parse(line) as { level: string; event: string }
      lines.push({ at: clock.elapsed, level, event })
    },
    clock.now,
  )

const posterTo = (collector: Collector, posts: Post[], clock: Clock): Poster => ({
  post: async (content) => {
    const answer = collector(clock.elapsed, posts.length)
    posts.push({ at: clock.elapsed, status: answer.status, ids: idsIn(gunzipSync(content)) })
    return { code: '', retryAfter: undefined, body: Buffer.alloc(0), ...answer }
  },
  close: () => undefined,
})

async function runUntil(
  sender: Sender,
  clock: Clock,
  time: number,
  meanwhile: (time: number) => Promise<void>,
): Promise<void> {
  let next = clock.elapsed
  while (clock.elapsed < time) {
    await sender.drainIfDue()
    if (clock.elapsed >= next) {
      await meanwhile(clock.elapsed)
      next += 10 * MINUTE
    }
    const drainAt = sender.status().nextDrainAt - clock.offset
    clock.elapsed = Math.min(time, next, Math.max(drainAt, clock.elapsed + 250))
  }
  await sender.drainIfDue()
}
