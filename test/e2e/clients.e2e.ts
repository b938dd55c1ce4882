// Runs the official exporters of four languages against the real sidecar. Their spans arrive as the
// policy says. If the sidecar dies, is down or refuses, the application keeps running.
import assert from 'node:assert/strict'
import { describe, type TestContext, test } from 'node:test'
import { type Collector, startCollector } from '../support/collector.ts'
import { post, until } from '../support/sidecar.ts'
import { attribute, request, span, text } from '../support/spans.ts'
import { type Client, clients, clientsOfEverything } from './client-programs.ts'
import { type ClientRun, type Ended, type Ports, startClient } from './client-run.ts'
import { arrived, wanted } from './client-spans.ts'
import { startSidecar, temporaryFolder } from './processes.ts'
import { startResetServer } from './reset-server.ts'
import { startTap } from './tap.ts'

/** All combinations of the values that the applications vary. */
const EXECUTIONS = 12
/** Every application sends it, and no policy names it. */
const SECRET = 'maria.lopez@acme.example'
/** A port without a listener. */
const NOBODY = 9
/** The settings of a pod that sends only some of its traces, to another place. */
const TRACING = {
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${NOBODY}`,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `http://127.0.0.1:${NOBODY}/v1/traces`,
  OTEL_EXPORTER_OTLP_HEADERS: 'authorization=acme',
  OTEL_TRACES_SAMPLER: 'always_off',
  OTEL_RESOURCE_ATTRIBUTES: 'team=acme',
}
/** The clients wait most of the time. */
const CONCURRENCY = 8

const wellEnded = ({ code, stdout, stderr }: Ended): void =>
  assert.deepEqual([code, stdout], [0, 'done\n'], stderr)

async function start(t: TestContext, endpoint: string, env: Record<string, string> = {}) {
  const settings = {
    USAGE_REPORTING: 'on',
    USAGE_ENDPOINT: endpoint,
    USAGE_SEND_INTERVAL: '100ms',
    ...env,
  }
  const sidecar = await startSidecar(t, { folder: await temporaryFolder(t), env: settings })
  return { ...sidecar, ports: { http: sidecar.port, grpc: sidecar.grpcPort } }
}

/**
 * Sends from the application to the collector. Returns the bytes that the application sent to the
 * sidecar.
 */
async function endToEnd(
  t: TestContext,
  client: Client,
  env: Record<string, string> = {},
): Promise<Buffer> {
  const collector = await startCollector(t)
  const { ports } = await start(t, collector.endpoint)
  const tap = await startTap(t, ports[client.protocol])
  const run = startClient(t, client, { http: tap.port, grpc: tap.port }, env)
  run.execute(EXECUTIONS)
  const ended = await run.end()
  wellEnded(ended)
  assert.equal(ended.stderr, '')
  await until('all spans arrived', () => arrived(collector).length >= wanted(EXECUTIONS).length)
  assert.deepEqual(arrived(collector), wanted(EXECUTIONS))
  return tap.received()
}

/** Starts a sidecar with a full queue: not even one more span fits. */
async function startRefusing(t: TestContext) {
  const sidecar = await start(t, `http://127.0.0.1:${NOBODY}`, {
    USAGE_QUEUE_MAX: '64KiB',
    USAGE_FIRST_SEND_DELAY: '24h',
  })
  const one = span({ more: [attribute('execution.status', text('succeeded'))] })
  for (const count of [100, 1]) {
    const body = request(...Array.from({ length: count }, () => one))
    await until('it refuses', async () => (await post(sidecar.port, body)).status === 503)
  }
  const before = await sidecar.counter('requests.refused.503')
  return {
    ...sidecar,
    refused: async () => (await sidecar.counter('requests.refused.503')) - before,
  }
}

const at = ({ http = 0, grpc = 0 }: Partial<Ports>): Record<string, string> => ({
  USAGE_HTTP_LISTEN: `127.0.0.1:${http}`,
  USAGE_GRPC_LISTEN: `127.0.0.1:${grpc}`,
})

/**
 * After an outage the client sends twice as many executions, so that they differ from the earlier
 * ones.
 */
async function laterArrive(run: ClientRun, collector: Collector): Promise<void> {
  run.execute(2 * EXECUTIONS)
  wellEnded(await run.end())
  await until(
    'what came after the outage arrived',
    () => arrived(collector).length >= wanted(2 * EXECUTIONS).length,
  )
  // Some exporters retry the spans of the outage, others drop them.
  const spans = arrived(collector)
  assert.deepEqual(
    spans,
    wanted(spans.length === wanted(2 * EXECUTIONS).length ? 2 * EXECUTIONS : 3 * EXECUTIONS),
  )
}

describe('clients', { concurrency: CONCURRENCY }, () => {
  for (const client of clients()) {
    test(`${client.name}: what it sends arrives as the policy says`, async (t) => {
      const received = await endToEnd(t, client)
      assert.ok(received.includes(SECRET), 'what the policy does not name was sent')
    })

    test(`${client.name}: the variables of the tracing that the application has do not matter`, async (t) => {
      await endToEnd(t, client, TRACING)
    })

    // The Java builders read no environment variables.
    if (!client.name.startsWith('Java '))
      test(`${client.name}: what it sends compressed arrives as well`, async (t) => {
        const received = await endToEnd(t, client, { OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' })
        assert.ok(!received.includes(SECRET), 'the request was compressed')
      })

    test(`${client.name}: a sidecar that dies and comes back is not noticed, and gets what comes then`, async (t) => {
      const resetServer = await startResetServer(t, client.protocol)
      const run = startClient(t, client, { http: resetServer.port, grpc: resetServer.port })
      run.execute(EXECUTIONS)
      await resetServer.hasReset
      await resetServer.stop()
      const collector = await startCollector(t)
      await start(t, collector.endpoint, at({ [client.protocol]: resetServer.port }))
      await laterArrive(run, collector)
    })

    test(`${client.name}: it ends well while there is no sidecar`, async (t) => {
      const run = startClient(t, client, { http: NOBODY, grpc: NOBODY })
      run.execute(EXECUTIONS)
      const ended = await run.end()
      wellEnded(ended)
      t.diagnostic(`${client.name}: ended ${ended.ms} ms after its last span`)
    })

    test(`${client.name}: it ends well while the sidecar refuses everything`, async (t) => {
      const { ports, refused } = await startRefusing(t)
      const run = startClient(t, client, ports)
      run.execute(EXECUTIONS)
      const ended = await run.end()
      wellEnded(ended)
      assert.ok((await refused()) > 0, 'it was refused')
      t.diagnostic(`${client.name}: ended ${ended.ms} ms after its last span`)
    })

    test(`${client.name}: a sidecar that refuses for a while is not noticed, and gets what comes then`, async (t) => {
      const refusing = await startRefusing(t)
      const run = startClient(t, client, refusing.ports)
      run.execute(EXECUTIONS)
      await until('it was refused', async () => (await refusing.refused()) > 0)
      refusing.child.kill('SIGKILL')
      await refusing.stop()
      const collector = await startCollector(t)
      await start(t, collector.endpoint, at(refusing.ports))
      await laterArrive(run, collector)
    })
  }

  for (const client of clientsOfEverything())
    test(`${client.name}: an application that exports everything is quiet, and its spans alone arrive`, async (t) => {
      const collector = await startCollector(t)
      const { ports, counter } = await start(t, collector.endpoint)
      const run = startClient(t, client, ports, {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${ports[client.protocol]}`,
        OTEL_EXPORTER_OTLP_PROTOCOL: client.otlpProtocol,
        OTEL_TRACES_EXPORTER: 'otlp',
        OTEL_METRICS_EXPORTER: 'otlp',
        OTEL_LOGS_EXPORTER: 'otlp',
        OTEL_METRIC_EXPORT_INTERVAL: '2000',
        OTEL_LOG_LEVEL: 'warn',
      })
      run.execute(EXECUTIONS)
      await until(
        'metrics came several times',
        async () => (await counter('requests.discarded')) >= 4,
      )
      const ended = await run.end()
      wellEnded(ended)
      assert.equal(ended.stderr, '')
      await until('all spans arrived', () => arrived(collector).length >= wanted(EXECUTIONS).length)
      assert.deepEqual(arrived(collector), wanted(EXECUTIONS))
    })
})
