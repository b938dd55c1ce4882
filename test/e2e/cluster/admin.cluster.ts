// The chart for a cluster in the hands of its admin, as its page tells it: install, `helm test`,
// new pods of a namespace report, the facts job tells them about the cluster, and off is off for
// the pods to come and for those that run.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from '../../support/sidecar.ts'
import { DEPLOY } from '../charts/tools.ts'
import { apply, helm, kubectl } from './cluster.ts'
import {
  createWorld,
  deployment,
  FACTS_IMAGE,
  IMAGE,
  initContainersOf,
  POLICY,
  podSpec,
  podsOf,
} from './world.ts'

const PROJECT = 'admin'
const RELEASE = 'admin-usage'
const SHOP = 'admin-shop'
const WITH_FACTS = POLICY.replace(
  'spans:\n',
  'resource:\n  k8s.nodes: {from: fact:k8s.nodes, buckets: [1, 2, 5], reason: A test.}\nspans:\n',
)

test('the chart for a cluster', async (t) => {
  const world = await createWorld(t, SHOP, {
    annotations: { 'usage-sidecar.dev/project': PROJECT },
  })
  const { USAGE_ENDPOINT: endpoint, USAGE_SEND_INTERVAL } = world.settings
  const file = join(process.env.USAGE_CLUSTER_FOLDER!, 'admin.json')
  const values = {
    project: PROJECT,
    image: IMAGE,
    policy: WITH_FACTS,
    endpoint,
    settings: { USAGE_SEND_INTERVAL },
    firstSendDelay: '0',
  }
  writeFileSync(file, JSON.stringify({ ...values, facts: { image: FACTS_IMAGE } }))
  const release = (verb: readonly string[], ...args: readonly string[]): Promise<string> =>
    helm(
      ...verb,
      join(DEPLOY, 'helm/usage-sidecar'),
      '--namespace',
      RELEASE,
      '--values',
      file,
      '--timeout=120s',
      ...args,
    )
  const roll = async (name: string): Promise<string> => {
    await apply([deployment(SHOP, name, { metadata: { labels: { app: name } }, spec: podSpec() })])
    await kubectl('rollout', 'status', `deployment/${name}`, '-n', SHOP, '--timeout=90s')
    return (await podsOf(SHOP, `app=${name}`))[0]!.name
  }
  let first = ''

  await t.test(
    'is installed, makes the identity of its namespace, and its own test finds nothing to complain of',
    async () => {
      await release(['install', RELEASE], '--create-namespace', '--set', 'reporting=on')
      assert.match(
        await kubectl(
          'get',
          'secret',
          'usage-sidecar-identity',
          '-n',
          RELEASE,
          '-o',
          'jsonpath={.data.instance-id}',
        ),
        /^.{36}/,
      )
      const left = await kubectl('get', 'jobs,roles,serviceaccounts', '-n', RELEASE, '-o', 'name')
      assert.doesNotMatch(left, /identity/)
      assert.match(
        await helm('test', RELEASE, '--namespace', RELEASE, '--timeout=120s'),
        /Phase:\s+Succeeded/,
      )
    },
  )
  await t.test('a new pod of the namespace reports', async () => {
    const probe = [
      'run',
      'probe',
      '--image=any',
      '-n',
      SHOP,
      '--dry-run=server',
      '-o',
      'jsonpath={.spec.initContainers[0].name}',
    ]
    const restricted = ['--overrides', JSON.stringify({ apiVersion: 'v1', spec: podSpec() })]
    await until(
      'pods are injected',
      async () => (await kubectl(...probe, ...restricted)) === 'usage-sidecar',
    )
    first = await roll('first')
    assert.equal(await initContainersOf(SHOP, first), 'usage-sidecar init')
    await until('it reports', () => world.moments().includes('app-first'))
  })
  await t.test('the facts job tells the pods to come how large the cluster is', async () => {
    await kubectl(
      'create',
      'job',
      'once',
      '-n',
      RELEASE,
      '--from=cronjob/usage-sidecar-facts',
      '--dry-run=client',
      '-o',
      'json',
    ).then((text) => {
      const job = JSON.parse(text) as {
        spec: { template: { spec: { containers: { args: string[] }[] } } }
      }
      job.spec.template.spec.containers[0]!.args.push('--start-within', '0')
      return apply([job])
    })
    await kubectl('wait', 'job/once', '-n', RELEASE, '--for=condition=Complete', '--timeout=240s')
    const name = `${PROJECT}.usage-sidecar.dev`
    assert.equal(
      await kubectl('get', 'configmap', name, '-n', RELEASE, '-o', 'jsonpath={.data.facts\\.json}'),
      '{"k8s.nodes":1}',
    )
    await roll('second')
    await until('a pod reports the fact', () =>
      world.collector.spans().some(({ resource }) => resource['k8s.nodes'] === 1),
    )
  })
  await t.test(
    'off: no new pod has a sidecar; one command, and the pods that run are silent',
    async () => {
      await release(['upgrade', RELEASE], '--set', 'reporting=off')
      await until(
        'it is in force',
        async () =>
          !(await initContainersOf(SHOP, await roll(`after-${Date.now()}`))).includes(
            'usage-sidecar',
          ),
      )
      const switches = [
        '-l',
        'usage-sidecar.dev/injected',
        'usage-sidecar.dev/reporting=off',
        '--overwrite',
      ]
      await kubectl('annotate', 'pods', '-n', SHOP, ...switches)
      const mode = (): Promise<string> =>
        kubectl(
          'exec',
          '-n',
          SHOP,
          first,
          '-c',
          'usage-sidecar',
          '--',
          'usage-sidecar',
          'status',
        ).catch(({ stdout }: { stdout: string }) => stdout)
      await until('the pod that runs is off', async () =>
        /^reporting +off, decided by usage-sidecar\.dev\/reporting/m.test(await mode()),
      )
      assert.equal(await kubectl('get', 'cronjobs', '-n', RELEASE, '-o', 'name'), '')
      // Another value, not a word about reporting.
      await release(['upgrade', RELEASE], '--set', 'reportingDefault=on,injection.default=enabled')
      assert.equal(await initContainersOf(SHOP, await roll('last')), 'init')
    },
  )
})
