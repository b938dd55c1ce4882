// Sends reports from the sidecar to an OpenTelemetry Collector with the top-level
// otel-collector-config.yaml. The Collector is killed and some answers are lost. No batch is
// missing, and duplicates have the same usage.batch.id.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { bodies } from '../bench/load.ts'
import { post } from '../support/sidecar.ts'
import { collectorBinary } from './collector.ts'
import {
  configFlags,
  recipeFile,
  startOtelCollector,
  TOP_LEVEL_CONFIG,
} from './collector-process.ts'
import { atEnd, startSidecar, temporaryFolder } from './processes.ts'

const REQUESTS = 120
const SPANS = 20
const KILL_AFTER = 60
const ARRIVAL_MS = 60_000
/** One in this many answers is lost after the Collector accepted the report. */
const LOSE_EVERY = 4

const validate = (...files: string[]) =>
  spawnSync(collectorBinary('usage'), ['validate', ...configFlags(files)], {
    encoding: 'utf8',
    env: { TEST_REPORTS_FILE: '/tmp/reports.jsonl' },
  })

test('the top-level configuration is valid, with the database and with the file that stands for it here', async (t) => {
  for (const files of [[TOP_LEVEL_CONFIG], [TOP_LEVEL_CONFIG, recipeFile('file.yaml')]]) {
    const { status, stderr } = validate(...files)
    assert.equal(status, 0, stderr)
  }
  // Shows that the check can fail.
  const wrong = join(await temporaryFolder(t), 'wrong.yaml')
  writeFileSync(
    wrong,
    readFileSync(TOP_LEVEL_CONFIG, 'utf8').replace('traces_table_name', 'traces_tabel_name'),
  )
  assert.notEqual(validate(wrong).status, 0)
})

test('what it answered 200 is in its queue on disk, while the database is away and after a kill', async (t) => {
  const folder = await temporaryFolder(t)
  const queue = join(folder, 'queue')
  const collector = await startOtelCollector(t, [TOP_LEVEL_CONFIG], (port) => ({
    USAGE_COLLECTOR_LISTEN: `127.0.0.1:${port}`,
    USAGE_COLLECTOR_QUEUE: queue,
    USAGE_CLICKHOUSE_ENDPOINT: 'tcp://127.0.0.1:9',
    USAGE_CLICKHOUSE_CREATE_SCHEMA: 'false',
  }))
  const marks = Array.from({ length: 20 }, (_, i) => `mark-${i}-of-twenty`)
  for (const mark of marks)
    assert.equal(
      (await post(collector.port, bodyWith(mark), { 'content-type': 'application/json' })).status,
      200,
    )
  await collector.kill()
  const stored = await readFile(join(queue, 'exporter_clickhouse__traces'), 'latin1')
  assert.deepEqual(
    marks.filter((mark) => !stored.includes(mark)),
    [],
  )
})

/** A request with one span of this name, like a report. */
const bodyWith = (name: string): string =>
  JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ name }] }] }] })

interface Kept {
  batchId: string
  spans: unknown[]
}

/**
 * Reads the batches from a file of the file exporter. A record that a kill cut off was never
 * answered 200. `torn` counts these.
 */
async function batchesIn(file: string): Promise<{ batches: Kept[]; torn: number }> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const batches: Kept[] = []
  let torn = 0
  for (const piece of text.split(/(?=\{"resourceSpans")/).filter((one) => one.trim() !== '')) {
    try {
      const { resourceSpans } = JSON.parse(piece) as {
        resourceSpans: {
          resource: { attributes: { key: string; value: { stringValue: string } }[] }
          scopeSpans: { spans: unknown[] }[]
        }[]
      }
      for (const { resource, scopeSpans } of resourceSpans) {
        const id = resource.attributes.find(({ key }) => key === 'usage.batch.id')
        assert.ok(id !== undefined, 'a batch without an id')
        batches.push({
          batchId: id.value.stringValue,
          spans: scopeSpans.flatMap(({ spans }) => spans),
        })
      }
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
      torn++
    }
  }
  return { batches, torn }
}

/** A proxy to the Collector. It loses some answers after the Collector accepted the report. */
async function startLossyWay(
  t: TestContext,
  to: number,
): Promise<{ port: number; lost: () => number }> {
  let count = 0
  let lost = 0
  const server = createServer((incoming, response) => {
    const outgoing = httpRequest({
      host: '127.0.0.1',
      port: to,
      path: incoming.url,
      method: incoming.method,
      headers: incoming.headers,
    })
    outgoing.on('error', () => incoming.socket.destroy())
    outgoing.on('response', (answer) => {
      if (answer.statusCode === 200 && ++count % LOSE_EVERY === 0) {
        lost++
        incoming.socket.destroy()
        return
      }
      response.writeHead(answer.statusCode!, answer.headers)
      answer.pipe(response)
    })
    incoming.pipe(outgoing)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(t, () => {
    server.closeAllConnections()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, lost: () => lost }
}

test('every batch of the sidecar arrives at the Collector, though it is killed in the middle and answers are lost', async (t) => {
  const folder = await temporaryFolder(t)
  let life = 0
  const reports = (of: number): string => join(folder, `reports-${of}.jsonl`)
  const collector = await startOtelCollector(
    t,
    [TOP_LEVEL_CONFIG, recipeFile('file.yaml')],
    (port) => ({
      USAGE_COLLECTOR_LISTEN: `127.0.0.1:${port}`,
      USAGE_COLLECTOR_QUEUE: join(folder, 'queue'),
      TEST_REPORTS_FILE: reports(life),
    }),
  )
  const way = await startLossyWay(t, collector.port)
  const sidecar = await startSidecar(t, {
    folder,
    env: {
      USAGE_REPORTING: 'on',
      USAGE_ENDPOINT: `http://127.0.0.1:${way.port}`,
      USAGE_SEND_INTERVAL: '100ms',
    },
  })
  for (const [i, body] of bodies(REQUESTS, SPANS).entries()) {
    assert.equal((await post(sidecar.port, body)).status, 200)
    if (i === KILL_AFTER) await collector.kill()
    // The Collector is down for a while, and the sidecar keeps accepting spans.
    if (i === KILL_AFTER + 20) {
      life++
      await collector.start()
    }
    await wait(20)
  }
  let all: Kept[] = []
  let distinct = new Map<string, Kept>()
  for (const deadline = Date.now() + ARRIVAL_MS; ; await wait(200)) {
    const files = [await batchesIn(reports(0)), await batchesIn(reports(1))]
    all = files
      .flatMap(({ batches }) => batches)
      .filter(({ spans }) => !JSON.stringify(spans).includes('usage.heartbeat'))
    distinct = new Map(all.map((batch) => [batch.batchId, batch]))
    if (distinct.size >= REQUESTS) {
      assert.ok(
        files[0]!.torn <= 1 && files[1]!.torn === 0,
        'more is torn than the one report of the kill',
      )
      break
    }
    assert.ok(Date.now() < deadline, `${distinct.size} of ${REQUESTS} batches arrived`)
  }
  assert.equal(distinct.size, REQUESTS)
  for (const { spans } of distinct.values()) assert.equal(spans.length, SPANS)
  for (const { batchId, spans } of all)
    assert.deepEqual(spans, distinct.get(batchId)!.spans, 'two batches with one id')
  assert.ok(
    way.lost() > 0 && all.length > distinct.size,
    'no answer was lost, so nothing came twice',
  )
  t.diagnostic(
    `${distinct.size} batches, ${all.length - distinct.size} came twice, ${way.lost()} answers were lost`,
  )
})
