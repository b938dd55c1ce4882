// The page of the usage collector: it shows the counts, escapes everything, and answers on loopback
// only.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { type IncomingHttpHeaders, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { createCollector } from '../../src/cli/collect.ts'
import type { Attribute, Batch } from '../../src/collect/batches.ts'
import { dayChart, formatShare } from '../../src/collect/chart.ts'
import { createPageServer } from '../../src/collect/page-server.ts'
import { openStore, type Store } from '../../src/collect/store.ts'
import { Counters } from '../../src/support/counters.ts'
import { ConfigError } from '../../src/support/errors.ts'
import { createLog } from '../../src/support/log.ts'
import { hexId } from './collect-requests.ts'

const log = createLog('error', () => undefined)
const text = (key: string, value: string): Attribute => ({ key, type: 'string', value })
const int = (key: string, value: number): Attribute => ({ key, type: 'int', value: String(value) })

function madeOf(
  project: string,
  name: string,
  attributes: Attribute[][],
  facts: Attribute[] = [],
  day = 20_777,
): Batch {
  const spans = attributes.map((of) => ({
    traceId: hexId(16),
    spanId: hexId(8),
    parentId: undefined,
    name,
    day,
    status: 'unset' as const,
    attributes: of,
  }))
  return { id: hexId(16), project, policyVersion: 3, policyDigest: 'custom', facts, spans }
}

interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

/** One request by node:http, which lets a test choose the Host header. */
async function ask(
  port: number,
  path = '/',
  { method = 'GET', host = '127.0.0.1' } = {},
): Promise<Answer> {
  const sent = request({
    port,
    host: '127.0.0.1',
    path,
    method,
    headers: { host },
    agent: false,
  }).end()
  const [response] = await once(sent, 'response')
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) body += chunk
  return { status: response.statusCode, headers: response.headers, body }
}

/** The page's text as a reader sees it: tags out, entities back. */
const seen = (html: string): string =>
  html
    .replace(/<style>.*?<\/style>/s, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&#39;/g, "'")
    .replace(/&amp;/g, '&')
    .replace(/\s+/g, ' ')

describe('the page of the collector', () => {
  let folder: string
  let store: Store
  let port: number
  let stop: () => Promise<void>

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'usage-page-'))
    store = await openStore(folder, log)
    const server = createPageServer({
      listen: { host: '127.0.0.1', port: 0 },
      store,
      otlpUrl: 'http://127.0.0.1:4318',
      counters: new Counters(),
      log,
    })
    port = (await server.start()).port
    stop = () => server.stop()
  })
  after(async () => {
    await stop()
    await store.close()
    await rm(folder, { recursive: true, force: true })
  })

  it('says how to send reports while the store is empty', async () => {
    const { status, body } = await ask(port)
    assert.equal(status, 200)
    assert.match(seen(body), /No reports yet.*USAGE_ENDPOINT=http:\/\/127\.0\.0\.1:4318/)
    assert.deepEqual(JSON.parse((await ask(port, '/counts.json')).body), { batches: 0, spans: {} })
  })

  it('shows counts, values with their shares, numbers in order, and facts once for each batch', async () => {
    const minutes = [60, 10, 60, 3600].map((bound) => [
      int('execution.duration', bound),
      text('execution.type', 'pipeline'),
    ])
    await store.add([
      madeOf('example.org/demo', 'execution', [...minutes, []], [text('host.arch', 'arm64')]),
    ])
    await store.add([
      madeOf(
        'example.org/demo',
        'stage',
        Array.from({ length: 1995 }, () => []),
        [text('host.arch', 'amd64')],
        20_778,
      ),
    ])
    const { body } = await ask(port)
    const page = seen(body)
    assert.match(page, /spans 2,000 batches 2 days with spans 2 /)
    assert.match(page, /20 – 21 November 2026/)
    assert.match(
      page,
      /execution\.duration.* 10 1 20\.0 % 60 2 40\.0 % 3,600 1 20\.0 % not given 1 20\.0 %/,
    )
    assert.match(page, /execution\.type.* pipeline 4 80\.0 % not given 1 20\.0 %/)
    assert.match(page, /host\.arch.* amd64 1 50\.0 % arm64 1 50\.0 %/)
    assert.match(body, /aria-label="Spans a day, .*Most: 1,995 on 21 November 2026\."/)
    assert.deepEqual(JSON.parse((await ask(port, '/counts.json')).body), {
      batches: 2,
      spans: { execution: 5, stage: 1995 },
    })
  })

  it('shows the twenty most frequent values and the sum of the others', async () => {
    const attributes = Array.from({ length: 60 }, (_, at) => [text('k', `value-${at % 25}`)])
    await store.add([madeOf('many', 's', attributes)])
    const page = seen((await ask(port, '/?project=many')).body)
    assert.equal(page.match(/value-\d/g)?.length, 20)
    assert.match(page, /5 more 10 16\.7 %/)
  })

  it('counts pseudonyms and does not list them', async () => {
    const attributes = Array.from({ length: 12 }, (_, at) => [
      text('installation.id', String(at % 6).repeat(32)),
    ])
    await store.add([madeOf('pseudonyms', 'usage.heartbeat', attributes)])
    const { body } = await ask(port, '/?project=pseudonyms')
    assert.match(seen(body), /6 different pseudonyms/)
    assert.match(body, /20 November 2026: 6 pseudonyms/)
    assert.doesNotMatch(body, /5{32}/)
  })

  it('escapes every name and value of a sender', async () => {
    const nasty = `"'><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\u202e\u0000`
    await store.add([
      madeOf(nasty, nasty, [[text(nasty, nasty)], [int(`${nasty}2`, 3)]], [text(nasty, nasty)]),
    ])
    const pages = [await ask(port), await ask(port, `/?project=${encodeURIComponent(nasty)}`)]
    for (const { status, body } of pages) {
      assert.equal(status, 200)
      assert.match(body, /&quot;&#39;&gt;&lt;script&gt;alert\(1\)/)
      assert.doesNotMatch(body, /<script|<img|onerror=alert\(1\)>/)
      assert.ok(!body.includes('\u202e') && !body.includes('\0'))
      // Without the tags that the page writes no character is left that could begin or end one.
      const tags = /<(?:!doctype html|\/?[a-z0-9]+(?: [\w-]+(?:="[^"<>]*")?)*\/?)>/g
      assert.doesNotMatch(body.replace(/<style>.*?<\/style>/s, '').replace(tags, ''), /[<>"']/)
      for (const [tag] of body.matchAll(tags)) assert.doesNotMatch(tag, / (?:on[a-z]+|style|src)="/)
    }
    assert.equal(
      (await ask(port, `/?project=${encodeURIComponent(nasty)}`)).body.match(/<h1>/g)?.length,
      1,
    )
  })

  it('lets nothing load or run: the policy names the hash of the one style sheet', async () => {
    const { headers, body } = await ask(port)
    const style = /<style>(.*?)<\/style>/s.exec(body)?.[1] ?? ''
    const hash = createHash('sha256').update(style).digest('base64')
    assert.equal(
      headers['content-security-policy'],
      `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    )
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['set-cookie'], undefined)
    assert.doesNotMatch(
      body,
      /<script|<link|<img|<iframe|\sstyle=|@import|url\(|(?:src|href)="(?:https?:|\/\/)/,
    )
  })

  it('refuses a Host that is not a loopback address, whatever the path', async () => {
    for (const host of [
      'evil.example',
      'evil.example:4320',
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      '10.0.0.1',
    ]) {
      for (const path of ['/', '/counts.json', '/metrics']) {
        const { status, body } = await ask(port, path, { host })
        assert.equal(status, 421, host)
        assert.doesNotMatch(body, /batches|usage_collector/)
      }
    }
    for (const host of ['localhost', 'LOCALHOST:8080', '127.0.0.1:9', '127.0.0.2', '[::1]:4320'])
      assert.equal((await ask(port, '/', { host })).status, 200)
  })

  it('refuses every method but GET', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD', 'PATCH']) {
      const { status, headers } = await ask(port, '/', { method })
      assert.equal(status, 405)
      assert.equal(headers.allow, 'GET')
    }
  })

  it('answers 404 for other paths and for an unknown project', async () => {
    assert.equal((await ask(port, '/other')).status, 404)
    assert.equal((await ask(port, '/?project=never')).status, 404)
  })
})

describe('what the page is made of', () => {
  it('never says 0 % for something or 100 % for less than all', () => {
    assert.deepEqual(
      [formatShare(1, 100_000), formatShare(99_999, 100_000), formatShare(5, 5), formatShare(1, 8)],
      ['<0.1 %', '>99.9 %', '100 %', '12.5 %'],
    )
  })

  it('draws days without spans as gaps, up to its limit of days', () => {
    const chart = (days: { day: string; count: number }[]): string =>
      dayChart({ days, unit: 'spans', title: 'T', height: 100, limit: 60 }).toString()
    const fortnight = chart([
      { day: '2026-11-01', count: 4 },
      { day: '2026-11-30', count: 1 },
    ])
    assert.equal(fortnight.match(/<title>/g)?.length, 30)
    assert.equal(fortnight.match(/class="column"/g)?.length, 2)
    const years = chart([
      { day: '1970-01-01', count: 1 },
      { day: '2026-11-30', count: 1 },
    ])
    assert.equal(years.match(/<title>/g)?.length, 60)
  })

  it('is served on loopback only', async () => {
    const options = {
      listen: { host: '127.0.0.1', port: 0 },
      folder: tmpdir(),
      counters: new Counters(),
      log,
    }
    await assert.rejects(
      createCollector({ ...options, pageListen: { host: '0.0.0.0', port: 0 } }).start(),
      ConfigError,
    )
  })
})
