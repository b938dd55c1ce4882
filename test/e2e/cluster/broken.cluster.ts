// Whatever is broken of what the sidecar is given: the pod runs, its application's exports succeed,
// and nothing is reported.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { until } from '../../support/sidecar.ts'
import { apply, kubectl } from './cluster.ts'
import { configMap, createWorld, deployment, inSidecar, POLICY, podsOf, template } from './world.ts'

interface Case {
  namespace: string
  /** The ConfigMap's data; without it there is none. */
  data?: Record<string, string>
  settings?: Record<string, string>
  says: RegExp
}

const CASES: Record<string, Case> = {
  'a policy that is none': {
    namespace: 'bad-policy',
    data: { 'policy.yaml': 'spans: everything' },
    says: /Nothing is kept or sent, because of the policy/,
  },
  'a setting that is none': {
    namespace: 'bad-setting',
    data: { 'policy.yaml': POLICY },
    settings: { USAGE_SEND_INTERVAL: 'soon', USAGE_QUEUE_MAX: 'much' },
    says: /\boff\b/,
  },
  'no ConfigMap': {
    namespace: 'no-configmap',
    says: /Nothing is kept or sent, because of the policy/,
  },
  // TEST-NET-1: there is no way to it.
  'a collector that cannot be reached': {
    namespace: 'no-collector',
    data: { 'policy.yaml': POLICY },
    settings: { USAGE_ENDPOINT: 'https://192.0.2.1' },
    says: /\bon\b/,
  },
}

test('broken', { concurrency: 4 }, async (t) => {
  await Promise.all(
    Object.entries(CASES).map(([what, one]) =>
      t.test(
        `broken: with ${what} the pod runs, every export succeeds, nothing is reported`,
        (row) => run(row, one),
      ),
    ),
  )
})

async function run(t: TestContext, { namespace, data, settings = {}, says }: Case): Promise<void> {
  const world = await createWorld(t, namespace)
  const running = deployment(
    namespace,
    'app',
    template('app', { ...world.settings, ...settings }, { env: { EVERY_MS: '200' } }),
  )
  await apply([
    ...(data === undefined ? [] : [configMap(namespace, 'usage-sidecar', data)]),
    running,
  ])
  await kubectl('rollout', 'status', 'deployment/app', '-n', namespace, '--timeout=90s')
  const [pod] = await podsOf(namespace, 'app=app')
  const exports = async (): Promise<string[]> =>
    (await kubectl('logs', '-n', namespace, pod!.name, '-c', 'app')).match(/exported \d+/g) ?? []
  await until('it has exported', async () => (await exports()).length > 10)
  assert.deepEqual([...new Set(await exports())], ['exported 0'])
  assert.match(
    await inSidecar(namespace, pod!.name, 'status').catch(
      (error: { stdout: string }) => error.stdout,
    ),
    says,
  )
  const restarts = '{.status.initContainerStatuses[*].restartCount}'
  assert.equal(
    await kubectl('get', 'pod', pod!.name, '-n', namespace, '-o', `jsonpath=${restarts}`),
    '0 0',
  )
  assert.deepEqual(world.moments(), [])
  await kubectl('delete', 'deployment', 'app', '-n', namespace, '--cascade=foreground')
}
