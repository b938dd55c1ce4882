// Sends spans through a team's own OpenTelemetry Collector to the sidecar, over HTTP and gRPC. The
// sidecar applies the policy and writes them to disk. No span is lost or counted twice when that
// Collector is killed.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { bodies } from '../bench/load.ts'
import { type Left, spansIn, spansWaiting } from '../support/collector.ts'
import { post } from '../support/sidecar.ts'
import { recipeFile, startOtelCollector } from './collector-process.ts'
import { startSidecar, temporaryFolder } from './processes.ts'

const REQUESTS = 90
const SPANS = 20
const KILL_AFTER = 30
const CONNECTIONS = 4
const ARRIVAL_MS = 60_000

const idOf = ({ span }: Left): string => `${span.traceId} ${span.spanId}`

for (const [protocol, files] of [
  ['HTTP', ['front.yaml']],
  ['gRPC', ['front.yaml', 'front-grpc.yaml']],
] as const)
  test(`what a Collector hands on over ${protocol} is policed and whole, though it is killed in the middle`, async (t) => {
    const folder = await temporaryFolder(t)
    const sidecar = await startSidecar(t, { folder, env: { USAGE_REPORTING: 'local' } })
    const collector = await startOtelCollector(t, files.map(recipeFile), (port) => ({
      TEST_PORT: String(port),
      TEST_QUEUE: join(folder, 'collector'),
      TEST_SIDECAR_PORT: String(sidecar.port),
      TEST_SIDECAR_GRPC_PORT: String(sidecar.grpcPort),
    }))
    const requests = bodies(REQUESTS, SPANS)
    const came = requests.flatMap((body) => spansIn(body))
    let next = 0
    let killing: Promise<void> | undefined
    // An application that repeats every request without a 200.
    const send = async (): Promise<void> => {
      for (let body = requests[next++]; body !== undefined; body = requests[next++]) {
        if (next === KILL_AFTER) killing = collector.kill().then(() => collector.start())
        for (const deadline = Date.now() + ARRIVAL_MS; ; await wait(20)) {
          const answer = await post(collector.port, body).catch(() => undefined)
          if (answer?.status === 200) break
          assert.ok(Date.now() < deadline, 'the Collector takes nothing in any more')
        }
      }
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, send))
    assert.ok(killing !== undefined)
    await killing

    // Ids are linked: the same span always gets the same id, and different spans get different ids.
    let waiting: Left[] = []
    for (const deadline = Date.now() + ARRIVAL_MS; ; await wait(100)) {
      waiting = (await spansWaiting(join(folder, 'sidecar'))).filter(
        ({ span }) => span.name !== 'usage.heartbeat',
      )
      if (new Set(waiting.map(idOf)).size >= came.length) break
      assert.ok(
        Date.now() < deadline,
        `${new Set(waiting.map(idOf)).size} of ${came.length} spans came`,
      )
    }
    assert.equal(new Set(waiting.map(idOf)).size, came.length)
    const incoming = new Set(came.map(idOf))
    const names = new Set(waiting.flatMap(({ attributes }) => Object.keys(attributes)))
    assert.deepEqual([...names].sort(), [
      'application.id',
      'execution.duration',
      'execution.status',
      'execution.type',
      'stage.provider',
      'stage.type',
    ])
    assert.ok(!waiting.some((left) => incoming.has(idOf(left))), 'an incoming id came through')
    t.diagnostic(
      `${came.length} spans, ${waiting.length - came.length} of them handed on twice by the killed Collector`,
    )
  })
