// Hostile HTTP clients: bytes that are not HTTP, endless headers, many connections, pipelined
// requests, a foreign Host. Each gets an answer or is disconnected, and others are served.
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { type Line, openReceiver, readStatus, TYPES } from '../support/http-receiver.ts'
import { until } from '../support/wait.ts'

const POST = 'POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n'
const JSON_TYPE = `content-type: ${TYPES.json}\r\n`
const EMPTY = `${POST}${JSON_TYPE}content-length: 2\r\n\r\n{}`

/** Sends these bytes; resolves when the receiver has ended the connection. */
async function tell({ open }: { open: () => Promise<Line> }, bytes: string): Promise<string> {
  const { socket, answer, ended } = await open()
  socket.write(bytes, 'latin1')
  await ended
  return answer()
}

interface Told {
  status: number
  headers: string
  code: number
  message: string
}

/** One answer whose body is a google.rpc.Status in JSON. */
function statusIn(answer: string): Told {
  const [head = '', body = ''] = answer.split('\r\n\r\n')
  const { code, message } = readStatus('json', Buffer.from(body))
  const length = /^content-length: (\d+)$/im.exec(head)?.[1]
  assert.equal(Number(length), body.length)
  assert.match(head, /^content-type: application\/json$/im)
  assert.match(message, /^[A-Z].*\.$/)
  return {
    status: Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]),
    headers: head.toLowerCase(),
    code,
    message,
  }
}

const NOT_READABLE: Record<string, [bytes: string, status: number, code: number, reason?: RegExp]> =
  {
    'what is not HTTP': ['CANARY\r\n\r\n', 400, 3],
    'a TLS handshake': ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 3, /without TLS/],
    'HTTP/2': ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 3, /gRPC to the gRPC port/],
    'another version of HTTP': ['GET /v1/traces HTTP/9.9\r\n\r\n', 400, 3],
    'a request to connect': ['CONNECT CANARY:443 HTTP/1.1\r\nhost: CANARY\r\n\r\n', 405, 12],
    'two lengths': [`${POST}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`, 400, 3],
    'a length and chunks': [
      `${POST}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      3,
    ],
    'a negative length': [`${POST}content-length: -1\r\n\r\n`, 400, 3],
    'a header name with a blank': [`${POST}CANARY : x\r\n\r\n`, 400, 3],
    'a line feed alone': ['POST /v1/traces HTTP/1.1\nhost: localhost\n\n', 400, 3],
    'a header over the limit': [`${POST}a: ${'x'.repeat(9000)}`, 431, 8],
    'header fields without an end': [`${POST}${'a: b\r\n'.repeat(50_000)}`, 431, 8],
    'a URL without an end': [`POST /${'x'.repeat(50_000)}`, 431, 8],
    'chunks that are none': [
      `${POST}${JSON_TYPE}transfer-encoding: chunked\r\n\r\nCANARY\r\n`,
      400,
      3,
    ],
    'trailers without an end': [
      `${POST}${JSON_TYPE}transfer-encoding: chunked\r\n\r\n0\r\n${'a: b\r\n'.repeat(50_000)}`,
      431,
      8,
    ],
    'chunk extensions without an end': [
      `${POST}${JSON_TYPE}transfer-encoding: chunked\r\n\r\n1;${'a=b;'.repeat(50_000)}`,
      413,
      8,
    ],
  }
test('answers unreadable input with a google.rpc.Status and ends the connection', async (t) => {
  const receiver = await openReceiver(t)
  for (const [name, [bytes, status, code, reason = /./]] of Object.entries(NOT_READABLE)) {
    const answer = await tell(receiver, bytes)
    const said = statusIn(answer)
    assert.deepEqual([said.status, said.code], [status, code], name)
    assert.match(said.headers, /^connection: close$/m, name)
    assert.equal(/^allow: post$/m.test(said.headers), status === 405, name)
    assert.match(said.message, reason, name)
    assert.doesNotMatch(answer + receiver.logged.join(''), /CANARY/, name)
    assert.equal(
      (await receiver.send({ headers: { 'content-type': TYPES.json }, body: '{}' })).status,
      200,
      name,
    )
    await until(() => receiver.budget.used === 0)
  }
  assert.equal(receiver.bodies.length, Object.keys(NOT_READABLE).length)
  const refused = Object.entries(receiver.counters.snapshot()).filter(([name]) =>
    name.startsWith('requests.refused.'),
  )
  const sum = refused.reduce((whole, [, count]) => whole + count, 0)
  assert.equal(sum, Object.keys(NOT_READABLE).length)
})

test('closes an answered connection after one second if the client does not', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const { port } = await openReceiver(t)
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
  t.after(() => socket.destroy())
  let isTold = false
  socket.on('data', () => (isTold = true)).on('error', () => undefined)
  socket.write('nonsense\r\n\r\n')
  await until(() => isTold)
  t.mock.timers.tick(1_000)
  // What is sent to a connection that is gone is answered by a reset.
  await until(() => {
    if (!socket.destroyed) socket.write('more')
    return socket.destroyed
  })
})

test('ends only the connection that a client resets before the answer', async (t) => {
  const receiver = await openReceiver(t)
  for (const bytes of [
    'CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n',
    'nonsense\r\n\r\n',
    `${POST}a: ${'x'.repeat(9000)}`,
  ]) {
    for (let i = 0; i < 50; i++) {
      const { socket } = await receiver.open()
      socket.write(bytes, () => socket.resetAndDestroy())
    }
    assert.equal(
      (await receiver.send({ headers: { 'content-type': TYPES.json }, body: '{}' })).status,
      200,
    )
  }
})

test('never answers pipelined input in place of an earlier request', async (t) => {
  const gate = Promise.withResolvers<void>()
  let handled = 0
  const receiver = await openReceiver(t, {
    handle: async () => {
      handled++
      await gate.promise
      return { rejected: 0, message: '' }
    },
  })
  t.after(() => gate.resolve())
  assert.equal(await tell(receiver, `${EMPTY}CANARY\r\n\r\n`), '')
  assert.equal(handled, 1)
  gate.resolve()
  // One that has its answer keeps it.
  assert.match(
    await tell(receiver, 'GET / HTTP/1.1\r\nhost: localhost\r\n\r\nCANARY\r\n\r\n'),
    /^HTTP\/1\.1 404 .*\}$/s,
  )
})

test('reads header fields up to the limit and refuses one more', async (t) => {
  const receiver = await openReceiver(t)
  // With host, type and length.
  const fields = (count: number): string =>
    Array.from({ length: count - 3 }, (_, i) => `x-${i}: y\r\n`).join('')
  const { socket, answer } = await receiver.open()
  socket.write(`${POST}${fields(63)}${JSON_TYPE}content-length: 2\r\n\r\n{}`)
  await until(() => answer() !== '')
  assert.match(answer(), /^HTTP\/1\.1 200 /)
  const refusal = await tell(
    receiver,
    `${POST}connection: close\r\n${fields(63)}${JSON_TYPE}content-length: 2\r\n\r\n{}`,
  )
  assert.equal(statusIn(refusal).status, 431)
  assert.equal(receiver.bodies.length, 1)
})

test('answers pipelined requests in their order', async (t) => {
  const receiver = await openReceiver(t)
  const paths = ['/v1/traces', '/v1/nothing', '/v1/metrics', '/v1/traces', '/v1/else']
  const requests = paths.map((path) => EMPTY.replace('/v1/traces', path))
  const last = EMPTY.replace(JSON_TYPE, `${JSON_TYPE}connection: close\r\n`)
  const answer = await tell(receiver, [...requests, last].join(''))
  assert.deepEqual(
    [...answer.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => match[1]),
    ['200', '404', '200', '200', '404', '200'],
  )
})

test('ends a connection with too many unanswered requests, and does not parse the rest', async (t) => {
  const gate = Promise.withResolvers<void>()
  const { send, counters, open } = await openReceiver(t, {
    handle: async (body) => {
      if (body.length === 0) await gate.promise
      return { rejected: 0, message: '' }
    },
  })
  t.after(() => gate.resolve())
  let made = 0
  const count = (): void => void made++
  subscribe('http.server.request.start', count)
  t.after(() => unsubscribe('http.server.request.start', count))
  const { socket, ended } = await open()
  socket.write(`${EMPTY}${'GET / HTTP/1.1\r\nhost:\r\n\r\n'.repeat(20_000)}`)
  await ended
  assert.equal(counters.get('requests.refused.404'), 31)
  assert.equal(made, 33)
  const body = '{"resourceSpans":[{}]}'
  assert.equal((await send({ headers: { 'content-type': TYPES.json }, body })).status, 200)
  gate.resolve()
})

test('serves others beside a thousand connections that send nothing or half a request', async (t) => {
  const receiver = await openReceiver(t)
  const halves = ['', `${POST}x: `, `${POST}${JSON_TYPE}content-length: 100\r\n\r\n{`]
  const lines: Line[] = []
  const gone = new Set<number>()
  for (let i = 0; i < 1100; i++) {
    const line = await receiver.open()
    line.socket.write(halves[i % halves.length]!)
    void line.ended.then(() => gone.add(i))
    lines.push(line)
  }
  assert.equal(
    (await receiver.send({ headers: { 'content-type': TYPES.json }, body: '{}' })).status,
    200,
  )
  await until(() => gone.size >= 1100 + 1 - 1024)
  // A later one has not gone, and may still become a request.
  const { socket, answer } = lines[1098]!
  assert.ok(!gone.has(1098))
  socket.write(EMPTY)
  await until(() => answer() !== '')
})

test('answers an expected 100 (Continue), or refuses before the body is sent', async (t) => {
  const receiver = await openReceiver(t)
  const expecting = `${POST}expect: 100-continue\r\n`
  const { socket, answer } = await receiver.open()
  socket.write(`${expecting}${JSON_TYPE}content-length: 2\r\n\r\n`)
  await until(() => answer() !== '')
  assert.equal(answer(), 'HTTP/1.1 100 Continue\r\n\r\n')
  socket.write('{}')
  await until(() => answer().includes('{}'))
  assert.match(answer(), /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /)
  const metrics = await receiver.open()
  metrics.socket.write(
    `${expecting.replace('traces', 'metrics')}${JSON_TYPE}content-length: 2\r\n\r\n`,
  )
  await until(() => metrics.answer().includes('HTTP/1.1 200 '))
  assert.match(metrics.answer(), /^HTTP\/1\.1 100 Continue\r\n\r\n/)
  const refused: [string, number][] = [
    [`${expecting}${JSON_TYPE}content-length: 300000\r\n\r\n`, 413],
    [`${expecting}content-type: text/plain\r\ncontent-length: 2\r\n\r\n`, 415],
    [`${expecting.replace('traces', 'nothing')}${JSON_TYPE}content-length: 2\r\n\r\n`, 404],
    [`${POST}expect: CANARY\r\n${JSON_TYPE}content-length: 2\r\n\r\n`, 417],
  ]
  for (const [bytes, status] of refused) {
    const line = await receiver.open()
    line.socket.write(bytes)
    await until(() => line.answer() !== '')
    const refusal = statusIn(line.answer())
    assert.equal(refusal.status, status)
    // Whether its body comes or not is not known: the next request would be taken for it.
    assert.match(refusal.headers, /^connection: close$/m)
  }
})

async function hostIs(t: TestContext, host: string, isPublic: boolean): Promise<number> {
  const receiver = await openReceiver(t, { isPublic })
  const answer = await tell(
    receiver,
    EMPTY.replace('host: localhost\r\n', `${host}connection: close\r\n`),
  )
  if (answer.startsWith('HTTP/1.1 200 ')) return 200
  assert.equal(receiver.bodies.length, 0)
  return statusIn(answer).status
}

test('refuses a Host that DNS could point to this machine, and a request without a Host', async (t) => {
  for (const host of [
    'localhost',
    'LOCALHOST:4318',
    'x.localhost:1',
    '127.0.0.1:4318',
    '[::1]:4318',
    '10.0.0.7',
    'usage-sidecar',
    '',
  ])
    assert.equal(await hostIs(t, `host: ${host}\r\n`, false), 200, host)
  for (const host of [
    'rebound.example',
    'rebound.example:4318',
    'localhost.example',
    '127.0.0.1.example',
    'a b',
    'x@localhost.example',
    'a..b',
  ])
    assert.equal(await hostIs(t, `host: ${host}\r\n`, false), 421, host)
  assert.equal(await hostIs(t, '', false), 400)
  assert.equal(await hostIs(t, 'host: usage.example.org\r\n', true), 200)
  assert.equal(await hostIs(t, '', true), 400)
})
