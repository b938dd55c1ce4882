// The points for an exporter about what it sends and when it stops. Queue, sender and server are
// real; the test moves the clock of the sender.
import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { decodeRequest } from '../../src/otlp/decode.ts'
import { readConfig } from '../../src/support/settings.ts'
import { receiptsIn } from '../queue/queue-setup.ts'
import { spansIn, startCollector } from '../support/collector.ts'
import { idsIn, recordOf } from '../support/queue-records.ts'
import { startTestDelivery, statuses } from '../support/sender.ts'
import { execution, placeOf, post, startHere, until as untilTrue } from '../support/sidecar.ts'
import { attribute, request, span, text } from '../support/spans.ts'
import { settle, until } from '../support/wait.ts'
import { JSON_TYPE, jsonRequest, jsonSpan } from './pipeline.ts'
import { conforms } from './point.ts'

const MIB = 1024 * 1024

conforms('C01', async (t) => {
  const { queue, advance, got, counters } = await startTestDelivery(t, statuses(200))
  for (let i = 0; i < 12; i++) await queue.append(recordOf(`id${i}`, 300_000), 1)
  advance(0)
  await until(() => counters.get('sent.spans') === 12)
  assert.ok(got.length >= 3)
  for (const { body } of got) assert.ok(gunzipSync(body).length < MIB + 400_000)
  assert.equal(new Set(got.flatMap(({ body }) => idsIn(gunzipSync(body)))).size, 12)
})

conforms('C03', async (t) => {
  const { queue, advance, got, counters } = await startTestDelivery(t, statuses(200))
  await queue.append(recordOf('one'), 1)
  advance(0)
  await until(() => counters.get('sent.bodies') === 1)
  const { rawHeaders, body } = got[0]!
  const header = (name: string): string | undefined =>
    rawHeaders[rawHeaders.findIndex((one) => one.toLowerCase() === name) + 1]
  assert.deepEqual(['content-type', 'content-encoding', 'content-length'].map(header), [
    'application/x-protobuf',
    'gzip',
    String(body.length),
  ])
  assert.equal(decodeRequest(gunzipSync(body)).resourceSpans.length, 1)
})

conforms('C10', async (t) => {
  const { queue, advance, counters, connections } = await startTestDelivery(t, statuses(200))
  for (const id of ['one', 'two', 'three']) {
    await queue.append(recordOf(id), 1)
    await queue.seal()
  }
  advance(0)
  await until(() => counters.get('sent.bodies') === 3)
  assert.equal(connections(), 1)
})

/** Answers one request at a time, when the test says so. */
function oneByOne(): { listener: RequestListener; waiting: (() => void)[] } {
  const waiting: (() => void)[] = []
  return { waiting, listener: (_request, response) => void waiting.push(() => response.end()) }
}

conforms('C11', async (t) => {
  const { listener, waiting } = oneByOne()
  const { queue, advance, counters, connections } = await startTestDelivery(t, listener)
  for (const id of ['one', 'two', 'three']) {
    await queue.append(recordOf(id), 1)
    await queue.seal()
  }
  advance(0)
  for (let sent = 1; sent <= 3; sent++) {
    await until(() => waiting.length === 1)
    // Not even where it is asked again to look.
    advance(0)
    await settle()
    assert.equal(connections(), 1)
    waiting.pop()!()
    await until(() => counters.get('sent.bodies') === sent)
  }
})

conforms('C12', async (t) => {
  const versions: string[] = []
  const { queue, advance, counters } = await startTestDelivery(t, (incoming, response) => {
    versions.push(incoming.httpVersion, String(incoming.headers.upgrade))
    response.end()
  })
  await queue.append(recordOf('one'), 1)
  advance(0)
  await until(() => counters.get('sent.bodies') === 1)
  assert.deepEqual(versions, ['1.1', 'undefined'])
})

const endpointErrors = (endpoint: string): number =>
  readConfig({ USAGE_ENDPOINT: endpoint }).errors.filter((error) =>
    error.includes('USAGE_ENDPOINT'),
  ).length

conforms('C13', () => {
  for (const endpoint of ['grpc://127.0.0.1:4317', 'h2c://127.0.0.1:4317', '127.0.0.1:4317']) {
    assert.equal(endpointErrors(endpoint), 1, endpoint)
  }
})

conforms('C15', async (t) => {
  const { listener, waiting } = oneByOne()
  const { queue, advance, got, counters, folder } = await startTestDelivery(t, listener)
  for (const id of ['one', 'two']) {
    await queue.append(recordOf(id), 1)
    await queue.seal()
  }
  advance(0)
  await until(() => waiting.length === 1)
  await settle()
  assert.deepEqual([got.length, (await receiptsIn(folder)).length], [1, 1])
  waiting.pop()!()
  await until(() => waiting.length === 1)
  waiting.pop()!()
  await until(() => counters.get('sent.bodies') === 2)
})

conforms('C16', async (t) => {
  const patient = oneByOne()
  const first = await startTestDelivery(t, patient.listener)
  await first.queue.append(recordOf('one'), 1)
  first.advance(0)
  await until(() => patient.waiting.length === 1)
  const stopped = first.sender.stop(60_000)
  patient.waiting.pop()!()
  await stopped
  assert.equal(first.counters.get('sent.bodies'), 1)
  t.mock.timers.reset()

  const cut = oneByOne()
  const second = await startTestDelivery(t, cut.listener)
  await second.queue.append(recordOf('two'), 1)
  second.advance(0)
  await until(() => cut.waiting.length === 1)
  await second.sender.stop()
  assert.equal(second.counters.get('sent.bodies'), 0)
  assert.equal((await second.names('sending')).length, 1)
  assert.deepEqual(
    (await receiptsIn(second.folder)).map(({ event }) => event),
    ['attempt'],
  )
})

conforms('C17', async (t) => {
  const collector = await startCollector(t)
  const sidecar = await startHere(t, await placeOf(t, { USAGE_ENDPOINT: collector.endpoint }))
  const unlisted = request(span({ name: 'GET /users/7' }), span({ name: 'SELECT' }))
  for (const body of [unlisted, Buffer.alloc(0)])
    assert.equal((await post(sidecar.port(), body)).status, 200)
  await post(sidecar.port(), execution())
  await untilTrue('the listed one arrived', () => collector.spans().length === 1)
  for (const { body } of collector.requests)
    for (const { scopeSpans } of decodeRequest(gunzipSync(body)).resourceSpans)
      for (const { spans } of scopeSpans) assert.ok(spans.length > 0)
  assert.equal(collector.requests.length, 1)
})

conforms('C18', () => {
  assert.deepEqual(
    ['https://one.example', 'https://one.example, https://two.example'].map(endpointErrors),
    [0, 1],
  )
})

conforms('C19', async (t) => {
  const collector = await startCollector(t, () => (collector.requests.length < 3 ? 'close' : 200))
  const sidecar = await startHere(t, await placeOf(t, { USAGE_ENDPOINT: collector.endpoint }))
  await post(sidecar.port(), execution())
  await untilTrue('it is delivered', () => collector.spans().length === 1)
  assert.equal(collector.requests.length, 3)
  for (const { body } of collector.requests) assert.deepEqual(body, collector.requests[0]!.body)
  const ids = new Set(collector.requests.map(({ body }) => spansIn(body)[0]!.batchId))
  assert.equal(ids.size, 1)
  assert.match([...ids][0]!, /^[0-9a-f]{32}$/)
})

conforms('C20', async (t) => {
  const collector = await startCollector(t)
  const sidecar = await startHere(t, await placeOf(t, { USAGE_ENDPOINT: collector.endpoint }))
  // Span.flags is field 16: a fixed32 with a tag of two bytes.
  const flags = Buffer.from('8501' + '01030000', 'hex')
  const own = attribute('stage.type', text('bake'))
  await post(sidecar.port(), request(span({ name: 'stage', more: [own, flags] })))
  await post(sidecar.port(), jsonRequest(jsonSpan(',"flags":769')), { 'content-type': JSON_TYPE })
  await untilTrue('both arrived', () => collector.spans().length === 2)
  for (const { body } of collector.requests)
    assert.ok(!gunzipSync(body).includes(flags.subarray(0, 2)))
  for (const { span: left } of collector.spans())
    assert.equal((left as { flags?: number }).flags ?? 0, 0)
})

conforms('C22', async (t) => {
  const collector = await startCollector(t)
  const sidecar = await startHere(t, await placeOf(t, { USAGE_ENDPOINT: collector.endpoint }))
  await post(sidecar.port(), jsonRequest(jsonSpan()), { 'content-type': JSON_TYPE })
  await untilTrue('it arrived', () => collector.spans().length === 1)
  const { rawHeaders, body } = collector.requests[0]!
  assert.ok(rawHeaders.includes('application/x-protobuf') && !rawHeaders.includes(JSON_TYPE))
  assert.equal(gunzipSync(body)[0], 0x0a)
})
