// A request that is cancelled because consent has ended. Its connection is reset, so that the
// kernel never sends the buffered rest of the body. A connection that is not open yet does not
// open.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createServer as createSecureServer } from 'node:tls'
import { openPoster } from '../../src/send/post.ts'
import { temporaryFolder } from '../queue/queue-setup.ts'
import { createAuthority } from '../support/certificates.ts'
import { destinationOf } from '../support/sender.ts'
import { settle, until } from '../support/wait.ts'

const authority = createAuthority()
const certified = authority.issue('collector', '127.0.0.1')
/** More than the buffers of both ends hold. */
const BODY = Buffer.alloc(32 * 1024 * 1024, 7)

const STALLS_AT = 64 * 1024

type Over = 'plain HTTP' | 'TLS' | 'TLS through a proxy'

/**
 * A relay or proxy before a collector. It forwards a first piece, then pauses until it is resumed.
 */
async function stallingRelay(t: TestContext, over: Over) {
  const secure = over !== 'plain HTTP'
  const folder = await temporaryFolder(t)
  const caFile = join(folder, 'ca.pem')
  await writeFile(caFile, authority.cert)
  const clients: Socket[] = []
  const ends: string[] = []
  let bytes = 0
  let stalled = true
  const swallow = (socket: Socket): void => void socket.on('error', () => undefined).resume()
  const collector = secure ? createSecureServer(certified, swallow) : createServer(swallow)
  const relay = createServer((client) => {
    clients.push(client)
    const behind = connect((collector.address() as AddressInfo).port, '127.0.0.1')
    behind.on('error', () => undefined).on('data', (chunk) => void client.write(chunk))
    let asked = over === 'TLS through a proxy'
    client.on('data', (chunk) => {
      if (asked) {
        // It arrives in one piece, and nothing else comes before the answer.
        assert.match(
          chunk.toString('latin1'),
          /^CONNECT 127\.0\.0\.1:\d+ HTTP\/1\.1\r\n(?:.+\r\n)*\r\n$/,
        )
        asked = false
        client.write('HTTP/1.1 200 Connection established\r\n\r\n')
        return
      }
      bytes += chunk.length
      behind.write(chunk)
      if (stalled && bytes > STALLS_AT) client.pause()
    })
    client.on('end', () => void ends.push('FIN'))
    client.on('error', (error: NodeJS.ErrnoException) => void ends.push(error.code ?? ''))
    client.on('close', () => behind.destroy())
  })
  for (const server of [collector, relay]) {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
  }
  t.after(() => {
    for (const client of clients) client.destroy()
  })
  const goOn = (): void => {
    stalled = false
    for (const client of clients) client.resume()
  }
  const { port } = relay.address() as AddressInfo
  const at = over === 'TLS through a proxy' ? (collector.address() as AddressInfo).port : port
  const proxy = over === 'TLS through a proxy' ? { proxy: `http://127.0.0.1:${port}` } : {}
  const open = () =>
    openPoster(
      destinationOf(
        `${secure ? 'https' : 'http'}://127.0.0.1:${at}`,
        secure ? { caFile, ...proxy } : {},
      ),
    )
  return { open, clients, ends, bytes: () => bytes, goOn }
}

for (const over of ['plain HTTP', 'TLS', 'TLS through a proxy'] as const) {
  test(`over ${over}, the connection of a request in flight is reset`, async (t) => {
    const { open, ends, bytes, goOn } = await stallingRelay(t, over)
    const poster = open()
    const abort = new AbortController()
    const answer = poster.post(BODY, abort.signal)
    await until(() => bytes() > STALLS_AT)
    for (let turns = 0; turns < 100; turns++) await settle()
    abort.abort()
    assert.deepEqual([(await answer).status, (await answer).code], [0, 'ABORTED'])
    poster.close()
    goOn()
    await until(() => ends.length > 0)
    assert.deepEqual(ends, ['ECONNRESET'])
  })

  test(`over ${over}, a cancelled connection attempt does not connect`, async (t) => {
    const { open, clients, bytes, goOn } = await stallingRelay(t, over)
    const poster = open()
    const abort = new AbortController()
    let code = ''
    void poster.post(BODY, abort.signal).then((answer) => {
      code = answer.code
    })
    abort.abort()
    await until(() => code !== '')
    assert.equal(code, 'ABORTED')
    poster.close()
    // A later connection is that of the clock.
    goOn()
    const later = new AbortController()
    const next = open()
    const unanswered = next.post(Buffer.from('later'), later.signal)
    await until(() => bytes() > 0)
    assert.equal(clients.length, 1)
    later.abort()
    await unanswered
    next.close()
  })
}
