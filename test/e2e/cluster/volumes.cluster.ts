// What waits for a collector that cannot take it, and what becomes of it when the pod or the node
// goes: with a persistent volume nothing is lost; an emptyDir outlives the node's power, not the
// pod.
import assert from 'node:assert/strict'
import { chownSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { USER } from '../../../deploy/image/commit.ts'
import { spansWaiting } from '../../support/collector.ts'
import { until } from '../../support/sidecar.ts'
import { apply, kubectl, node } from './cluster.ts'
import { NODE } from './node.ts'
import {
  configMap,
  createWorld,
  deployment,
  POLICY,
  podsOf,
  template,
  type World,
} from './world.ts'

/**
 * Two applications in one namespace: `kept` with a persistent volume, `lost` with an emptyDir; each
 * has sent one span.
 */
async function waiting(t: TestContext, namespace: string): Promise<World & { volume: string }> {
  const world = await createWorld(t, namespace)
  world.collector.answer = () => 503
  const volume = join(process.env.USAGE_CLUSTER_FOLDER!, `volume-${namespace}`)
  mkdirSync(volume)
  chownSync(volume, USER, USER)
  const capacity = { storage: '1Gi' }
  const meta = { name: `data-${namespace}` }
  const common = { accessModes: ['ReadWriteOnce'], storageClassName: '' }
  const kept = template('kept', world.settings, {
    env: { NAME: 'kept' },
    dataClaim: meta.name,
    init: false,
  })
  const lost = template('lost', world.settings, { env: { NAME: 'lost' }, init: false })
  await apply([
    {
      apiVersion: 'v1',
      kind: 'PersistentVolume',
      metadata: meta,
      spec: { ...common, capacity, hostPath: { path: volume } },
    },
    {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      metadata: { ...meta, namespace },
      spec: { ...common, volumeName: meta.name, resources: { requests: capacity } },
    },
    configMap(namespace, 'usage-sidecar', { 'policy.yaml': POLICY }),
    deployment(namespace, 'kept', kept),
    deployment(namespace, 'lost', lost),
  ])
  for (const app of ['kept', 'lost'])
    await kubectl('rollout', 'status', `deployment/${app}`, '-n', namespace, '--timeout=90s')
  const [pod] = await podsOf(namespace, 'app=lost')
  for (const folder of [volume, node.volume(pod!.uid, 'empty-dir', 'usage-sidecar-data')])
    await until('a span waits on disk', async () => (await spansWaiting(folder)).length > 0)
  return { ...world, volume }
}

const TWICE = ['kept-first', 'kept-first']

test('drain: what waited in a persistent volume arrives, once; what waited in an emptyDir is lost with the pod', async (t) => {
  const { collector, moments, namespace, volume } = await waiting(t, 'drained')
  await kubectl(
    'drain',
    NODE,
    '--delete-emptydir-data',
    '--ignore-daemonsets',
    '--force',
    '--timeout=60s',
  )
  const before = await spansWaiting(volume)
  const kinds = before.map(({ attributes }) => String(attributes['moment.kind']))
  assert.deepEqual(kinds.sort(), ['kept-first', 'kept-sigterm'])
  collector.answer = () => 200
  await kubectl('uncordon', NODE)
  await until('the new pods report', () =>
    ['kept-first', 'lost-first'].every((moment) => moments().includes(moment)),
  )
  await until('what waited has arrived', () => moments().length >= 4)
  await kubectl('delete', 'deployment', '--all', '-n', namespace, '--cascade=foreground')
  await until('the last has arrived', () =>
    ['kept', 'lost'].every((name) => moments().lastIndexOf(`${name}-sigterm`) >= 0),
  )
  // Not there: lost-first and lost-sigterm of the drained pod.
  assert.deepEqual(moments(), [
    ...TWICE,
    'kept-sigterm',
    'kept-sigterm',
    'lost-first',
    'lost-sigterm',
  ])
})

test('node restart: nothing that was answered 200 is lost, in a persistent volume or an emptyDir', async (t) => {
  const { collector, moments, namespace } = await waiting(t, 'restarted')
  const uids = (): Promise<string> =>
    kubectl('get', 'pods', '-n', namespace, '-o', 'jsonpath={.items[*].metadata.uid}')
  const before = await uids()
  await node.restart()
  collector.answer = () => 200
  await until('all have arrived', () => moments().length >= 4)
  assert.equal(await uids(), before)
  // Each of them again when it started anew; the killed ones had no time to say more.
  assert.deepEqual(moments(), [...TWICE, 'lost-first', 'lost-first'])
})
