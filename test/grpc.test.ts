// The door for OTLP over gRPC: the official exporter and raw HTTP/2 calls, every status, limits and floods.
import assert from 'node:assert/strict'
import { type ClientHttp2Session, connect, constants } from 'node:http2'
import { type TestContext, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import { NodeSDK } from '@opentelemetry/sdk-node'
import type { Handled } from '../src/accept/accept.ts'
import { Budget } from '../src/accept/budget.ts'
import { createGrpcDoor } from '../src/accept/grpc-listen.ts'
import { Counters } from '../src/counters.ts'
import { retryLater } from '../src/errors.ts'
import { createLog } from '../src/log.ts'
import { decodeRequest } from '../src/otlp/decode.ts'
import { request, span } from './spans.ts'

const EXPORT = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
const METRICS = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export'
const MAX_BODY = 100_000
const BODY = request(span())

interface Door {
  url: string
  got: Buffer[]
  counters: Counters
  budget: Budget
  lines: string[]
  stop(): Promise<void>
}

async function openDoor(
  t: TestContext,
  handle: (body: Buffer) => Promise<Handled> | Handled = () => ({ rejected: 0, message: '' }),
): Promise<Door> {
  const got: Buffer[] = []
  const lines: string[] = []
  const counters = new Counters()
  const budget = new Budget(2_000_000)
  const door = createGrpcDoor({
    listen: { host: '127.0.0.1', port: 0 },
    maxBody: MAX_BODY,
    budget,
    handle: async (body) => {
      got.push(Buffer.from(body))
      return await handle(Buffer.from(body))
    },
    counters,
    log: createLog('debug', (line) => lines.push(line)),
  })
  const { port } = await door.start()
  t.after(() => door.stop())
  return { url: `http://127.0.0.1:${port}`, got, counters, budget, lines, stop: () => door.stop() }
}

interface Answer {
  status: number
  grpc: string | undefined
  message: string
  body: Buffer
  headers: Record<string, unknown>
}

const frame = (message: Uint8Array, compressed = 0): Buffer => {
  const head = Buffer.alloc(5)
  head[0] = compressed
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

function connected(t: TestContext, url: string): ClientHttp2Session {
  const session = connect(url)
  session.on('error', () => undefined)
  t.after(() => session.destroy())
  return session
}

function call(session: ClientHttp2Session, body: Uint8Array, { path = EXPORT, ...more }: Record<string, string> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers', ...more })
    const chunks: Buffer[] = []
    let headers: Record<string, unknown> = {}
    stream.on('response', (head) => (headers = { ...headers, ...head }))
    stream.on('trailers', (trailers) => (headers = { ...headers, ...trailers }))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', reject)
    stream.on('close', () =>
      resolve({
        status: Number(headers[':status']),
        grpc: headers['grpc-status'] as string | undefined,
        message: decodeURIComponent((headers['grpc-message'] as string | undefined) ?? ''),
        body: Buffer.concat(chunks),
        headers,
      }),
    )
    stream.end(body)
  })
}

for (const compression of ['none', 'gzip'] as const) {
  test(`takes what the official exporter sends, compression ${compression}`, async (t) => {
    const { url, got } = await openDoor(t)
    const traceExporter = new OTLPTraceExporter({ url, compression: compression as never })
    const sdk = new NodeSDK({ traceExporter, autoDetectResources: false, metricReaders: [], logRecordProcessors: [], instrumentations: [] })
    t.after(() => trace.disable())
    sdk.start()
    trace
      .getTracer('test')
      .startSpan('execution', { attributes: { 'execution.type': 'pipeline' } })
      .end()
    await sdk.shutdown()
    const [first] = decodeRequest(got[0]!).resourceSpans[0]!.scopeSpans[0]!.spans
    assert.equal(first?.name, 'execution')
    assert.deepEqual(first?.attributes, [{ key: 'execution.type', value: { kind: 'string', value: 'pipeline' } }])
  })
}

test('answers an empty message on full success, and says what was rejected', async (t) => {
  let rejected = 0
  const { url } = await openDoor(t, () => ({ rejected, message: rejected === 0 ? '' : 'Two are not valid.' }))
  const session = connected(t, url)
  const whole = await call(session, frame(BODY))
  assert.deepEqual([whole.status, whole.grpc, whole.body], [200, '0', frame(Buffer.alloc(0))])
  assert.equal(whole.headers['content-type'], 'application/grpc')
  rejected = 2
  const partial = await call(session, frame(BODY))
  assert.equal(partial.grpc, '0')
  assert.deepEqual(partial.body.subarray(5, 9), Buffer.from([0x0a, 22, 0x08, 2]))
})

const WRONG: readonly [what: string, body: Buffer, headers: Record<string, string>, grpc: string][] = [
  ['a method that is not there', frame(BODY), { path: '/x.Y/Z' }, '12'],

  ['a compression that we do not have', frame(BODY, 1), { 'grpc-encoding': 'br' }, '12'],
  ['a compressed message without a compression', frame(BODY, 1), {}, '3'],
  ['an unknown compressed flag', frame(BODY, 2), { 'grpc-encoding': 'gzip' }, '3'],
  ['broken gzip', frame(BODY, 1), { 'grpc-encoding': 'gzip' }, '3'],
  ['a message that is cut off', frame(BODY).subarray(0, 20), {}, '3'],
  ['two messages', Buffer.concat([frame(BODY), frame(BODY)]), {}, '3'],
  ['no message', Buffer.alloc(0), {}, '3'],
  ['a message over the limit', frame(Buffer.alloc(MAX_BODY + 1)), {}, '8'],
  ['a message that is over the limit when inflated', frame(gzipSync(Buffer.alloc(MAX_BODY * 50)), 1), { 'grpc-encoding': 'gzip' }, '8'],
]
for (const [what, body, headers, grpc] of WRONG) {
  test(`refuses ${what} with code ${grpc}, and not for a retry`, async (t) => {
    const { url, got, budget } = await openDoor(t)
    const answer = await call(connected(t, url), body, headers)
    assert.deepEqual([answer.status, answer.grpc], [200, grpc])
    assert.ok(answer.message.length > 10)
    assert.equal(answer.headers['grpc-status-details-bin'], undefined)
    assert.deepEqual(got, [])
    assert.equal(budget.used, 0)
  })
}

test('asks for a retry with RetryInfo where one can succeed', async (t) => {
  const { url } = await openDoor(t, () => Promise.reject(retryLater('The queue is full.', 60)))
  const answer = await call(connected(t, url), frame(BODY))
  assert.equal(answer.grpc, '14')
  const details = Buffer.from(String(answer.headers['grpc-status-details-bin']), 'base64')
  assert.ok(details.includes('type.googleapis.com/google.rpc.RetryInfo'))
  // RetryInfo.retry_delay (1) with Duration.seconds (1) = 60.
  assert.ok(details.subarray(-4).equals(Buffer.from([0x0a, 2, 0x08, 60])))
})

test('tells nothing of a fault of ours but that it is one', async (t) => {
  const { url, lines } = await openDoor(t, () => Promise.reject(new Error('secret-of-the-input')))
  const answer = await call(connected(t, url), frame(BODY))
  assert.equal(answer.grpc, '13')
  assert.doesNotMatch(JSON.stringify(answer.headers) + lines.join(''), /secret-of-the-input/)
})

test('ends a call whose deadline has passed', async (t) => {
  const { promise, resolve } = Promise.withResolvers<Handled>()
  t.after(() => resolve({ rejected: 0, message: '' }))
  const { url } = await openDoor(t, () => promise)
  assert.equal((await call(connected(t, url), frame(BODY), { 'grpc-timeout': '50m' })).grpc, '4')
})

test('discards metrics and logs without an error, and keeps nothing', async (t) => {
  const { url, got, counters } = await openDoor(t)
  const session = connected(t, url)
  for (const path of [METRICS, METRICS.replace('metrics', 'logs').replace('Metrics', 'Logs')]) {
    assert.equal((await call(session, frame(Buffer.alloc(MAX_BODY * 3)), { path })).grpc, '0')
  }
  assert.deepEqual(got, [])
  assert.equal(counters.get('requests.discarded'), 2)
})

test('serves many calls at once on one connection', async (t) => {
  const { url, got } = await openDoor(t)
  const session = connected(t, url)
  const answers = await Promise.all(Array.from({ length: 500 }, () => call(session, frame(BODY))))
  assert.ok(answers.every(({ grpc }) => grpc === '0'))
  assert.equal(got.length, 500)
})

test('serves others while a client sends nothing of what it began', async (t) => {
  const { url, budget } = await openDoor(t)
  const slow = connected(t, url)
  const stuck = Array.from({ length: 100 }, () => slow.request({ ':method': 'POST', ':path': EXPORT, 'content-type': 'application/grpc' }))
  for (const stream of stuck) {
    stream.on('error', () => undefined)
    stream.write(frame(Buffer.alloc(1000)).subarray(0, 500))
  }
  assert.equal((await call(connected(t, url), frame(BODY))).grpc, '0')
  for (const stream of stuck) stream.close(constants.NGHTTP2_CANCEL)
  while (budget.used > 0) await new Promise((resolve) => setTimeout(resolve, 5))
})

test('ends a connection that opens and resets streams without end, and serves others', async (t) => {
  const { url } = await openDoor(t)
  const flood = connected(t, url)
  const ended = new Promise<void>((resolve) => flood.once('close', () => resolve()))
  let opened = 0
  const open = (): void => {
    for (let i = 0; i < 50 && !flood.destroyed && !flood.closed; i++, opened++) {
      const stream = flood.request({ ':method': 'POST', ':path': EXPORT, 'content-type': 'application/grpc' })
      stream.on('error', () => undefined)
      stream.close(constants.NGHTTP2_CANCEL)
    }
    if (!flood.destroyed && !flood.closed && opened < 100_000) setImmediate(open)
  }
  flood.once('connect', open)
  await ended
  assert.ok(opened < 100_000, `${opened} streams were opened`)
  assert.equal((await call(connected(t, url), frame(BODY))).grpc, '0')
})

test('says GOAWAY when it stops, and finishes the calls that it has', async (t) => {
  const { promise, resolve } = Promise.withResolvers<Handled>()
  const began = Promise.withResolvers<void>()
  const { url, stop } = await openDoor(t, () => {
    began.resolve()
    return promise
  })
  const session = connected(t, url)
  const goaway = new Promise((told) => session.once('goaway', told))
  const answer = call(session, frame(BODY))
  await began.promise
  const stopped = stop()
  await goaway
  resolve({ rejected: 0, message: '' })
  assert.equal((await answer).grpc, '0')
  await stopped
})
