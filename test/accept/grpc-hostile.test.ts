// Hostile clients of the gRPC receiver, frame by frame: floods, endless calls, unread answers,
// other protocols. The receiver limits what they hold, and serves others.
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { ExportResult } from '../../src/otlp/answer.ts'
import {
  BODY,
  call,
  connected,
  LOGS,
  METRICS,
  openReceiver,
  type TestReceiver,
} from '../support/grpc-receiver.ts'
import {
  ACK,
  CALL,
  callHead,
  END_HEADERS,
  END_STREAM,
  frame,
  headerBlock,
  message,
  openRaw,
  PREFACE,
  type RawClient,
  setting,
  TYPE,
  u32,
} from '../support/raw-http2.ts'
import { atEnd } from '../support/sidecar.ts'
import { settle, until } from '../support/wait.ts'

async function raw(
  t: TestContext,
  { port }: TestReceiver,
  settings?: Uint8Array,
): Promise<RawClient> {
  const client = await openRaw(port, settings)
  atEnd(t, async () => client.socket.destroy())
  return client
}

async function servesOthers(t: TestContext, { url }: TestReceiver, why: string): Promise<void> {
  const session = connected(t, url)
  assert.equal((await call(session, message(BODY))).grpc, '0', why)
  session.destroy()
}

/**
 * grpc-status of each answered call: a header of the answer or its trailer, sent as a literal or
 * from the table.
 */
const answered = ({ frames }: RawClient): number[] =>
  frames
    .filter(({ type, flags }) => type === TYPE.headers && (flags & END_STREAM) > 0)
    .map(({ stream }) => stream)

const openCalls = (count: number, more: Record<string, string> = {}): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, i) => callHead(2 * i + 1, undefined, more)))

/**
 * A field that takes nearly all of the table, then as often as fits a byte that means it: 4 MB of
 * header in 5 KB.
 */
const bomb = Buffer.concat([
  headerBlock(CALL),
  Buffer.of(0x40),
  headerBlock({ a: 'x'.repeat(4000) }).subarray(1),
  Buffer.alloc(1000, 0xbe),
])

const FLOODS: Record<string, { bytes: Buffer; ends: boolean }> = {
  pings: { bytes: Buffer.alloc(17 * 50_000, frame(TYPE.ping, 0, 0, Buffer.alloc(8))), ends: false },
  settings: { bytes: Buffer.alloc(9 * 50_000, frame(TYPE.settings, 0, 0)), ends: false },
  'acknowledgements that nobody asked for': {
    bytes: Buffer.alloc(9 * 50_000, frame(TYPE.settings, ACK, 0)),
    ends: false,
  },
  priorities: {
    bytes: Buffer.alloc(14 * 50_000, frame(TYPE.priority, 0, 1, Buffer.alloc(5))),
    ends: false,
  },
  'empty data': {
    bytes: Buffer.concat([callHead(1), Buffer.alloc(9 * 50_000, frame(TYPE.data, 0, 1))]),
    ends: true,
  },
  continuations: {
    bytes: Buffer.concat([
      callHead(1, 0),
      Buffer.alloc(12 * 50_000, frame(TYPE.continuation, 0, 1, Buffer.of(0, 0, 0))),
    ]),
    ends: true,
  },
  'header fields that stand for large ones': {
    bytes: Buffer.concat(
      Array.from({ length: 300 }, (_, i) => frame(TYPE.headers, 4, 2 * i + 1, bomb)),
    ),
    ends: false,
  },
  'headers over the limit': {
    bytes: Buffer.concat(
      Array.from({ length: 300 }, (_, i) =>
        callHead(2 * i + 1, undefined, { a: 'x'.repeat(10_000) }),
      ),
    ),
    ends: false,
  },
  resets: {
    bytes: Buffer.concat(
      Array.from({ length: 5_000 }, (_, i) => [
        callHead(2 * i + 1),
        frame(TYPE.reset, 0, 2 * i + 1, u32(8)),
      ]).flat(),
    ),
    ends: true,
  },
  'window updates beyond the largest': {
    bytes: Buffer.alloc(13 * 50_000, frame(TYPE.window, 0, 0, u32(0x7fffffff))),
    ends: true,
  },
  'a frame over the limit': { bytes: frame(TYPE.data, 0, 1, Buffer.alloc(100_000)), ends: true },
  'what is no HTTP/2 behind the preface': { bytes: Buffer.alloc(100_000, 'CANARY'), ends: true },
}
for (const [name, { bytes, ends }] of Object.entries(FLOODS)) {
  test(`serves others during a flood of ${name}, read or not`, async (t) => {
    const receiver = await openReceiver(t)
    for (const reads of [true, false]) {
      const client = await raw(t, receiver)
      if (!reads) client.socket.pause()
      client.socket.write(bytes)
      await servesOthers(t, receiver, name)
      if (reads && ends) await client.closed
      client.socket.destroy()
    }
    assert.deepEqual(receiver.got.length, 2)
    await until(() => receiver.budget.used === 0)
    assert.doesNotMatch(receiver.lines.join(''), /CANARY/)
  })
}

test('limits unfinished calls over all connections and closes the longest idle one', async (t) => {
  const receiver = await openReceiver(t)
  const clients: RawClient[] = []
  for (let i = 0; i < 15; i++) {
    const client = await raw(t, receiver)
    client.socket.write(openCalls(100))
    clients.push(client)
    await settle()
  }
  // Of 512 calls: five connections with a hundred calls each are left, and perhaps the one whose
  // call was one too many.
  await until(() => clients.filter((client) => client.isClosed()).length >= 9)
  await servesOthers(t, receiver, 'while hundreds of calls wait')
  assert.ok(clients[0]!.isClosed() && !clients[14]!.isClosed())
  assert.ok(clients.filter((client) => !client.isClosed()).length <= 6)
})

test('drops an answer that the client does not read, and ends its call', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const receiver = await openReceiver(t)
  // SETTINGS_INITIAL_WINDOW_SIZE 0: no byte of data may come.
  const client = await raw(t, receiver, setting(4, 0))
  client.socket.write(Buffer.concat([callHead(1), frame(TYPE.data, END_STREAM, 1, message(BODY))]))
  await until(
    () =>
      receiver.got.length === 1 &&
      client.frames.some(({ type, stream }) => type === TYPE.headers && stream === 1),
  )
  t.mock.timers.tick(9_999)
  await settle()
  assert.ok(!client.frames.some(({ type }) => type === TYPE.reset))
  t.mock.timers.tick(1)
  await until(() => client.frames.some(({ type, stream }) => type === TYPE.reset && stream === 1))
})

test('asks a refused call to stop, and discards what it sends for one second', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const receiver = await openReceiver(t)
  const client = await raw(t, receiver)
  client.socket.write(callHead(1, undefined, { ':path': '/x.Y/Z' }))
  await until(() => answered(client).includes(1))
  for (let i = 0; i < 20; i++) client.socket.write(frame(TYPE.data, 0, 1, Buffer.alloc(10_000)))
  t.mock.timers.tick(999)
  await until(() => client.frames.some(({ type, stream }) => type === TYPE.window && stream === 1))
  assert.ok(!client.frames.some(({ type }) => type === TYPE.reset))
  t.mock.timers.tick(1)
  await until(() => client.frames.some(({ type }) => type === TYPE.reset))
  // NO_ERROR: the answer counts (RFC 9113 8.1).
  assert.deepEqual(client.frames.find(({ type }) => type === TYPE.reset)?.payload, u32(0))
  assert.equal(receiver.budget.used, 0)
})

test('stops reading metrics and logs that never end', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const receiver = await openReceiver(t)
  const client = await raw(t, receiver)
  const paths = [METRICS, LOGS]
  for (const [i, path] of paths.entries())
    client.socket.write(callHead(2 * i + 1, undefined, { ':path': path }))
  client.socket.write(frame(TYPE.data, 0, 1, Buffer.alloc(10_000)))
  await servesOthers(t, receiver, 'while metrics come')
  assert.deepEqual(answered(client), [])
  t.mock.timers.tick(30_000)
  await until(() => client.frames.filter(({ type }) => type === TYPE.reset).length === 2)
  assert.equal(receiver.budget.used, 0)
})

test('releases the bytes of a cancelled call at once and does not handle it', async (t) => {
  const receiver = await openReceiver(t)
  const client = await raw(t, receiver)
  client.socket.write(Buffer.concat([callHead(1), frame(TYPE.data, 0, 1, Buffer.alloc(10_000))]))
  await until(() => receiver.budget.used > 0)
  client.socket.write(frame(TYPE.reset, 0, 1, u32(8)))
  await until(() => receiver.budget.used === 0)
  assert.deepEqual(receiver.got, [])
})

test('releases the bytes of a call whose connection ends and does not handle it', async (t) => {
  const receiver = await openReceiver(t)
  for (const end of ['end', 'destroy', 'resetAndDestroy'] as const) {
    const client = await raw(t, receiver)
    client.socket.write(Buffer.concat([callHead(1), frame(TYPE.data, 0, 1, Buffer.alloc(10_000))]))
    await until(() => receiver.budget.used > 0)
    client.socket[end]()
    await until(() => receiver.budget.used === 0)
  }
  assert.deepEqual(receiver.got, [])
})

test('ends only the call that a client resets before the answer', async (t) => {
  const receiver = await openReceiver(t)
  // Refused, discarded, taken in, too late: in one piece with the reset, as an error and as none.
  const calls: ((stream: number) => Buffer)[] = [
    (stream) => callHead(stream, undefined, { ':path': '/x.Y/Z' }),
    (stream) => callHead(stream, END_HEADERS + END_STREAM, { ':path': METRICS }),
    (stream) =>
      Buffer.concat([callHead(stream), frame(TYPE.data, END_STREAM, stream, message(BODY))]),
    (stream) => callHead(stream, undefined, { 'grpc-timeout': '0m' }),
  ]
  for (const code of [0, 8]) {
    const client = await raw(t, receiver)
    client.socket.write(
      Buffer.concat(
        calls.flatMap((one, i) => [one(2 * i + 1), frame(TYPE.reset, 0, 2 * i + 1, u32(code))]),
      ),
    )
    await servesOthers(t, receiver, 'behind resets')
    await until(() => receiver.budget.used === 0)
    assert.ok(!client.isClosed())
  }
})

test('does not wait for a client that sends GOAWAY and disconnects', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const receiver = await openReceiver(t)
  const client = await raw(t, receiver)
  const goaway = frame(TYPE.goaway, 0, 0, Buffer.alloc(8))
  // What comes behind it breaks the rules of HTTP/2, and node:http2 does not end the connection.
  client.socket.write(
    Buffer.concat([
      callHead(1),
      goaway,
      frame(TYPE.data, END_STREAM, 1, message(BODY)),
      frame(TYPE.continuation, 4, 3, Buffer.of(0)),
    ]),
  )
  await until(() => client.frames.some(({ type }) => type === TYPE.goaway))
  client.socket.end()
  await settle()
  t.mock.timers.tick(5_000)
  t.mock.timers.reset()
  await until(() => client.isClosed())
  await until(() => receiver.budget.used === 0)
})

test('ends a call at its deadline if the message does not arrive, and releases its bytes', async (t) => {
  const receiver = await openReceiver(t)
  const client = await raw(t, receiver)
  client.socket.write(
    Buffer.concat([
      callHead(1, undefined, { 'grpc-timeout': '20m' }),
      frame(TYPE.data, 0, 1, Buffer.alloc(10_000)),
    ]),
  )
  await until(() => answered(client).includes(1))
  for (let i = 0; i < 5; i++) client.socket.write(frame(TYPE.data, 0, 1, Buffer.alloc(16_000)))
  await until(() => receiver.budget.used === 0)
  await servesOthers(t, receiver, 'behind a deadline')
  assert.equal(
    receiver.counters.get('requests.refused.408') + receiver.counters.get('requests.refused.400'),
    1,
  )
})

test('answers pings, also during a call', async (t) => {
  const gate = Promise.withResolvers<ExportResult>()
  const receiver = await openReceiver(t, () => gate.promise)
  atEnd(t, async () => gate.resolve({ rejected: 0, message: '' }))
  const client = await raw(t, receiver)
  client.socket.write(Buffer.concat([callHead(1), frame(TYPE.data, END_STREAM, 1, message(BODY))]))
  await until(() => receiver.got.length === 1)
  client.socket.write(frame(TYPE.ping, 0, 0, Buffer.from('12345678')))
  await until(() =>
    client.frames.some(
      ({ type, flags, payload }) =>
        type === TYPE.ping && flags === ACK && payload.toString() === '12345678',
    ),
  )
})

test('receives a message larger than every window, and a call behind slow ones', async (t) => {
  const receiver = await openReceiver(t, undefined, 5_000_000)
  const slow = await raw(t, receiver)
  slow.socket.write(openCalls(99))
  // Together more than the window of the connection: it must open again although none of them is
  // whole.
  for (let i = 0; i < 99; i++)
    slow.socket.write(frame(TYPE.data, 0, 2 * i + 1, Buffer.alloc(8_000)))
  slow.socket.write(
    Buffer.concat([callHead(199), frame(TYPE.data, END_STREAM, 199, message(BODY))]),
  )
  await until(() => answered(slow).includes(199))
  const large = Buffer.alloc(4_000_000, 7)
  assert.equal((await call(connected(t, receiver.url), message(large))).grpc, '0')
  assert.ok(receiver.got.some((got) => got.equals(large)))
})

test('answers other protocols with the right port', async (t) => {
  const receiver = await openReceiver(t)
  for (const bytes of [
    'POST /v1/traces HTTP/1.1\r\nhost: CANARY\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01',
    'CANARY',
    'PRI * HTTP/1.1\r\n\r\n',
  ]) {
    const socket = connect(receiver.port, '127.0.0.1')
    let answer = ''
    socket.on('data', (part) => {
      answer += part.toString()
    })
    socket.write(bytes, 'latin1')
    await new Promise((resolve) => socket.once('close', resolve))
    assert.match(
      answer,
      /^HTTP\/1\.1 400 Bad Request\r\nconnection: close\r\ncontent-type: application\/json\r\n/,
    )
    assert.match(answer, /\{"code":3,"message":"This port accepts OTLP over gRPC\. [^"]+",/)
    assert.doesNotMatch(answer, /CANARY/)
  }
  assert.equal(receiver.counters.get('requests.refused.400'), 4)
})

test('accepts a preface that arrives byte by byte', async (t) => {
  const receiver = await openReceiver(t)
  const socket = connect(receiver.port, '127.0.0.1').setNoDelay(true)
  t.after(() => socket.destroy())
  const got = new Promise<Buffer>((resolve) => socket.once('data', resolve))
  for (const byte of Buffer.concat([PREFACE, frame(TYPE.settings, 0, 0)])) {
    socket.write(Buffer.of(byte))
    await settle()
  }
  assert.equal((await got)[3], TYPE.settings)
})

test('serves others beside silent connections, and stops without waiting for them', async (t) => {
  const receiver = await openReceiver(t)
  const clients: RawClient[] = []
  for (let i = 0; i < 150; i++) clients.push(await raw(t, receiver))
  const silent = Array.from({ length: 150 }, () =>
    connect(receiver.port, '127.0.0.1').on('error', () => undefined),
  )
  for (const socket of silent) atEnd(t, async () => socket.destroy())
  await until(() => clients.filter((client) => client.isClosed()).length >= 300 - 256)
  await servesOthers(t, receiver, 'while many are connected')
  const stopped = receiver.stop()
  await until(() => silent.every(({ destroyed }) => destroyed))
  await stopped
})
