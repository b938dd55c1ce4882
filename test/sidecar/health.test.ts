// The probes of the kubelet: two paths that answer as long as the process does, and nothing else.
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { request } from 'node:http'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createHealth } from '../../src/sidecar/health.ts'
import { until } from '../support/wait.ts'

async function healthHere(t: TestContext) {
  const health = createHealth({ host: '127.0.0.1', port: 0 })
  const { port } = await health.start()
  t.after(() => health.stop())
  const ask = (path: string, method = 'GET') =>
    new Promise<{ status: number; headers: Record<string, unknown>; body: string }>(
      (resolve, reject) => {
        const asked = request(
          { host: '127.0.0.1', port, path, method, agent: false },
          (response) => {
            let body = ''
            response.setEncoding('utf8').on('data', (part: string) => {
              body += part
            })
            response.on('end', () =>
              resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
            )
          },
        )
        asked.on('error', reject)
        asked.end(method === 'POST' ? 'body' : undefined)
      },
    )
  return { health, port, ask }
}

test('answers 200 on /startupz and /livez', async (t) => {
  const { ask } = await healthHere(t)
  for (const path of ['/startupz', '/livez']) {
    const { status, body } = await ask(path)
    assert.deepEqual([status, body], [200, 'ok\n'])
    assert.deepEqual([(await ask(path, 'HEAD')).status, (await ask(path, 'HEAD')).body], [200, ''])
  }
})

test('answers 404 on every other path', async (t) => {
  const { ask } = await healthHere(t)
  for (const path of [
    '/',
    '/livez/',
    '/livez?x',
    '/LIVEZ',
    '/readyz',
    '/metrics',
    '/v1/traces',
    '//livez',
    '/../livez',
    '*',
  ]) {
    const { status, body } = await ask(path)
    assert.deepEqual([status, body], [404, ''], path)
  }
})

test('answers 405 to methods other than GET and HEAD', async (t) => {
  const { ask } = await healthHere(t)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const { status, headers } = await ask('/livez', method)
    assert.deepEqual([status, headers.allow], [405, 'GET, HEAD'], method)
  }
  assert.equal((await ask('/nowhere', 'POST')).status, 404)
})

test('answers the kubelet and stops in time despite many silent connections', {
  timeout: 20_000,
}, async (t) => {
  const { health, port, ask } = await healthHere(t)
  const sockets = Array.from({ length: 300 }, () =>
    connect(port, '127.0.0.1').on('error', () => undefined),
  )
  t.after(() => {
    for (const socket of sockets) socket.destroy()
  })
  let connected = 0
  for (const socket of sockets) socket.on('connect', () => connected++)
  // Connections over the limit are closed when new ones arrive.
  let closed = 0
  for (const socket of sockets) socket.resume().on('close', () => closed++)
  await until(() => connected === 300 && closed === 44)
  assert.equal((await ask('/livez')).status, 200)
  assert.ok(closed < 60)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const stopped = health.stop()
  t.mock.timers.tick(5_000)
  await stopped
})

test('reads few of many pipelined requests and answers the kubelet meanwhile', async (t) => {
  const { port, ask } = await healthHere(t)
  let made = 0
  const count = (): void => void made++
  subscribe('http.server.request.start', count)
  t.after(() => unsubscribe('http.server.request.start', count))
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  socket.write('GET /livez HTTP/1.1\r\nhost:\r\n\r\n'.repeat(20_000))
  await new Promise((resolve) => socket.resume().once('close', resolve))
  assert.equal(made, 33)
  assert.equal((await ask('/livez')).status, 200)
})
