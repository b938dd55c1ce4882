// The sidecar's page: loopback and GET only, everything escaped, and only the files that it offers.
import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { createPage } from '../../src/page/page.ts'
import type { Report, View } from '../../src/page/view.ts'
import { createLog } from '../../src/support/log.ts'
import { ask } from './ask-page.ts'

const HOSTILE = `<script>alert(1)</script>"'&\u202e`
const REPORT: Report = {
  file: { place: 'sent', name: '000000000001.otlp.gz', bytes: 7 },
  sha256: 'ab',
  batches: [
    {
      attributes: [{ key: HOSTILE, value: HOSTILE }],
      spans: [
        {
          name: HOSTILE,
          traceId: '1',
          spanId: '2',
          parentSpanId: '',
          time: '2026',
          status: '',
          attributes: [],
        },
      ],
    },
  ],
}

const VIEW: View = {
  mode: 'on',
  by: HOSTILE,
  problems: [HOSTILE],
  policy: {
    project: HOSTILE,
    version: 1,
    digest: 'd'.repeat(64),
    purpose: HOSTILE,
    expires: '2099-01-01',
  },
  sheet: undefined,
  collector: HOSTILE,
  nextSendAt: 0,
  waiting: [{ place: 'queue', name: '000000000001.otlp', bytes: 7 }],
  next: { report: REPORT, spans: 9 },
  sent: [
    {
      sequence: 1,
      time: '2026-10-05T00:00:00.000Z',
      sha256: HOSTILE,
      bytes: 1,
      batches: 1,
      spans: 1,
      result: HOSTILE,
      status: 200,
      file: undefined,
    },
  ],
  counters: { 'spans.received': 3, [`spans.${HOSTILE}.skipped`]: 1 },
  missingFacts: [{ name: HOSTILE, from: 'USAGE_FACTS', reasons: [HOSTILE] }],
  startedAt: 0,
  now: 0,
}
async function openPage(t: TestContext, view: () => Promise<View> = () => Promise.resolve(VIEW)) {
  const asked: string[] = []
  const lines: string[] = []
  const page = createPage({
    metrics: () => Promise.resolve('a_metric 1\n'),
    listen: { host: '127.0.0.1', port: 0 },
    view,
    report: (place, name) => {
      asked.push(`${place}/${name}`)
      return Promise.resolve(name.startsWith('000000000001') ? REPORT : undefined)
    },
    log: createLog('debug', (line) => lines.push(line)),
  })
  const { port } = await page.start()
  t.after(() => page.stop())
  return { port, asked, lines }
}

test('parses few of many requests pipelined on one connection', async (t) => {
  let made = 0
  const count = (): void => void made++
  subscribe('http.server.request.start', count)
  t.after(() => unsubscribe('http.server.request.start', count))
  const page = createPage({
    metrics: () => Promise.resolve('a_metric 1\n'),
    listen: { host: '127.0.0.1', port: 0 },
    view: async () => VIEW,
    report: async () => undefined,
    log: createLog('error', () => undefined),
  })
  const { port } = await page.start()
  t.after(() => page.stop())
  const socket = connect(port, '127.0.0.1').on('error', () => undefined)
  socket.write('GET / HTTP/1.1\r\nhost:\r\n\r\n'.repeat(20_000))
  await new Promise((resolve) => socket.resume().once('close', resolve))
  assert.equal(made, 33)
})

test('answers loopback hosts only, and GET only', async (t) => {
  const { port } = await openPage(t)
  for (const host of ['127.0.0.1', 'localhost:8080', '[::1]:4320'])
    assert.equal((await ask(port, '/', { host })).status, 200, host)
  for (const host of [
    'evil.example',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '10.0.0.1',
  ])
    for (const path of ['/', '/status.json', '/sent/000000000001.otlp.gz'])
      assert.equal((await ask(port, path, { host })).status, 421, host)
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
    const { status, headers } = await ask(port, '/', { method })
    assert.deepEqual([status, headers.allow], [405, 'GET'])
  }
})

test('answers at every loopback address that it listens on', async (t) => {
  const page = createPage({
    metrics: () => Promise.resolve('a_metric 1\n'),
    listen: { host: '127.0.0.2', port: 0 },
    view: () => Promise.resolve(VIEW),
    report: () => Promise.resolve(undefined),
    log: createLog('error', () => undefined),
  })
  const { port } = await page.start()
  t.after(() => page.stop())
  const address = '127.0.0.2'
  const { status } = await ask(port, '/', { host: `${address}:${port}`, address })
  assert.equal(status, 200)
})

test('lets no script run and loads nothing: policy, escaping, no cookie', async (t) => {
  const { port } = await openPage(t)
  for (const path of ['/', '/sent/000000000001.otlp.gz']) {
    const { status, headers, body } = await ask(port, path)
    assert.equal(status, 200)
    assert.match(
      String(headers['content-security-policy']),
      /^default-src 'none'; style-src 'unsafe-inline';/,
    )
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['cache-control'], 'no-store')
    assert.equal(headers['set-cookie'], undefined)
    assert.doesNotMatch(body, /<script|alert\(1\)<\/script>"|\u202e/)
    assert.ok(body.includes('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;\ufffd'))
    assert.doesNotMatch(body, /(?:src|href)="(?!\/)/)
  }
})

test('shows every counter once, with its meaning', async (t) => {
  const names: [name: string, meaning: RegExp][] = [
    ['spans.received', /received from the application/],
    ['spans.unlisted', /the policy does not name them/],
    ['spans.rejected', /are invalid/],
    ['spans.kept', /written to disk/],
    ['spans.execution.skipped', /a condition of the policy/],
    ['spans.execution.execution.type.other', /has “other” instead/],
    ['spans.execution.size.left_out', /did not fit/],
    ['spans.execution.zone.before', /did not fit/],
    ['resource.app.version.left_out', /did not fit/],
    ['heartbeats.kept', /Heartbeats of the sidecar/],
    ['sent.rejected', /the collector rejected/],
    ['refused.spans', /the collector refused/],
    ['queue.dropped.age', /dropped from the queue, by reason/],
    ['queue.refused', /refused with 503/],
    ['requests.refused.503', /by the HTTP status/],
    ['queue.recovered.torn', /last write was incomplete/],
  ]
  const counters = Object.fromEntries(names.map(([name], index) => [name, 1_000_000 + index]))
  const { port } = await openPage(t, () => Promise.resolve({ ...VIEW, counters }))
  const { body } = await ask(port)
  const rows = [
    ...body.matchAll(
      /<tr class="group"><th[^>]*>([^<]*)<|<th scope="row" class="mono">([^<]*)<\/th><td>([\d,]+)</g,
    ),
  ]
  let group = ''
  const shown = rows.flatMap(([, title, name, count]) => {
    group = title ?? group
    return name === undefined ? [] : [{ name, count, group }]
  })
  assert.deepEqual(shown.map(({ name }) => name).sort(), names.map(([name]) => name).sort())
  for (const [index, [name, meaning]] of names.entries()) {
    const row = shown.find((one) => one.name === name)
    assert.match(String(row?.group), meaning, name)
    assert.equal(row?.count, (1_000_000 + index).toLocaleString('en-GB'))
  }
})

test('opens files of the three folders by name, and nothing else', async (t) => {
  const { port, asked } = await openPage(t)
  assert.equal((await ask(port, '/queue/000000000001.otlp')).status, 200)
  assert.equal((await ask(port, '/sent/000000000002.otlp.gz')).status, 404)
  assert.deepEqual(asked.splice(0), ['queue/000000000001.otlp', 'sent/000000000002.otlp.gz'])
  for (const path of [
    '/epoch',
    '/sent/../epoch',
    '/sent/..%2fepoch',
    '/sent/000000000001.otlp.gz/..',
    '/identity/secret',
    '//x',
    '/sent/1',
  ])
    assert.equal((await ask(port, path)).status, 404, path)
  assert.deepEqual(asked, [])
})

test('answers an internal error without its text', async (t) => {
  const { port, lines } = await openPage(t, () => Promise.reject(new Error('CANARY')))
  const { status, body } = await ask(port)
  assert.equal(status, 500)
  assert.doesNotMatch(body + lines.join(''), /CANARY/)
})
