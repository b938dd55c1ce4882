// How the sidecar stops: after the application, with one attempt for a drain that is due, and at
// once after a second signal.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { Agent, request as httpRequest } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { Budget } from '../../src/accept/budget.ts'
import { HttpReceiver } from '../../src/accept/http-receiver.ts'
import { Counters } from '../../src/support/counters.ts'
import { createLog } from '../../src/support/log.ts'
import { spansWaiting, startCollector } from '../support/collector.ts'
import { recordOf } from '../support/queue-records.ts'
import { HOUR, live } from '../support/sender-life.ts'
import {
  atEnd,
  type Child,
  execution,
  PROTOBUF,
  placeOf,
  post,
  startChild,
} from '../support/sidecar.ts'

/** An application whose SDK keeps its connection open and has sent once. */
async function application(t: TestContext, port: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  atEnd(t, async () => agent.destroy())
  const send = async (type: string): Promise<number> => {
    const outgoing = httpRequest({
      host: '127.0.0.1',
      port,
      path: '/v1/traces',
      method: 'POST',
      agent,
      headers: PROTOBUF,
    })
    outgoing.end(execution(type))
    const [response] = (await once(outgoing, 'response')) as [
      { statusCode: number; resume(): void },
    ]
    response.resume()
    await once(response as never, 'end')
    return response.statusCode
  }
  assert.equal(await send('pipeline'), 200)
  return { send, gone: () => agent.destroy() }
}

const typesWaiting = async (dataFolder: string): Promise<unknown[]> =>
  (await spansWaiting(dataFolder))
    .map(({ attributes }) => String(attributes['execution.type']))
    .sort((a, b) => (a < b ? -1 : 1))

/** The same over gRPC. Its connection is open as long as the application runs. */
async function grpcApplication(t: TestContext, port: number) {
  const session = connectHttp2(`http://127.0.0.1:${port}`)
  session.on('error', () => undefined)
  atEnd(t, async () => session.destroy())
  const send = async (type: string): Promise<number> => {
    const body = execution(type)
    const head = Buffer.alloc(5)
    head.writeUInt32BE(body.length, 1)
    const path = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
    const call = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    const trailers = once(call, 'trailers') as Promise<[{ 'grpc-status': string }]>
    call.resume()
    call.end(Buffer.concat([head, body]))
    const [{ 'grpc-status': status }] = await trailers
    return status === '0' ? 200 : Number(status)
  }
  assert.equal(await send('pipeline'), 200)
  return { send, gone: () => session.destroy() }
}

for (const [protocol, connected] of [
  ['HTTP', (t: TestContext, child: Child) => application(t, child.port)],
  [
    'gRPC',
    (t: TestContext, child: Child) =>
      grpcApplication(t, Number(child.lines().find(({ grpc }) => grpc)?.grpc)),
  ],
] as const) {
  test(`accepts spans after SIGTERM until the application has disconnected (${protocol})`, async (t) => {
    const collector = await startCollector(t, () => 503)
    const place = await placeOf(t, {
      USAGE_ENDPOINT: collector.endpoint,
      USAGE_SEND_INTERVAL: '1h',
    })
    const sidecar = await startChild(t, place)
    const { send, gone } = await connected(t, sidecar)
    const ended = sidecar.end('SIGTERM')
    // Longer than it waits without a connection. However slow this machine is, the sidecar must
    // still run.
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    assert.equal(await send('orchestration'), 200)
    assert.equal(
      (await post(sidecar.port, execution('made up'))).status,
      200,
      'a new connection, too',
    )
    gone()
    assert.equal(await ended, 0)
    assert.deepEqual(await typesWaiting(place.dataFolder), ['orchestration', 'other', 'pipeline'])
    assert.equal(collector.requests.length, 0, 'whose time has not come stays on disk')
  })
}

test('ends at once after a second signal, with all acknowledged spans on disk', async (t) => {
  const place = await placeOf(t, { USAGE_REPORTING: 'local' })
  const sidecar = await startChild(t, place)
  await application(t, sidecar.port)
  // The open connection would keep the sidecar running.
  void sidecar.end('SIGTERM')
  assert.equal(await sidecar.end('SIGINT'), 1)
  assert.deepEqual(await typesWaiting(place.dataFolder), ['pipeline'])
})

test('ends although the application never disconnects', async () => {
  const counters = new Counters()
  const log = createLog('error', () => undefined)
  const handle = async (): Promise<{ rejected: number; message: string }> => ({
    rejected: 0,
    message: '',
  })
  const limits = { maxBody: 1024, maxJsonBody: 1024, budget: new Budget(1024) }
  const accept = new HttpReceiver({
    listen: { host: '127.0.0.1', port: 0 },
    ...limits,
    handle,
    counters,
    log,
  })
  const { port } = await accept.start()
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  await accept.untilDisconnected(50, 300)
  assert.equal(socket.destroyed, false, 'it is still there')
  socket.destroy()
  // Without a connection, the longer limit is never reached.
  await accept.untilDisconnected(50, 1_000_000)
  await accept.stop()
})

test('gives a drain in progress some time, and keeps on disk what is not answered by then', async (t) => {
  for (const answers of [true, false]) {
    let answer: (status: number) => void = () => undefined
    let posted: () => void = () => undefined
    const begun = new Promise<void>((resolve) => {
      posted = resolve
    })
    const life = await live(t, () => ({ status: 200 }), {
      send: {
        open: () => ({
          post: (_, signal) =>
            new Promise((resolve) => {
              const done = (status: number, code: string): void =>
                resolve({ status, code, retryAfter: undefined, body: Buffer.alloc(0) })
              answer = (status) => done(status, '')
              signal.addEventListener('abort', () => done(0, 'ABORTED'))
              posted()
            }),
          close: () => undefined,
        }),
      },
    })
    await life.queue.append(recordOf('last'), 1)
    life.advance(HOUR)
    const drain = life.sender.drainIfDue()
    await begun
    const stopped = life.sender.stop(answers ? 1_000_000 : 50)
    if (answers) answer(200)
    await Promise.all([stopped, drain])
    assert.deepEqual(
      [life.counters.get('sent.spans'), life.queue.status().files],
      answers ? [1, 0] : [0, 1],
    )
  }
})

test('sends at the end only if a drain is due', async (t) => {
  for (const passed of [0, HOUR]) {
    const life = await live(t, () => ({ status: 200 }))
    await life.queue.append(recordOf('last'), 1)
    life.advance(passed)
    await life.sender.stop(1_000_000)
    assert.equal(life.posts.length, passed === 0 ? 0 : 1)
    assert.equal(life.queue.status().files, passed === 0 ? 1 : 0)
    life.advance(2 * HOUR)
    await life.sender.drainIfDue()
    assert.equal(life.queue.status().files, passed === 0 ? 1 : 0, 'nothing is sent after the end')
  }
})
