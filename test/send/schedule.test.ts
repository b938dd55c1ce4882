// When the sender drains: at a fresh random moment of each interval, early if the queue is half
// full, never before the first send delay, and after a failure with full jitter behind
// Retry-After. The test moves the clock.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Body } from '../../src/queue/queue.ts'
import { momentOf, retryAfterMs, waitMs } from '../../src/send/retry.ts'
import type { SendQueue } from '../../src/send/send.ts'
import { recordOf } from '../support/queue-records.ts'
import { START_MS, startTestDelivery, startTestSender, statuses } from '../support/sender.ts'
import { settle, until } from '../support/wait.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
/** The largest number that Math.random gives. */
const ALMOST_ONE = 1 - 2 ** -53

/** An empty queue that is half full if the test says so. */
function emptyQueue(isHalfFull: () => boolean = () => false): SendQueue {
  const never = (): never => {
    throw new Error('The sender has no use for this.')
  }
  const nothing: Promise<Body | undefined> = Promise.resolve(undefined)
  return {
    seal: () => Promise.resolve(),
    next: () => nothing,
    recordAttempt: never,
    recordOutcome: never,
    halfFull: isHalfFull,
  }
}

test('each interval has one drain, at a moment of its own', async (t) => {
  const intervalMs = 10_000
  const { sender, drains, advance, now } = startTestSender(t, emptyQueue(), {
    intervalMs,
    random: Math.random,
  })
  const moments: number[] = []
  while (moments.length < 100) {
    const moment = sender.status().nextDrainAt
    moments.push(moment)
    advance(moment - 1 - now())
    await settle()
    assert.equal(drains(), moments.length - 1)
    advance(1)
    await settle()
    assert.equal(drains(), moments.length)
  }
  const offsets = moments.map((moment, index) => moment - START_MS - index * intervalMs)
  for (const offset of offsets) assert.ok(offset >= 0 && offset < intervalMs, String(offset))
  assert.ok(new Set(offsets).size > 80, 'moments repeat')
})

test('a moment lies anywhere in its interval, never outside', () => {
  assert.equal(
    momentOf(3, 1000, 500, () => 0),
    2500,
  )
  assert.equal(
    momentOf(3, 1000, 500, () => ALMOST_ONE),
    2999,
  )
})

test('skips intervals in which the process slept', async (t) => {
  const { sender, drains, advance } = startTestSender(t, emptyQueue(), { random: () => 0.5 })
  advance(10.75 * HOUR_MS)
  await settle()
  assert.equal(drains(), 1)
  advance(0)
  await settle()
  assert.equal(drains(), 1)
  assert.equal(sender.status().nextDrainAt, START_MS + 11.5 * HOUR_MS)
})

test('a clock that jumps by 50 years costs no time', async (t) => {
  let asked = 0
  const random = (): number => {
    asked++
    return 0.5
  }
  const { sender, advance, now } = startTestSender(t, emptyQueue(), { intervalMs: 100_000, random })
  advance(50 * 365 * DAY_MS)
  await settle()
  assert.equal(sender.status().nextDrainAt, now() + 50_000)
  assert.ok(asked < 5, `${asked} moments`)
})

test('keeps a later moment in the interval that has begun', async (t) => {
  const { sender, advance } = startTestSender(t, emptyQueue(), { random: () => 0.5 })
  advance(10.25 * HOUR_MS)
  await settle()
  assert.equal(sender.status().nextDrainAt, START_MS + 10.5 * HOUR_MS)
})

test('drains a half full queue early and keeps the moment of the interval', async (t) => {
  let full = false
  const { sender, drains, advance } = startTestSender(
    t,
    emptyQueue(() => full),
  )
  const moment = sender.status().nextDrainAt
  advance(1000)
  await settle()
  assert.equal(drains(), 0)
  full = true
  advance(1000)
  // Half of a quarter of two seconds.
  advance(249)
  await settle()
  assert.equal(drains(), 0)
  advance(1)
  await settle()
  assert.equal(drains(), 1)
  full = false
  assert.equal(sender.status().nextDrainAt, moment)
  advance(moment - START_MS - 2250)
  await settle()
  assert.equal(drains(), 2)
})

test('sends nothing before the first send delay, then at a random moment', async (t) => {
  const { sender, drains, advance } = startTestSender(
    t,
    emptyQueue(() => true),
    { notBefore: START_MS + DAY_MS, random: () => 0.25 },
  )
  assert.equal(sender.status().nextDrainAt, START_MS + DAY_MS + HOUR_MS / 4)
  advance(DAY_MS - 1)
  await settle()
  assert.equal(drains(), 0)
  advance(1)
  // Half full for a day already. The wait is then a quarter of five minutes.
  advance(74_999)
  await settle()
  assert.equal(drains(), 0)
  advance(1)
  await settle()
  assert.equal(drains(), 1)
})

test('a first send delay in the past changes nothing', (t) => {
  const { sender } = startTestSender(t, emptyQueue(), {
    notBefore: START_MS - DAY_MS,
    random: () => 0.25,
  })
  assert.equal(sender.status().nextDrainAt, START_MS + HOUR_MS / 4)
})

test('drains nothing while it is not allowed', async (t) => {
  let allowed = false
  const { drains, advance } = startTestSender(
    t,
    emptyQueue(() => true),
    { allowed: () => allowed },
  )
  advance(2 * HOUR_MS)
  await settle()
  assert.equal(drains(), 0)
  allowed = true
  advance(0)
  await settle()
  assert.equal(drains(), 1)
})

test('waits after a failure for any time below a bound that doubles up to 1 h', () => {
  const bounds = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 3600, 3600].map(
    (seconds) => seconds * 1000,
  )
  bounds.forEach((bound, failures) => {
    assert.equal(
      waitMs(failures, undefined, () => 0),
      0,
    )
    assert.equal(
      waitMs(failures, undefined, () => 0.5),
      bound / 2,
    )
    assert.equal(
      waitMs(failures, undefined, () => ALMOST_ONE),
      bound - 1,
    )
  })
  assert.equal(
    waitMs(10_000, undefined, () => ALMOST_ONE),
    HOUR_MS - 1,
  )
})

test('each failure doubles the bound of the wait, until a body is delivered', async (t) => {
  const { queue, drains, sender, advance, counters } = await startTestDelivery(
    t,
    statuses(503, 0, 503, 200, 503),
    { random: () => 0.5 },
  )
  await queue.append(recordOf('one'), 1)
  advance(HOUR_MS / 2)
  // The first bound is a minute, a sixtieth of the interval.
  for (const [index, wait] of [30_000, 60_000, 120_000].entries()) {
    await until(() => sender.status().failures === index + 1)
    advance(wait - 1)
    assert.equal(drains(), index + 1)
    advance(1)
    assert.equal(drains(), index + 2)
  }
  await until(() => counters.get('sent.bodies') === 1)
  await until(() => sender.status().failures === 0)
  await queue.append(recordOf('two'), 1)
  advance(HOUR_MS)
  await until(() => sender.status().failures === 1)
  advance(29_999)
  assert.equal(drains(), 5)
  advance(1)
  assert.equal(drains(), 6)
})

const inSeconds = (seconds: number): string => new Date(START_MS + seconds * 1000).toUTCString()
const ASKED: Record<string, [string, number]> = {
  seconds: ['120', 120_000],
  'a date': [inSeconds(120), 120_000],
  'a date that is over': [inSeconds(-120), 0],
  'more than a day': ['99999999999', DAY_MS],
  nonsense: ['soon', 0],
}
for (const [name, [retryAfter, waits]] of Object.entries(ASKED)) {
  test(`waits at least as long as Retry-After asks: ${name}`, async (t) => {
    const { queue, drains, sender, advance } = await startTestDelivery(
      t,
      statuses([429, { 'retry-after': retryAfter }], 200),
      {
        random: () => 0.5,
        intervalMs: 200,
      },
    )
    await queue.append(recordOf('one'), 1)
    // The first moment, at half of the interval, is a tenth of a second after the start.
    advance(100)
    await until(() => sender.status().failures === 1)
    const asked = name === 'a date' ? waits - 100 : waits
    // As wide as what was asked, a second at least and an hour at most.
    const jitter = Math.min(Math.max(asked, 1000), HOUR_MS) / 2
    advance(asked + jitter - 1)
    assert.equal(drains(), 1)
    advance(1)
    assert.equal(drains(), 2)
  })
}

test('reads Retry-After in every form of HTTP, in every time zone', (t) => {
  const zone = process.env.TZ
  t.after(() => {
    if (zone === undefined) delete process.env.TZ
    else process.env.TZ = zone
  })
  const now = Date.UTC(1994, 10, 6, 8, 47, 37)
  for (const timeZone of ['UTC', 'America/New_York', 'Asia/Kolkata']) {
    process.env.TZ = timeZone
    for (const form of [
      '120',
      ' 120 ',
      'Sun, 06 Nov 1994 08:49:37 GMT',
      'Sunday, 06-Nov-94 08:49:37 GMT',
      'Sun Nov  6 08:49:37 1994',
    ])
      assert.equal(retryAfterMs(form, now), 120_000, `${form} in ${timeZone}`)
    assert.equal(retryAfterMs('Sun, 06 Nov 1994 08:45:37 GMT', now), 0)
  }
  for (const none of [
    undefined,
    '',
    '-1',
    '1.5',
    '1e3',
    '0x10',
    'soon',
    'March',
    'Mon, 1',
    '1994-11-06T08:49:37Z',
  ])
    assert.equal(retryAfterMs(none, now), undefined, String(none))
})
