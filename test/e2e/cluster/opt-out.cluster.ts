// Who may say no, for pods that really run: the pod, its namespace by annotation and by label, and
// the parameters for all. Parameters that are broken leave every pod as it was.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../support/sidecar.ts'
import { apply, kubectl } from './cluster.ts'
import { INJECT, injectedInto, installInjection, PROJECT, setParameters } from './injection.ts'
import { createWorld, initContainersOf, type Metadata, podSpec } from './world.ts'

const NAME = 'matrix'
interface Row {
  what: string
  namespace?: Metadata
  pod?: Record<string, string>
  injected: boolean
}
const ROWS: readonly Row[] = [
  { what: 'nobody says anything', injected: true },
  { what: 'the pod says no', pod: { [INJECT]: 'disabled' }, injected: false },
  { what: 'the pod says what is no word', pod: { [INJECT]: 'flase' }, injected: false },
  {
    what: 'the namespace says no by annotation',
    namespace: { annotations: { [INJECT]: 'disabled' } },
    injected: false,
  },
  {
    what: 'the namespace says no by annotation and the pod says yes',
    namespace: { annotations: { [INJECT]: 'disabled' } },
    pod: { [INJECT]: 'enabled' },
    injected: true,
  },
  {
    what: 'the namespace says no by label and the pod says yes',
    namespace: { labels: { [INJECT]: 'disabled' } },
    pod: { [INJECT]: 'enabled' },
    injected: false,
  },
]

test('opt-out matrix', { concurrency: 4 }, async (t) => {
  const world = await createWorld(t, NAME)
  await installInjection(NAME, world.settings)
  const run = async (namespace: string, annotations: Record<string, string>): Promise<string> => {
    const metadata = { name: 'one', namespace, annotations: { [PROJECT]: NAME, ...annotations } }
    await apply([
      { apiVersion: 'v1', kind: 'Pod', metadata, spec: { ...podSpec(), restartPolicy: 'Always' } },
    ])
    await kubectl('wait', 'pod/one', '-n', namespace, '--for=condition=Ready', '--timeout=90s')
    return initContainersOf(namespace, 'one')
  }
  const rows = ROWS.map(({ what, namespace, pod = {}, injected }, index) =>
    t.test(
      `opt-out: ${what}: ${injected ? 'a sidecar' : 'none'}, and the pod runs`,
      async (row) => {
        await createWorld(row, `${NAME}-${index}`, namespace)
        assert.equal(await run(`${NAME}-${index}`, pod), injected ? 'usage-sidecar init' : 'init')
      },
    ),
  )
  await Promise.all(rows)
  await t.test(
    'opt-out: the parameters say no for all, and a pod can still ask for it',
    async (row) => {
      await setParameters(NAME, { inject: 'disabled' })
      await until('that is in force', async () => (await injectedInto(NAME)) === '')
      await createWorld(row, `${NAME}-global`)
      assert.equal(await run(`${NAME}-global`, {}), 'init')
      assert.equal(await injectedInto(NAME, { [INJECT]: 'enabled' }), 'usage-sidecar')
    },
  )
  await t.test(
    'broken: parameters without an image, and no parameters at all: the pod runs without a sidecar',
    async (row) => {
      await setParameters(NAME, { inject: 'enabled', image: null })
      await until(
        'that is in force',
        async () => (await injectedInto(NAME, { [INJECT]: 'enabled' })) === '',
      )
      await createWorld(row, `${NAME}-no-image`)
      assert.equal(await run(`${NAME}-no-image`, {}), 'init')
      await kubectl('delete', 'configmap', `${NAME}.usage-sidecar.dev`, '-n', `${NAME}-usage`)
      await createWorld(row, `${NAME}-no-parameters`)
      assert.equal(await run(`${NAME}-no-parameters`, {}), 'init')
    },
  )
})
