// The receiver and store of the usage collector. It counts each accepted batch once and keeps it.
// It refuses with a reason what does not fit, and stores nothing about the sender.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { createCollector } from '../../src/cli/collect.ts'
import { DAY_MS } from '../../src/collect/batches.ts'
import type { Collector } from '../../src/collect/collector.ts'
import { openStore, type Store } from '../../src/collect/store.ts'
import { Cursor, LEN, tag, VARINT } from '../../src/otlp/wire.ts'
import { Counters } from '../../src/support/counters.ts'
import { ConfigError } from '../../src/support/errors.ts'
import { createLog } from '../../src/support/log.ts'
import { parseMetrics } from '../support/prometheus.ts'
import {
  batch,
  hexId,
  resourceSpans,
  spansWithIds,
  type TestSpan,
  type Value,
} from './collect-requests.ts'

const folders: string[] = []
const log = createLog('error', () => undefined)
const free = { host: '127.0.0.1', port: 0 }

async function newFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'usage-collect-'))
  folders.push(folder)
  return folder
}
after(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))))

async function post(
  port: number,
  body: Uint8Array,
  headers: Record<string, string> = {},
): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/traces`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-protobuf', ...headers },
    body: new Uint8Array(body),
  })
  return {
    status: response.status,
    text: Buffer.from(await response.arrayBuffer()).toString('latin1'),
  }
}

/**
 * ExportTraceServiceResponse.partial_success = 1, in it rejected_spans = 1; the counts here fit in
 * one byte.
 */
function rejectedIn(answer: string): number {
  const cursor = new Cursor(Buffer.from(answer, 'latin1'))
  assert.equal(cursor.tag(), tag(1, LEN))
  cursor.length()
  assert.equal(cursor.tag(), tag(1, VARINT))
  return cursor.varint32()
}

/** Runs `test` with a collector that is stopped afterwards; `counts` asks its page. */
async function withCollect(
  test: (at: {
    port: number
    page: number
    folder: string
    collect: Collector
    counts: () => Promise<unknown>
  }) => Promise<void>,
  folder?: string,
): Promise<void> {
  const data = folder ?? (await newFolder())
  const collect = createCollector({
    listen: free,
    pageListen: free,
    folder: data,
    counters: new Counters(),
    log,
  })
  const { otlp, page } = await collect.start()
  const counts = async (): Promise<unknown> =>
    (await fetch(`http://127.0.0.1:${page.port}/counts.json`)).json()
  try {
    await test({ port: otlp.port, page: page.port, folder: data, collect, counts })
  } finally {
    await collect.stop()
  }
}

async function withStore<T>(folder: string, look: (store: Store) => Promise<T>): Promise<T> {
  const store = await openStore(folder, log)
  try {
    return await look(store)
  } finally {
    await store.close()
  }
}

describe('metrics', () => {
  it('serves /metrics on the page’s address, and never on the public one', () =>
    withCollect(async ({ port, page }) => {
      await post(port, batch(spansWithIds(3)))
      const response = await fetch(`http://127.0.0.1:${page}/metrics`)
      const families = parseMetrics(await response.text())
      assert.equal(families.get('usage_collector_spans_stored_total')?.samples[0]?.value, 3)
      assert.equal(families.get('usage_collector_requests_accepted_total')?.samples[0]?.value, 1)
      const outside = await fetch(`http://127.0.0.1:${port}/metrics`)
      assert.equal(outside.status, 404)
      assert.doesNotMatch(await outside.text(), /usage_collector/)
    }))
})

describe('counting once', () => {
  it('counts a body that is sent twice once', () =>
    withCollect(async ({ port, counts }) => {
      const body = Buffer.concat([
        batch(spansWithIds(3)),
        batch(spansWithIds(2, { name: 'stage' })),
      ])
      for (let sent = 0; sent < 3; sent++) assert.equal((await post(port, body)).status, 200)
      assert.deepEqual(await counts(), { batches: 2, spans: { execution: 3, stage: 2 } })
    }))

  it('counts a batch that is sent again in another body once, and the rest of that body', () =>
    withCollect(async ({ port, counts }) => {
      const [a, b, c] = [batch(spansWithIds(3)), batch(spansWithIds(4)), batch(spansWithIds(5))]
      await post(port, Buffer.concat([a, b]))
      await post(port, Buffer.concat([b, c]))
      assert.deepEqual(await counts(), { batches: 3, spans: { execution: 12 } })
    }))

  it('counts the new spans of a known batch id, and not the ones it has', () =>
    withCollect(async ({ port, counts }) => {
      const spans = spansWithIds(5)
      const id = { 'usage.batch.id': hexId(16) }
      await post(port, batch(spans.slice(0, 3), id))
      await post(port, batch(spans.slice(1), id))
      await post(port, batch([...spans, ...spans], id))
      assert.deepEqual(await counts(), { batches: 1, spans: { execution: 5 } })
    }))

  it('counts the same span ids in two batches twice, because they were accepted twice', () =>
    withCollect(async ({ port, counts }) => {
      const spans = spansWithIds(2)
      await post(port, Buffer.concat([batch(spans), batch(spans)]))
      assert.deepEqual(await counts(), { batches: 2, spans: { execution: 4 } })
    }))

  it('counts equal bodies that arrive at the same moment once', () =>
    withCollect(async ({ port, counts }) => {
      const bodies = Array.from({ length: 8 }, () =>
        batch(spansWithIds(10, { attributes: { k: 'v' } })),
      )
      const answers = await Promise.all(
        Array.from({ length: 64 }, (_, at) => post(port, bodies[at % bodies.length]!)),
      )
      assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
      assert.deepEqual(await counts(), { batches: 8, spans: { execution: 80 } })
    }))

  it('stores each attribute of a repeated span once', async () => {
    const folder = await newFolder()
    const body = batch(
      spansWithIds(2, { attributes: { 'execution.type': 'pipeline', n: 3, b: true } }),
      { 'k8s.nodes': 10 },
    )
    await withCollect(async ({ port }) => {
      await Promise.all([post(port, body), post(port, body)])
      await post(port, body)
    }, folder)
    await withStore(folder, async (store) => {
      const attributes = await store.read(
        'SELECT key, type, value, count(*)::INTEGER AS n FROM span_attributes GROUP BY ALL ORDER BY key',
      )
      assert.deepEqual(attributes, [
        { key: 'b', type: 'bool', value: 'true', n: 2 },
        { key: 'execution.type', type: 'string', value: 'pipeline', n: 2 },
        { key: 'n', type: 'int', value: '3', n: 2 },
      ])
      assert.deepEqual(await store.read('SELECT key, type, value FROM batch_attributes'), [
        { key: 'k8s.nodes', type: 'int', value: '10' },
      ])
    })
  })
})

describe('lasting', () => {
  it('still counts a batch once after a restart', async () => {
    const folder = await newFolder()
    const body = batch(spansWithIds(4))
    await withCollect(async ({ port }) => void (await post(port, body)), folder)
    await withCollect(async ({ port, counts }) => {
      assert.deepEqual(await counts(), { batches: 1, spans: { execution: 4 } })
      await post(port, Buffer.concat([body, batch(spansWithIds(1))]))
      assert.deepEqual(await counts(), { batches: 2, spans: { execution: 5 } })
    }, folder)
  })

  it('keeps every acknowledged batch when its process is killed', async () => {
    const folder = await newFolder()
    const child = spawn(process.execPath, [join(import.meta.dirname, 'collect-child.ts'), folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const { otlp } = JSON.parse(line.toString()) as { otlp: { port: number } }
    const bodies = Array.from({ length: 20 }, () =>
      batch(spansWithIds(7, { attributes: { a: 'x' } })),
    )
    const answers = await Promise.all(bodies.map((body) => post(otlp.port, body)))
    assert.ok(answers.every(({ status }) => status === 200))
    child.kill('SIGKILL')
    await once(child, 'exit')
    await withCollect(async ({ port, counts }) => {
      assert.deepEqual(await counts(), { batches: 20, spans: { execution: 140 } })
      await post(port, Buffer.concat(bodies))
      assert.deepEqual(await counts(), { batches: 20, spans: { execution: 140 } })
    }, folder)
    await withStore(folder, async (store) => {
      assert.deepEqual(await store.read('SELECT count(*)::INTEGER AS n FROM span_attributes'), [
        { n: 140 },
      ])
    })
  })

  it('says what to do if another process has the store open', async () => {
    const folder = await newFolder()
    const child = spawn(process.execPath, [join(import.meta.dirname, 'collect-child.ts'), folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    await assert.rejects(
      openStore(folder, log),
      (error) => error instanceof ConfigError && /end the other process/.test(error.message),
    )
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
})

describe('refusing', () => {
  const refused: [string, Buffer, number, RegExp][] = [
    [
      'a batch without usage.batch.id',
      resourceSpans({ 'usage.project': 'p' }, spansWithIds(2)),
      2,
      /no usage\.batch\.id/,
    ],
    [
      'a batch id that is not 32 hex digits',
      batch(spansWithIds(1), { 'usage.batch.id': 'x' }),
      1,
      /no usage\.batch\.id/,
    ],
    [
      'a batch without usage.project',
      resourceSpans({ 'usage.batch.id': hexId(16) }, spansWithIds(3)),
      3,
      /no usage\.project/,
    ],
    [
      'a text longer than 256 bytes',
      batch([{ attributes: { k: 'é'.repeat(129) } }]),
      1,
      /256 bytes/,
    ],
    [
      'more than 64 attributes',
      batch([
        { attributes: Array.from({ length: 65 }, (_, at): [string, Value] => [`k${at}`, at]) },
      ]),
      1,
      /64 attr/,
    ],
    [
      'a repeated attribute',
      batch([
        {
          attributes: [
            ['k', 'a'],
            ['k', 'b'],
          ],
        },
      ]),
      1,
      /a repeated attribute/,
    ],
    [
      'a list as a value',
      batch([{ attributes: { k: ['a'] } }]),
      1,
      /neither text, number nor boolean/,
    ],
    ['a name longer than 256 bytes', batch([{ name: 'n'.repeat(257) }]), 1, /a name/],
    ['a span id of 4 bytes', batch([{ spanId: 'abcdef01' }]), 1, /span id/],
    ['a span id of zeros', batch([{ spanId: '0'.repeat(16) }]), 1, /span id/],
    ['a day that is not yet', batch([{ at: Date.now() + 3 * DAY_MS }]), 1, /future/],
    ['a long fact', batch(spansWithIds(2), { fact: 'f'.repeat(257) }), 2, /resource/],
  ]
  for (const [what, body, count, sentence] of refused) {
    it(`refuses ${what} with a sentence, and stores the rest of the body`, () =>
      withCollect(async ({ port, counts }) => {
        const { status, text } = await post(
          port,
          Buffer.concat([body, batch(spansWithIds(1, { name: 'good' }))]),
        )
        assert.equal(status, 200)
        assert.match(text, sentence)
        assert.equal(rejectedIn(text), count)
        assert.deepEqual(await counts(), { batches: 1, spans: { good: 1 } })
      }))
  }

  it('refuses the batch id of another project, so that counts cannot be moved', () =>
    withCollect(async ({ port, counts }) => {
      const id = { 'usage.batch.id': hexId(16) }
      await post(port, batch(spansWithIds(1), id))
      await post(port, batch(spansWithIds(1), { ...id, 'usage.project': 'other' }))
      assert.deepEqual(await counts(), { batches: 1, spans: { execution: 1 } })
    }))

  it('refuses bytes that are not a request with 400', () =>
    withCollect(async ({ port }) =>
      assert.equal((await post(port, Buffer.from([10, 200, 1]))).status, 400),
    ))

  it('accepts a text of 256 bytes, 64 attributes and an empty text', () =>
    withCollect(async ({ port, counts }) => {
      const attributes = Array.from({ length: 64 }, (_, at): [string, Value] => [
        `k${at}`,
        at === 0 ? '' : 'x'.repeat(256),
      ])
      assert.equal((await post(port, batch([{ attributes }]))).text, '')
      assert.deepEqual(await counts(), { batches: 1, spans: { execution: 1 } })
    }))
})

describe('keeping nothing of the sender', () => {
  it('stores no address, port, header or time of day in any column', async () => {
    const folder = await newFolder()
    const noon = Date.UTC(2026, 10, 20, 12, 34, 56, 789)
    const span: TestSpan = { at: noon, attributes: { 'execution.type': 'pipeline' } }
    await withCollect(async ({ port }) => {
      await post(port, batch(spansWithIds(3, span)), {
        'user-agent': 'telltale/1.0',
        'x-forwarded-for': '203.0.113.7',
      })
    }, folder)
    await withStore(folder, async (store) => {
      const columns = await store.read(
        "SELECT table_name AS t, column_name AS c, data_type AS type FROM information_schema.columns WHERE table_schema = 'main'",
      )
      const types = new Set(columns.map(({ type }) => type))
      assert.deepEqual(types, new Set(['BIGINT', 'DATE', 'INTEGER', 'VARCHAR']))
      const cells: string[] = []
      for (const { t, c } of columns) {
        for (const { v } of await store.read(
          `SELECT "${String(c)}"::VARCHAR AS v FROM "${String(t)}"`,
        ))
          cells.push(String(v))
      }
      assert.ok(cells.length > 30)
      for (const cell of cells)
        assert.doesNotMatch(cell, /127\.0\.0\.1|203\.0\.113|telltale|\d\d:\d\d|::1|^\d{10,}$/)
      const today = new Date().toISOString().slice(0, 10)
      const [stored] = await store.read('SELECT received::VARCHAR AS received FROM batches')
      assert.equal(String(stored?.received).length, today.length)
      assert.ok(String(stored?.received) <= today)
      assert.deepEqual(await store.read('SELECT DISTINCT day::VARCHAR AS day FROM spans'), [
        { day: '2026-11-20' },
      ])
    })
  })
})
