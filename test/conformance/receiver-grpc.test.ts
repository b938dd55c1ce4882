// The points for a receiver over gRPC.
import assert from 'node:assert/strict'
import { connect as connectTcp } from 'node:net'
import { gzipSync } from 'node:zlib'
import type { ExportResult } from '../../src/otlp/answer.ts'
import { retryLater } from '../../src/support/errors.ts'
import { readConfig } from '../../src/support/settings.ts'
import { BODY, call, connected, MAX_BODY, openReceiver } from '../support/grpc-receiver.ts'
import { openReceiver as openHttp } from '../support/http-receiver.ts'
import { message, openRaw, TYPE } from '../support/raw-http2.ts'
import { atEnd, execution } from '../support/sidecar.ts'
import { until } from '../support/wait.ts'
import { JSON_TYPE, jsonRequest, jsonSpan, openSidecar, PROTOBUF, readAnswer } from './pipeline.ts'
import { conforms } from './point.ts'

const GZIP = { 'grpc-encoding': 'gzip' }

conforms('S01', async (t) => {
  const grpc = await openReceiver(t)
  const session = connected(t, grpc.url)
  assert.equal((await call(session, message(BODY))).grpc, '0')
  assert.equal((await call(session, message(gzipSync(BODY), 1), GZIP)).grpc, '0')
  assert.deepEqual(grpc.got, [BODY, BODY])
  const http = await openHttp(t)
  for (const [type, body] of [
    [PROTOBUF, BODY],
    [JSON_TYPE, Buffer.from(jsonRequest(jsonSpan()))],
  ] as const) {
    assert.equal((await http.send({ headers: { 'content-type': type }, body })).status, 200)
    assert.equal(
      (
        await http.send({
          headers: { 'content-type': type, 'content-encoding': 'gzip' },
          body: gzipSync(body),
        })
      ).status,
      200,
    )
    const [plain, inflated] = http.bodies.splice(0)
    assert.deepEqual(inflated, plain)
  }
})

conforms('S02', async (t) => {
  assert.deepEqual(readConfig({}).config.grpcListen, { host: '127.0.0.1', port: 4317 })
  const { sendGrpc, kept } = await openSidecar(t)
  const { status, grpc, headers } = await sendGrpc(execution())
  assert.deepEqual([status, grpc, headers['content-type']], [200, '0', 'application/grpc'])
  assert.equal((await kept()).length, 1)
})

conforms('S03', async (t) => {
  const { url, got } = await openReceiver(t)
  const session = connected(t, url)
  assert.equal((await call(session, message(Buffer.alloc(MAX_BODY)))).grpc, '0')
  assert.equal((await call(session, message(gzipSync(Buffer.alloc(MAX_BODY)), 1), GZIP)).grpc, '0')
  for (const [body, more] of [
    [message(Buffer.alloc(MAX_BODY + 1)), {}],
    [message(gzipSync(Buffer.alloc(MAX_BODY + 1)), 1), GZIP],
  ] as const) {
    const { grpc, details } = await call(session, body, more)
    assert.deepEqual([grpc, details.length], ['8', 0])
  }
  assert.equal(got.length, 2)
})

conforms('S05', async (t) => {
  const gate = Promise.withResolvers<ExportResult>()
  const receiver = await openReceiver(t, () => gate.promise)
  const client = await openRaw(receiver.port)
  atEnd(t, async () => client.socket.destroy())
  await until(() => client.frames.some(({ type }) => type === TYPE.settings))
  // SETTINGS_MAX_CONCURRENT_STREAMS.
  const { payload } = client.frames.find(({ type }) => type === TYPE.settings)!
  const settings = Array.from({ length: payload.length / 6 }, (_, i) => [
    payload.readUInt16BE(6 * i),
    payload.readUInt32BE(6 * i + 2),
  ])
  assert.equal(settings.find(([id]) => id === 3)?.[1], 100)
  const session = connected(t, receiver.url)
  const answers = Array.from({ length: 150 }, () => call(session, message(BODY)))
  await until(() => receiver.got.length === 100)
  gate.resolve({ rejected: 0, message: '' })
  for (const { grpc } of await Promise.all(answers)) assert.equal(grpc, '0')
  assert.equal(receiver.got.length, 150)
})

conforms('S06', async (t) => {
  const handled = { rejected: 3, message: 'Three are not valid.' }
  const grpc = await openReceiver(t, () => handled)
  const { body } = await call(connected(t, grpc.url), message(BODY))
  assert.deepEqual(readAnswer(body.subarray(5)), handled)
  const http = await openHttp(t, { handle: async () => handled })
  assert.deepEqual(
    readAnswer((await http.send({ headers: { 'content-type': PROTOBUF }, body: BODY })).body),
    handled,
  )
})

conforms('S13', async (t) => {
  const full = await openReceiver(t, () => Promise.reject(retryLater('The queue is full.', 60)))
  assert.equal((await call(connected(t, full.url), message(BODY))).grpc, '14')
  const { sendGrpc, kept } = await openSidecar(t)
  const { grpc, details } = await sendGrpc(execution().subarray(0, -1))
  assert.equal(grpc, '3')
  assert.match(details.toString('latin1'), /google\.rpc\.BadRequest/)
  assert.deepEqual(await kept(), [])
})

conforms('S14', async (t) => {
  const gate = Promise.withResolvers<ExportResult>()
  const receiver = await openReceiver(t, () => gate.promise)
  const session = connected(t, receiver.url)
  const first = Array.from({ length: 30 }, () => call(session, message(Buffer.alloc(90_000))))
  await until(() => receiver.counters.get('requests.refused.503') > 0)
  const refused = await call(session, message(Buffer.alloc(90_000)))
  assert.equal(refused.grpc, '14')
  assert.match(refused.details.toString('latin1'), /google\.rpc\.RetryInfo/)
  gate.resolve({ rejected: 0, message: '' })
  await Promise.all(first)
  assert.equal((await call(session, message(Buffer.alloc(90_000)))).grpc, '0')
})

conforms('S15', async (t) => {
  const receiver = await openReceiver(t)
  for (const body of [
    message(Buffer.alloc(MAX_BODY + 1)),
    message(gzipSync(Buffer.alloc(50 * MAX_BODY)), 1),
  ]) {
    const { grpc, details } = await call(connected(t, receiver.url), body, GZIP)
    assert.equal(grpc, '8')
    assert.doesNotMatch(details.toString('latin1'), /RetryInfo/)
  }
  const http = await openHttp(t)
  const { status, headers } = await http.send({
    headers: { 'content-type': PROTOBUF },
    body: Buffer.alloc(300_000),
  })
  assert.deepEqual([status, headers['retry-after']], [413, undefined])
})

conforms('S32', async (t) => {
  const { port, grpcPort } = await openSidecar(t)
  const answerTo = async (to: number, bytes: string): Promise<string> => {
    const socket = connectTcp(to, '127.0.0.1')
    let answer = ''
    socket.on('data', (part) => {
      answer += part.toString()
    })
    socket.write(bytes)
    await new Promise((resolve) => socket.once('close', resolve))
    return answer
  }
  assert.match(
    await answerTo(port(), 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    /^HTTP\/1\.1 400 .*gRPC to the gRPC port\./s,
  )
  assert.match(
    await answerTo(grpcPort(), 'POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n\r\n'),
    /^HTTP\/1\.1 400 .*HTTP\/1\.1 to the HTTP port\./s,
  )
})
