// Applications that export all signals: their metrics and logs are answered 200 and not kept, also
// with the official exporters.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { filesIn, placeOf, startHere } from '../support/sidecar.ts'

const PROGRAM = new URL('../fixtures/export-every-signal.ts', import.meta.url).pathname

async function run(env: Record<string, string>): Promise<string> {
  const child = spawn(process.execPath, [PROGRAM], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  await new Promise((resolve) => child.once('close', resolve))
  return output
}

for (const protocol of ['http/protobuf', 'http/json', 'grpc']) {
  test(`an SDK that exports spans, metrics and logs over ${protocol} has nothing to complain of`, async (t) => {
    const place = await placeOf(t, { USAGE_REPORTING: 'local' })
    const sidecar = await startHere(t, place)
    const port = protocol === 'grpc' ? sidecar.grpcPort() : sidecar.port()
    const output = await run({
      OTEL_TRACES_EXPORTER: 'otlp',
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_LOGS_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_PROTOCOL: protocol,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    })
    assert.equal(output, 'done\n')
    const { counters } = sidecar
    assert.deepEqual(
      [counters.get('requests.accepted'), counters.get('requests.discarded')],
      [1, 2],
    )
    for (const [name, bytes] of await filesIn(place.dataFolder))
      assert.doesNotMatch(bytes.toString('latin1'), /CANARY|secret/, name)
    assert.doesNotMatch(JSON.stringify(sidecar.lines()), /CANARY|secret/)
  })
}
