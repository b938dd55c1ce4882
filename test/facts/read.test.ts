// What the facts job asks of a cluster, under which policy, and what it makes of the answers:
// nothing that the policy does not name is asked for, nothing is asked twice, and each right may be
// missing.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Question } from '../../src/facts/cluster.ts'
import { needsOf } from '../../src/facts/needs.ts'
import { providerOf, quantity } from '../../src/facts/nodes.ts'
import { type Reading, readCluster } from '../../src/facts/read.ts'
import { rightsFor, rightText } from '../../src/facts/rights.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import type { Policy, Scalar } from '../../src/policy/policy.ts'
import { type Fake, type FakeOptions, fakeCluster, WORKER } from '../support/fake-cluster.ts'
import { policyOf, SHIPPED } from '../support/shipped-policy.ts'
import { policyText } from '../support/spans.ts'

/** A policy that names these facts. */
const naming = (...facts: readonly string[]): Policy =>
  parsePolicy(
    policyText(
      'execution: {}',
      `{${facts.map((fact, i) => `f${i}: {from: "fact:${fact}", exact: text, reason: Why.}`).join(', ')}}`,
    ).replace('resource:', 'compat: true\nlimits: none\nresource:'),
  )

async function read(
  policy: Policy,
  options: FakeOptions = {},
  given: Record<string, Scalar> = {},
  change: (fake: Fake) => void = () => undefined,
) {
  const fake = fakeCluster(options)
  change(fake)
  const facts = new Map(Object.entries(given))
  const reading: Reading = await readCluster(fake, needsOf(policy, facts), facts)
  const missing = reading.missing.map(({ fact, right, why }) => `${fact}: ${right}: ${why}`)
  return { fake, reading, facts: Object.fromEntries(reading.facts), missing }
}

const nodes = (count: number): { nodes: (typeof WORKER)[] } => ({
  nodes: Array.from({ length: count }, (_, i) => ({ ...WORKER, name: `n${i}` })),
})

test('of each fact just what it needs is asked: a version, the metadata of one node, one node, all nodes', async () => {
  const questions: Record<string, [facts: string[], asked: string[]]> = {
    nothing: [['app.version', 'host.arch', 'host.os'], []],
    version: [['k8s.version'], ['GET /version']],
    count: [['k8s.nodes'], ['GET /api/v1/nodes?limit=1']],
    provider: [['k8s.provider', 'k8s.nodes'], ['GET /api/v1/nodes?limit=1']],
    capacity: [['k8s.nodes', 'k8s.cpus', 'k8s.provider'], ['GET /api/v1/nodes?limit=50']],
    objects: [
      ['k8s.resources.apis.gateway.kusk.io', 'k8s.resources.staticroutes.gateway.kusk.io'],
      [
        'GET /apis/gateway.kusk.io',
        'GET /apis/gateway.kusk.io/v1/apis?limit=1',
        'GET /apis/gateway.kusk.io/v1/staticroutes?limit=1',
      ],
    ],
    distribution: [
      ['k8s.distribution', 'k8s.version'],
      ['GET /version', 'GET /api/v1/nodes?limit=1', 'GET /apis/config.openshift.io'],
    ],
  }
  const options = { objects: { 'apis.gateway.kusk.io': 3, 'staticroutes.gateway.kusk.io': 0 } }
  for (const [what, [facts, asked]] of Object.entries(questions)) {
    const { fake } = await read(naming(...facts), options)
    assert.deepEqual(fake.asked, asked, what)
    assert.ok(fake.questions.every(({ method }) => method === 'GET'))
  }
  // Where only numbers are wanted, the server is asked for metadata.
  for (const fact of ['k8s.nodes', 'k8s.resources.apis.gateway.kusk.io']) {
    const { fake } = await read(naming(fact), options)
    assert.match(
      fake.questions.at(-1)?.accept ?? '',
      /^application\/json;as=PartialObjectMetadataList/,
      fact,
    )
  }
})

test('the rights of a policy are those that its questions need, no more and no fewer', async () => {
  for (const name of SHIPPED) {
    const policy = policyOf(name)
    const needs = needsOf(policy, new Map())
    const objects = Object.fromEntries(
      needs.counted.map(({ plural, group }) => [`${plural}.${group}`, 2]),
    )
    const { fake } = await read(policy, { objects })
    const asked = fake.questions.map(rightOf)
    const described = rightsFor(needs, 'usage-sidecar-facts').map(rightText)
    assert.deepEqual(
      [...new Set(asked)].sort(),
      described.filter((right) => !right.startsWith('patch')).sort(),
      name,
    )
    assert.deepEqual(
      described.filter((right) => right.startsWith('patch')),
      ['patch configmaps usage-sidecar-facts'],
    )
  }
})

function rightOf({ method, path }: Question): string {
  const [, group, plural] = /^\/apis\/([^/?]+)\/[^/]+\/([^/?]+)/.exec(path) ?? []
  if (group !== undefined) return `list ${plural}.${group}`
  return path.startsWith('/api/v1/nodes') ? 'list nodes' : `${method.toLowerCase()} ${path}`
}

const EVERYTHING = [
  ...['k8s.version', 'k8s.distribution', 'k8s.provider', 'k8s.nodes', 'k8s.cpus', 'k8s.memory_gib'],
  ...[
    'k8s.nodes.by_arch.amd64',
    'k8s.nodes.by_arch.arm64',
    'k8s.nodes.by_kubelet.1.31',
    'k8s.resources.apis.gateway.kusk.io',
    'app.version',
  ],
]

test('every fact, of a cluster with several pages of nodes', async () => {
  const arm = {
    ...WORKER,
    name: 'arm',
    info: { ...WORKER.info!, architecture: 'arm64', kubeletVersion: 'v1.30.9' },
    capacity: { cpu: '2', memory: '2097152Ki' },
  }
  const options = {
    nodes: [...nodes(250).nodes, arm],
    objects: { 'apis.gateway.kusk.io': 1234 },
    version: 'v1.31.4-eks-a1b2c3',
  }
  const { facts, missing, fake } = await read(naming(...EVERYTHING), options, {
    'app.version': '1.32.0',
  })
  assert.deepEqual(facts, {
    'k8s.version': 'v1.31.4-eks-a1b2c3',
    'k8s.distribution': 'eks',
    'k8s.provider': 'aws',
    'k8s.nodes': 251,
    'k8s.cpus': 982,
    'k8s.memory_gib': 4002,
    'k8s.nodes.by_arch.amd64': 250,
    'k8s.nodes.by_arch.arm64': 1,
    'k8s.nodes.by_kubelet.1.31': 250,
    'k8s.resources.apis.gateway.kusk.io': 1234,
  })
  assert.deepEqual(missing, [])
  assert.deepEqual(
    fake.asked.filter((path) => path.includes('/nodes')),
    ['', '&continue=50', '&continue=100', '&continue=150', '&continue=200', '&continue=250'].map(
      (from) => `GET /api/v1/nodes?limit=50${from}`,
    ),
  )
  assert.equal((await read(naming('k8s.nodes'), nodes(1))).facts['k8s.nodes'], 1)
  assert.equal((await read(naming('k8s.nodes'), nodes(0))).facts['k8s.nodes'], 0)
  assert.deepEqual((await read(naming('k8s.provider'), nodes(0))).missing, [
    'k8s.provider: list nodes: the cluster has no such resource',
  ])
})

test('a server that does not say how many are left is read to the end', async () => {
  const { facts, fake } = await read(naming('k8s.nodes'), nodes(1_100), {}, (it) => {
    const { ask } = it
    it.ask = async (question) => {
      const answer = await ask(question)
      delete (answer.body as { metadata: { remainingItemCount?: number } }).metadata
        .remainingItemCount
      return answer
    }
  })
  assert.equal(facts['k8s.nodes'], 1_100)
  assert.equal(fake.asked.length, 4)
})

test('what the chart gives is not asked for', async () => {
  const { fake, facts } = await read(
    naming('k8s.version', 'k8s.nodes'),
    {},
    { 'k8s.version': 'v1.30', 'k8s.nodes': 3 },
  )
  assert.deepEqual([fake.asked, facts], [[], {}])
})

/** Each right alone, by what it lets be asked. */
const RIGHTS: Record<string, RegExp> = {
  'get /version': /^\/version/,
  'get /apis/config.openshift.io': /^\/apis\/config\.openshift\.io/,
  'list nodes': /^\/api\/v1\/nodes/,
  'get /apis/gateway.kusk.io': /^\/apis\/gateway\.kusk\.io$/,
  'list apis.gateway.kusk.io': /^\/apis\/gateway\.kusk\.io\/v1\/apis/,
}
const withRights = (...rights: readonly string[]) =>
  read(
    naming(...EVERYTHING),
    { objects: { 'apis.gateway.kusk.io': 2 } },
    { 'app.version': '1' },
    (fake) => {
      fake.answer = ({ path }) =>
        rights.some((right) => RIGHTS[right]!.test(path)) ? undefined : 403
    },
  )

test('without any right each fact is named with the right that it needs, and each question is asked once', async () => {
  const { facts, missing, fake } = await withRights()
  assert.deepEqual(facts, {})
  assert.deepEqual(missing, [
    'k8s.version: get /version: the right is missing',
    'k8s.distribution: get /version: the right is missing',
    ...['k8s.provider', 'k8s.nodes', 'k8s.cpus', 'k8s.memory_gib'].map(
      (fact) => `${fact}: list nodes: the right is missing`,
    ),
    ...['by_arch.amd64', 'by_arch.arm64', 'by_kubelet.1.31'].map(
      (fact) => `k8s.nodes.${fact}: list nodes: the right is missing`,
    ),
    'k8s.resources.apis.gateway.kusk.io: get /apis/gateway.kusk.io: the right is missing',
  ])
  assert.deepEqual(fake.asked, [
    'GET /version',
    'GET /api/v1/nodes?limit=50',
    'GET /apis/gateway.kusk.io',
  ])
})

test('with each right alone, what it gives is there and the rest is named', async () => {
  const given: Record<string, string[]> = {}
  for (const right of Object.keys(RIGHTS))
    given[right] = Object.keys((await withRights(right)).facts)
  const ofNodes = EVERYTHING.slice(2, 9)
  assert.deepEqual(given, {
    'get /version': ['k8s.version'],
    'get /apis/config.openshift.io': [],
    'list nodes': ofNodes,
    'get /apis/gateway.kusk.io': [],
    'list apis.gateway.kusk.io': [],
  })
  const all = await withRights(...Object.keys(RIGHTS))
  assert.deepEqual([Object.keys(all.facts), all.missing], [EVERYTHING.slice(0, -1), []])
  for (const right of Object.keys(RIGHTS)) {
    const { missing, facts } = await withRights(
      ...Object.keys(RIGHTS).filter((other) => other !== right),
    )
    assert.ok(missing.length > 0 && missing.every((line) => line.includes(`: ${right}: `)), right)
    assert.equal(missing.length + Object.keys(facts).length, EVERYTHING.length - 1, right)
  }
})

test('an answer that is none is told as what it is, and nothing of it is repeated', async () => {
  const answers: [number, string, passing: boolean][] = [
    [0, 'the API server did not answer', true],
    [401, 'the API server does not accept the account', false],
    [404, 'the cluster has no such resource', false],
    [500, 'the API server answered 500', true],
    [200, 'the answer is not understood', false],
  ]
  for (const [status, why, passing] of answers) {
    const { reading } = await read(naming('k8s.version', 'k8s.nodes'), {}, {}, (fake) => {
      fake.answer = () => status
    })
    assert.deepEqual(
      reading.missing.map((it) => [it.why, it.passing]),
      [
        [why, passing],
        [why, passing],
      ],
    )
  }
})

test('a distribution is told by the version, by OpenShift’s API or by a node; what nobody tells is other', async () => {
  const of = async (options: FakeOptions): Promise<unknown> =>
    (await read(naming('k8s.distribution'), options)).facts['k8s.distribution']
  assert.equal(await of({ version: 'v1.31.4-gke.1183000' }), 'gke')
  assert.equal(await of({ version: 'v1.31.4-eks-a1b2c3' }), 'eks')
  assert.equal(await of({ version: 'v1.31.4+rke2r1' }), 'rke2')
  assert.equal(await of({ version: 'v1.31.4+k3s1' }), 'k3s')
  assert.equal(await of({ openshift: true }), 'openshift')
  assert.equal(
    await of({ nodes: [{ name: 'n', labels: { 'kubernetes.azure.com/cluster': 'secret' } }] }),
    'aks',
  )
  assert.equal(
    await of({ nodes: [{ name: 'n', providerId: 'kind://docker/kind/kind-control-plane' }] }),
    'kind',
  )
  assert.equal(await of({}), 'other')
})

test('a provider is what stands before :// once; quantities are those of Kubernetes', () => {
  const providers = {
    'gce://p/z/n': 'gce',
    'aws://foo': 'aws',
    '': 'other',
    aws: 'other',
    'foo://bar': 'foo',
    'aws://a://b': 'other',
    'A B://x': 'other',
  }
  for (const [id, provider] of Object.entries(providers)) assert.equal(providerOf(id), provider, id)
  const quantities = {
    '4': 4,
    '3920m': 3.92,
    '16Gi': 2 ** 34,
    '1e3': 1000,
    '2M': 2e6,
    '1.5': 1.5,
    '': undefined,
    '-1': undefined,
    '4 cores': undefined,
    '1Xi': undefined,
  }
  for (const [text, number] of Object.entries(quantities))
    assert.equal(quantity(text), number, text)
})
