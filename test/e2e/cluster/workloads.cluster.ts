// The sidecar in each kind of workload, put there in each way, in a namespace that enforces Pod
// Security `restricted`: what an init container, the application and its SIGTERM handler send
// arrives, and a Job is complete.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../support/sidecar.ts'
import { kubectl } from './cluster.ts'
import { installInjection, PROJECT } from './injection.ts'
import { installShop, usageValues } from './shop.ts'
import { createWorld, podsOf, type World } from './world.ts'

const WAYS: Record<string, (world: World) => Promise<unknown>> = {
  'library chart': (world) => installShop(world, { usage: usageValues(world) }),
  MutatingAdmissionPolicy: async (world) => {
    await installInjection('shop', world.settings)
    await kubectl('annotate', 'namespace', world.namespace, `${PROJECT}=shop`)
    await installShop(world, { sidecar: false })
  },
}

for (const [way, install] of Object.entries(WAYS))
  test(`${way}: in a restricted namespace`, async (t) => {
    const world = await createWorld(t, way.replaceAll(' ', '-').toLowerCase())
    const { namespace } = world
    await install(world)
    const sidecarOf = async (app: string): Promise<string> => {
      const [pod] = await podsOf(namespace, `app=${app}`)
      const path =
        '{.spec.initContainers[0].name} {.spec.initContainers[0].restartPolicy} {.status.qosClass}'
      return kubectl('get', 'pod', pod!.name, '-n', namespace, '-o', `jsonpath=${path}`)
    }
    const arrived = (...moments: readonly string[]): Promise<void> =>
      until(`${moments.join(', ')} arrived`, () =>
        moments.every((moment) => world.moments().includes(moment)),
      )

    for (const kind of ['deployment', 'statefulset'])
      await t.test(
        `${way}: a ${kind}: its init container, application and SIGTERM handler report`,
        async () => {
          await kubectl('rollout', 'status', `${kind}/shop`, '-n', namespace, '--timeout=90s')
          assert.equal(await sidecarOf(kind), 'usage-sidecar Always Burstable')
          await arrived(`init-${kind}-first`, `init-${kind}-last`, `${kind}-first`)
          await kubectl('delete', kind, 'shop', '-n', namespace, '--cascade=foreground')
          await arrived(`${kind}-sigterm`)
        },
      )
    await t.test(
      `${way}: a Job completes with the sidecar, and all its reports arrive`,
      async () => {
        await kubectl(
          'wait',
          'job/shop-1',
          '-n',
          namespace,
          '--for=condition=Complete',
          '--timeout=90s',
        )
        await arrived('init-job-first', 'init-job-last', 'job-first', 'job-last')
        const [pod] = await podsOf(namespace, 'app=job')
        const code = '{.status.initContainerStatuses[0].state.terminated.exitCode}'
        assert.equal(
          await kubectl('get', 'pod', pod!.name, '-n', namespace, '-o', `jsonpath=${code}`),
          '0',
        )
      },
    )
    // Each once, and nothing else.
    const expected = ['deployment', 'job', 'statefulset'].flatMap((kind) => [
      `init-${kind}-first`,
      `init-${kind}-last`,
      `${kind}-first`,
      `${kind}-${kind === 'job' ? 'last' : 'sigterm'}`,
    ])
    assert.deepEqual(world.moments(), expected.sort())
  })
