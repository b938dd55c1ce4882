// The answers of the HTTP receiver: every status, with the body and headers of OTLP/HTTP.
import assert from 'node:assert/strict'
import { Agent, createServer } from 'node:http'
import { connect } from 'node:net'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Budget } from '../../src/accept/budget.ts'
import { HttpReceiver } from '../../src/accept/http-receiver.ts'
import { listen } from '../../src/net/listen.ts'
import type { Encoding } from '../../src/otlp/answer.ts'
import { jsonToProtobuf } from '../../src/otlp/json.ts'
import { Counters } from '../../src/support/counters.ts'
import { badRequest, Refusal, retryLater } from '../../src/support/errors.ts'
import { createLog } from '../../src/support/log.ts'
import { KIB, openReceiver, readStatus, type Sent, TYPES } from '../support/http-receiver.ts'
import { request, span } from '../support/spans.ts'

const ENCODINGS: readonly Encoding[] = ['protobuf', 'json']
const JSON_REQUEST =
  '{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"execution","traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708"}]}]}]}'
const GOOD: Record<Encoding, Buffer> = {
  protobuf: request(span()),
  json: Buffer.from(JSON_REQUEST),
}
/** What `handle` gets of them. */
const HANDED: Record<Encoding, Buffer> = {
  protobuf: GOOD.protobuf,
  json: Buffer.from(jsonToProtobuf(GOOD.json)),
}

const good = (encoding: Encoding, more: Sent = {}): Sent => ({
  body: GOOD[encoding],
  ...more,
  headers: { 'content-type': TYPES[encoding], ...more.headers },
})

test('handles a request as protobuf and answers 200 in its encoding, without partial_success', async (t) => {
  const { send, bodies, counters } = await openReceiver(t)
  for (const encoding of ENCODINGS) {
    const reply = await send(good(encoding))
    assert.equal(reply.status, 200)
    assert.equal(reply.headers['content-type'], TYPES[encoding])
    assert.equal(reply.body.toString(), encoding === 'json' ? '{}' : '')
    assert.deepEqual(bodies.pop(), HANDED[encoding])
  }
  assert.deepEqual(counters.snapshot(), { 'requests.accepted': 2 })
})

test('accepts an empty request', async (t) => {
  const { send, bodies } = await openReceiver(t)
  assert.equal((await send(good('protobuf', { body: '' }))).status, 200)
  assert.equal((await send(good('json', { body: '{}' }))).status, 200)
  assert.equal((await send(good('protobuf', { body: [] }))).status, 200)
  assert.deepEqual(bodies, [Buffer.alloc(0), Buffer.alloc(0), Buffer.alloc(0)])
})

test('answers how many spans were rejected and why, in the encoding of the request', async (t) => {
  const { send } = await openReceiver(t, { handle: async () => ({ rejected: 3, message: 'no' }) })
  assert.deepEqual((await send(good('protobuf'))).body, Buffer.from('0a060803' + '12026e6f', 'hex'))
  const reply = await send(good('json'))
  assert.equal(reply.status, 200)
  assert.deepEqual(JSON.parse(reply.body.toString()), {
    partialSuccess: { rejectedSpans: '3', errorMessage: 'no' },
  })
})

test('handles the same bytes with gzip, chunks and Content-Type parameters', async (t) => {
  const { send, bodies } = await openReceiver(t)
  for (const encoding of ENCODINGS) {
    const zipped = gzipSync(GOOD[encoding])
    const members = Buffer.concat([
      gzipSync(GOOD[encoding].subarray(0, 20)),
      gzipSync(GOOD[encoding].subarray(20)),
    ])
    const bytewise = Array.from(GOOD[encoding], (byte) => Buffer.of(byte))
    const variants: Record<string, Sent> = {
      gzip: { body: zipped, headers: { 'content-encoding': 'gzip' } },
      'x-gzip in capitals': { body: zipped, headers: { 'content-encoding': ' X-GZIP ' } },
      'gzip of two members': { body: members, headers: { 'content-encoding': 'gzip' } },
      'gzip in chunks': {
        body: [zipped.subarray(0, 7), zipped.subarray(7)],
        headers: { 'content-encoding': 'gzip' },
      },
      identity: { headers: { 'content-encoding': 'identity' } },
      'chunk by chunk': { body: bytewise },
      'a parameter': { headers: { 'content-type': `${TYPES[encoding]}; charset=utf-8` } },
      'capitals and blanks': {
        headers: { 'content-type': `${TYPES[encoding].toUpperCase()} ;x=y` },
      },
      'a query': { path: '/v1/traces?x=y' },
    }
    for (const [name, variant] of Object.entries(variants)) {
      const reply = await send(good(encoding, variant))
      assert.equal(reply.status, 200, `${encoding}, ${name}`)
      assert.equal(reply.headers['content-type'], TYPES[encoding], name)
      assert.deepEqual(bodies.pop(), HANDED[encoding], `${encoding}, ${name}`)
    }
  }
})

interface Refused {
  sent: Sent
  /** What `handle` does. */
  throws?: Error
  status: number
  code: number
  headers?: Record<string, string>
}

/** More than the buffers of a connection hold. */
const LARGE = Buffer.alloc(16 * KIB * KIB, 0x20)
/** Code: google/rpc/code.proto. */
const REFUSED: Record<string, Refused> = {
  'another path': { sent: { path: '/v1/profiles' }, status: 404, code: 12 },
  'another method': {
    sent: { method: 'GET', body: '' },
    status: 405,
    code: 12,
    headers: { allow: 'POST' },
  },
  'an unknown coding': { sent: { headers: { 'content-encoding': 'br' } }, status: 415, code: 3 },
  'an announced size over the limit': { sent: { body: LARGE }, status: 413, code: 8 },
  'a size over the limit that was not announced': { sent: { body: [LARGE] }, status: 413, code: 8 },
  'a size over the limit once inflated': {
    sent: { body: gzipSync(LARGE), headers: { 'content-encoding': 'gzip' } },
    status: 413,
    code: 8,
  },
  'a broken gzip stream': {
    sent: { headers: { 'content-encoding': 'gzip' } },
    status: 400,
    code: 3,
  },
  'a malformed request': {
    sent: {},
    throws: badRequest('A field is cut off', 7),
    status: 400,
    code: 3,
  },
  'a full queue': {
    sent: {},
    throws: retryLater('The queue is full.', 60),
    status: 503,
    code: 14,
    headers: { 'retry-after': '60' },
  },
  'an internal error': { sent: {}, throws: new Error('CANARY'), status: 500, code: 13 },
}

test('refuses with the right status and a google.rpc.Status in the encoding of the request', async (t) => {
  for (const [name, { sent, throws, status, code, headers = {} }] of Object.entries(REFUSED)) {
    const { send, counters } = await openReceiver(t, {
      handle: async () => {
        throw throws ?? new Error('Nothing may come this far.')
      },
    })
    for (const encoding of ENCODINGS) {
      const place = `${name}, ${encoding}`
      const reply = await send(good(encoding, sent))
      assert.equal(reply.status, status, place)
      assert.equal(reply.headers['content-type'], TYPES[encoding], place)
      const read = readStatus(encoding, reply.body)
      assert.equal(read.code, code, place)
      if (throws instanceof Refusal) assert.equal(read.message, throws.message, place)
      assert.match(read.message, /^[A-Z].*\.$/, place)
      for (const header of ['allow', 'retry-after'])
        assert.equal(reply.headers[header], headers[header], `${place}: ${header}`)
    }
    assert.deepEqual(counters.snapshot(), { [`requests.refused.${status}`]: 2 }, name)
  }
})

test('refuses an unknown encoding with 415, in JSON', async (t) => {
  const { send } = await openReceiver(t)
  for (const headers of [
    {},
    { 'content-type': 'text/plain' },
    { 'content-type': '' },
    { 'content-type': 'application/jsonp' },
  ]) {
    const reply = await send({ body: GOOD.json, headers: headers as Record<string, string> })
    assert.equal(reply.status, 415)
    assert.equal(reply.headers['content-type'], TYPES.json)
    assert.equal(readStatus('json', reply.body).code, 3)
  }
})

test('refuses invalid JSON with 400 and does not handle it', async (t) => {
  const { send, bodies } = await openReceiver(t)
  for (const body of ['{', '[]', '{"resourceSpans":1}', '', 'null x']) {
    const reply = await send(good('json', { body }))
    assert.equal(reply.status, 400, body)
    assert.equal(readStatus('json', reply.body).code, 3)
  }
  assert.deepEqual(bodies, [])
})

test('reports an internal error by its place only, whatever the text of the error', async (t) => {
  const thrown = [
    new Error('CANARY'),
    new Error('CANARY.js:1:1'),
    new Error('x\n    at CANARY (file:///CANARY.ts:1:1)\nCANARY.js:2:2'),
    'CANARY.ts:3:3',
    undefined,
  ]
  const errors = [...thrown]
  const { send, logged } = await openReceiver(t, {
    handle: async () => {
      throw errors.shift()
    },
  })
  for (const _ of thrown) {
    const reply = await send(good('json'))
    assert.equal(reply.status, 500)
    assert.doesNotMatch(reply.body.toString(), /CANARY/)
  }
  assert.doesNotMatch(logged.join(''), /CANARY/)
  const places = logged.map((line) => (JSON.parse(line) as { place: string }).place)
  assert.match(places[0]!, /^http-receiver\.test\.ts:\d+:\d+$/)
  assert.equal(places.at(-1), 'unknown')
})

test('accepts the next request on a connection after a refused one', async (t) => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  t.after(() => agent.destroy())
  let throws: Error | undefined
  const { send, budget, bodies } = await openReceiver(t, {
    handle: async (body) => {
      if (throws !== undefined) throw throws
      bodies.push(Buffer.from(body))
      return { rejected: 0, message: '' }
    },
  })
  for (const [name, refused] of Object.entries(REFUSED)) {
    throws = refused.throws
    assert.equal(
      (await send(good('protobuf', { ...refused.sent, agent }))).status,
      refused.status,
      name,
    )
    throws = undefined
    assert.equal(budget.used, 0, name)
    assert.equal((await send(good('protobuf', { agent }))).status, 200, name)
    assert.deepEqual(bodies.pop(), GOOD.protobuf, name)
    assert.equal(bodies.length, 0, name)
  }
})

test('rejects with the code of a port in use, and listens once it is free', async (t) => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as { port: number }
  const accept = new HttpReceiver({
    listen: { host: '127.0.0.1', port },
    maxBody: KIB,
    maxJsonBody: KIB,
    budget: new Budget(KIB),
    handle: async () => ({ rejected: 0, message: '' }),
    counters: new Counters(),
    log: createLog('error', () => undefined),
  })
  await assert.rejects(accept.start(), { code: 'EADDRINUSE' })
  await new Promise((resolve) => other.close(resolve))
  assert.deepEqual(await accept.start(), { host: '127.0.0.1', port })
  t.after(() => accept.stop())
})

test('listens on every address if the host is empty', async (t) => {
  const server = createServer()
  const { port } = await listen(server, { host: '', port: 0 })
  t.after(() => server.close())
  assert.match((server.address() as { address: string }).address, /^(::|0\.0\.0\.0)$/)
  const client = connect(port, '127.0.0.1')
  await new Promise((resolve, reject) => client.once('connect', resolve).once('error', reject))
  client.destroy()
})

test('answers metrics and logs with 200, discards them unread and counts them', async (t) => {
  const { send, bodies, counters } = await openReceiver(t)
  for (const path of ['/v1/metrics', '/v1/logs']) {
    const { status, body } = await send({
      path,
      headers: { 'content-type': TYPES.protobuf },
      body: Buffer.alloc(4 * KIB, 0xff),
    })
    assert.deepEqual([status, body.length], [200, 0])
    const json = await send({ path, headers: { 'content-type': TYPES.json }, body: '{"nonsense' })
    assert.deepEqual([json.status, json.body.toString()], [200, '{}'])
  }
  assert.deepEqual(bodies, [])
  assert.equal(counters.get('requests.discarded'), 4)
})
