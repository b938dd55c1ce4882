// One request to the collector: exact headers, no redirect, a bounded answer, a deadline.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Answer, type Destination, openPoster, parseHeaders } from '../../src/send/post.ts'
import { temporaryFolder } from '../queue/queue-setup.ts'
import { destinationOf, startTestCollector, statuses } from '../support/sender.ts'
import { until } from '../support/wait.ts'

const BODY = Buffer.from('body')
const NEVER = new AbortController().signal

/** A poster that is closed when the test ends. */
function posterTo(t: TestContext, endpoint: string, changes: Partial<Destination> = {}) {
  const poster = openPoster(destinationOf(endpoint, changes))
  t.after(() => poster.close())
  return poster
}

/** A TCP server that answers the first chunk with these bytes, or not at all. */
async function rawServer(
  t: TestContext,
  answer: string | undefined,
  end: boolean,
): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => {
      if (answer !== undefined) socket.write(answer)
      if (end) socket.end()
    })
    t.after(() => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`
}

const withoutBody = ({ status, code, retryAfter }: Answer): unknown => ({
  status,
  code,
  retryAfter,
})

test('a request has exactly these headers', async (t) => {
  const { port, got } = await startTestCollector(t, statuses(200))
  await posterTo(t, `http://127.0.0.1:${port}`).post(BODY, NEVER)
  assert.deepEqual(got, [
    {
      method: 'POST',
      url: '/v1/traces',
      body: BODY,
      rawHeaders: [
        ...['content-type', 'application/x-protobuf'],
        ...['content-encoding', 'gzip'],
        ...['content-length', '4'],
        ...['user-agent', 'usage-sidecar/0'],
        ...['Host', `127.0.0.1:${port}`],
        ...['Connection', 'keep-alive'],
      ],
    },
  ])
})

test('/v1/traces is appended to the base URL, with one slash', async (t) => {
  const { port, got } = await startTestCollector(t, statuses(200))
  for (const base of ['', '/', '/base', '/base//'])
    await posterTo(t, `http://127.0.0.1:${port}${base}`).post(BODY, NEVER)
  assert.deepEqual(
    got.map(({ url }) => url),
    ['/v1/traces', '/v1/traces', '/base/v1/traces', '/base/v1/traces'],
  )
})

test('the headers file adds headers and changes no reserved one', async (t) => {
  const headersFile = join(await temporaryFolder(t), 'headers')
  await writeFile(
    headersFile,
    'Authorization: Bearer a:b \r\n\n# X-Comment: no\nX-Team:\ttools\nUser-Agent: curl\nContent-Length: 9\nx-team: builds\n',
  )
  const { port, got } = await startTestCollector(t, statuses(200))
  await posterTo(t, `http://127.0.0.1:${port}`).post(BODY, NEVER)
  await posterTo(t, `http://127.0.0.1:${port}`, { headersFile }).post(BODY, NEVER)
  assert.deepEqual(got[1]!.rawHeaders, [
    'authorization',
    'Bearer a:b',
    'x-team',
    'builds',
    ...got[0]!.rawHeaders,
  ])
})

test('skips lines of the headers file that are no header or would break framing', () => {
  const framing = [
    'host',
    'connection',
    'transfer-encoding',
    'content-length',
    'content-type',
    'content-encoding',
    'user-agent',
    'expect',
  ]
  for (const name of [...framing, 'upgrade', 'te', 'trailer']) {
    assert.deepEqual(parseHeaders(`${name}: x`), {}, name)
    assert.deepEqual(parseHeaders(`${name.toUpperCase()}: x`), {}, name)
  }
  for (const line of [
    'no colon',
    ': no name',
    'two words: x',
    'umlaut: ü',
    'control: a\u0001b',
    'ümlaut: x',
    '#x: y',
    ' indented: x',
  ])
    assert.deepEqual(parseHeaders(line), {}, line)
  assert.deepEqual(parseHeaders('x-empty:\nx-colons: a: b:c \t\n'), {
    'x-empty': '',
    'x-colons': 'a: b:c',
  })
})

test('accepts an answer on a connection that ends with it', async (t) => {
  const endpoint = await rawServer(
    t,
    `HTTP/1.1 429 X\r\nretry-after: 7\r\ncontent-length: 30000\r\n\r\n${'x'.repeat(30_000)}`,
    true,
  )
  const answer = await posterTo(t, endpoint).post(BODY, NEVER)
  assert.deepEqual([answer.status, answer.retryAfter, answer.body.length], [429, '7', 30_000])
})

test('gives the status, Retry-After and body of an answer', async (t) => {
  const { port } = await startTestCollector(t, (_request, response) =>
    response.writeHead(429, { 'retry-after': '7' }).end('later'),
  )
  const answer = await posterTo(t, `http://127.0.0.1:${port}`).post(BODY, NEVER)
  assert.deepEqual(answer, { status: 429, code: '', retryAfter: '7', body: Buffer.from('later') })
})

test('does not follow a redirect', async (t) => {
  const { port, got } = await startTestCollector(t, (_request, response) => {
    response
      .writeHead([301, 302, 303, 307, 308][got.length - 1]!, {
        location: `http://127.0.0.1:${port}/elsewhere`,
      })
      .end()
  })
  const poster = posterTo(t, `http://127.0.0.1:${port}`)
  for (const status of [301, 302, 303, 307, 308])
    assert.equal((await poster.post(BODY, NEVER)).status, status)
  assert.deepEqual(new Set(got.map(({ url }) => url)), new Set(['/v1/traces']))
})

test('skips informational answers', async (t) => {
  const endpoint = await rawServer(
    t,
    'HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n',
    false,
  )
  assert.equal((await posterTo(t, endpoint).post(BODY, NEVER)).status, 204)
})

test('keeps 64 KiB of an endless answer and stops waiting', {
  timeout: 20_000,
}, async (t) => {
  let ended = false
  const { port } = await startTestCollector(t, (request, response) => {
    request.socket.once('close', () => {
      ended = true
    })
    const more = (): void => {
      while (!ended && response.write(Buffer.alloc(10_000)));
      if (!ended) response.once('drain', more)
    }
    more()
  })
  const answer = await posterTo(t, `http://127.0.0.1:${port}`).post(BODY, NEVER)
  assert.equal(answer.status, 200)
  assert.ok(answer.body.length <= 64 * 1024)
  await until(() => ended)
})

const BROKEN: Record<string, { answer: string | undefined; code: string }> = {
  'a connection that ends': { answer: undefined, code: 'ECONNRESET' },
  'an answer that breaks off': {
    answer: 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc',
    code: 'ECONNRESET',
  },
  'an upgrade that nobody asked for': {
    answer: 'HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
    code: 'ECONNRESET',
  },
  'something that is no HTTP': {
    answer: '220 mail.example.org ESMTP\r\n',
    code: 'HPE_INVALID_CONSTANT',
  },
}
for (const [name, { answer, code }] of Object.entries(BROKEN)) {
  test(`${name} counts as no answer`, { timeout: 10_000 }, async (t) => {
    const poster = posterTo(t, await rawServer(t, answer, true))
    assert.deepEqual(withoutBody(await poster.post(BODY, NEVER)), {
      status: 0,
      code,
      retryAfter: undefined,
    })
  })
}

test('a closed port counts as no answer', async (t) => {
  const { port, server } = await startTestCollector(t, statuses(200))
  await new Promise((resolve) => server.close(resolve))
  assert.equal(
    (await posterTo(t, `http://127.0.0.1:${port}`).post(BODY, NEVER)).code,
    'ECONNREFUSED',
  )
})

test('a cancelled request ends at once', async (t) => {
  const { port, got } = await startTestCollector(t, () => undefined)
  const abort = new AbortController()
  const answer = posterTo(t, `http://127.0.0.1:${port}`).post(BODY, abort.signal)
  await until(() => got.length === 1)
  abort.abort()
  assert.deepEqual(withoutBody(await answer), { status: 0, code: 'ABORTED', retryAfter: undefined })
})

test('a request ends by itself after 30 s, also in the middle of an answer', async (t) => {
  for (const begun of ['', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc']) {
    const late = new AbortController()
    const timeout = t.mock.method(AbortSignal, 'timeout', () => late.signal)
    const { port, got } = await startTestCollector(t, (request) => request.socket.write(begun))
    const answer = posterTo(t, `http://127.0.0.1:${port}`).post(BODY, NEVER)
    await until(() => got.length === 1)
    assert.deepEqual(timeout.mock.calls[0]!.arguments, [30_000])
    late.abort()
    assert.deepEqual(withoutBody(await answer), {
      status: 0,
      code: 'DEADLINE',
      retryAfter: undefined,
    })
    timeout.mock.restore()
  }
})

test('the requests of one poster share a connection that ends with it', async (t) => {
  const { port, connections, server } = await startTestCollector(t, statuses(200))
  const poster = posterTo(t, `http://127.0.0.1:${port}`)
  for (let i = 0; i < 3; i++) assert.equal((await poster.post(BODY, NEVER)).status, 200)
  assert.equal(connections(), 1)
  poster.close()
  let open = 1
  await until(() => {
    server.getConnections((_error, count) => {
      open = count
    })
    return open === 0
  })
})

test('an unreadable file stops the poster, with its error code', () => {
  for (const file of ['headersFile', 'caFile', 'clientCertFile', 'clientKeyFile'])
    assert.throws(
      () => openPoster(destinationOf('https://127.0.0.1:1', { [file]: '/nowhere/CANARY' })),
      { code: 'ENOENT' },
    )
})
