// The annotation of a running pod: off is in force without a restart, as its packets and its disk
// show; on begins anew.
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { filesIn, until } from '../../support/sidecar.ts'
import { capture } from '../namespaces.ts'
import { apply, kubectl, node } from './cluster.ts'
import { configMap, createWorld, deployment, inSidecar, POLICY, podsOf, template } from './world.ts'

const SILENT_SECONDS = process.env.USAGE_NIGHTLY === '1' ? 60 : 15
const NAMESPACE = 'flip'

test('live: off stops every packet of the pod and wipes its queue, and on again begins a new epoch', async (t) => {
  const { settings, collector, moments } = await createWorld(t, NAMESPACE)
  const running = deployment(
    NAMESPACE,
    'app',
    template('app', settings, { env: { EVERY_MS: '100' } }),
  )
  await apply([configMap(NAMESPACE, 'usage-sidecar', { 'policy.yaml': POLICY }), running])
  await kubectl('rollout', 'status', 'deployment/app', '-n', NAMESPACE, '--timeout=90s')
  const [pod] = await podsOf(NAMESPACE, 'app=app')
  const data = node.volume(pod!.uid, 'empty-dir', 'usage-sidecar-data')
  const epoch = (): string | undefined =>
    existsSync(join(data, 'epoch')) ? readFileSync(join(data, 'epoch'), 'utf8') : undefined
  const bodies = async (): Promise<string[]> =>
    [...(await filesIn(data)).keys()].filter((name) => /^(queue|sending|sent)\/\d/.test(name))
  const annotate = (word: string): Promise<string> =>
    kubectl(
      'annotate',
      'pod',
      pod!.name,
      '-n',
      NAMESPACE,
      '--overwrite',
      `usage-sidecar.dev/reporting=${word}`,
    )
  // kubelet's probes are answered, as they must be; the name server is asked by nobody but the
  // sidecar.
  const packets = await capture(t, `ip and src host ${pod!.ip} and not tcp src port 44319`)
  await until(
    'reports arrive',
    () => moments().filter((moment) => moment === 'app-tick').length > 10,
  )
  await until('their packets are seen', () =>
    packets.some(({ text }) => text.includes(`.${collector.port}: Flags`)),
  )
  const first = epoch()
  assert.ok(first)

  await annotate('off')
  const began = Date.now()
  await until(
    'nothing is left on disk',
    async () => epoch() === undefined && (await bodies()).length === 0,
  )
  t.diagnostic(`off: nothing left ${Date.now() - began} ms after kubectl had returned`)
  const [seen, received] = [packets.length, moments().length]
  await new Promise((resolve) => setTimeout(resolve, 1000 * SILENT_SECONDS))
  assert.deepEqual(packets.slice(seen), [])
  assert.equal(moments().length, received)
  assert.deepEqual(await bodies(), [])
  assert.match(
    await inSidecar(NAMESPACE, pod!.name, 'status').catch(
      (error: { stdout: string }) => error.stdout,
    ),
    /\boff\b/,
  )
  const log = await kubectl('logs', '-n', NAMESPACE, pod!.name, '-c', 'app')
  assert.deepEqual([...new Set(log.match(/exported \d+/g))], ['exported 0'])

  await annotate('on')
  await until('reports arrive again', () => moments().length > received + 10)
  assert.notEqual(epoch(), undefined)
  assert.notEqual(epoch(), first)
})
