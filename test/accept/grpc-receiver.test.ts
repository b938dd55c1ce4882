// The gRPC receiver with the official exporter and raw HTTP/2 calls: every status, limits, floods.
import assert from 'node:assert/strict'
import { constants } from 'node:http2'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { type ReadableSpan, TracerProvider } from '@opentelemetry/sdk-trace'
import type { ExportResult } from '../../src/otlp/answer.ts'
import { decodeRequest } from '../../src/otlp/decode.ts'
import { retryLater } from '../../src/support/errors.ts'
import {
  BODY,
  call,
  connected,
  LOGS,
  MAX_BODY,
  METRICS,
  openReceiver,
} from '../support/grpc-receiver.ts'
import { EXPORT, message } from '../support/raw-http2.ts'

for (const compression of ['none', 'gzip'] as const) {
  test(`accepts the official exporter with compression ${compression}`, async (t) => {
    const { url, got } = await openReceiver(t)
    const traceExporter = new OTLPTraceExporter({ url, compression: compression as never })
    const sdk = new NodeSDK({
      traceExporter,
      autoDetectResources: false,
      metricReaders: [],
      logRecordProcessors: [],
      instrumentations: [],
    })
    t.after(() => trace.disable())
    sdk.start()
    trace
      .getTracer('test')
      .startSpan('execution', { attributes: { 'execution.type': 'pipeline' } })
      .end()
    await sdk.shutdown()
    const [first] = decodeRequest(got[0]!).resourceSpans[0]!.scopeSpans[0]!.spans
    assert.equal(first?.name, 'execution')
    assert.deepEqual(first?.attributes, [
      { key: 'execution.type', value: { kind: 'string', value: 'pipeline' } },
    ])
  })
}

test('answers full success with an empty message, and reports rejected spans', async (t) => {
  let rejected = 0
  const { url } = await openReceiver(t, () => ({
    rejected,
    message: rejected === 0 ? '' : 'Two are not valid.',
  }))
  const session = connected(t, url)
  const whole = await call(session, message(BODY))
  assert.deepEqual([whole.status, whole.grpc, whole.body], [200, '0', message(Buffer.alloc(0))])
  assert.equal(whole.headers['content-type'], 'application/grpc')
  rejected = 2
  const partial = await call(session, message(BODY))
  assert.equal(partial.grpc, '0')
  assert.deepEqual(partial.body.subarray(5, 9), Buffer.from([0x0a, 22, 0x08, 2]))
})

const WRONG: readonly [
  what: string,
  body: Buffer,
  headers: Record<string, string>,
  grpc: string,
][] = [
  ['a method that is not there', message(BODY), { path: '/x.Y/Z' }, '12'],

  ['a compression that we do not have', message(BODY, 1), { 'grpc-encoding': 'br' }, '12'],
  ['a compressed message without a compression', message(BODY, 1), {}, '3'],
  ['an unknown compressed flag', message(BODY, 2), { 'grpc-encoding': 'gzip' }, '3'],
  ['broken gzip', message(BODY, 1), { 'grpc-encoding': 'gzip' }, '3'],
  ['a message that is cut off', message(BODY).subarray(0, 20), {}, '3'],
  ['two messages', Buffer.concat([message(BODY), message(BODY)]), {}, '3'],
  ['no message', Buffer.alloc(0), {}, '3'],
  [
    'a message that says it is over the limit',
    message(Buffer.alloc(MAX_BODY + 1)).subarray(0, 20),
    {},
    '8',
  ],
  ['a message over the limit', message(Buffer.alloc(MAX_BODY + 1)), {}, '8'],
  [
    'a message that is over the limit when inflated',
    message(gzipSync(Buffer.alloc(MAX_BODY * 50)), 1),
    { 'grpc-encoding': 'gzip' },
    '8',
  ],
]
for (const [what, body, headers, grpc] of WRONG) {
  test(`refuses ${what} with code ${grpc} and without a retry`, async (t) => {
    const { url, got, budget } = await openReceiver(t)
    const answer = await call(connected(t, url), body, headers)
    assert.deepEqual([answer.status, answer.grpc], [200, grpc])
    assert.ok(answer.message.length > 10)
    const { details } = answer
    assert.equal(details.includes('google.rpc.BadRequest'), grpc === '3')
    assert.ok(!details.includes('RetryInfo'))
    assert.deepEqual(got, [])
    assert.equal(budget.used, 0)
  })
}

test('asks for a retry with RetryInfo if one can succeed', async (t) => {
  const { url } = await openReceiver(t, () => Promise.reject(retryLater('The queue is full.', 60)))
  const answer = await call(connected(t, url), message(BODY))
  assert.equal(answer.grpc, '14')
  const { details } = answer
  assert.ok(details.includes('type.googleapis.com/google.rpc.RetryInfo'))
  // RetryInfo.retry_delay (1) with Duration.seconds (1) = 60.
  assert.ok(details.subarray(-4).equals(Buffer.from([0x0a, 2, 0x08, 60])))
})

test('answers an internal error without its text', async (t) => {
  const { url, lines } = await openReceiver(t, () =>
    Promise.reject(new Error('secret-of-the-input')),
  )
  const answer = await call(connected(t, url), message(BODY))
  assert.equal(answer.grpc, '13')
  assert.doesNotMatch(JSON.stringify(answer.headers) + lines.join(''), /secret-of-the-input/)
})

test('ends a call whose deadline has passed', async (t) => {
  const { promise, resolve } = Promise.withResolvers<ExportResult>()
  t.after(() => resolve({ rejected: 0, message: '' }))
  const { url } = await openReceiver(t, () => promise)
  assert.equal((await call(connected(t, url), message(BODY), { 'grpc-timeout': '50m' })).grpc, '4')
})

test('discards metrics and logs without an error', async (t) => {
  const { url, got, counters } = await openReceiver(t)
  const session = connected(t, url)
  for (const path of [METRICS, LOGS]) {
    assert.equal((await call(session, message(Buffer.alloc(MAX_BODY * 3)), { path })).grpc, '0')
  }
  assert.deepEqual(got, [])
  assert.equal(counters.get('requests.discarded'), 2)
})

test('serves many calls at once on one connection', async (t) => {
  const { url, got } = await openReceiver(t)
  const session = connected(t, url)
  const answers = await Promise.all(Array.from({ length: 500 }, () => call(session, message(BODY))))
  assert.ok(answers.every(({ grpc }) => grpc === '0'))
  assert.equal(got.length, 500)
})

test('serves many calls one after the other without counting finished ones', async (t) => {
  const { url, got } = await openReceiver(t)
  const session = connected(t, url)
  for (let i = 0; i < 12; i++) {
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => call(session, message(BODY))),
    )
    assert.ok(answers.every(({ grpc }) => grpc === '0'))
  }
  assert.equal(got.length, 1200)
  // One connection more: it is the only one that waits, and would have to go.
  const other = connected(t, url)
  await Promise.all([call(other, message(BODY)), call(session, message(BODY))])
  assert.ok(!session.destroyed && !other.destroyed)
})

test('answers a request that is not gRPC with HTTP status 415 and a gRPC status', async (t) => {
  const { url, got } = await openReceiver(t)
  for (const more of [
    { 'content-type': 'text/plain' },
    { 'content-type': 'application/grpc-web' },
    { ':method': 'PUT' },
  ]) {
    const answer = await call(
      connected(t, url),
      message(BODY),
      more as unknown as Record<string, string>,
    )
    assert.deepEqual([answer.status, answer.grpc, answer.body.length], [415, '12', 0])
  }
  assert.deepEqual(got, [])
})

test('refuses a message over the limit while the official exporter still sends it', async (t) => {
  const { url } = await openReceiver(t)
  const exporter = new OTLPTraceExporter({ url })
  t.after(() => exporter.shutdown())
  const provider = new TracerProvider()
  const made = Array.from({ length: 200 }, () => {
    const one = provider
      .getTracer('test')
      .startSpan('execution', { attributes: { long: 'x'.repeat(10_000) } })
    one.end()
    return one as unknown as ReadableSpan
  })
  const result = await new Promise<{ error?: Error }>((resolve) => exporter.export(made, resolve))
  assert.equal((result.error as { code?: number } | undefined)?.code, 8)
})

test('serves others while a client sends only the start of a call', async (t) => {
  const { url, budget } = await openReceiver(t)
  const slow = connected(t, url)
  const stuck = Array.from({ length: 100 }, () =>
    slow.request({ ':method': 'POST', ':path': EXPORT, 'content-type': 'application/grpc' }),
  )
  for (const stream of stuck) {
    stream.on('error', () => undefined)
    stream.write(message(Buffer.alloc(1000)).subarray(0, 500))
  }
  assert.equal((await call(connected(t, url), message(BODY))).grpc, '0')
  for (const stream of stuck) stream.close(constants.NGHTTP2_CANCEL)
  while (budget.used > 0) await new Promise((resolve) => setTimeout(resolve, 5))
})

test('ends a connection that opens and resets streams endlessly, and serves others', async (t) => {
  const { url } = await openReceiver(t)
  const flood = connected(t, url)
  const ended = new Promise<void>((resolve) => flood.once('close', () => resolve()))
  let opened = 0
  const open = (): void => {
    for (let i = 0; i < 50 && !flood.destroyed && !flood.closed; i++, opened++) {
      const stream = flood.request({
        ':method': 'POST',
        ':path': EXPORT,
        'content-type': 'application/grpc',
      })
      stream.on('error', () => undefined)
      stream.close(constants.NGHTTP2_CANCEL)
    }
    if (!flood.destroyed && !flood.closed && opened < 100_000) setImmediate(open)
  }
  flood.once('connect', open)
  await ended
  assert.ok(opened < 100_000, `${opened} streams were opened`)
  assert.equal((await call(connected(t, url), message(BODY))).grpc, '0')
})

test('sends GOAWAY when it stops, and finishes open calls', async (t) => {
  const { promise, resolve } = Promise.withResolvers<ExportResult>()
  const began = Promise.withResolvers<void>()
  const { url, stop } = await openReceiver(t, () => {
    began.resolve()
    return promise
  })
  const session = connected(t, url)
  const goaway = new Promise((resolve) => session.once('goaway', resolve))
  const answer = call(session, message(BODY))
  await began.promise
  const stopped = stop()
  await goaway
  resolve({ rejected: 0, message: '' })
  assert.equal((await answer).grpc, '0')
  await stopped
})
