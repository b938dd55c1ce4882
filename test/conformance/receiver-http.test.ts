// The points for a receiver over HTTP, against the receiver or the whole sidecar.
import assert from 'node:assert/strict'
import { Agent } from 'node:http'
import { gzipSync } from 'node:zlib'
import { Budget } from '../../src/accept/budget.ts'
import { badRequest, retryLater } from '../../src/support/errors.ts'
import { limitsFor, readConfig } from '../../src/support/settings.ts'
import {
  KIB,
  openReceiver,
  type Reply,
  readStatus,
  type Sent,
  TYPES,
} from '../support/http-receiver.ts'
import { execution } from '../support/sidecar.ts'
import { request, span } from '../support/spans.ts'
import { until } from '../support/wait.ts'
import { JSON_TYPE, jsonRequest, jsonSpan, openSidecar, PROTOBUF, readAnswer } from './pipeline.ts'
import { conforms } from './point.ts'

const ENCODINGS = ['protobuf', 'json'] as const
const GOOD = { protobuf: request(span()), json: Buffer.from(jsonRequest(jsonSpan())) }
const good = (encoding: 'protobuf' | 'json', more: Sent = {}): Sent => ({
  body: GOOD[encoding],
  ...more,
  headers: { 'content-type': TYPES[encoding], ...more.headers },
})

conforms('S04', async (t) => {
  const MIB = 1024 * KIB
  const { config } = readConfig({})
  assert.equal(limitsFor(config, undefined).maxBody, 64 * MIB)
  assert.equal(limitsFor(config, undefined).maxJsonBody, 8 * MIB)
  assert.equal(limitsFor(readConfig({ USAGE_MAX_BODY: '1MiB' }).config, undefined).maxBody, MIB)
  assert.ok(limitsFor(config, 96 * MIB).maxBody < 64 * MIB)
  const { sendHttp } = await openSidecar(t, { USAGE_MAX_BODY: '64KiB' })
  assert.deepEqual(
    await Promise.all(
      [64 * KIB, 64 * KIB + 1].map(
        async (size) => (await sendHttp(Buffer.alloc(size), PROTOBUF)).status,
      ),
    ),
    [400, 413],
  )
})

conforms('S07', async (t) => {
  const { sendHttp, sendGrpc } = await openSidecar(t)
  assert.equal((await sendHttp(execution())).body.length, 0)
  assert.equal((await sendHttp(jsonRequest(jsonSpan()), JSON_TYPE)).body.toString(), '{}')
  assert.deepEqual((await sendGrpc(execution())).body, Buffer.alloc(5))
})

conforms('S08', async (t) => {
  const { sendHttp, sendGrpc, kept } = await openSidecar(t)
  assert.equal((await sendHttp('')).status, 200)
  assert.equal((await sendHttp('{}', JSON_TYPE)).status, 200)
  assert.equal((await sendGrpc(Buffer.alloc(0))).grpc, '0')
  assert.deepEqual(await kept(), [])
})

conforms('S11', async (t) => {
  let message = 'Mind the step.'
  const { send } = await openReceiver(t, { handle: async () => ({ rejected: 0, message }) })
  assert.deepEqual(readAnswer((await send(good('protobuf'))).body), { rejected: 0, message })
  assert.deepEqual(JSON.parse((await send(good('json'))).body.toString()), {
    partialSuccess: { errorMessage: message },
  })
  message = ''
  assert.equal(readAnswer((await send(good('protobuf'))).body), undefined)
})

/** Every way to be refused by the receiver; `handle` throws what it is given. */
const FAILURES: Record<string, { sent: Sent; throws?: Error; status: number }> = {
  path: { sent: { path: `/${'x'.repeat(4000)}` }, status: 404 },
  method: { sent: { method: 'PUT' }, status: 405 },
  coding: { sent: { headers: { 'content-encoding': 'br' } }, status: 415 },
  host: { sent: { headers: { host: `${'x'.repeat(4000)}.example` } }, status: 421 },
  expectation: { sent: { headers: { expect: 'x'.repeat(4000) } }, status: 417 },
  size: { sent: { body: Buffer.alloc(300 * KIB) }, status: 413 },
  bomb: {
    sent: { body: gzipSync(Buffer.alloc(4096 * KIB)), headers: { 'content-encoding': 'gzip' } },
    status: 413,
  },
  gzip: { sent: { headers: { 'content-encoding': 'gzip' } }, status: 400 },
  data: { sent: {}, throws: badRequest('A field is cut off', 7), status: 400 },
  overload: { sent: {}, throws: retryLater('The queue is full.', 60), status: 503 },
  fault: { sent: {}, throws: new Error('x'.repeat(4000)), status: 500 },
}

type Check = (reply: Reply, encoding: 'protobuf' | 'json', status: number, name: string) => void

async function everyFailure(
  t: Parameters<Parameters<typeof conforms>[1]>[0],
  check: Check,
): Promise<void> {
  let throws: Error | undefined
  const { send } = await openReceiver(t, {
    handle: () => Promise.reject(throws ?? new Error('Nothing may come this far.')),
  })
  for (const [name, failure] of Object.entries(FAILURES)) {
    throws = failure.throws
    for (const encoding of ENCODINGS)
      check(
        await send(good(encoding, failure.sent)),
        encoding,
        failure.status,
        `${name}, ${encoding}`,
      )
  }
}

conforms('S12', async (t) => {
  await everyFailure(t, ({ body }, _encoding, _status, name) =>
    assert.ok(body.length < KIB, `${name}: ${body.length}`),
  )
  const { sendHttp } = await openSidecar(t)
  const bad = span({ traceId: Buffer.alloc(16), name: 'x'.repeat(1000) })
  const { status, body } = await sendHttp(request(...Array.from({ length: 1000 }, () => bad)))
  assert.equal(status, 200)
  assert.ok(body.length > 0 && body.length < KIB, String(body.length))
})

conforms('S16', async (t) => {
  assert.deepEqual(readConfig({}).config.httpListen, { host: '127.0.0.1', port: 4318 })
  const { open, bodies } = await openReceiver(t)
  const { socket, answer } = await open()
  socket.write(
    `POST /v1/traces HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${PROTOBUF}\r\ncontent-length: ${GOOD.protobuf.length}\r\n\r\n`,
  )
  socket.write(GOOD.protobuf)
  await until(() => answer() !== '')
  assert.match(answer(), /^HTTP\/1\.1 200 /)
  assert.deepEqual(bodies, [GOOD.protobuf])
})

const typesOf =
  (encoding: 'protobuf' | 'json'): Parameters<typeof conforms>[1] =>
  async (t) => {
    const { send } = await openReceiver(t)
    assert.equal((await send(good(encoding))).headers['content-type'], TYPES[encoding])
    assert.equal(
      (await send(good(encoding, { path: '/v1/logs' }))).headers['content-type'],
      TYPES[encoding],
    )
    await everyFailure(t, ({ headers }, of, _status, name) =>
      assert.ok(of !== encoding || headers['content-type'] === TYPES[encoding], name),
    )
  }
conforms('S17', typesOf('protobuf'))
conforms('S18', typesOf('json'))

conforms('S19', async (t) => {
  await everyFailure(t, (reply, encoding, _status, name) => {
    assert.equal(reply.headers['content-type'], TYPES[encoding], name)
    assert.ok(readStatus(encoding, reply.body).message.length > 10, name)
  })
  const { send } = await openReceiver(t)
  const reply = await send({ headers: { 'content-type': 'text/html' } })
  assert.deepEqual([reply.status, reply.headers['content-type']], [415, TYPES.json])
})

conforms('S25', async (t) => {
  const { send, bodies } = await openReceiver(t)
  const limits = { protobuf: 256 * KIB, json: 128 * KIB }
  for (const encoding of ENCODINGS) {
    const large = Buffer.alloc(limits[encoding] + 1, 0x20)
    const forms: Sent[] = [
      { body: large },
      { body: [large] },
      { body: gzipSync(large), headers: { 'content-encoding': 'gzip' } },
    ]
    for (const form of forms) assert.equal((await send(good(encoding, form))).status, 413)
  }
  assert.deepEqual(bodies, [])
})

conforms('S26', async (t) => {
  const { sendHttp, kept } = await openSidecar(t)
  for (const [body, type] of [
    [execution(), PROTOBUF],
    [jsonRequest(jsonSpan()), JSON_TYPE],
  ] as const) {
    const answer = await sendHttp(body, type)
    assert.deepEqual([answer.status, answer.headers['content-type']], [200, type])
    assert.equal(readAnswer(type === PROTOBUF ? answer.body : Buffer.alloc(0)), undefined)
  }
  assert.equal((await kept()).length, 2)
})

conforms('S27', (t) =>
  everyFailure(t, (reply, _encoding, status, name) => assert.equal(reply.status, status, name)),
)

conforms('S28', async (t) => {
  await everyFailure(t, (reply, encoding, _status, name) => {
    const { code, message } = readStatus(encoding, reply.body)
    assert.ok(code > 0 && /^[A-Z].*\.$/.test(message), name)
  })
  const { open } = await openReceiver(t)
  for (const bytes of [
    'nonsense\r\n\r\n',
    `GET / HTTP/1.1\r\na: ${'b'.repeat(10_000)}\r\n\r\n`,
    'CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n',
  ]) {
    const { socket, answer, ended } = await open()
    socket.write(bytes)
    await ended
    assert.ok(readStatus('json', Buffer.from(answer().split('\r\n\r\n')[1]!)).message.length > 10)
  }
})

conforms('S29', async (t) => {
  const { sendHttp, kept } = await openSidecar(t)
  const whole = execution()
  for (const [body, type] of [
    [whole.subarray(0, -1), PROTOBUF],
    ['{"resourceSpans":[', JSON_TYPE],
  ] as const) {
    const answer = await sendHttp(body, type)
    assert.deepEqual([answer.status, answer.headers['content-type']], [400, type])
    assert.match(answer.body.toString('latin1'), /type\.googleapis\.com\/google\.rpc\.BadRequest/)
  }
  assert.deepEqual(await kept(), [])
})

conforms('S30', async (t) => {
  const full = await openReceiver(t, {
    handle: () => Promise.reject(retryLater('The queue is full.', 60)),
  })
  for (const encoding of ENCODINGS) {
    const { status, headers } = await full.send(good(encoding))
    assert.deepEqual([status, headers['retry-after']], [503, '60'])
  }
  const gate = Promise.withResolvers<{ rejected: number; message: string }>()
  const gated = await openReceiver(t, { budget: new Budget(40 * KIB), handle: () => gate.promise })
  const first = gated.send(good('protobuf', { body: Buffer.alloc(30 * KIB) }))
  await until(() => gated.budget.used > 0)
  const { status, headers } = await gated.send(good('protobuf', { body: Buffer.alloc(30 * KIB) }))
  assert.deepEqual([status, headers['retry-after']], [503, '1'])
  gate.resolve({ rejected: 0, message: '' })
  assert.equal((await first).status, 200)
})

conforms('S31', async (t) => {
  const { sendHttp, kept } = await openSidecar(t)
  for (const type of [PROTOBUF, `${PROTOBUF}; charset=utf-8`, 'Application/X-Protobuf;a=b'])
    assert.equal((await sendHttp(execution(), type)).status, 200)
  for (const type of [JSON_TYPE, `${JSON_TYPE};charset=UTF-8`, 'APPLICATION/JSON'])
    assert.equal((await sendHttp(jsonRequest(jsonSpan()), type)).status, 200)
  assert.equal((await kept()).length, 6)
})

conforms('S33', async (t) => {
  const { sendHttp } = await openSidecar(t)
  const bad = request(span({ traceId: Buffer.alloc(16) }))
  for (const body of [execution(), bad, Buffer.of(0)]) {
    const { headers } = await sendHttp(body, PROTOBUF, { 'accept-encoding': 'gzip' })
    assert.equal(headers['content-encoding'], undefined)
  }
})

conforms('S34', async (t) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  const { send, open, bodies } = await openReceiver(t)
  const cases: [Sent, number][] = [
    [{ path: '/v1/trace' }, 404],
    [{ method: 'GET', body: '' }, 405],
    [{ headers: { 'content-type': 'text/plain' } }, 415],
    [{ headers: { 'content-encoding': 'zstd' } }, 415],
  ]
  let port: number | undefined
  for (const [sent, status] of cases) {
    const reply = await send(good('protobuf', { ...sent, agent }))
    assert.deepEqual(
      [reply.status, reply.headers.allow],
      [status, status === 405 ? 'POST' : undefined],
    )
    assert.equal(
      (
        await send(
          good('protobuf', { body: [...GOOD.protobuf].map((byte) => Buffer.of(byte)), agent }),
        )
      ).status,
      200,
    )
    const used = Object.values(agent.freeSockets)[0]?.[0]?.localPort
    port ??= used
    assert.equal(used, port)
  }
  assert.equal(bodies.length, cases.length)
  const { socket, answer } = await open()
  socket.write(
    `POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-type: ${JSON_TYPE}\r\ncontent-length: 2\r\n\r\n`,
  )
  await until(() => answer() === 'HTTP/1.1 100 Continue\r\n\r\n')
  socket.write('{}')
  await until(() => answer().includes('HTTP/1.1 200 '))
})
