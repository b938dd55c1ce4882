// The age limit holds for all spans, also if the clock is set back or was wrong when they came.
import assert from 'node:assert/strict'
import { utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { recordOf } from '../support/queue-records.ts'
import { openTestQueue } from './queue-setup.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

test('counts the age of spans from the moment a clock is set back, and holds up none behind them', async (t) => {
  let time = Date.now()
  const { queue, ids, counters } = await openTestQueue(t, { maxAgeMs: HOUR, now: () => time })
  await queue.append(recordOf('before'), 1)
  await queue.seal()
  time -= DAY
  await queue.append(recordOf('after'), 1)
  await queue.seal()
  assert.deepEqual(await ids('queue'), ['before', 'after'])
  time += HOUR
  await queue.seal()
  assert.deepEqual(await ids('queue'), ['before', 'after'])
  time += 1
  await queue.seal()
  assert.deepEqual(await ids('queue'), [])
  assert.equal(counters.get('queue.dropped.age'), 2)
})

test('keeps files dated in the future for the age limit after a restart, not longer', async (t) => {
  let time = Date.now() + 365 * DAY
  const future = await openTestQueue(t, { now: () => time })
  await future.queue.append(recordOf('future'), 1)
  await future.queue.seal()
  await future.queue.next(() => true)
  await future.queue.close()
  time -= 365 * DAY
  const { queue, counters } = await openTestQueue(t, {
    folder: future.folder,
    maxAgeMs: HOUR,
    now: () => time,
  })
  assert.equal((await queue.next(() => true))?.sequence, 1)
  time += HOUR + 1
  assert.equal(await queue.next(() => true), undefined)
  assert.equal(counters.get('queue.dropped.age'), 1)
})

test('drops nothing within the age limit when the clock is set forward a day', async (t) => {
  let time = Date.now()
  const { queue, ids } = await openTestQueue(t, { maxAgeMs: 7 * DAY, now: () => time })
  await queue.append(recordOf('one'), 1)
  time += DAY
  await queue.append(recordOf('two'), 1)
  await queue.seal()
  assert.deepEqual(await ids('queue'), ['one', 'two'])
})

test('drops an expired file behind one dated in the future after a restart', async (t) => {
  let time = Date.now()
  const { folder, queue } = await openTestQueue(t)
  for (const id of ['future', 'old']) {
    await queue.append(recordOf(id), 1)
    await queue.seal()
  }
  await queue.close()
  await utimes(join(folder, 'queue/000000000001.otlp'), (time + DAY) / 1000, (time + DAY) / 1000)
  await utimes(join(folder, 'queue/000000000002.otlp'), (time - HOUR) / 1000, (time - HOUR) / 1000)
  const again = await openTestQueue(t, { folder, maxAgeMs: 2 * HOUR, now: () => time })
  time += HOUR + 1
  await again.queue.seal()
  assert.deepEqual(await again.ids('queue'), ['future'])
})
