// The compat policies reproduce the reporters that they replace: every field, fold, omission and
// hash, with the vectors of the old systems, from the span of the application to the request that
// would leave.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import {
  type Event,
  INSTANCE,
  type Installation,
  type Plain,
  type Sent,
  startPipeline,
} from '../support/shipped-policy.ts'
import { START } from '../support/spans.ts'

const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex')

/** The attributes of the one span that leaves. */
function only(policy: string, event: Event, installation?: Installation): Sent {
  const { spans } = startPipeline(policy, installation).send(event)
  assert.equal(spans.length, 1)
  return spans[0]!
}

const spinnaker = (
  name: 'execution' | 'stage',
  attributes: Record<string, Plain>,
): Record<string, Plain> => only('spinnaker-compat', { name, attributes }).attributes

const EXECUTION = {
  'execution.id': '01EBF3A0S5K7C9W2X4Y6Z8A1B3',
  'execution.type': 'pipeline',
  'execution.status': 'SUCCEEDED',
  'execution.trigger': 'git',
  'application.name': 'payments',
  'application.pipeline_count': 7,
  'instance.pipeline_count': 412,
  'deployment.method': 'halyard',
  'deployment.version': '1.44.1-20210930',
  environment: 'kubernetes',
}

test('Spinnaker: an execution leaves with every field of the old report (V1, V2, V8), the salt last (never V6)', () => {
  const left = startPipeline('spinnaker-compat', { facts: { 'app.version': '1.26.6' } }).send({
    name: 'execution',
    attributes: EXECUTION,
  })
  const { 'usage.batch.id': batch, 'usage.policy.digest': digest, ...resource } = left.resource
  assert.match(String(batch), /^[0-9a-f]{32}$/)
  assert.match(String(digest), /^[0-9a-f]{64}$/)
  assert.deepEqual(resource, {
    'usage.project': 'spinnaker.io/spinnaker',
    'usage.policy.version': 1,
    'spinnaker.instance.id': 'cd47a3a73501643bc306aa72beef403497f413e95047a79490b37d355e76550e',
    'spinnaker.instance.version': '1.26.6',
  })
  assert.deepEqual(left.spans[0]!.attributes, {
    'spinnaker.instance.pipeline_count': 412,
    'spinnaker.instance.deployment_method.type': 'HALYARD',
    'spinnaker.instance.deployment_method.version': '1.44.1-20210930',
    'spinnaker.instance.environment': 'KUBERNETES',
    'spinnaker.application.id': 'ed5c78810fc598b61d736be438a2ae14ac37fcc4820f0c2f71c85eda43ded744',
    'spinnaker.application.pipeline_count': 7,
    'spinnaker.execution.id': 'ca9c614437ff6d7258ca52a6b7fad3e00cd2ca0e1925df2eff88ff0913cd0c3b',
    'spinnaker.execution.type': 'PIPELINE',
    'spinnaker.execution.trigger.type': 'GIT',
    'spinnaker.execution.status': 'SUCCEEDED',
  })
  const wrongOrder = '42ce395d1921b41226c35b5792279be434c3d189211a62d9371a5df74254b3c2'
  assert.equal(sha256(`${INSTANCE}payments`), wrongOrder)
  assert.ok(!left.bytes.includes(wrongOrder))
})

test('Spinnaker: the second installation of the published vectors gives its own hashes', () => {
  const instance = '01ARZ3NDEKTSV4RRFFQ69G5FAV'
  const attributes = {
    'application.name': 'orders-api',
    'execution.id': '01BX5ZZKBKACTAV9WEVGEMMVRZ',
  }
  const { resource, spans } = startPipeline('spinnaker-compat', { instance }).send({
    name: 'execution',
    attributes,
  })
  assert.equal(
    resource['spinnaker.instance.id'],
    '8eac53b3f14d71fe51a63af287b39e9987212e1bf5310a72056379e1f254c0c4',
  )
  assert.equal(
    spans[0]!.attributes['spinnaker.application.id'],
    '0b190ee138da07b9f37df4d41074382f2a2687cd2031dfda18b3bcdf22851624',
  )
  assert.equal(
    spans[0]!.attributes['spinnaker.execution.id'],
    '1d3580381beb42f88c88ade977da61f25875e7f0bb93d438d7cf9c9ebc31763e',
  )
})

test('Spinnaker: an empty id is left out, never hashed, and what has no value is UNKNOWN or left out', () => {
  for (const attributes of [{ 'execution.id': '' }, {}]) {
    const left = startPipeline('spinnaker-compat').send({ name: 'execution', attributes })
    assert.ok(!left.bytes.includes(sha256('')))
    assert.equal(left.resource['spinnaker.instance.version'], 'unknown')
    assert.deepEqual(left.spans[0]!.attributes, {
      'spinnaker.instance.deployment_method.type': 'NONE',
      'spinnaker.instance.environment': 'ENVIRONMENT_UNKNOWN',
      'spinnaker.execution.type': 'UNKNOWN',
      'spinnaker.execution.trigger.type': 'UNKNOWN',
      'spinnaker.execution.status': 'UNKNOWN',
    })
  }
})

const STATUSES =
  'UNKNOWN NOT_STARTED RUNNING PAUSED SUSPENDED SUCCEEDED FAILED_CONTINUE TERMINAL CANCELED REDIRECT STOPPED SKIPPED BUFFERED'.split(
    ' ',
  )
const PROVIDERS = 'UNKNOWN APPENGINE AWS AZURE CLOUDFOUNDRY DCOS ECS GCE KUBERNETES ORACLE'.split(
  ' ',
)
/**
 * Incoming attribute, outgoing one, every value of the old enum; what is not listed becomes
 * `unlisted`.
 */
const ENUMS = [
  [
    'execution',
    'execution.type',
    'spinnaker.execution.type',
    'UNKNOWN',
    'UNKNOWN PIPELINE ORCHESTRATION MANAGED_PIPELINE_TEMPLATE_V1 MANAGED_PIPELINE_TEMPLATE_V2'.split(
      ' ',
    ),
  ],
  [
    'execution',
    'execution.trigger',
    'spinnaker.execution.trigger.type',
    'UNKNOWN',
    'UNKNOWN ARTIFACTORY BUILD DOCKER GIT MANUAL PUBSUB WEBHOOK'.split(' '),
  ],
  ['execution', 'execution.status', 'spinnaker.execution.status', 'UNKNOWN', STATUSES],
  [
    'execution',
    'deployment.method',
    'spinnaker.instance.deployment_method.type',
    'NONE',
    'NONE OTHER HALYARD KUBERNETES_OPERATOR KLEAT'.split(' '),
  ],
  [
    'execution',
    'environment',
    'spinnaker.instance.environment',
    'ENVIRONMENT_UNKNOWN',
    'KUBERNETES ENVIRONMENT_UNKNOWN'.split(' '),
  ],
  ['stage', 'stage.status', 'spinnaker.stage.status', 'UNKNOWN', STATUSES],
  ['stage', 'stage.cloud_provider', 'spinnaker.stage.cloud_provider.id', 'UNKNOWN', PROVIDERS],
] as const

test('Spinnaker: every enum folds as the old one, whatever the case, and everything else to its first value', () => {
  for (const [name, from, to, unlisted, values] of ENUMS) {
    for (const value of values)
      for (const written of [value, value.toLowerCase(), value[0] + value.slice(1).toLowerCase()])
        assert.equal(spinnaker(name, { [from]: written })[to], value, `${from} ${written}`)
    for (const odd of [
      'cron',
      'acme-secret',
      `${values[1]}.`,
      `${values[1]}_2`,
      'succeeded!',
      'constructor',
      '__proto__',
    ])
      assert.equal(spinnaker(name, { [from]: odd })[to], unlisted, `${from} ${odd}`)
  }
})

test('Spinnaker: the case is folded without a locale', () => {
  // Under a Turkish locale `i` becomes a dotted capital, and pipeline none of the values.
  assert.equal(
    spinnaker('execution', { 'execution.type': 'pipeline' })['spinnaker.execution.type'],
    'PIPELINE',
  )
  // U+017F is upper-cased to S, as Java does.
  assert.equal(
    spinnaker('execution', { 'execution.status': 'ſkipped' })['spinnaker.execution.status'],
    'SKIPPED',
  )
})

test('Spinnaker: a stage is copied once for each provider, and goes once where there is none', () => {
  const providers = (attributes: Record<string, Plain>): (Plain | undefined)[] =>
    startPipeline('spinnaker-compat')
      .send({
        name: 'stage',
        attributes: { 'stage.type': 'deploy', 'stage.status': 'succeeded', ...attributes },
      })
      .spans.map(({ attributes: sent }) => {
        assert.equal(sent['spinnaker.stage.type'], 'deploy')
        assert.equal(sent['spinnaker.stage.status'], 'SUCCEEDED')
        return sent['spinnaker.stage.cloud_provider.id']
      })
  assert.deepEqual(providers({ 'stage.cloud_providers': 'aws,gce' }), ['AWS', 'GCE'])
  assert.deepEqual(providers({ 'stage.cloud_providers': ' aws , titus ,, gce' }), [
    'AWS',
    'UNKNOWN',
    'GCE',
  ])
  // The provider of the stage's own context comes first; only an empty one gives way.
  assert.deepEqual(
    providers({ 'stage.cloud_provider': 'ecs', 'stage.cloud_providers': 'aws,gce' }),
    ['ECS'],
  )
  assert.deepEqual(providers({ 'stage.cloud_provider': '', 'stage.cloud_providers': 'aws,gce' }), [
    'AWS',
    'GCE',
  ])
  assert.deepEqual(providers({ 'stage.cloud_provider': 'kubernetes' }), ['KUBERNETES'])
  assert.deepEqual(providers({}), [undefined])
  assert.deepEqual(providers({ 'stage.cloud_providers': '' }), [undefined])
})

test('Spinnaker: a stage with a synthetic owner is left out, one with an empty owner is not', () => {
  const count = (owner: Plain): number =>
    startPipeline('spinnaker-compat').send({
      name: 'stage',
      attributes: { 'stage.type': 'wait', 'stage.synthetic_owner': owner },
    }).spans.length
  assert.deepEqual(
    [count('STAGE_BEFORE'), count('STAGE_AFTER'), count('x'), count(1), count('')],
    [0, 0, 0, 0, 1],
  )
})

test('Spinnaker: a stage points at its execution, and neither id is the one of the application', () => {
  const ids = { traceId: Buffer.alloc(16, 0xaa), spanId: Buffer.alloc(8, 0xbb) }
  const stage = {
    name: 'stage',
    attributes: {},
    traceId: ids.traceId,
    spanId: Buffer.alloc(8, 0xcc),
    parentId: ids.spanId,
  }
  const { spans, bytes } = startPipeline('spinnaker-compat').send(
    { name: 'execution', attributes: {}, ...ids },
    stage,
  )
  const [execution, below] = spans
  assert.equal(below!.parentSpanId, execution!.spanId)
  assert.equal(below!.traceId, execution!.traceId)
  for (const id of [ids.traceId, ids.spanId, stage.spanId])
    assert.ok(!bytes.includes(id.subarray(0, 8)))
})

const NODE = {
  'node.name': 'worker-1',
  'node.machine_id': '0123456789abcdef0123456789abcdef',
  'node.system_uuid': '6F9619FF-8B86-D011-B42D-00C04FC964FF',
  'node.provider_id': 'gce://project/zone/worker-1',
  'node.os': 'linux',
  'node.os_image': 'Ubuntu 24.04.1 LTS',
  'node.kernel': '6.8.0-45-generic',
  'node.arch': 'amd64',
  'node.runtime': 'containerd://1.7.22',
  'node.kubelet': 'v1.31.4-gke.100',
  'node.capacity.cpu': '4',
  'node.capacity.memory': '16374256Ki',
  'node.capacity.pods': '110',
  'node.capacity.ephemeral-storage': '98831908Ki',
}

test('Spartakus: a node leaves with every field of the old report (V11), its timestamp exact', () => {
  const sent = only('spartakus-compat', { name: 'k8s.node', attributes: NODE })
  assert.equal(sent.start, START)
  assert.deepEqual(sent.attributes, {
    'spartakus.node.id': '7c646c3344af8e73d38e85a4ce6455b3',
    'spartakus.node.operating_system': 'linux',
    'spartakus.node.os_image': 'Ubuntu 24.04.1 LTS',
    'spartakus.node.kernel_version': '6.8.0-45-generic',
    'spartakus.node.architecture': 'amd64',
    'spartakus.node.container_runtime_version': 'containerd://1.7.22',
    'spartakus.node.kubelet_version': 'v1.31.4-gke.100',
    'spartakus.node.cloud_provider': 'gce',
    'spartakus.node.capacity.cpu': '4',
    'spartakus.node.capacity.ephemeral_storage': '98831908Ki',
    'spartakus.node.capacity.memory': '16374256Ki',
    'spartakus.node.capacity.pods': '110',
  })
})

const spartakusNode = (changes: Record<string, Plain>): Record<string, Plain> =>
  only('spartakus-compat', { name: 'k8s.node', attributes: { ...NODE, ...changes } }).attributes

test('Spartakus: empty ids of a machine are hashed as empty (V12), an empty kubelet is left out', () => {
  const sent = spartakusNode({ 'node.machine_id': '', 'node.system_uuid': '', 'node.kubelet': '' })
  assert.equal(sent['spartakus.node.id'], 'fd8beb38b0b3b008322ea4ba31a713ac')
  assert.ok(!('spartakus.node.kubelet_version' in sent))
})

test('Spartakus: the provider is what stands before ://, if there are two parts and it is a known one', () => {
  const known = 'aws azure cloudstack gce mesos openstack ovirt photon rackspace vsphere'.split(' ')
  const cases: [string, string][] = [
    ['gce://p/z/n', 'gce'],
    ['aws://foo', 'aws'],
    ['', 'unknown'],
    ['aws', 'unknown'],
    ['foo://bar', 'unknown'],
    ['aws://a://b', 'unknown'],
    ['AWS://foo', 'unknown'],
    ...known.map((name): [string, string] => [`${name}:///x/y`, name]),
  ]
  for (const [id, provider] of cases)
    assert.equal(
      spartakusNode({ 'node.provider_id': id })['spartakus.node.cloud_provider'],
      provider,
      id,
    )
  const { 'node.provider_id': _, ...without } = NODE
  const sent = only('spartakus-compat', { name: 'k8s.node', attributes: without })
  assert.equal(sent.attributes['spartakus.node.cloud_provider'], 'unknown')
})

test('Spartakus: the cluster leaves with its id, the server’s version and the named extension', () => {
  const attributes = {
    'cluster.id': 'a4f2c1d0-5b6e-4f7a-8b9c-0d1e2f3a4b5c',
    'k8s.version': 'v1.31.4-gke.100',
    'extension.seldon-core-version': '1.18.2',
    'extension.other': 'stays',
  }
  assert.deepEqual(only('spartakus-compat', { name: 'k8s.cluster', attributes }).attributes, {
    'spartakus.version': 'v1.1.0',
    'spartakus.cluster_id': 'a4f2c1d0-5b6e-4f7a-8b9c-0d1e2f3a4b5c',
    'spartakus.master_version': 'v1.31.4-gke.100',
    'spartakus.extensions.seldon_core_version': '1.18.2',
  })
})

test('Kubeflow on AWS: the instance id is the last part of a provider id, and what does not look like one stays', () => {
  const sent = (id: string): Record<string, Plain> =>
    only('kubeflow-aws-compat', { name: 'k8s.cluster', attributes: { 'one_node.provider_id': id } })
      .attributes
  assert.deepEqual(sent('aws:///us-west-2a/i-0123456789abcdef0'), {
    'kubeflow_aws.instance_id': 'i-0123456789abcdef0',
  })
  for (const odd of [
    '',
    'i-0123456789abcdef0',
    'aws:///a/i-0123',
    'aws:///a/i-0123456789ABCDEF0',
    'aws:///a/xi-0123456789abcdef0',
    'gce://p/z/n',
  ])
    assert.deepEqual(sent(odd), {}, odd)
})

test('Kusk: each event leaves with the id of the cluster, the command line with its keyed hash (V15)', () => {
  const uid = '3b7c1f7e-2d58-4b60-9a4e-6f0c1d2e3f4a'
  const facts = { 'app.cluster_uid': uid }
  for (const name of ['kusk', 'kusk-heartbeat', 'kusk-api-server']) {
    const sent = only(
      'kusk-compat',
      { name, attributes: { event: 'started', version: 'v1.5.0' } },
      { facts },
    )
    assert.deepEqual(sent.attributes, {
      'kusk.anonymous_id': uid,
      'kusk.properties.event': 'started',
      'kusk.properties.version': 'v1.5.0',
    })
  }
  const machine = { 'machine.id': '3f2b1c0d4e5f60718293a4b5c6d7e8f9' }
  const attributes = { message: 'kusk deploy', version: 'v1.5.0', ...machine }
  const id = '83b70579d40dc2668510014bff720edaa630319bd395fb049c9253aad9240c8e'
  const expected = {
    'kusk.anonymous_id': id,
    'kusk.properties.event': 'kusk deploy',
    'kusk.properties.version': 'v1.5.0',
  }
  assert.deepEqual(
    only('kusk-compat', { name: 'kusk-cli', attributes }, { facts }).attributes,
    expected,
  )
  const without = only(
    'kusk-compat',
    { name: 'kusk-cli', attributes: { ...attributes, 'machine.id': '' } },
    { facts },
  )
  assert.ok(!('kusk.anonymous_id' in without.attributes))
})

test('Kusk: the number of existing resources takes the place of their creations', () => {
  const attributes = {
    'k8s.resources.apis.gateway.kusk.io': 12,
    'k8s.resources.staticroutes.gateway.kusk.io': 0,
    'k8s.resources.envoyfleet.gateway.kusk.io': 1,
  }
  assert.deepEqual(only('kusk-compat', { name: 'k8s.cluster', attributes }).attributes, {
    'kusk.resources.apis': 12,
    'kusk.resources.static_routes': 0,
    'kusk.resources.envoy_fleets': 1,
  })
})
