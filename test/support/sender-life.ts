// The sender with a queue on a real folder, a collector that is a function, and a clock that the
// test sets: a week passes in a second, and every decision is the product's own.
import type { TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { openQueue, type QueueOptions } from '../../src/queue/queue.ts'
import type { Answer, Poster } from '../../src/send/post.ts'
import { Sender, type SenderOptions } from '../../src/send/send.ts'
import { Counters } from '../../src/support/counters.ts'
import { createLog } from '../../src/support/log.ts'
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
  /** Milliseconds since the life began; by both clocks, unless the wall clock is set. */
  time(): number
  /**
   * Looks at the clock whenever something is due, until then; `meanwhile` is called every ten
   * minutes.
   */
  until(time: number, meanwhile?: (time: number) => Promise<void>): Promise<void>
  /** Lets time pass without a look at the clock. */
  pass(byMs: number): void
  /** Sets the wall clock, and no other. */
  setClock(byMs: number): void
  posts: Post[]
  /** Events of warnings and errors, and of what ends them. */
  log: { at: number; level: string; event: string }[]
}

export async function live(
  t: TestContext,
  collector: Collector,
  {
    queue: queueChanges = {},
    send: sendChanges = {},
  }: { queue?: Partial<QueueOptions>; send?: Partial<SenderOptions> } = {},
): Promise<Life> {
  let elapsed = 0
  let offset = START
  const now = (): number => offset + elapsed
  const random = seeded(7)
  const counters = new Counters()
  const posts: Post[] = []
  const lines: Life['log'] = []
  const log = createLog(
    'info',
    (line) => {
      const { level, event } = JSON.parse(line) as { level: string; event: string }
      lines.push({ at: elapsed, level, event })
    },
    now,
  )
  const folder = queueChanges.folder ?? (await temporaryFolder(t))
  const queue = await openQueue(queueOptions(folder, { counters, log, now, ...queueChanges }))
  t.after(() => queue.close())
  const poster: Poster = {
    post: async (content) => {
      const answer = collector(elapsed, posts.length)
      posts.push({ at: elapsed, status: answer.status, ids: idsIn(gunzipSync(content)) })
      return { code: '', retryAfter: undefined, body: Buffer.alloc(0), ...answer }
    },
    close: () => undefined,
  }
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
    uptime: () => elapsed,
    random,
    open: () => poster,
    ...sendChanges,
  })
  const until = async (
    time: number,
    meanwhile: (time: number) => Promise<void> = async () => undefined,
  ): Promise<void> => {
    let next = elapsed
    while (elapsed < time) {
      await sender.drainIfDue()
      if (elapsed >= next) {
        await meanwhile(elapsed)
        next += 10 * MINUTE
      }
      elapsed = Math.min(time, next, Math.max(sender.status().nextDrainAt - offset, elapsed + 250))
    }
    await sender.drainIfDue()
  }
  const pass = (byMs: number): void => {
    elapsed += byMs
  }
  const setClock = (byMs: number): void => {
    offset += byMs
  }
  return {
    folder,
    counters,
    queue,
    sender,
    time: () => elapsed,
    until,
    pass,
    setClock,
    posts,
    log: lines,
  }
}
