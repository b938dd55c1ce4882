// The class of a pod, as Kubernetes gives it, and the row of resources that keeps it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULTS, type Qos, RESOURCES, sidecar } from '../../src/inject/container.ts'
import { decide, type Pod } from '../../src/inject/decide.ts'
import { qosOf, quantity } from '../../src/inject/qos.ts'

test('quantities are equal however they are written', () => {
  for (const same of [
    ['1', '1000m', '1.0', '1e0', 1],
    ['0.5', '500m', '.5', '5e-1', 0.5],
    ['1Gi', '1024Mi', '1073741824', '1048576Ki'],
    ['1G', '1000M', '1e9', '1E9'],
    ['100n', '0.1u'],
  ])
    assert.equal(new Set(same.map(quantity)).size, 1, String(same))
  for (const none of ['', 'x', '1x', '1.2.3', '-1', '1 Gi', '$(X)', undefined, null, {}])
    assert.equal(quantity(none), undefined)
  assert.notEqual(quantity('1Ki'), quantity('1k'))
})

const both = { cpu: '1', memory: '1Gi' }
const CASES: [what: string, spec: object, resources: unknown[], qos: Qos][] = [
  ['nothing', {}, [undefined, {}], 'bestEffort'],
  ['zero', {}, [{ requests: { cpu: '0', memory: '0' } }], 'bestEffort'],
  [
    'a limit, and nothing requested',
    {},
    [{ limits: both, requests: { cpu: '0', memory: '0' } }],
    'burstable',
  ],
  ['storage alone', {}, [{ limits: { 'ephemeral-storage': '1Gi' } }], 'bestEffort'],
  ['limits', {}, [{ limits: both }], 'guaranteed'],
  [
    'limits and the same requests',
    {},
    [{ limits: both, requests: { cpu: '1000m', memory: '1024Mi' } }],
    'guaranteed',
  ],
  ['one container without', {}, [{ limits: both }, undefined], 'burstable'],
  ['less requested', {}, [{ limits: both, requests: { cpu: '500m' } }], 'burstable'],
  ['memory alone', {}, [{ limits: { memory: '1Gi' } }], 'burstable'],
  ['requests alone', {}, [{ requests: both }], 'burstable'],
  ['what cannot be read', {}, [{ limits: { cpu: 'x', memory: 'y' } }], 'burstable'],
  ['of the pod itself', { resources: { requests: both } }, [undefined], 'podLevel'],
]

test('every class is known, and the sidecar keeps it', () => {
  for (const [what, spec, resources, qos] of CASES) {
    const containers = resources.map((resource, index) => ({
      name: `c${index}`,
      ...(resource === undefined ? {} : { resources: resource }),
    }))
    assert.equal(qosOf(spec, containers), qos, what)
    if (qos !== 'podLevel')
      assert.equal(
        qosOf(spec, [{ resources: RESOURCES[qos] }, ...containers]),
        qos,
        `${what}, with the sidecar`,
      )
    // Init containers count.
    const pod = {
      spec: { ...spec, containers: containers.slice(0, 1), initContainers: containers.slice(1) },
    } as Pod
    const decision = decide(pod, undefined)
    assert.ok(decision.inject && decision.traits.qos === qos, what)
    assert.equal(decision.traits.limitsStorage, what === 'storage alone')
  }
})

test('a pod that is held to a sum of storage limits gets the sidecar’s own in it', () => {
  const options = { image: 'i', ...DEFAULTS }
  const limitsOf = (qos: Qos, limitsStorage: boolean): unknown =>
    sidecar(options, { qos, limitsStorage, doNotTrack: false }).resources.limits
  assert.deepEqual(limitsOf('bestEffort', false), undefined)
  assert.deepEqual(limitsOf('bestEffort', true), { 'ephemeral-storage': '256Mi' })
  assert.deepEqual(limitsOf('burstable', true), { memory: '96Mi', 'ephemeral-storage': '256Mi' })
})
