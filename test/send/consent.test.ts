// Consent is read again before every request and every commit. If it ends or the sidecar stops
// during a drain, no other request begins, and the current one ends.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openTestQueue, receiptsIn } from '../queue/queue-setup.ts'
import { recordOf } from '../support/queue-records.ts'
import {
  destinationOf,
  queueWith,
  startTestCollector,
  startTestDelivery,
  startTestSender,
  statuses,
} from '../support/sender.ts'
import { settle, until } from '../support/wait.ts'

const HOUR_MS = 3_600_000
const outcomesIn = async (folder: string): Promise<Record<string, unknown>[]> =>
  (await receiptsIn(folder)).filter(({ event }) => event !== 'attempt')

test('commits, records and sends nothing if consent ends before the commit', async (t) => {
  // It is read when next() begins, and again right before the commit.
  for (const ends of [1, 2]) {
    let asked = 0
    let taken = false
    const stored = await openTestQueue(t)
    await stored.queue.append(recordOf('one'), 1)
    const queue = queueWith(stored.queue, {
      next: async (isAllowed) => {
        const body = await stored.queue.next(() => {
          asked++
          return isAllowed()
        })
        taken = true
        return body
      },
    })
    const { advance, drains, sender } = startTestSender(t, queue, {
      random: () => 0,
      allowed: () => asked < ends,
    })
    advance(0)
    await until(() => taken)
    await settle()
    advance(HOUR_MS)
    assert.equal(drains(), 1)
    await sender.stop()
    assert.deepEqual(await stored.names('sending'), [])
    await assert.rejects(receiptsIn(stored.folder), { code: 'ENOENT' })
    t.mock.timers.reset()
  }
})

test('makes no request if consent ends while the receipt is written', async (t) => {
  let allowed = true
  const requests = t.mock.method(AbortSignal, 'timeout')
  const stored = await openTestQueue(t)
  await stored.queue.append(recordOf('one'), 1)
  const queue = queueWith(stored.queue, {
    recordAttempt: async (body) => {
      await stored.queue.recordAttempt(body)
      allowed = false
    },
  })
  const { advance } = startTestSender(t, queue, { random: () => 0, allowed: () => allowed })
  advance(0)
  await until(() => !allowed)
  await settle()
  assert.equal(requests.mock.callCount(), 0)
})

test('makes no other request if consent ends during one, and records its answer', async (t) => {
  let allowed = true
  let ended = false
  const { queue, advance, got, counters, folder, names } = await startTestDelivery(
    t,
    (request, response) => {
      request.socket.once('close', () => {
        ended = true
      })
      allowed = false
      response.end()
    },
    { allowed: () => allowed },
  )
  await queue.append(recordOf('one'), 1)
  await queue.seal()
  await queue.append(recordOf('two'), 1)
  advance(0)
  await until(() => ended)
  assert.equal(got.length, 1)
  await until(() => counters.get('sent.bodies') === 1)
  assert.deepEqual(
    [counters.snapshot(), await names('sent')],
    [{ 'sent.bodies': 1, 'sent.spans': 1 }, ['000000000001.otlp.gz']],
  )
  assert.deepEqual(
    (await outcomesIn(folder)).map(({ result }) => result),
    ['delivered'],
  )
})

test('a stop waits for the writes of the drain and begins no other body', async (t) => {
  const gate = Promise.withResolvers<void>()
  let answered = false
  const stored = await openTestQueue(t)
  const queue = queueWith(stored.queue, {
    recordOutcome: async (...given) => {
      answered = true
      await gate.promise
      return stored.queue.recordOutcome(...given)
    },
  })
  await stored.queue.append(recordOf('one'), 1)
  await stored.queue.seal()
  await stored.queue.append(recordOf('two'), 1)
  const { port } = await startTestCollector(t, statuses(200))
  const { sender, advance } = startTestSender(t, queue, {
    destination: destinationOf(`http://127.0.0.1:${port}`),
    random: () => 0,
  })
  advance(0)
  await until(() => answered)
  let stopped = false
  const stopping = sender.stop().then(() => {
    stopped = true
  })
  await settle()
  assert.equal(stopped, false)
  gate.resolve()
  await stopping
  assert.deepEqual(
    (await receiptsIn(stored.folder)).map(({ event, result }) => event ?? result),
    ['attempt', 'delivered'],
  )
})

test('a stop cancels a request in flight, and keeps the body', async (t) => {
  let closed = false
  const { queue, got, advance, names, sender, counters, folder } = await startTestDelivery(
    t,
    (request) => {
      request.socket.once('close', () => {
        closed = true
      })
    },
  )
  await queue.append(recordOf('one'), 1)
  advance(0)
  await until(() => got.length === 1)
  await sender.stop()
  await until(() => closed)
  assert.deepEqual([(await names('sending')).length, await names('sent')], [1, []])
  assert.deepEqual(await outcomesIn(folder), [])
  assert.deepEqual(counters.snapshot(), {})
  advance(2 * HOUR_MS)
  assert.equal(got.length, 1)
})
