// The sidecar's page and `status`: loopback and GET only, everything escaped, and the true state of
// a running sidecar.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { rm, writeFile } from 'node:fs/promises'
import { type IncomingHttpHeaders, request } from 'node:http'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import type { Host } from '../../src/cli/command.ts'
import { status } from '../../src/cli/status.ts'
import { createPage } from '../../src/page/page.ts'
import type { Report, View } from '../../src/page/view.ts'
import { createLog } from '../../src/support/log.ts'
import { startCollector } from '../support/collector.ts'
import { execution, placeOf, post, startChild, startHere, until } from '../support/sidecar.ts'

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname
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
interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

function ask(
  port: number,
  path = '/',
  { method = 'GET', host = `127.0.0.1:${port}`, address = '127.0.0.1' } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { port, host: address, path, method, headers: { host }, agent: false },
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
    asked.end()
  })
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

test('shows mode, policy and sent reports of a running sidecar, and that their bytes are the request', async (t) => {
  const collector = await startCollector(t)
  const sidecar = await startHere(t, await placeOf(t, { USAGE_ENDPOINT: collector.endpoint }))
  await post(sidecar.port(), execution())
  const view = async (): Promise<View> =>
    JSON.parse((await ask(sidecar.pagePort(), '/status.json')).body) as View
  await until('it is delivered', async () =>
    (await view()).sent.some(
      ({ result, file }) => result === 'delivered' && file?.place === 'sent',
    ),
  )
  const { mode, by, policy, sent, problems, missingFacts } = await view()
  assert.deepEqual(
    [mode, by, policy?.project, problems],
    ['on', 'USAGE_REPORTING', 'example.org/demo', []],
  )
  assert.deepEqual(missingFacts, [
    { name: 'app.version', from: 'USAGE_FACTS', reasons: ['Which releases are in use.'] },
    { name: 'k8s.nodes', from: 'the facts job', reasons: ['Small or large clusters.'] },
    { name: 'k8s.version', from: 'the facts job', reasons: ['Which Kubernetes to support.'] },
  ])
  const { place, name } = sent[0]!.file!
  assert.match(
    (await ask(sidecar.pagePort(), `/${place}/${name}`)).body,
    new RegExp(String(sent[0]!.sha256)),
  )
  assert.match((await ask(sidecar.pagePort())).body, /Everything that can be sent, and why/)
})

test('status prints the same, and exits with 0 only if there is no problem', async (t) => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [MAIN, 'status', ...args], { encoding: 'utf8' })
  const well = await startChild(t, await placeOf(t, { USAGE_REPORTING: 'local' }))
  const page = (at: typeof well): string =>
    `127.0.0.1:${Number(at.lines().find(({ event }) => event === 'accept: ready')?.page)}`
  const printed = run('--page', page(well))
  assert.deepEqual([printed.status, printed.stderr], [0, ''])
  assert.match(printed.stdout, /reporting +local, decided by USAGE_REPORTING/)
  assert.equal((JSON.parse(run('--page', page(well), '--json').stdout) as View).mode, 'local')
  const ill = await startChild(
    t,
    await placeOf(t, { USAGE_REPORTING: 'local', USAGE_POLICY: '/nowhere' }),
  )
  const problem = run('--page', page(ill))
  assert.equal(problem.status, 1)
  assert.match(
    problem.stdout,
    /problem +Nothing is kept or sent, because of the policy: The policy cannot be read/,
  )
  const nobody = run('--page', '127.0.0.1:9')
  assert.equal(nobody.status, 1)
  assert.match(nobody.stderr, /No sidecar answers at 127\.0\.0\.1:9/)
})

/** `status` in this process. */
async function statusOf(page: string): Promise<{ code: number; stdout: string }> {
  let stdout = ''
  const out = (text: string): void => {
    stdout += text
  }
  const code = await status({ env: {}, out, err: out } as Partial<Host> as Host, {
    flags: { page },
    positionals: [],
  })
  return { code, stdout }
}

test('shows the start of the next report, within a limit', async (t) => {
  const sidecar = await startHere(t, await placeOf(t, { USAGE_REPORTING: 'local' }))
  const view = async (): Promise<View> =>
    JSON.parse((await ask(sidecar.pagePort(), '/status.json')).body) as View
  assert.equal((await view()).next, undefined)
  for (const type of ['pipeline', 'orchestration', 'pipeline'])
    await post(sidecar.port(), execution(type))
  const { next } = await view()
  assert.deepEqual([next?.spans, next?.report.batches.map(({ spans }) => spans.length)], [3, [1]])
  const { body } = await ask(sidecar.pagePort())
  assert.match(
    body,
    /It would look like this\. It is not sent\.(?:.*\n)*.*usage\.batch\.id(?:.*\n)*.*The first of 3 spans\./,
  )
  // One request may make a file of any size, which is shown when somebody asks for it.
  const large = await startHere(t, await placeOf(t, { USAGE_REPORTING: 'local' }))
  const many = Buffer.concat(Array.from({ length: 20_000 }, () => execution()))
  assert.equal((await post(large.port(), many)).status, 200)
  const { waiting, next: none } = JSON.parse(
    (await ask(large.pagePort(), '/status.json')).body,
  ) as View
  assert.ok(waiting[0]!.bytes > 2 * 1024 * 1024)
  assert.equal(none, undefined)
})

test('shows the first report during the first send delay, and sends nothing', async (t) => {
  const collector = await startCollector(t)
  const env = { USAGE_ENDPOINT: collector.endpoint, USAGE_FIRST_SEND_DELAY: '24h' }
  const sidecar = await startHere(t, await placeOf(t, env))
  const before = Date.now()
  await post(sidecar.port(), execution())
  const { mode, next, nextSendAt, sent } = JSON.parse(
    (await ask(sidecar.pagePort(), '/status.json')).body,
  ) as View
  assert.deepEqual([mode, next?.spans, sent], ['on', 1, []])
  assert.ok(nextSendAt! >= before + 86_000_000)
  const { body } = await ask(sidecar.pagePort())
  assert.match(body, /It will be sent like this\.(?:.*\n)*.*execution\.type/)
  assert.equal(collector.connections, 0)
})

for (const [what, answer, problem] of [
  ['away', 503, /The collector cannot be reached or is busy/],
  ['one that refuses', 400, /The collector refused the last report with status 400/],
] as const) {
  test(`shows a collector that is ${what} as a problem, on the page and in status`, async (t) => {
    const collector = await startCollector(t, () => answer)
    const sidecar = await startHere(t, await placeOf(t, { USAGE_ENDPOINT: collector.endpoint }))
    await post(sidecar.port(), execution())
    await until('the page shows it', async () => problem.test((await ask(sidecar.pagePort())).body))
    assert.equal((await statusOf(`127.0.0.1:${sidecar.pagePort()}`)).code, 1)
  })
}

test('shows a full queue as a problem on the page and in status until it accepts requests again', async (t) => {
  const collector = await startCollector(t, () => 503)
  const sidecar = await startHere(
    t,
    await placeOf(t, { USAGE_ENDPOINT: collector.endpoint, USAGE_QUEUE_MAX: '64KiB' }),
  )
  const isShown = async (): Promise<boolean> =>
    /The last spans were not kept/.test((await ask(sidecar.pagePort())).body)
  while ((await post(sidecar.port(), execution())).status === 200);
  assert.ok(await isShown())
  assert.equal((await statusOf(`127.0.0.1:${sidecar.pagePort()}`)).code, 1)
  collector.answer = () => 200
  await until('there is room', async () => (await post(sidecar.port(), execution())).status === 200)
  assert.ok(!(await isShown()))
})

test('shows an unusable data directory as a problem, on the page and in status', async (t) => {
  const place = await placeOf(t, { USAGE_REPORTING: 'local' })
  await writeFile(place.dataFolder, '')
  const sidecar = await startHere(t, place)
  assert.equal((await post(sidecar.port(), execution())).status, 200)
  const { code, stdout } = await statusOf(`127.0.0.1:${sidecar.pagePort()}`)
  assert.equal(code, 1)
  assert.match(
    stdout,
    /problem +Nothing is kept or sent: the sidecar cannot use the data directory \((EEXIST|ENOTDIR)\)\. Check USAGE_DATA_DIR\./,
  )
  await rm(place.dataFolder)
  await until(
    'it is used',
    async () => (await statusOf(`127.0.0.1:${sidecar.pagePort()}`)).code === 0,
  )
})
