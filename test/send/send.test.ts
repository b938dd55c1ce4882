// A body is delivered, refused, or kept for another attempt. A fault or a stop in between loses and
// leaks nothing. Queues and requests are real, and the test moves the clock.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { openTestQueue, receiptsIn, temporaryFolder } from '../queue/queue-setup.ts'
import { idsIn, recordOf } from '../support/queue-records.ts'
import {
  destinationOf,
  startTestCollector,
  startTestDelivery,
  startTestSender,
  statuses,
} from '../support/sender.ts'
import { until } from '../support/wait.ts'

const HOUR_MS = 3_600_000
const outcomesIn = async (folder: string): Promise<unknown[]> =>
  (await receiptsIn(folder))
    .filter(({ event }) => event !== 'attempt')
    .map(({ result, status }) => [result, status])

test('keeps a delivered body in sent/ as the bytes on the wire', async (t) => {
  const { queue, got, advance, names, folder, counters } = await startTestDelivery(t, statuses(200))
  await queue.append(recordOf('one'), 1)
  await queue.append(recordOf('two'), 1)
  advance(0)
  await until(() => counters.get('sent.bodies') === 1)
  assert.equal(got.length, 1)
  assert.deepEqual(await readFile(join(folder, 'sent', (await names('sent'))[0]!)), got[0]!.body)
  assert.deepEqual(idsIn(gunzipSync(got[0]!.body)).sort(), ['one', 'two'])
  assert.deepEqual([await names('queue'), await names('sending')], [[], []])
  assert.deepEqual(await outcomesIn(folder), [['delivered', 200]])
  assert.deepEqual(counters.snapshot(), { 'sent.bodies': 1, 'sent.spans': 2 })
})

for (const status of [200, 201, 202, 204, 299]) {
  test(`status ${status} delivers`, async (t) => {
    const { queue, advance, counters, folder } = await startTestDelivery(t, statuses(status))
    await queue.append(recordOf('one'), 1)
    advance(0)
    await until(() => counters.get('sent.bodies') === 1)
    assert.deepEqual(await outcomesIn(folder), [['delivered', status]])
  })
}

for (const status of [429, 502, 503, 504, 0]) {
  test(`status ${status} retries the same bytes until they are delivered`, async (t) => {
    const { queue, got, advance, names, sender, counters, folder, logged } =
      await startTestDelivery(t, statuses(status, status, 200))
    await queue.append(recordOf('one'), 1)
    for (const failures of [1, 2]) {
      advance(0)
      await until(() => sender.status().failures === failures)
      assert.deepEqual(
        [await names('queue'), (await names('sending')).length, await names('sent')],
        [[], 1, []],
      )
    }
    assert.deepEqual(counters.snapshot(), {})
    advance(0)
    await until(() => counters.get('sent.bodies') === 1)
    assert.equal(got.length, 3)
    for (const { body } of got) assert.deepEqual(body, got[0]!.body)
    assert.deepEqual(await outcomesIn(folder), [
      ['retry', status],
      ['retry', status],
      ['delivered', 200],
    ])
    await until(() => sender.status().failures === 0)
    // One line for the change in each direction, whatever the number of attempts.
    assert.deepEqual(
      logged.map(({ level }) => level).filter((level) => level !== 'debug'),
      ['warn', 'info'],
    )
  })
}

for (const status of [
  301, 302, 307, 308, 400, 401, 403, 404, 405, 408, 413, 415, 421, 500, 501, 505, 511,
]) {
  test(`status ${status} drops the body, counts its spans, sends the next one`, async (t) => {
    const { port, queue, got, advance, names, counters, folder, drains } = await startTestDelivery(
      t,
      (_request, response) => {
        const first = got.length === 1
        response
          .writeHead(first ? status : 200, { location: `http://127.0.0.1:${port}/elsewhere` })
          .end()
      },
    )
    for (const id of ['one', 'two', 'three']) await queue.append(recordOf(id), 1)
    await queue.seal()
    await queue.append(recordOf('four'), 1)
    advance(0)
    await until(() => counters.get('sent.bodies') === 1)
    assert.deepEqual(await outcomesIn(folder), [
      ['refused', status],
      ['delivered', 200],
    ])
    assert.equal((await names('sent')).length, 2)
    assert.deepEqual(counters.snapshot(), { 'refused.spans': 3, 'sent.bodies': 1, 'sent.spans': 1 })
    advance(2 * HOUR_MS)
    await until(() => drains() === 2)
    assert.deepEqual(
      got.map(({ url }) => url),
      ['/v1/traces', '/v1/traces'],
    )
  })
}

test('counts spans that the collector rejects, at most those that were sent', async (t) => {
  for (const [said, rejected] of [
    [2, 2],
    [9, 5],
  ] as const) {
    const answer = Buffer.from('any answer')
    const { queue, advance, counters, folder } = await startTestDelivery(
      t,
      (_request, response) => response.end(answer),
      {
        rejectedSpans: (body) => (body.equals(answer) ? said : 0),
      },
    )
    for (const id of ['a', 'b', 'c', 'd', 'e']) await queue.append(recordOf(id), 1)
    advance(0)
    await until(() => counters.get('sent.bodies') === 1)
    assert.deepEqual(
      [counters.get('sent.rejected'), counters.get('sent.spans')],
      [rejected, 5 - rejected],
    )
    assert.equal((await receiptsIn(folder)).at(-1)!.rejected, rejected)
    t.mock.timers.reset()
  }
})

test('a receipt is on disk before the request is made', async (t) => {
  let seen: unknown
  const { queue, advance, counters, folder } = await startTestDelivery(t, (_request, response) => {
    void receiptsIn(folder).then((lines) => {
      seen = lines
      response.end()
    })
  })
  await queue.append(recordOf('one'), 1)
  advance(0)
  await until(() => counters.get('sent.bodies') === 1)
  assert.deepEqual(seen, [(await receiptsIn(folder))[0]])
})

test('one drain takes every body, over one connection that ends with it', async (t) => {
  let at = 0
  let most = 0
  const { queue, got, advance, counters, connections, server } = await startTestDelivery(
    t,
    (_request, response) => {
      most = Math.max(most, ++at)
      setImmediate(() => {
        at--
        response.end()
      })
    },
  )
  server.keepAliveTimeout = 0
  const send = async (): Promise<void> => {
    const before = counters.get('sent.bodies')
    for (const id of ['one', 'two', 'three']) {
      await queue.append(recordOf(id), 1)
      await queue.seal()
    }
    advance(HOUR_MS)
    await until(() => counters.get('sent.bodies') === before + 3)
    let open = 1
    await until(() => {
      server.getConnections((_error, count) => {
        open = count
      })
      return open === 0
    })
  }
  await send()
  assert.deepEqual([got.length, connections(), most], [3, 1, 1])
  await send()
  assert.deepEqual([got.length, connections(), most], [6, 2, 1])
})

test('begins no drain while another one runs', async (t) => {
  const held: (() => void)[] = []
  const { queue, advance, drains, counters } = await startTestDelivery(t, (_request, response) =>
    held.push(() => response.end()),
  )
  await queue.append(recordOf('one'), 1)
  advance(0)
  await until(() => held.length === 1)
  advance(2 * HOUR_MS)
  assert.equal(drains(), 1)
  held[0]!()
  await until(() => counters.get('sent.bodies') === 1)
})

test('logs the code of a drain that cannot begin, and retries it', async (t) => {
  const folder = await temporaryFolder(t)
  const headersFile = join(folder, 'headers-CANARY')
  const stored = await openTestQueue(t)
  const { port, got } = await startTestCollector(t, statuses(200))
  const { sender, advance, logged, counters } = startTestSender(t, stored.queue, {
    destination: destinationOf(`http://127.0.0.1:${port}`, { headersFile }),
    random: () => 0,
  })
  await stored.queue.append(recordOf('one'), 1)
  advance(0)
  await until(() => sender.status().failures === 1)
  assert.equal(got.length, 0)
  assert.equal(logged[0]!.code, 'ENOENT')
  assert.doesNotMatch(JSON.stringify(logged), /CANARY/)
  await writeFile(headersFile, 'authorization: Bearer x\n')
  advance(0)
  await until(() => counters.get('sent.bodies') === 1)
  assert.ok(got[0]!.rawHeaders.includes('Bearer x'))
})

test('reads headers for each drain, keeps no cookie, logs nothing of an answer', async (t) => {
  const headersFile = join(await temporaryFolder(t), 'headers')
  const answer = {
    'set-cookie': 'CANARY=1',
    'content-type': 'text/CANARY',
    'x-canary': 'CANARY',
    location: '/CANARY',
  }
  const { port, got } = await startTestCollector(t, (_request, response) =>
    response.writeHead([503, 400, 200][got.length - 1]!, answer).end('CANARY'),
  )
  const stored = await openTestQueue(t)
  const { advance, logged, counters, sender } = startTestSender(t, stored.queue, {
    destination: destinationOf(`http://127.0.0.1:${port}`, { headersFile }),
    random: () => 0,
  })
  await writeFile(headersFile, 'authorization: Bearer one\n')
  await stored.queue.append(recordOf('one'), 1)
  advance(0)
  await until(() => sender.status().failures === 1)
  await writeFile(headersFile, 'authorization: Bearer two\n')
  await stored.queue.append(recordOf('two'), 1)
  advance(HOUR_MS)
  await until(() => counters.get('sent.bodies') === 1)
  const values = ({ rawHeaders }: { rawHeaders: readonly string[] }): string[] =>
    rawHeaders.filter((value, index) => index % 2 === 1 && !/^\d+$/.test(value))
  const common = [
    'application/x-protobuf',
    'gzip',
    'usage-sidecar/0',
    `127.0.0.1:${port}`,
    'keep-alive',
  ]
  assert.deepEqual(
    got.map(values),
    ['one', 'two', 'two'].map((token) => [`Bearer ${token}`, ...common]),
  )
  for (const { rawHeaders } of got) assert.doesNotMatch(rawHeaders.join(' '), /cookie/i)
  const receipts = await readFile(join(stored.folder, 'receipts.jsonl'), 'utf8')
  assert.match(receipts, /"status":503/)
  assert.doesNotMatch(JSON.stringify(logged) + receipts, /CANARY/)
})

test('does not retry a request whose answer is too large, whatever its status', async (t) => {
  const { queue, advance, counters, folder, sender } = await startTestDelivery(
    t,
    (_request, response) => response.writeHead(503).end(Buffer.alloc(5 * 1024 * 1024)),
  )
  await queue.append(recordOf('one'), 1)
  advance(0)
  await until(() => counters.get('refused.spans') === 1)
  assert.deepEqual(await outcomesIn(folder), [['refused', 503]])
  assert.equal(sender.status().failures, 0)
})
