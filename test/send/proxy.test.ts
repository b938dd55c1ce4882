// Requests through an HTTP proxy. Only our own setting names one, and TLS runs end to end inside
// it. A proxy that hangs, refuses or answers nonsense neither blocks the sender nor gets the body.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { type TestContext, test } from 'node:test'
import { openPoster } from '../../src/send/post.ts'
import { temporaryFolder } from '../queue/queue-setup.ts'
import { createAuthority } from '../support/certificates.ts'
import { destinationOf, startTestCollector, statuses } from '../support/sender.ts'
import { until } from '../support/wait.ts'

const BODY = Buffer.from('the body of a report')
const NEVER = new AbortController().signal
const authority = createAuthority()
const collector = authority.issue('usage.example.org')

type OnConnect = (request: IncomingMessage, client: Duplex) => void

/** A proxy that records requests. By default it opens a tunnel to the collector for any name. */
async function startTestProxy(t: TestContext, target: () => number, onConnect?: OnConnect) {
  const asked: { url: string; rawHeaders: readonly string[] }[] = []
  const seen: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createServer((_, response) => response.writeHead(500).end())
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => undefined)
  })
  server.on('connect', (request, client: Duplex) => {
    asked.push({ url: request.url ?? '', rawHeaders: request.rawHeaders })
    client.on('end', () => client.destroy())
    if (onConnect !== undefined) {
      client.resume()
      return onConnect(request, client)
    }
    const out = connect(target(), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      client.on('data', (bytes: Buffer) => void seen.push(bytes))
      client.pipe(out).pipe(client)
    })
    for (const one of [out, client]) one.on('error', () => undefined)
    client.on('close', () => out.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked, seen, sockets }
}

/** A collector whose name only the proxy knows, and a poster to it. */
async function openThroughProxy(t: TestContext, onConnect?: OnConnect, user = '') {
  const collecting = await startTestCollector(t, statuses(200), collector)
  const proxy = await startTestProxy(t, () => collecting.port, onConnect)
  const caFile = join(await temporaryFolder(t), 'ca')
  await writeFile(caFile, authority.cert)
  const poster = openPoster(
    destinationOf('https://usage.example.org', { caFile, proxy: `http://${user}${proxy.address}` }),
  )
  t.after(() => poster.close())
  return { ...collecting, proxy, poster }
}

test('sends through the configured proxy, which learns only the collector address', async (t) => {
  const { got, proxy, poster, connections } = await openThroughProxy(t)
  for (let i = 0; i < 3; i++) {
    const answer = await poster.post(BODY, NEVER)
    assert.equal(answer.status, 200, answer.code)
  }
  assert.deepEqual(
    got.map(({ body }) => body),
    [BODY, BODY, BODY],
  )
  assert.equal(connections(), 1)
  assert.deepEqual(proxy.asked, [
    { url: 'usage.example.org:443', rawHeaders: ['host', 'usage.example.org:443'] },
  ])
  assert.ok(proxy.seen.length > 0)
  assert.equal(Buffer.concat(proxy.seen).includes(BODY), false)
})

test('gives the proxy its password, and never gives it to the collector', async (t) => {
  const { got, proxy, poster } = await openThroughProxy(t, undefined, 'admin:p%40ss@')
  assert.equal((await poster.post(BODY, NEVER)).status, 200)
  const { rawHeaders } = proxy.asked[0]!
  assert.equal(
    rawHeaders[rawHeaders.indexOf('proxy-authorization') + 1],
    `Basic ${Buffer.from('admin:p@ss').toString('base64')}`,
  )
  assert.ok(!got[0]!.rawHeaders.some((text) => /proxy/i.test(text)))
})

for (const [answer, code] of [
  ['HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n', 'EPROXY'],
  ['HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n', 'EPROXYAUTH'],
  ['HTTP/1.1 302 Found\r\nlocation: https://elsewhere.example\r\n\r\n', 'EPROXY'],
  ['220 mail.example.org ESMTP\r\n', 'HPE_INVALID_CONSTANT'],
  [`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(40_000)}\r\n\r\n`, 'HPE_HEADER_OVERFLOW'],
  ['', 'ECONNRESET'],
] as const) {
  test(`a proxy without a tunnel gets no body and counts as no answer (${answer.slice(0, 20).trim()})`, async (t) => {
    const { got, poster, proxy } = await openThroughProxy(t, (_, client) => {
      if (answer === '') client.destroy()
      else client.write(answer)
    })
    const { status, code: said } = await poster.post(BODY, AbortSignal.timeout(5_000))
    assert.deepEqual([status, said], [0, code])
    assert.deepEqual(got, [])
    await until(() => proxy.sockets.size === 0)
  })
}

test('an unreachable proxy counts as no answer', async (t) => {
  const gone = createTcpServer().listen(0, '127.0.0.1')
  await once(gone, 'listening')
  const { port } = gone.address() as AddressInfo
  gone.close()
  await once(gone, 'close')
  const poster = openPoster(
    destinationOf('https://usage.example.org', { proxy: `http://127.0.0.1:${port}` }),
  )
  t.after(() => poster.close())
  assert.equal((await poster.post(BODY, NEVER)).code, 'ECONNREFUSED')
})

test('cancels a request to a proxy that hangs', async (t) => {
  const { poster, proxy } = await openThroughProxy(t, () => undefined)
  const abort = new AbortController()
  const answer = poster.post(BODY, abort.signal)
  await until(() => proxy.asked.length === 1)
  abort.abort()
  assert.equal((await answer).code, 'ABORTED')
  await until(() => proxy.sockets.size === 0)
})

test('a closed poster leaves no connection to a proxy', async (t) => {
  const { poster, proxy } = await openThroughProxy(t, () => undefined)
  const answer = poster.post(BODY, NEVER)
  await until(() => proxy.asked.length === 1)
  poster.close()
  assert.equal((await answer).status, 0)
  await until(() => proxy.sockets.size === 0)
})

test('checks the certificate of the collector through a proxy', async (t) => {
  const other = createAuthority('Another')
  const collecting = await startTestCollector(t, statuses(200), other.issue('usage.example.org'))
  const proxy = await startTestProxy(t, () => collecting.port)
  const caFile = join(await temporaryFolder(t), 'ca')
  await writeFile(caFile, authority.cert)
  const poster = openPoster(
    destinationOf('https://usage.example.org', { caFile, proxy: `http://${proxy.address}` }),
  )
  t.after(() => poster.close())
  assert.equal((await poster.post(BODY, NEVER)).status, 0)
  assert.deepEqual(collecting.got, [])
})
