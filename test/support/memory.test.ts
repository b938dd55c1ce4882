// Large buffers are given back when they are done with, not when the garbage collector comes. What
// is given back is counted where it happens, because what is left can only be measured as long as
// the garbage collector keeps away.
import assert from 'node:assert/strict'
import { randomBytes, randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { Budget } from '../../src/accept/budget.ts'
import { createInflate } from '../../src/accept/inflate.ts'
import { createAnonymizer, type Passed } from '../../src/anonymize/anonymize.ts'
import { Enricher } from '../../src/enrich/enrich.ts'
import { jsonToProtobuf } from '../../src/otlp/json.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { openPoster } from '../../src/send/post.ts'
import { Counters } from '../../src/support/counters.ts'
import { release } from '../../src/support/memory.ts'
import { openTestQueue, yes } from '../queue/queue-setup.ts'
import { openReceiver, TYPES } from './http-receiver.ts'
import { recordOf } from './queue-records.ts'
import { placeOf, post, startHere } from './sidecar.ts'
import { attribute, policyText, request, SECRET, span, text } from './spans.ts'

const MIB = 1024 * 1024

/** Megabytes, to a tenth, that `work` gives back. */
async function givenBack(work: () => unknown): Promise<number> {
  const { transfer } = ArrayBuffer.prototype
  let bytes = 0
  ArrayBuffer.prototype.transfer = function (this: ArrayBuffer, length?: number): ArrayBuffer {
    bytes += this.byteLength
    return transfer.call(this, length)
  }
  try {
    await work()
  } finally {
    ArrayBuffer.prototype.transfer = transfer
  }
  return Math.round((10 * bytes) / MIB) / 10
}

/** 2.2 MiB. */
const stages = request(
  ...Array.from({ length: 30_000 }, () =>
    span({ name: 'stage', more: [attribute('stage.type', text('bake'))] }),
  ),
)
/** 4 MiB of one string. */
const json = (end: string): Buffer =>
  Buffer.from(`{"resourceSpans":[{"schemaUrl":"${'.'.repeat(4 * MIB)}"}]${end}`)

test('a buffer of its own is given back, a slice of what Node shares is not', () => {
  const large = Buffer.alloc(MIB, 1)
  release(large.subarray(10, 20))
  assert.equal(large.length, 0)
  const neighbour = Buffer.from('neighbour')
  const small = Buffer.from('small')
  assert.equal(small.buffer, neighbour.buffer)
  release(small)
  assert.equal(neighbour.toString(), 'neighbour')
  const whole = Buffer.allocUnsafeSlow(16)
  release(whole)
  assert.equal(whole.length, 0)
})

for (const [ids, expected] of [
  ['linked', { pass: 3.3, frame: 2, record: 1.6 }],
  ['random', { pass: 2.6, frame: 2, record: 1.6 }],
] as const) {
  test(`the pass gives back what it outgrew, ${ids} ids in between, and what it made when that is done with`, async () => {
    const policy = parsePolicy(policyText(`stage: {ids: ${ids}}`))
    const anonymizer = createAnonymizer({
      policy,
      facts: new Map(),
      secret: SECRET,
      counters: new Counters(),
      maxBytes: 64 * MIB,
    })
    const enricher = new Enricher(policy, 'custom', anonymizer)
    let passed: Passed | undefined
    const pass = await givenBack(() => {
      passed = anonymizer.pass(stages, Date.now())
    })
    const frame = await givenBack(() => enricher.wrapResourceSpans(passed!))
    assert.deepEqual({ pass, frame, record: await givenBack(() => enricher.done()) }, expected)
    // A request that is refused is wrapped by nobody: its spans go when the next one comes.
    const refused = createAnonymizer({
      policy,
      facts: new Map(),
      secret: SECRET,
      counters: new Counters(),
      maxBytes: 1.5 * MIB,
    })
    assert.throws(() => refused.pass(stages, Date.now()), { status: 413 })
    assert.equal(await givenBack(() => refused.pass(request(), Date.now())), 1.5)
  })
}

test('ids are made for four thousand spans at once and no more', () => {
  const asked: number[] = []
  const random = (buffer: Uint8Array): void => {
    asked.push(buffer.length / 24)
    randomFillSync(buffer)
  }
  const policy = parsePolicy(policyText('stage: {ids: random}'))
  const made = createAnonymizer({
    policy,
    facts: new Map(),
    secret: SECRET,
    counters: new Counters(),
    maxBytes: 64 * MIB,
    random,
  })
  assert.equal(made.pass(stages, Date.now()).spans, 30_000)
  assert.deepEqual(asked, [...Array(7).fill(4096), 30_000 % 4096])
})

test('turning JSON gives back the buffers that were too small, and where it is refused all of them', async () => {
  const [sound, broken] = [json('}'), json(']')]
  assert.equal(await givenBack(() => jsonToProtobuf(sound)), 2)
  assert.equal(await givenBack(() => assert.throws(() => jsonToProtobuf(broken))), 2 + 4)
})

test('inflating gives back what came and the pieces, and where it is refused what it made of them', async () => {
  const inflate = createInflate()
  const share = new Budget(1024 * MIB).share()
  const zipped = gzipSync(stages, { level: 0 })
  assert.equal(await givenBack(() => inflate(zipped, 64 * MIB, share)), 4.5)
  const bomb = gzipSync(Buffer.alloc(8 * MIB))
  assert.equal(
    await givenBack(() => assert.rejects(inflate(bomb, 2 * MIB, share), { status: 413 })),
    4.1,
  )
  const understated = gzipSync(Buffer.alloc(8 * MIB))
  understated.writeUInt32LE(3 * MIB, understated.length - 4)
  assert.equal(
    await givenBack(() => assert.rejects(inflate(understated, 64 * MIB, share), { status: 400 })),
    28.9,
  )
})

test('the receiver gives back each form of a body: as it came, in blocks, whole, inflated, turned', async (t) => {
  const limits = { maxBody: 64 * MIB, maxJsonBody: 64 * MIB, budget: new Budget(256 * MIB) }
  const receiver = await openReceiver(t, {
    ...limits,
    handle: async () => ({ rejected: 0, message: '' }),
  })
  const sent = async (
    body: Uint8Array,
    headers: Record<string, string>,
    status = 200,
  ): Promise<number> =>
    givenBack(async () => assert.equal((await receiver.send({ body, headers })).status, status))
  const protobuf = { 'content-type': TYPES.protobuf }
  assert.equal(await sent(stages, protobuf), 6.6)
  assert.equal(
    await sent(gzipSync(stages, { level: 0 }), { ...protobuf, 'content-encoding': 'gzip' }),
    11.1,
  )
  assert.equal(await sent(json('}'), { 'content-type': TYPES.json }), 4 + 4 + 4 + 2 + 4)
  assert.equal(await sent(json(']'), { 'content-type': TYPES.json }, 400), 4 + 4 + 4 + 2 + 4)
})

test('the receiver gives back what it has of a body that it refuses', async (t) => {
  const receiver = await openReceiver(t, { maxBody: 4 * MIB, budget: new Budget(16 * MIB) })
  const large = { body: [Buffer.alloc(6 * MIB)], headers: { 'content-type': TYPES.protobuf } }
  assert.ok(
    (await givenBack(async () => assert.equal((await receiver.send(large)).status, 413))) >= 4 + 4,
  )
})

test('the receiver gives back what it reads only so that its answer is read', async (t) => {
  const { socket } = await (await openReceiver(t)).open()
  const given = await givenBack(async () => {
    socket.write(
      `POST /v1/traces HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: ${6 * MIB}\r\n\r\n`,
    )
    socket.write(Buffer.alloc(6 * MIB))
    await once(socket, 'close')
  })
  assert.equal(given, 6)
})

test('the sidecar gives back what it makes of a body', async (t) => {
  const { port } = await startHere(t, await placeOf(t, { USAGE_REPORTING: 'local' }))
  const given = await givenBack(async () => assert.equal((await post(port(), stages)).status, 200))
  assert.equal(given, 20.4)
})

test('a body may be given back as soon as its answer is told, also where that comes before it has gone', async (t) => {
  const body = randomBytes(16 * MIB)
  const original = Buffer.from(body)
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket.pause())
    socket.on('error', () => undefined).write('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const files = {
    headersFile: undefined,
    caFile: undefined,
    clientCertFile: undefined,
    clientKeyFile: undefined,
    proxy: undefined,
  }
  const poster = openPoster({ endpoint: `http://127.0.0.1:${port}`, ...files })
  assert.equal((await poster.post(body, new AbortController().signal)).status, 200)
  // In the place of whatever would lie there next.
  body.fill(0)
  const [socket] = sockets
  const arrived: Buffer[] = []
  await new Promise<void>((resolve) => {
    socket!.once('close', () => resolve())
    socket!.on('data', (part: Buffer) => {
      arrived.push(part)
      if (arrived.reduce((sum, { length }) => sum + length, 0) > original.length) resolve()
    })
    socket!.resume()
  })
  const sent = Buffer.concat(arrived)
  const content = sent.subarray(sent.indexOf('\r\n\r\n') + 4)
  assert.ok(content.length < original.length)
  assert.deepEqual(content, original.subarray(0, content.length))
})

test('the queue gives back what it gathered, read, joined, and what is too small for more', async (t) => {
  const { queue } = await openTestQueue(t)
  const append = async (): Promise<void> => {
    await Promise.all([
      queue.append(recordOf('a', MIB), 1),
      queue.append(recordOf('b', 2 * MIB), 1),
    ])
    await queue.seal()
  }
  assert.equal(await givenBack(append), 4.1)
  assert.equal(await givenBack(() => queue.next(yes)), 3 + 3)
  // Once more: now it is read from sending/ and inflated to be counted.
  assert.equal(await givenBack(() => queue.next(yes)), 3)
})
