// The hardened policies of the seed systems send no unkeyed hash, no free text and no id of a node,
// a machine or a cluster, stay under the default limits, and make of real events exactly what is
// written here.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { pseudonym, pseudonymKey } from '../../src/anonymize/actions/pseudonym.ts'
import { budgetOf } from '../../src/policy/bits.ts'
import { checkPolicy } from '../../src/policy/parse.ts'
import { placesRead } from '../../src/policy/policy.ts'
import {
  type Event,
  HARDENED,
  INSTANCE,
  type Left,
  NOW,
  type Plain,
  policyOf,
  startPipeline,
} from '../support/shipped-policy.ts'
import { SECRET } from '../support/spans.ts'

const FACTS = {
  'app.version': '1.38.2-acme.3',
  'k8s.version': 'v1.31.4-gke.100',
  'k8s.nodes': 37,
  'k8s.provider': 'aws',
  'host.arch': 'amd64',
}
const day = (project: string, field: string, input: string): string =>
  pseudonym(pseudonymKey(SECRET, project, field, '2026-10-05'), input)
const month = (project: string): string =>
  pseudonym(pseudonymKey(SECRET, project, 'installation.id', '2026-10'), INSTANCE)

test('every system has a hardened policy beside its compat form', () => {
  assert.deepEqual(HARDENED, ['default', 'kubeflow-aws', 'kusk', 'spartakus', 'spinnaker'])
})

for (const name of HARDENED) {
  const policy = policyOf(name)
  const fields = [...policy.resource, ...policy.spans.flatMap((rule) => rule.fields)]

  test(`${name}: no hash, no value as it is, no pseudonym for ever, no exact time`, () => {
    assert.equal(policy.compat, false)
    for (const field of fields) {
      assert.ok(
        ['keep', 'buckets', 'version', 'pseudonym', 'constant'].includes(field.action.kind),
        `${field.name} is ${field.action.kind}`,
      )
      assert.ok(field.action.kind !== 'pseudonym' || field.action.period !== 'forever', field.name)
    }
    for (const { time } of policy.spans) assert.notEqual(time, 'exact')
  })

  test(`${name}: reads no id of a node, and no id of a cluster or an execution`, () => {
    const forbidden =
      /^(node\..*|one_node\..*|cluster\.id|.*cluster_uid|execution\.id|host\.(name|id))$/
    for (const place of fields.flatMap(placesRead)) {
      const read =
        place.kind === 'fact'
          ? place.name
          : place.kind === 'attribute' || place.kind === 'resource'
            ? place.key
            : ''
      assert.doesNotMatch(read, forbidden)
      assert.notEqual(
        place.kind,
        'resource',
        `${read}: the application’s resource holds host names`,
      )
    }
    assert.ok(!policy.spans.some((rule) => rule.name === 'k8s.node'))
  })

  test(`${name}: stays under the default limits`, () => {
    assert.deepEqual(policy.limits, { recordBits: 40, stableBits: 16 })
    const text = readFileSync(
      new URL(`../../deploy/policies/${name}.yaml`, import.meta.url),
      'utf8',
    )
    assert.deepEqual(checkPolicy(text).over, [])
    const budget = budgetOf(policy)
    for (const { bits } of budget.records) assert.ok(bits <= 40)
    assert.ok(budget.stableBits <= 16)
  })

  test(`${name}: nothing of a text that it does not list leaves, plain or hashed`, () => {
    const texts = [
      'acme-payments-eu',
      'ip-10-0-3-17.ec2.internal',
      'i-0123456789abcdef0',
      '3b7c1f7e-2d58-4b60-9a4e-6f0c1d2e3f4a',
    ]
    for (const secret of texts) {
      const facts = {
        ...FACTS,
        'app.version': secret,
        'k8s.version': secret,
        'k8s.provider': secret,
      }
      const installed = startPipeline(name, { facts })
      const keys = fields
        .flatMap(placesRead)
        .flatMap((place) => (place.kind === 'attribute' ? [place.key] : []))
      for (const { name: span, skip } of policy.spans) {
        const attributes = Object.fromEntries(
          keys.filter((key) => !skip.includes(key)).map((key) => [key, secret]),
        )
        assertHolds(
          installed.send({ name: span, attributes }, { name: secret, attributes }),
          secret,
        )
      }
      assertHolds(installed.heartbeat(), secret)
    }
  })
}

/** Nothing of `secret`: not itself, not a digest of it as bytes or hex. */
function assertHolds({ bytes }: Left, secret: string): void {
  const found = bytes.toString('latin1').toLowerCase()
  assert.ok(!found.includes(secret.toLowerCase()))
  for (const algorithm of ['md5', 'sha1', 'sha256', 'sha512']) {
    for (const salt of ['', INSTANCE]) {
      const digest = createHash(algorithm)
        .update(secret + salt)
        .digest()
      assert.ok(!found.includes(digest.toString('hex').slice(0, 16)), `${algorithm} of ${secret}`)
      assert.ok(!bytes.includes(digest.subarray(0, 8)), `${algorithm} of ${secret}`)
    }
  }
}

/** What leaves beside project, policy and batch id. */
function leaves(
  name: string,
  ...events: Event[]
): { resource: Record<string, Plain>; spans: [string, Record<string, Plain>][] } {
  const { resource, spans } = startPipeline(name, { facts: FACTS }).send(...events)
  const own = Object.entries(resource).filter(([key]) => !key.startsWith('usage.'))
  return {
    resource: Object.fromEntries(own),
    spans: spans.map((span) => [span.name, span.attributes]),
  }
}

test('spinnaker: what leaves of an execution and its stages', () => {
  const events: Event[] = [
    {
      name: 'execution',
      attributes: {
        'execution.id': '01EBF3A0S5K7C9W2X4Y6Z8A1B3',
        'execution.type': 'PIPELINE',
        'execution.status': 'TERMINAL',
        'execution.trigger': 'cron',
        'application.name': 'payments',
        'application.pipeline_count': 7,
        'instance.pipeline_count': 412,
        'deployment.method': 'acme-installer',
        'deployment.version': '1.44.1-20210930',
        environment: 'KUBERNETES',
      },
    },
    {
      name: 'stage',
      attributes: {
        'stage.type': 'deployManifest',
        'stage.status': 'SUCCEEDED',
        'stage.cloud_providers': 'aws,acme',
      },
    },
    {
      name: 'stage',
      attributes: { 'stage.type': 'Deploy to acme prod', 'stage.status': 'TERMINAL' },
    },
    {
      name: 'stage',
      attributes: { 'stage.type': 'wait', 'stage.synthetic_owner': 'STAGE_BEFORE' },
    },
    { name: 'GET /pipelines/42', attributes: { 'stage.type': 'wait' } },
  ]
  assert.deepEqual(leaves('spinnaker', ...events), {
    resource: { 'app.version': '1.38.2' },
    spans: [
      [
        'execution',
        {
          'execution.type': 'pipeline',
          'execution.status': 'terminal',
          'execution.trigger': 'other',
          'application.id': day('spinnaker.io/spinnaker', 'application.id', 'payments'),
          'application.pipeline_count': 5,
          'instance.pipeline_count': 100,
          'deployment.method': 'other',
          environment: 'kubernetes',
        },
      ],
      [
        'stage',
        { 'stage.type': 'deployManifest', 'stage.status': 'succeeded', 'stage.provider': 'aws' },
      ],
      [
        'stage',
        { 'stage.type': 'deployManifest', 'stage.status': 'succeeded', 'stage.provider': 'other' },
      ],
      ['stage', { 'stage.type': 'other', 'stage.status': 'terminal' }],
    ],
  })
})

const CLUSTER: Event = {
  name: 'k8s.cluster',
  attributes: {
    'cluster.id': '3b7c1f7e-2d58-4b60-9a4e-6f0c1d2e3f4a',
    'one_node.provider_id': 'aws:///us-west-2a/i-0123456789abcdef0',
    'k8s.version': 'v1.31.4-gke.100',
    'extension.seldon-core-version': '1.18.2',
    'k8s.resources.apis.gateway.kusk.io': 12,
    'k8s.resources.staticroutes.gateway.kusk.io': 0,
    'k8s.resources.envoyfleet.gateway.kusk.io': 5000,
  },
}
const NODE: Event = {
  name: 'k8s.node',
  attributes: { 'node.name': 'worker-1', 'node.arch': 'amd64', 'node.os': 'linux' },
}

test('spartakus: what leaves of a cluster report', () => {
  assert.deepEqual(leaves('spartakus', CLUSTER, NODE, NODE), {
    resource: {},
    spans: [
      [
        'k8s.cluster',
        { 'app.version': '1.38', 'k8s.version': '1.31', 'k8s.nodes': 10, 'k8s.provider': 'aws' },
      ],
    ],
  })
})

test('kubeflow-aws: what leaves of a cluster report', () => {
  assert.deepEqual(leaves('kubeflow-aws', CLUSTER, NODE), {
    resource: { 'app.version': '1.38', 'k8s.version': '1.31' },
    spans: [['k8s.cluster', { 'k8s.provider': 'aws', 'k8s.nodes': 10 }]],
  })
})

test('kusk: what leaves of its events', () => {
  const machine = '3f2b1c0d4e5f60718293a4b5c6d7e8f9'
  const events: Event[] = [
    { name: 'kusk', attributes: { event: 'started', version: 'v1.5.0' } },
    { name: 'kusk-heartbeat', attributes: { event: 'heartbeat' } },
    { name: 'kusk-api-server', attributes: { event: 'ui-session' } },
    { name: 'kusk-cli', attributes: { event: 'deploy', version: 'v1.5.0', 'machine.id': machine } },
    {
      name: 'kusk-cli',
      attributes: {
        event: 'kusk deploy -i /home/jo/api.yaml',
        message: 'no such file',
        version: 'dev',
      },
    },
    CLUSTER,
  ]
  assert.deepEqual(leaves('kusk', ...events), {
    resource: { 'app.version': '1.38.2' },
    spans: [
      ['kusk', { event: 'started' }],
      ['kusk-api-server', { event: 'ui-session' }],
      [
        'kusk-cli',
        {
          event: 'deploy',
          version: '1.5.0',
          'machine.id': day('kubeshop.io/kusk-gateway', 'machine.id', machine),
        },
      ],
      ['kusk-cli', { event: 'other', version: 'other' }],
      [
        'k8s.cluster',
        { 'resources.apis': 5, 'resources.static_routes': 0, 'resources.envoy_fleets': 20 },
      ],
    ],
  })
})

test('an installation is counted by a heartbeat under a pseudonym of the month, beside nothing else', () => {
  for (const name of HARDENED) {
    const { spans } = startPipeline(name, { facts: FACTS }).heartbeat()
    assert.deepEqual(
      spans.map((span) => [span.name, span.attributes]),
      [['usage.heartbeat', { 'installation.id': month(policyOf(name).project) }]],
      name,
    )
  }
})

test('the same event gives another pseudonym on the next day, and times tell the day only', () => {
  const installed = startPipeline('spinnaker', { facts: FACTS })
  const event: Event = { name: 'execution', attributes: { 'application.name': 'payments' } }
  const [first] = installed.send(event).spans
  const [second] = installed.sendAt(NOW + 86_400_000, event).spans
  assert.notEqual(first!.attributes['application.id'], second!.attributes['application.id'])
  for (const { start, end } of [first!, second!]) {
    assert.equal(start % 86_400_000_000_000n, 0n)
    assert.equal(end, start)
  }
})
