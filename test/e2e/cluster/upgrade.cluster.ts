// One installation in the life of its release: two replicas share the identity that the chart's Job
// has made, an upgrade keeps it, and an opt-out as well, until the admin takes his word back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../support/sidecar.ts'
import { kubectl } from './cluster.ts'
import { installShop, usageValues } from './shop.ts'
import { createWorld, FACTS_IMAGE, initContainersOf, podsOf } from './world.ts'

const NAMESPACE = 'release'

test('helm: two replicas share one identity, and an upgrade keeps it and the opt-out', async (t) => {
  const world = await createWorld(t, NAMESPACE)
  const usage = { ...usageValues(world), factsImage: FACTS_IMAGE, identity: { create: true } }
  const secret = (): Promise<string> =>
    kubectl('get', 'secret', 'usage-sidecar-identity', '-n', NAMESPACE, '-o', 'jsonpath={.data}')
  const install = async (
    replicas: number,
    more: Record<string, unknown>,
    ...args: readonly string[]
  ): Promise<void> => {
    await installShop(
      world,
      { replicas, usage: { ...usage, ...more } },
      '--wait',
      '--timeout=120s',
      ...args,
    )
  }
  /** The pseudonyms of the one user, by how often they came from a Deployment's start. */
  const pseudonyms = (): string[] =>
    world.collector
      .spans()
      .filter(({ attributes }) => attributes['moment.kind'] === 'deployment-first')
      .map(({ attributes }) => String(attributes['moment.user']))

  await t.test('two replicas share one identity', async () => {
    await install(2, {})
    await until('both report', () => pseudonyms().length === 2)
    assert.equal(new Set(pseudonyms()).size, 1)
    assert.match(pseudonyms()[0]!, /^[0-9a-f]{32}$/)
  })
  const identity = await secret()
  const [user] = pseudonyms()

  await t.test('helm upgrade keeps the identity', async () => {
    await install(3, {})
    await until('the third reports', () => pseudonyms().length >= 3)
    assert.equal(await secret(), identity)
    assert.deepEqual([...new Set(pseudonyms())], [user])
  })
  const sidecars = async (): Promise<number> => {
    const pods = await podsOf(NAMESPACE, 'app=deployment')
    const names = await Promise.all(
      pods.map(({ name }) => initContainersOf(NAMESPACE, name).catch(() => '')),
    )
    return names.filter((containers) => containers.includes('usage-sidecar')).length
  }
  await t.test('helm upgrade keeps the opt-out', async () => {
    await install(2, { reporting: 'off' })
    await until('no pod has a sidecar', async () => (await sidecars()) === 0)
    const received = pseudonyms().length
    // Another value, not a word about reporting; and a chart that would like it on.
    await install(1, { reporting: '', reportingDefault: 'on' })
    await kubectl('rollout', 'status', 'deployment/shop', '-n', NAMESPACE, '--timeout=90s')
    assert.equal(await sidecars(), 0)
    assert.equal(pseudonyms().length, received)
  })
  await t.test('turned on again by its admin, it is the same installation', async () => {
    const received = pseudonyms().length
    await install(1, { reporting: 'on' })
    await until('it reports again', () => pseudonyms().length > received)
    assert.equal(await secret(), identity)
    assert.deepEqual([...new Set(pseudonyms())], [user])
  })
})
