// The admin's overlay in a running sidecar. It is in force before the first span and changes live.
// An invalid overlay stops everything: without it, more would be sent than the admin allowed.
import assert from 'node:assert/strict'
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { spansWaiting } from '../support/collector.ts'
import {
  errorsIn,
  execution,
  placeOf,
  post,
  startHere,
  temporaryFolder,
  until,
} from '../support/sidecar.ts'
import { policyText } from '../support/spans.ts'

const attribute = (name: string): string =>
  `    ${name}: {from: execution.type, keep: [pipeline], reason: A test.}`
const POLICY = policyText(`execution:\n  attributes:\n${attribute('kind')}\n${attribute('more')}`)
const NEXT_POLICY = POLICY.replace('version: 1', 'version: 2').replace('more: {', 'most: {')
const drop = (name: string): string =>
  `apiVersion: usage-sidecar.dev/v1\nnarrows: example.org/demo\nspans: {execution: {attributes: {${name}: drop}}}\n`

test('an overlay narrows from the start and changes live, and a missing or invalid one stops everything', async (t) => {
  const overlay = join(await temporaryFolder(t), 'overlay.yaml')
  await writeFile(overlay, drop('more'))
  const settings = {
    USAGE_REPORTING: 'local',
    USAGE_POLICY: '',
    USAGE_POLICY_TEXT: POLICY,
    USAGE_POLICY_OVERLAY: overlay,
  }
  const place = await placeOf(t, settings)
  const sidecar = await startHere(t, place)
  const next = async (): Promise<unknown> => {
    await post(sidecar.port(), execution())
    return (await spansWaiting(place.dataFolder)).at(-1)?.attributes
  }
  assert.deepEqual(await next(), { kind: 'pipeline' })
  await writeFile(overlay, drop('kind'))
  await until('the other one is in force', () => sidecar.counters.get('queue.dropped.policy') === 1)
  assert.deepEqual(await next(), { more: 'pipeline' })
  for (const wrong of [drop('other'), undefined]) {
    const before = errorsIn(sidecar.lines()).length
    if (wrong === undefined) await rm(overlay)
    else await writeFile(overlay, wrong)
    await until('the error is logged', () => errorsIn(sidecar.lines()).length > before)
    const kept = sidecar.counters.get('spans.kept')
    assert.equal((await post(sidecar.port(), execution())).status, 200)
    assert.equal(sidecar.counters.get('spans.kept'), kept)
  }
  assert.match(
    errorsIn(sidecar.lines()).join('\n'),
    /In the overlay, 3:34: The policy has no attribute[\s\S]*The overlay cannot be read/,
  )
})

test('a volume that changes policy and overlay together never gives a mix of both', async (t) => {
  const volume = await temporaryFolder(t)
  const publish = async (version: string, policy: string, overlay: string): Promise<void> => {
    await mkdir(join(volume, version))
    await writeFile(join(volume, version, 'policy.yaml'), policy)
    await writeFile(join(volume, version, 'overlay.yaml'), overlay)
    await symlink(version, join(volume, '..data_tmp'))
    await rename(join(volume, '..data_tmp'), join(volume, '..data'))
  }
  await publish('..1', POLICY, drop('more'))
  for (const name of ['policy.yaml', 'overlay.yaml'])
    await symlink(`..data/${name}`, join(volume, name))
  const place = await placeOf(t, {
    USAGE_REPORTING: 'local',
    USAGE_POLICY: join(volume, 'policy.yaml'),
    USAGE_POLICY_OVERLAY: join(volume, 'overlay.yaml'),
  })
  const sidecar = await startHere(t, place)
  await publish('..2', NEXT_POLICY, drop('most'))
  const versions = (): unknown[] =>
    sidecar.lines().flatMap(({ event, version }) => (event === 'policy: in force' ? [version] : []))
  await until('the next is in force', () => versions().includes(2))
  assert.deepEqual([versions(), errorsIn(sidecar.lines())], [[1, 2], []])
  await post(sidecar.port(), execution())
  assert.deepEqual((await spansWaiting(place.dataFolder)).at(-1)?.attributes, { kind: 'pipeline' })
})
