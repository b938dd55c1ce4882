// The limits of the HTTP receiver: body limit before and after inflation, budget of all requests,
// slow and broken uploads, and a stop while clients are connected.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { Agent } from 'node:http'
import { Readable } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { readBody } from '../../src/accept/body.ts'
import { Budget } from '../../src/accept/budget.ts'
import type { Encoding, ExportResult } from '../../src/otlp/answer.ts'
import {
  KIB,
  openReceiver,
  type Reply,
  readStatus,
  type Sent,
  TYPES,
} from '../support/http-receiver.ts'
import { until } from '../support/wait.ts'

const protobuf = (more: Sent = {}): Sent => ({
  ...more,
  headers: { 'content-type': TYPES.protobuf, ...more.headers },
})
const json = (more: Sent = {}): Sent => ({
  ...more,
  headers: { 'content-type': TYPES.json, ...more.headers },
})
const zipped = (body: Buffer): Sent => protobuf({ body, headers: { 'content-encoding': 'gzip' } })
/** A JSON request of this many bytes. */
const jsonOf = (bytes: number): string => `{${' '.repeat(bytes - 2)}}`

/** A receiver whose `handle` waits until the test opens the gate. */
async function openGated(t: TestContext, maxInflight: number) {
  const gate = Promise.withResolvers<void>()
  let waiting = 0
  const handle = async (): Promise<ExportResult> => {
    waiting++
    await gate.promise
    waiting--
    return { rejected: 0, message: '' }
  }
  const receiver = await openReceiver(t, { handle, budget: new Budget(maxInflight) })
  t.after(() => gate.resolve())
  return { ...receiver, gate, waiting: () => waiting }
}

function expectRefused(
  reply: Reply,
  status: number,
  code: number,
  encoding: Encoding = 'protobuf',
): void {
  assert.equal(reply.status, status)
  assert.equal(readStatus(encoding, reply.body).code, code)
}

test('accepts a body of exactly the limit and refuses one byte more, plain and inflated, in each encoding', async (t) => {
  const { send, bodies } = await openReceiver(t)
  const limits = [
    {
      limit: 256 * KIB,
      sent: protobuf,
      of: (bytes: number) => Buffer.alloc(bytes),
      encoding: 'protobuf',
    },
    {
      limit: 128 * KIB,
      sent: json,
      of: (bytes: number) => Buffer.from(jsonOf(bytes)),
      encoding: 'json',
    },
  ] as const
  for (const { limit, sent, of, encoding } of limits) {
    for (const form of ['plain', 'chunked', 'gzip']) {
      const request = (body: Buffer): Sent =>
        form === 'gzip'
          ? sent({ body: gzipSync(body), headers: { 'content-encoding': 'gzip' } })
          : sent({ body: form === 'plain' ? body : [body.subarray(0, 1000), body.subarray(1000)] })
      assert.equal((await send(request(of(limit)))).status, 200, `${encoding}, ${form}`)
      expectRefused(await send(request(of(limit + 1))), 413, 8, encoding)
    }
  }
  assert.equal(bodies.length, 6)
})

test('refuses a gzip bomb with 413, also if its trailer declares a wrong size', async (t) => {
  const { send, bodies, budget } = await openReceiver(t)
  const bomb = gzipSync(Buffer.alloc(64 * KIB * KIB))
  assert.ok(bomb.length < 128 * KIB)
  const inTwoMembers = Buffer.concat([bomb, gzipSync(Buffer.alloc(10))])
  const lying = Buffer.from(bomb)
  lying.writeUInt32LE(10, lying.length - 4)
  for (const body of [bomb, inTwoMembers, lying]) expectRefused(await send(zipped(body)), 413, 8)
  assert.deepEqual([bodies.length, budget.used], [0, 0])
})

test('refuses a gzip stream that is truncated or has a wrong trailer with 400', async (t) => {
  const { send, bodies } = await openReceiver(t)
  const whole = gzipSync(Buffer.from('a body that is not long, long, long'))
  for (let length = 0; length < whole.length; length++)
    expectRefused(await send(zipped(whole.subarray(0, length))), 400, 3)
  for (const at of [whole.length - 1, whole.length - 5, 0, 2]) {
    const wrong = Buffer.from(whole)
    wrong[at] = wrong[at]! ^ 0xff
    expectRefused(await send(zipped(wrong)), 400, 3)
  }
  assert.deepEqual(bodies, [])
})

test('answers 503 with Retry-After when the budget is used up, and accepts requests again later', async (t) => {
  const { send, budget, gate, waiting, counters } = await openGated(t, 100 * KIB)
  const sent = protobuf({ body: Buffer.alloc(40 * KIB) })
  const first = [send(sent), send(sent)]
  await until(() => waiting() === 2)
  assert.equal(budget.used, 80 * KIB)
  const bomb = gzipSync(Buffer.alloc(40 * KIB))
  const chunked = protobuf({ body: [Buffer.alloc(20 * KIB), Buffer.alloc(20 * KIB)] })
  for (const reply of await Promise.all([
    send(sent),
    send(chunked),
    send(zipped(bomb)),
    send(sent),
    send(json({ body: jsonOf(11 * KIB) })),
  ])) {
    assert.equal(reply.status, 503)
    assert.equal(reply.headers['retry-after'], '1')
    assert.equal(
      readStatus(reply.headers['content-type'] === TYPES.json ? 'json' : 'protobuf', reply.body)
        .code,
      14,
    )
  }
  assert.equal(budget.used, 80 * KIB)
  gate.resolve()
  for (const reply of await Promise.all(first)) assert.equal(reply.status, 200)
  assert.equal(budget.used, 0)
  for (const again of [sent, chunked, zipped(bomb), json({ body: jsonOf(11 * KIB) })])
    assert.equal((await send(again)).status, 200)
  assert.deepEqual(counters.snapshot(), { 'requests.accepted': 6, 'requests.refused.503': 5 })
})

test('stays within the budget and answers everybody when bodies arrive interleaved', async (t) => {
  const { open, budget, counters } = await openReceiver(t, { budget: new Budget(100 * KIB) })
  const lines = await Promise.all(Array.from({ length: 12 }, () => open()))
  for (const { socket } of lines)
    socket.write(
      `POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: ${TYPES.protobuf}\r\ncontent-length: 40960\r\n\r\n`,
    )
  for (const { socket } of lines) socket.write(Buffer.alloc(4 * KIB))
  // The first piece of each takes 16 KiB, so that six of the twelve find room.
  await until(() => counters.get('requests.refused.503') === 6 && budget.used === 6 * 16 * KIB)
  for (const { socket } of lines) socket.write(Buffer.alloc(36 * KIB))
  await until(() => lines.every(({ answer }) => answer() !== ''))
  const refused = lines.filter(({ answer }) => answer().startsWith('HTTP/1.1 503 ')).length
  assert.equal(
    lines.filter(({ answer }) => answer().startsWith('HTTP/1.1 200 ')).length,
    lines.length - refused,
  )
  assert.equal(counters.get('requests.refused.503'), refused)
  assert.equal(budget.used, 0)
})

test('refuses a body larger than the whole budget with 413, because no retry can succeed', async (t) => {
  const { send, budget } = await openReceiver(t, { budget: new Budget(60 * KIB) })
  expectRefused(await send(protobuf({ body: Buffer.alloc(61 * KIB) })), 413, 8)
  expectRefused(await send(zipped(gzipSync(Buffer.alloc(61 * KIB)))), 413, 8)
  expectRefused(await send(json({ body: jsonOf(31 * KIB) })), 413, 8, 'json')
  assert.equal(budget.used, 0)
})

test('releases the budget of an upload that breaks off and does not handle it', async (t) => {
  const { open, budget, bodies, counters } = await openReceiver(t)
  for (const framing of [
    'content-length: 50000\r\n\r\n',
    'transfer-encoding: chunked\r\n\r\n4e20\r\n',
  ]) {
    const { socket } = await open()
    socket.write(
      `POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: ${TYPES.protobuf}\r\n${framing}`,
    )
    socket.write(Buffer.alloc(20_000))
    await until(() => budget.used >= 20_000)
    socket.destroy()
    await until(() => budget.used === 0)
  }
  assert.deepEqual(bodies, [])
  assert.deepEqual(counters.snapshot(), { 'requests.refused.400': 2 })
})

test('refuses a body whose stream closes early, and releases its budget', async () => {
  const budget = new Budget(100 * KIB)
  const share = budget.share()
  const stream = new Readable({ read: () => undefined })
  const refused = assert.rejects(readBody(stream, undefined, 50 * KIB, share), { status: 400 })
  stream.push(Buffer.alloc(1000))
  await until(() => budget.used > 0)
  stream.destroy()
  await refused
  share.release()
  assert.equal(budget.used, 0)
})

test('holds only the arrived bytes of a body announced as large', async (t) => {
  const { open, budget } = await openReceiver(t)
  const { socket } = await open()
  socket.write(
    `POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: ${TYPES.protobuf}\r\ncontent-length: 200000\r\n\r\n12345`,
  )
  await until(() => budget.used > 0)
  assert.ok(budget.used <= 16 * KIB, String(budget.used))
})

test('holds one buffer for a body sent byte by byte, and at most the limit for several gzip members', async (t) => {
  const budget = new Budget(300 * KIB)
  const held: number[] = []
  const { send } = await openReceiver(t, {
    budget,
    handle: async () => {
      held.push(budget.used)
      return { rejected: 0, message: '' }
    },
  })
  await send(protobuf({ body: Array.from({ length: 1000 }, () => Buffer.of(0)) }))
  const members = Buffer.concat([
    gzipSync(Buffer.alloc(100 * KIB)),
    gzipSync(Buffer.alloc(90 * KIB)),
  ])
  assert.equal((await send(zipped(members))).status, 200)
  assert.deepEqual(held, [16 * KIB, 256 * KIB + members.length])
})

test('refuses a body announced as too large before it is sent', async (t) => {
  const { open } = await openReceiver(t)
  const { socket, answer } = await open()
  socket.write(
    `POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: ${TYPES.protobuf}\r\ncontent-length: 300000\r\n\r\n`,
  )
  await until(() => answer() !== '')
  assert.match(answer(), /^HTTP\/1\.1 413 /)
})

test('handles a body that grows in the buffer as it was sent', async (t) => {
  const { send, bodies } = await openReceiver(t)
  const body = randomBytes(100 * KIB)
  const chunks = Array.from({ length: 100 }, (_, i) => body.subarray(i * KIB, (i + 1) * KIB))
  assert.equal((await send(protobuf({ body: chunks }))).status, 200)
  assert.ok(bodies[0]?.equals(body) && bodies.length === 1)
})

test('limits the protobuf of JSON like a body', async (t) => {
  const { send, bodies } = await openReceiver(t, { maxBody: 4 * KIB })
  const name = (length: number): string =>
    `{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"${'x'.repeat(length)}"}]}]}]}`
  assert.equal((await send(json({ body: name(3 * KIB) }))).status, 200)
  expectRefused(await send(json({ body: name(5 * KIB) })), 413, 8, 'json')
  assert.equal(bodies.length, 1)
})

test('releases the bytes of a share once', () => {
  const budget = new Budget(10)
  const [one, other] = [budget.share(), budget.share()]
  assert.deepEqual([one.take(4), other.take(6)], [undefined, undefined])
  assert.deepEqual([other.take(1)?.status, one.take(7)?.status, budget.used], [503, 413, 10])
  one.release()
  one.release()
  assert.equal(budget.used, 6)
})

test('refuses the oldest stalled body after two seconds when others need the memory', async (t) => {
  let now = 0
  t.mock.method(performance, 'now', () => now)
  const budget = new Budget(100)
  const given: string[] = []
  const [one, other, done, last] = [budget.share(), budget.share(), budget.share(), budget.share()]
  for (const [name, share] of [
    ['one', one],
    ['other', other],
    ['done', done],
  ] as const) {
    share.beginRead(
      ({ status, retryAfterSeconds }) => void given.push(`${name} ${status} ${retryAfterSeconds}`),
    )
    assert.equal(share.take(30), undefined)
  }
  done.endRead()
  now = 1_999
  last.beginRead(() => void given.push('last'))
  assert.equal(last.take(40)?.status, 503)
  now = 2_000
  // One is enough, and who asks does not give way to itself.
  assert.equal(last.take(40), undefined)
  assert.deepEqual([given, budget.used], [['one 503 1'], 100])
  now = 9_000
  assert.equal(last.take(60)?.status, 503)
  assert.deepEqual([given, budget.used], [['one 503 1', 'other 503 1'], 70])
  for (const share of [one, other, done, last]) share.release()
  assert.equal(budget.used, 0)
})

test('serves others beside stalled bodies', async (t) => {
  let now = 0
  const { open, send, budget, counters } = await openReceiver(t, { budget: new Budget(40 * KIB) })
  t.mock.method(performance, 'now', () => now)
  const lines = [await open(), await open()]
  for (const { socket } of lines) {
    socket.write(
      `POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: ${TYPES.protobuf}\r\ncontent-length: 40000\r\n\r\n`,
    )
    socket.write(Buffer.alloc(5_000))
  }
  await until(() => budget.used === 32 * KIB)
  assert.equal((await send(protobuf({ body: Buffer.alloc(20 * KIB) }))).status, 503)
  now = 10_000
  assert.equal((await send(protobuf({ body: Buffer.alloc(20 * KIB) }))).status, 200)
  await until(() => lines.some(({ answer }) => answer().startsWith('HTTP/1.1 503 ')))
  assert.equal(counters.get('requests.refused.503'), 2)
})

test('answers a body that misses its deadline with 408 and closes the connection', async (t) => {
  const { open, budget, counters } = await openReceiver(t)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { socket, answer, ended } = await open()
  socket.write(
    `POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: ${TYPES.json}\r\ncontent-length: 1000\r\n\r\n{`,
  )
  await until(() => budget.used > 0)
  t.mock.timers.tick(29_999)
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(answer(), '')
  t.mock.timers.tick(1)
  await ended
  assert.match(answer(), /^HTTP\/1\.1 408 .*\r\n(?:.*\r\n)*connection: close\r\n/i)
  assert.deepEqual(readStatus('json', Buffer.from(answer().split('\r\n\r\n')[1]!)).code, 4)
  assert.equal(budget.used, 0)
  assert.deepEqual(counters.snapshot(), { 'requests.refused.408': 1 })
})

test('finishes open requests when it stops, and closes connections that clients keep open', {
  timeout: 20_000,
}, async (t) => {
  const agent = new Agent({ keepAlive: true })
  t.after(() => agent.destroy())
  const { send, accept, gate, waiting } = await openGated(t, 100 * KIB)
  const reply = send(json({ body: '{}', agent }))
  await until(() => waiting() === 1)
  const stopped = accept.stop()
  gate.resolve()
  assert.equal((await reply).status, 200)
  assert.equal((await reply).headers.connection, 'close')
  await stopped
})

test('stops without waiting for clients that never finish their request', {
  timeout: 20_000,
}, async (t) => {
  const { open, accept, budget } = await openReceiver(t)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const silent = await open()
  const slow = await open()
  slow.socket.write(
    `POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: ${TYPES.json}\r\ncontent-length: 1000\r\n\r\n{`,
  )
  await until(() => budget.used > 0)
  const stopped = accept.stop()
  t.mock.timers.tick(5_000)
  await Promise.all([stopped, silent.ended, slow.ended])
  await until(() => budget.used === 0)
})
