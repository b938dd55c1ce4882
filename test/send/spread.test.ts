// Senders spread over the interval, however many start or retry at the same moment. A clock that
// jumps does not mislead them.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Schedule, type ScheduleOptions } from '../../src/send/schedule.ts'
import { seeded } from '../nightly/fleet.ts'
import { recordOf } from '../support/queue-records.ts'
import { DAY, HOUR, live, MINUTE, SECOND } from '../support/sender-life.ts'

const FLEET = 1_000

interface Clock {
  uptime: number
  /** How far the wall clock is ahead of it. */
  offset: number
}

function schedules(clock: Clock, changes: Partial<ScheduleOptions> = {}): Schedule[] {
  const random = seeded(3)
  const now = (): number => clock.offset + clock.uptime
  return Array.from(
    { length: FLEET },
    () =>
      new Schedule({
        intervalMs: HOUR,
        notBefore: 0,
        now,
        uptime: () => clock.uptime,
        random,
        ...changes,
      }),
  )
}

/** How many drains begin in each minute. Clocks are compared every second, and drains succeed. */
function dueByMinute(
  clock: Clock,
  all: readonly Schedule[],
  minutes: number,
  halfFull = false,
): number[] {
  const pressed = new Set(halfFull ? all : [])
  return Array.from({ length: minutes }, () => {
    let due = 0
    for (let second = 0; second < 60; second++) {
      clock.uptime += SECOND
      for (const one of all) {
        if (!one.due(pressed.has(one))) continue
        one.settled()
        pressed.delete(one)
        due++
      }
    }
    return due
  })
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0)

test('each interval has one drain, and a fleet spreads over all of it', () => {
  const clock = { uptime: 0, offset: DAY }
  const all = schedules(clock)
  for (let interval = 0; interval < 3; interval++) {
    const minutes = dueByMinute(clock, all, 60)
    assert.equal(sum(minutes), FLEET)
    assert.ok(Math.max(...minutes) < (3 * FLEET) / 60, `${Math.max(...minutes)} in one minute`)
  }
})

test('nothing is due in the first send delay, and a fleet spreads after it', () => {
  for (const pressed of [false, true]) {
    const clock = { uptime: 0, offset: DAY }
    const all = schedules(clock, { notBefore: 2 * DAY })
    assert.equal(sum(dueByMinute(clock, all, 24 * 60 - 1, pressed)), 0)
    const minutes = dueByMinute(clock, all, 61, pressed)
    assert.ok(sum(minutes) >= FLEET)
    const most = pressed ? FLEET / 3 : FLEET / 20
    assert.ok(Math.max(...minutes) < most, `${Math.max(...minutes)} in one minute`)
  }
})

test('a half full queue waits a part of the time in which it filled', () => {
  const clock = { uptime: 0, offset: DAY }
  const all = schedules(clock)
  clock.uptime = 40 * SECOND
  const early = all.filter((one) => one.due(false)).length
  clock.uptime += 1
  for (const one of all) one.due(true)
  clock.uptime += 10 * SECOND
  const due = all.filter((one) => one.due(true)).length
  assert.ok(
    early + due >= FLEET && due < FLEET + 1,
    `${early} by their moment, ${due} of the others`,
  )
})

test('waits after failures grow to 1 h, and differ between sidecars', () => {
  const clock = { uptime: 0, offset: DAY }
  const all = schedules(clock)
  const waitsOf = (): number[] => all.map((one) => one.nextAt() - clock.offset - clock.uptime)
  for (const bound of [1, 2, 4, 8, 16, 32, 60, 60].map((minutes) => minutes * MINUTE)) {
    for (const one of all) one.failed(undefined)
    const waits = waitsOf()
    assert.ok(
      Math.max(...waits) <= bound && Math.max(...waits) > 0.9 * bound,
      `${Math.max(...waits)} of ${bound}`,
    )
    assert.ok(new Set(waits).size > 0.9 * FLEET)
    clock.uptime += HOUR
  }
})

test('nothing is due before Retry-After, and a fleet spreads after it', () => {
  const clock = { uptime: 0, offset: DAY }
  const all = schedules(clock)
  for (const one of all) one.failed(30 * MINUTE)
  assert.equal(sum(dueByMinute(clock, all, 29, true)), 0)
  const minutes = dueByMinute(clock, all, 32)
  assert.ok(sum(minutes) >= FLEET)
  assert.ok(Math.max(...minutes) < (3 * FLEET) / 30, `${Math.max(...minutes)} in one minute`)
})

test('a clock that is set back or forward by a day moves no drain', async (t) => {
  for (const jump of [-DAY, DAY]) {
    const life = await live(t, () => ({ status: 200 }))
    const append = (time: number): Promise<void> => life.queue.append(recordOf(`at${time}`), 1)
    await life.until(10 * HOUR, append)
    life.setClock(jump)
    await life.until(12 * HOUR, append)
    const inHour = Array.from(
      { length: 12 },
      (_, hour) => life.posts.filter(({ at }) => Math.floor(at / HOUR) === hour).length,
    )
    // Spans that become old by a jump are in a body of their own.
    assert.ok(
      inHour.every((posts) => posts === 1 || posts === 2),
      `posts in each hour: ${inHour.join()}`,
    )
    assert.equal(life.counters.get('queue.dropped.age'), 0)
  }
})

test('a clock that is set forward does not end the first send delay', async (t) => {
  const life = await live(t, () => ({ status: 200 }), {
    send: { notBefore: Date.UTC(2026, 10, 25, 9) },
  })
  await life.queue.append(recordOf('early'), 1)
  life.setClock(2 * DAY)
  await life.until(23 * HOUR)
  assert.equal(life.posts.length, 0)
  await life.until(25 * HOUR)
  assert.equal(life.posts.length, 1)
})
