// /metrics of a running sidecar: what it says, who may read it, and that nothing of a request is in
// it.
import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { test } from 'node:test'
import { parseMetrics } from '../support/prometheus.ts'
import { execution, placeOf, post, startHere, until } from '../support/sidecar.ts'
import { attribute, request, span, text } from '../support/spans.ts'

function ask(
  port: number,
  { path = '/metrics', host = `127.0.0.1:${port}` } = {},
): Promise<{ status: number; type: string; body: string }> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest({ host: '127.0.0.1', port, path, headers: { host } }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () =>
        resolve({
          status: response.statusCode!,
          type: String(response.headers['content-type']),
          body,
        }),
      )
    })
    asked.on('error', reject)
    asked.end()
  })
}

test('the page’s address serves /metrics: counters, queue, mode and policy', async (t) => {
  const sidecar = await startHere(t, await placeOf(t, { USAGE_REPORTING: 'local' }))
  await post(sidecar.port(), execution())
  const { status, type, body } = await ask(sidecar.pagePort())
  assert.deepEqual([status, type], [200, 'text/plain; version=0.0.4; charset=utf-8'])
  const families = parseMetrics(body)
  const samples = (name: string) => families.get(`usage_sidecar_${name}`)!.samples
  assert.equal(samples('spans_kept_total')[0]?.value, 1)
  assert.deepEqual(
    samples('reporting_mode').map(({ labels, value }) => [labels.mode, value]),
    [
      ['off', 0],
      ['local', 1],
      ['on', 0],
    ],
  )
  assert.match(samples('policy_info')[0]!.labels.digest!, /^[0-9a-f]{64}$/)
  assert.ok(samples('policy_expiry_timestamp_seconds')[0]!.value > Date.now() / 1_000)
  assert.ok(samples('queue_bytes')[0]!.value > 0)
  assert.ok(samples('queue_files')[0]!.value >= 1)
  const [age] = samples('queue_oldest_age_seconds')
  assert.ok(age!.value >= 0 && age!.value < 60)
  assert.deepEqual(samples('last_success_timestamp_seconds'), [])
  assert.ok(Math.abs(samples('start_timestamp_seconds')[0]!.value - Date.now() / 1_000) < 60)
})

test('without a policy it says mode off and names none', async (t) => {
  const sidecar = await startHere(t, await placeOf(t, { USAGE_REPORTING: 'off' }))
  const families = parseMetrics((await ask(sidecar.pagePort())).body)
  const mode = families.get('usage_sidecar_reporting_mode')!.samples
  assert.equal(mode.find(({ labels }) => labels.mode === 'off')?.value, 1)
  assert.deepEqual(families.get('usage_sidecar_policy_info')?.samples, [])
  assert.equal(families.get('usage_sidecar_queue_oldest_age_seconds')?.samples[0]?.value, 0)
})

test('nothing of a request is in /metrics', async (t) => {
  const sidecar = await startHere(t, await placeOf(t, { USAGE_REPORTING: 'local' }))
  const canary = 'CANARYv7'
  const hostile = span({
    name: 'execution',
    more: [
      attribute('execution.type', text(canary)),
      attribute('execution.status', text(canary)),
      attribute(canary, text(canary)),
    ],
  })
  await post(sidecar.port(), request(span({ name: canary }), hostile))
  await until('it is counted', () => sidecar.counters.get('spans.unlisted') === 1)
  await ask(sidecar.pagePort(), { path: `/${canary}` })
  const { body } = await ask(sidecar.pagePort())
  assert.ok(body.includes('usage_sidecar_values_other_total{span="execution"'), body)
  assert.doesNotMatch(body, /CANARY/i)
})

test('a Host that is not loopback gets 421 on the page’s address', async (t) => {
  const sidecar = await startHere(t, await placeOf(t, { USAGE_REPORTING: 'local' }))
  assert.equal((await ask(sidecar.pagePort(), { host: 'rebound.example.org' })).status, 421)
  assert.equal((await ask(sidecar.pagePort(), { host: '10.1.2.3:4320' })).status, 421)
  assert.equal((await ask(sidecar.port())).status, 404, 'the receiver does not serve metrics')
  assert.equal(sidecar.metricsPort(), 0)
})

test('USAGE_METRICS_LISTEN serves /metrics on an address of its own, and nothing else', async (t) => {
  const sidecar = await startHere(
    t,
    await placeOf(t, { USAGE_REPORTING: 'local', USAGE_METRICS_LISTEN: ':0' }),
  )
  const { status, body } = await ask(sidecar.metricsPort(), { host: '10.1.2.3:9464' })
  assert.equal(status, 200)
  assert.ok(parseMetrics(body).size > 20)
  for (const path of ['/', '/status.json', '/livez'])
    assert.equal((await ask(sidecar.metricsPort(), { path })).status, 404, path)
  assert.equal((await ask(sidecar.metricsPort(), { host: 'rebound.example.org' })).status, 421)
})

test('on loopback, USAGE_METRICS_LISTEN accepts loopback names only', async (t) => {
  const sidecar = await startHere(
    t,
    await placeOf(t, { USAGE_REPORTING: 'local', USAGE_METRICS_LISTEN: '127.0.0.1:0' }),
  )
  assert.equal((await ask(sidecar.metricsPort())).status, 200)
  assert.equal((await ask(sidecar.metricsPort(), { host: 'name-without-a-dot' })).status, 421)
})
