// The points for an exporter about answers: what it retries and when, and what it drops.
import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { rejectedSpans, statusBody, successBody } from '../../src/otlp/answer.ts'
import { resultOf, retryAfterMs, waitMs } from '../../src/send/retry.ts'
import { receiptsIn } from '../queue/queue-setup.ts'
import { recordOf } from '../support/queue-records.ts'
import { destinationOf, START_MS, startTestDelivery, statuses } from '../support/sender.ts'
import { settle, until } from '../support/wait.ts'
import { conforms } from './point.ts'

const DAY_MS = 86_400_000
type Test = Parameters<Parameters<typeof conforms>[1]>[0]

/**
 * Three spans in one body, sent once to whoever answers so; and again after a day, where it is
 * kept.
 */
async function sendTo(t: Test, listener: RequestListener) {
  const sidecar = await startTestDelivery(t, listener, { rejectedSpans })
  for (const id of ['one', 'two', 'three']) await sidecar.queue.append(recordOf(id), 1)
  sidecar.advance(0)
  await until(() => sidecar.drains() === 1)
  await until(
    () => sidecar.sender.status().lastStatus !== undefined || sidecar.sender.status().failures > 0,
  )
  await sidecar.sender.drainIfDue()
  const outcome = (await receiptsIn(sidecar.folder)).at(-1)!
  t.mock.timers.reset()
  return { ...sidecar, outcome }
}

conforms('C02', async (t) => {
  for (const status of [200, 503]) {
    const { outcome, names, got } = await sendTo(t, (_request, response) => {
      response.on('error', () => undefined)
      response.writeHead(status).end(Buffer.alloc(5 * 1024 * 1024))
    })
    assert.notEqual(outcome.result, 'retry')
    assert.deepEqual([await names('sending'), (await names('sent')).length, got.length], [[], 1, 1])
  }
})

conforms('C04', async (t) => {
  for (const [rejected, message] of [
    [2, 'Two are too old.'],
    [0, 'Mind the step.'],
    [0, ''],
  ] as const) {
    const { outcome, counters, names } = await sendTo(t, (_request, response) =>
      response.end(successBody('protobuf', rejected, message)),
    )
    assert.deepEqual([outcome.result, outcome.rejected], ['delivered', rejected])
    assert.deepEqual(
      [counters.get('sent.spans'), counters.get('sent.rejected')],
      [3 - rejected, rejected],
    )
    assert.deepEqual([await names('sending'), await names('queue')], [[], []])
  }
})

conforms('C05', async (t) => {
  const { outcome, counters, names, got } = await sendTo(t, statuses(403))
  assert.deepEqual([outcome.result, outcome.status], ['refused', 403])
  assert.deepEqual([counters.get('refused.spans'), counters.get('sent.spans')], [3, 0])
  assert.deepEqual(
    [await names('queue'), await names('sending'), (await names('sent')).length],
    [[], [], 1],
  )
  assert.equal(got.length, 1)
})

conforms('C06', async (t) => {
  for (let status = 300; status < 600; status++)
    assert.equal(
      resultOf(status),
      [429, 502, 503, 504].includes(status) ? 'retry' : 'refused',
      String(status),
    )
  for (const status of [429, 502, 503, 504, 408, 413, 500, 501]) {
    const { outcome, names } = await sendTo(t, statuses(status))
    const again = [429, 502, 503, 504].includes(status)
    assert.equal(outcome.result, again ? 'retry' : 'refused', String(status))
    assert.equal((await names('sending')).length, again ? 1 : 0)
  }
})

conforms('C07', async (t) => {
  const { got, outcome, names } = await sendTo(t, statuses([400, { 'retry-after': '1' }]))
  assert.deepEqual([got.length, outcome.result, await names('sending')], [1, 'refused', []])
})

conforms('C08', async (t) => {
  const date = new Date(START_MS + 90_000)
  const asctime = `${date.toUTCString().slice(0, 3)} Oct  5 ${date.toUTCString().slice(17, 25)} 2026`
  for (const form of ['90', date.toUTCString(), asctime])
    assert.equal(Math.round(retryAfterMs(form, START_MS)! / 1000), 90, form)
  assert.equal(retryAfterMs(undefined, START_MS), undefined)
  for (const [failures, bound] of [
    [1, 2_000],
    [2, 4_000],
    [3, 8_000],
    [30, 3_600_000],
  ] as const)
    assert.deepEqual(
      [waitMs(failures, undefined, () => 0), waitMs(failures, undefined, () => 1)],
      [0, bound],
    )
  const sidecar = await startTestDelivery(t, statuses([503, { 'retry-after': '90' }], 200))
  await sidecar.queue.append(recordOf('one'), 1)
  sidecar.advance(0)
  await until(() => sidecar.sender.status().failures === 1)
  assert.ok(sidecar.sender.status().nextDrainAt >= START_MS + 90_000)
})

conforms('C09', async (t) => {
  const broken = await sendTo(t, statuses(0))
  assert.deepEqual([broken.outcome.result, broken.outcome.status], ['retry', 0])
  const nobody = await startTestDelivery(t, statuses(200), {
    destination: destinationOf('http://127.0.0.1:9'),
  })
  await nobody.queue.append(recordOf('one'), 1)
  nobody.advance(0)
  await until(() => nobody.sender.status().failures === 1)
  assert.equal((await nobody.names('sending')).length, 1)
  const waits = new Set(Array.from({ length: 50 }, () => waitMs(5, undefined, Math.random)))
  assert.ok(waits.size > 40)
})

conforms('C14', async (t) => {
  const sidecar = await startTestDelivery(t, statuses([429, { 'retry-after': '600' }], 200))
  await sidecar.queue.append(recordOf('one'), 1)
  sidecar.advance(0)
  await until(() => sidecar.sender.status().failures === 1)
  for (let i = 0; i < 20; i++) await sidecar.queue.append(recordOf(`more${i}`, 300_000), 1)
  for (const ms of [1_000, 300_000, 298_999]) {
    sidecar.advance(ms)
    await settle()
  }
  assert.equal(sidecar.got.length, 1)
  sidecar.advance(DAY_MS)
  await until(() => sidecar.counters.get('sent.spans') === 21)
})

conforms('C21', async (t) => {
  const unavailable = statusBody('protobuf', 14, 'Come again.')
  const invalid = statusBody('protobuf', 3, 'Never again.')
  const refused = await sendTo(t, (_request, response) => response.writeHead(400).end(unavailable))
  assert.equal(refused.outcome.result, 'refused')
  const again = await sendTo(t, (_request, response) => response.writeHead(503).end(invalid))
  assert.equal(again.outcome.result, 'retry')
  const delivered = await sendTo(t, (_request, response) => response.writeHead(200).end(invalid))
  assert.equal(delivered.outcome.result, 'delivered')
})
