// Sends spans with telemetrygen, the Collector's load generator. Every span that the sidecar
// acknowledged arrives.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { describe, type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { startCollector } from '../support/collector.ts'
import { until } from '../support/sidecar.ts'
import { policyText } from '../support/spans.ts'
import { cached, keyOf } from './cache.ts'
import { goBuild } from './go.ts'
import { startSidecar, temporaryFolder } from './processes.ts'

const MODULE = new URL('telemetrygen/', import.meta.url).pathname
const PACKAGE = 'github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen'
const built = cached(`telemetrygen-${keyOf({ folder: MODULE })}`, (folder) =>
  goBuild(MODULE, folder, [PACKAGE]),
)
/** A trace of it is one span of each name. */
const POLICY = policyText(
  ['lets-go', 'okey-dokey-0']
    .map(
      (name) =>
        `${name}:\n  ids: linked\n  attributes:\n    network.peer.address: {keep: [1.2.3.4], reason: A test.}`,
    )
    .join('\n'),
)

interface Load {
  /** Of telemetrygen. */
  args: readonly string[]
  traces: number
}

async function load(
  t: TestContext,
  protocol: 'http' | 'grpc',
  { args, traces }: Load,
): Promise<void> {
  const collector = await startCollector(t)
  const env = {
    USAGE_REPORTING: 'on',
    USAGE_ENDPOINT: collector.endpoint,
    USAGE_SEND_INTERVAL: '500ms',
    USAGE_POLICY: '',
    USAGE_POLICY_TEXT: POLICY,
  }
  const sidecar = await startSidecar(t, { folder: await temporaryFolder(t), env })
  const to =
    protocol === 'http'
      ? [`127.0.0.1:${sidecar.port}`, '--otlp-http']
      : [`127.0.0.1:${sidecar.grpcPort}`]
  const began = performance.now()
  // It exits with an error if an export fails.
  await promisify(execFile)(`${built}/telemetrygen`, [
    'traces',
    '--otlp-insecure',
    '--otlp-endpoint',
    ...to,
    ...args,
  ])
  const perSecond = Math.round((2 * traces * 1000) / (performance.now() - began))
  assert.equal(await sidecar.counter('spans.received'), 2 * traces)
  await until(
    'everything is sent',
    async () => (await sidecar.counter('sent.spans')) === 2 * traces,
  )
  const counts: Record<string, number> = {}
  for (const { span, attributes } of collector.spans()) {
    assert.deepEqual(attributes, { 'network.peer.address': '1.2.3.4' })
    counts[span.name] = (counts[span.name] ?? 0) + 1
  }
  assert.deepEqual(counts, { 'lets-go': traces, 'okey-dokey-0': traces })
  t.diagnostic(`${2 * traces} spans, ${perSecond} a second`)
}

describe('telemetrygen', () => {
  for (const protocol of ['http', 'grpc'] as const) {
    test(`four workers at a rate, 100 spans a request, over ${protocol}`, (t) =>
      load(t, protocol, {
        args: ['--workers', '4', '--rate', '1000', '--traces', '2500'],
        traces: 10_000,
      }))
    test(`as fast as they are answered, one span a request, over ${protocol}`, (t) =>
      load(t, protocol, {
        args: ['--workers', '4', '--rate', '0', '--batch=false', '--traces', '500'],
        traces: 2_000,
      }))
  }
})
