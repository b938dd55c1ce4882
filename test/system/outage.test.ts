// An outage of the collector for a week, with the real sender and queue: bounded disk, one attempt
// an hour and two log lines. When the collector is back, there is no flood and every span is
// counted.
import assert from 'node:assert/strict'
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { DROP_REASONS } from '../../src/support/counters.ts'
import { recordOf } from '../support/queue-records.ts'
import {
  type Collector,
  DAY,
  HOUR,
  type Life,
  live,
  MINUTE,
  SECOND,
} from '../support/sender-life.ts'

const MIB = 1024 * 1024
const OUTAGE_FROM = 2 * HOUR
const OUTAGE_TO = OUTAGE_FROM + 7 * DAY

const away: Collector = (at) =>
  at >= OUTAGE_FROM && at < OUTAGE_TO ? { status: 0, code: 'ECONNREFUSED' } : { status: 200 }

async function bytesIn(folder: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size
  return bytes
}

/** An application that sends ten spans every ten minutes, and the largest size of the queue. */
async function liveWithApplication(life: Life, toMs: number, filler = 500) {
  const acknowledged: string[] = []
  let most = 0
  let number = 0
  await life.until(toMs, async (time) => {
    const ids = Array.from({ length: 10 }, () => `s${number++}`)
    const answers = await Promise.allSettled(
      ids.map((id) => life.queue.append(recordOf(id, filler), 1)),
    )
    acknowledged.push(...ids.filter((_, i) => answers[i]!.status === 'fulfilled'))
    if (time % HOUR < 10 * MINUTE) most = Math.max(most, await bytesIn(life.folder))
  })
  return { acknowledged, number, most }
}

/** Every span is delivered once, refused, dropped and counted, or still on disk. */
async function balance(life: Life, acknowledged: readonly string[], number: number): Promise<void> {
  const { counters, posts } = life
  const delivered = posts.filter(({ status }) => status === 200).flatMap(({ ids }) => ids)
  assert.equal(new Set(delivered).size, delivered.length, 'none is delivered twice')
  const dropped = DROP_REASONS.reduce(
    (sum, reason) => sum + counters.get(`queue.dropped.${reason}`),
    0,
  )
  assert.equal(delivered.length + dropped, acknowledged.length)
  assert.equal(counters.get('sent.spans'), delivered.length)
  assert.equal(counters.get('queue.refused'), number - acknowledged.length)
}

test('a week without a collector costs one attempt an hour, bounded disk and one log line, and loses nothing', async (t) => {
  const life = await live(t, away, { queue: { maxAgeMs: 30 * DAY } })
  const { acknowledged, number, most } = await liveWithApplication(life, OUTAGE_TO)
  const failed = life.posts.filter(({ status }) => status === 0)
  const gaps = failed.slice(1).map(({ at }, i) => at - failed[i]!.at)
  assert.ok(Math.max(...gaps) <= HOUR + SECOND, 'never longer than an hour')
  const lastDay = failed.filter(({ at }) => at >= OUTAGE_TO - DAY).length
  assert.ok(lastDay >= 24 && lastDay <= 72, `${lastDay} attempts in the last day`)
  assert.ok(failed.length < 500, `${failed.length} attempts`)
  assert.deepEqual(
    life.log.map(({ event }) => event),
    ['send: collector unavailable; reports stay queued'],
  )
  assert.ok(most < 8 * MIB, `${most} bytes on disk`)
  const { files } = life.queue.status()
  assert.ok(files <= 10, `${files} files: attempts that fail must not cut what waits into pieces`)

  const before = life.posts.length
  await life.until(OUTAGE_TO + 2 * HOUR)
  assert.ok(life.posts.length - before <= files + 1)
  await balance(life, acknowledged, number)
  assert.deepEqual(life.log.map(({ event }) => event).slice(1), [
    'send: collector accepting reports again',
  ])
  t.diagnostic(
    `${failed.length} attempts in seven days, ${lastDay} on the last; ${most} bytes on disk at most; then ${life.posts.length - before} requests brought ${acknowledged.length} spans`,
  )
})

test('the drain after an outage stops at each Retry-After and waits that long', async (t) => {
  let asked: number | undefined
  const waits: number[] = []
  let back = 0
  const collector: Collector = (at) => {
    if (asked !== undefined) waits.push(at - asked)
    asked = undefined
    if (at < DAY) return { status: 0, code: 'ETIMEDOUT' }
    if (back++ % 2 === 0) return { status: 200 }
    asked = at
    return { status: 503, retryAfter: '120' }
  }
  const life = await live(t, collector)
  const { acknowledged, number } = await liveWithApplication(life, DAY, 20_000)
  assert.ok(life.queue.status().files > 10)
  await life.until(2 * DAY)
  assert.ok(waits.length > 10)
  for (const wait of waits)
    assert.ok(wait >= 120 * SECOND && wait <= 240 * SECOND + SECOND, `came back after ${wait} ms`)
  await balance(life, acknowledged, number)
})

for (const [full, reason] of [
  ['refuse', 'queue: full; requests are answered 503'],
  ['drop-oldest', 'queue: full; the oldest spans are dropped'],
] as const) {
  test(`a queue that fills up in an outage stays within its limit and logs so once (${full})`, async (t) => {
    const maxBytes = 8 * MIB
    const life = await live(t, away, { queue: { full, maxBytes } })
    const { acknowledged, number, most } = await liveWithApplication(life, OUTAGE_TO, 5_000)
    assert.ok(most <= maxBytes + 2 * MIB, `${most} bytes on disk`)
    assert.deepEqual(
      life.log.map(({ event }) => event).filter((event) => event.startsWith('queue')),
      [reason],
    )
    const lost =
      full === 'refuse'
        ? life.counters.get('queue.refused')
        : life.counters.get('queue.dropped.full')
    assert.ok(lost > number / 2, `${lost} of ${number}`)
    await liveOn(life)
    await balance(life, acknowledged, number)
    const last = life.posts.at(-1)!.ids.at(-1)
    assert.equal(last, full === 'refuse' ? acknowledged.at(-1) : `s${number - 1}`)
  })
}

/** Until the queue is empty. */
const liveOn = (life: Life): Promise<void> => life.until(OUTAGE_TO + 3 * HOUR)

test('records over the age limit are dropped and counted, and younger ones arrive', async (t) => {
  const life = await live(t, away, { queue: { maxAgeMs: 2 * DAY } })
  const { acknowledged, number } = await liveWithApplication(life, OUTAGE_TO)
  await liveOn(life)
  await balance(life, acknowledged, number)
  const kept = acknowledged.length - life.counters.get('queue.dropped.age')
  const perDay = 24 * 6 * 10
  assert.ok(kept > 1.5 * perDay && kept < 2.5 * perDay, `${kept} spans`)
})

test('a collector that refuses everything is logged once, and every refused span is counted', async (t) => {
  const life = await live(t, () => ({ status: 401 }))
  const { acknowledged } = await liveWithApplication(life, 2 * DAY)
  await life.until(2 * DAY + 2 * HOUR)
  assert.equal(life.counters.get('refused.spans'), acknowledged.length)
  assert.deepEqual(
    life.log.map(({ event }) => event),
    ['send: collector refuses reports; they are dropped and kept in sent/'],
  )
})

test('an empty queue causes no request and no read of the directory', async (t) => {
  const life = await live(t, () => ({ status: 503 }), { queue: { maxAgeMs: 2 * HOUR } })
  await life.queue.append(recordOf('only'), 1)
  await life.until(DAY)
  const posts = life.posts.length
  assert.ok(posts > 0)
  assert.equal(life.counters.get('queue.dropped.age'), 1)
  assert.equal(
    life.sender.status().failures,
    0,
    'the wait for a collector ends with what waited for it',
  )
  await life.until(2 * DAY)
  assert.equal(life.posts.length, posts)
})

test('records that arrive during a drain are sent by the next one', async (t) => {
  const life = await live(t, (_, post) => {
    void life.queue.append(recordOf(`during${post}`), 1)
    return { status: post < 50 ? 200 : 503 }
  })
  await life.queue.append(recordOf('before'), 1)
  life.advance(HOUR)
  await life.sender.drainIfDue()
  assert.deepEqual(
    life.posts.map(({ ids }) => ids),
    [['before']],
  )
})
