// Floods a sidecar in a container of 96 MiB with connections that send little and cost much. It
// survives. During each attack it serves another application over HTTP and gRPC and answers the
// kubelet. The test prints the memory peaks.
import assert from 'node:assert/strict'
import { connect as connectHttp2 } from 'node:http2'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { CALL, message } from '../support/raw-http2.ts'
import { execution } from '../support/sidecar.ts'
import { normal } from './attacks.ts'
import { CONNECTION_FLOODS, type ConnectionFlood } from './connection-floods.ts'
import { startContained } from './contained.ts'
import { shoot } from './flood.ts'
import { atEnd } from './processes.ts'

/**
 * Makes one call on its own connection. Returns its grpc-status, or `undefined` without an answer.
 */
function callOnce(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let status: string | undefined
    const session = connectHttp2(`http://127.0.0.1:${port}`)
    session.on('error', () => resolve(undefined))
    const stream = session.request(CALL)
    stream.on('response', (headers) => (status = headers['grpc-status'] as string | undefined))
    stream.on('trailers', (trailers) => (status = trailers['grpc-status'] as string | undefined))
    stream.on('error', () => undefined)
    stream.on('close', () => {
      session.destroy()
      resolve(status)
    })
    stream.resume().end(message(execution()))
  })
}

/** Opens the connections and sends. Resolves when the kernel has accepted all bytes that it can. */
async function openConnections(
  port: number,
  { connections, bytes, neverReads = false }: ConnectionFlood,
): Promise<Socket[]> {
  const sockets: Socket[] = []
  for (let at = 0; at < connections; at++) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined)
    if (neverReads) socket.pause()
    else socket.resume()
    sockets.push(socket)
    await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve))
    const first = bytes(at)
    if (first.length > 0 && socket.writable) socket.write(first)
  }
  return sockets
}

const TRIES = 5
/** Waits one second, as Retry-After and RetryInfo say. */
const waitBeforeRetry = (needed: boolean): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, needed ? 1_000 : 0))

async function flood(
  t: TestContext,
  flags: readonly string[],
  env: Record<string, string>,
  attacks: readonly ConnectionFlood[],
): Promise<void> {
  const { ready, most, lives, group } = await startContained(t, flags, env)
  const ports = {
    http: Number(ready.port),
    grpc: Number(ready.grpc),
    health: Number(ready.health),
    page: Number(ready.page),
  }
  const failed: string[] = []
  for (const attack of attacks) {
    most()
    const sockets = await openConnections(ports[attack.listener], attack)
    atEnd(t, () => sockets.map((socket) => socket.destroy()))
    // While memory is short, the sidecar tells the application to retry, and the application does.
    const http: number[] = []
    const grpc: (string | undefined)[] = []
    for (; http.at(-1) !== 200 && http.length < TRIES; await waitBeforeRetry(http.at(-1) !== 200))
      http.push(await shoot(ports.http, normal()))
    for (; grpc.at(-1) !== '0' && grpc.length < TRIES; await waitBeforeRetry(grpc.at(-1) !== '0'))
      grpc.push(await callOnce(ports.grpc))
    const probe = await fetch(`http://127.0.0.1:${ports.health}/livez`).then(
      ({ status }) => status,
      () => 0,
    )
    for (const socket of sockets) socket.destroy()
    lives(attack.name)
    t.diagnostic(
      `${attack.connections} ${attack.name}: HTTP ${http.join(' ')}, gRPC ${grpc.join(' ')}, kubelet ${probe}; RssAnon at most ${most()} MiB`,
    )
    if (http.at(-1) !== 200 || grpc.at(-1) !== '0' || probe !== 200) failed.push(attack.name)
  }
  assert.deepEqual(failed, [], 'other clients were not served')
  t.diagnostic(`peak of the container ${(group.peakBytes() / 2 ** 20).toFixed(1)} MiB`)
}

test('as the image runs it, no connection flood ends a container of 96 MiB or blocks other clients', (t) =>
  flood(
    t,
    ['--max-semi-space-size=1', '--max-old-space-size=64'],
    { MALLOC_ARENA_MAX: '1' },
    CONNECTION_FLOODS,
  ))
// Without the image's flags V8 keeps some 30 MiB of heap. So each listener gets its own container.
for (const listener of ['http', 'grpc', 'health', 'page'] as const)
  test(`without any flag, no connection flood on ${listener} ends a container of 96 MiB or blocks other clients`, (t) =>
    flood(
      t,
      [],
      {},
      CONNECTION_FLOODS.filter((attack) => attack.listener === listener),
    ))

test('an incomplete header gets 408, and the sidecar closes its connection', async (t) => {
  const { ready } = await startContained(t, [], {})
  const socket = connect(Number(ready.port), '127.0.0.1')
  atEnd(t, () => socket.destroy())
  let answer = ''
  socket.on('data', (part) => {
    answer += part.toString()
  })
  socket.write('POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n')
  await new Promise((resolve) => socket.once('close', resolve))
  assert.match(
    answer,
    /^HTTP\/1\.1 408 Request Timeout\r\n.*\{"code":4,"message":"The request did not arrive in time\."\}$/s,
  )
})
