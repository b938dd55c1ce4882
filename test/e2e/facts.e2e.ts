// The facts job against the real kube-apiserver, with the rights that this project prints and no
// others: full, none, each one alone; the identity's Secret in a race; what it costs, by the
// server's own metrics; its manifests under Pod Security.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { parse, parseAllDocuments, stringify } from 'yaml'
import { startCollector } from '../support/collector.ts'
import { type Job, startJob } from '../system/facts-process.ts'
import { type ApiServer, makeNamespace, startApiServer } from './cluster/apiserver.ts'
import { KUBERNETES } from './cluster/binaries.ts'
import { BUNDLE, type Scope, startSidecar, temporaryFolder } from './processes.ts'

const NAMESPACE = 'usage-system'
const policyFile = (name: string): string =>
  new URL(`../../deploy/policies/${name}.yaml`, import.meta.url).pathname
const deployed = (name: string): string =>
  readFileSync(new URL(`../../deploy/facts/${name}`, import.meta.url), 'utf8')

/** Names every kind of fact there is. */
const EVERYTHING = `apiVersion: usage-sidecar.dev/v1
project: example.org/demo
version: 1
purpose: A test.
contact: a@example.org
retention: 1d
expires: 2999-12-31
limits: {recordBits: 100, stableBits: 100}
resource:
  version: {from: fact:k8s.version, version: core, reason: Why.}
  distribution: {from: fact:k8s.distribution, keep: [eks, gke, openshift], reason: Why.}
  provider: {from: fact:k8s.provider, keep: [aws, gce], reason: Why.}
  nodes: {from: fact:k8s.nodes, buckets: [1, 2, 5], reason: Why.}
  cpus: {from: fact:k8s.cpus, buckets: [1, 8, 64], reason: Why.}
  arm: {from: fact:k8s.nodes.by_arch.arm64, buckets: [0, 1, 5], reason: Why.}
  gadgets: {from: fact:k8s.resources.gadgets.example.org, buckets: [0, 1, 100], reason: Why.}
spans:
  execution: {}
`
const ALL = {
  'k8s.version': KUBERNETES,
  'k8s.distribution': 'other',
  'k8s.provider': 'aws',
  'k8s.nodes': 2,
  'k8s.cpus': 8,
  'k8s.nodes.by_arch.arm64': 1,
  'k8s.resources.gadgets.example.org': 100,
}

const NODES = [
  {
    name: 'worker-1',
    machineID: '0123456789abcdef0123456789abcdef',
    systemUUID: '6F9619FF-8B86-D011-B42D-00C04FC964FF',
    architecture: 'amd64',
  },
  { name: 'worker-2', machineID: '', systemUUID: '', architecture: 'arm64' },
]
const nodeObject = ({ name, ...info }: (typeof NODES)[number]): object => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'kubernetes.io/arch': info.architecture } },
  spec: { providerID: `aws:///us-west-2a/${name}` },
  status: {
    nodeInfo: {
      ...info,
      ...{
        bootID: 'b',
        kernelVersion: '6.1.0',
        osImage: 'Debian GNU/Linux 12',
        operatingSystem: 'linux',
      },
      ...{
        containerRuntimeVersion: 'containerd://1.7.22',
        kubeletVersion: `v${KUBERNETES}`,
        kubeProxyVersion: '',
      },
    },
    capacity: { cpu: '4', memory: '16Gi', pods: '110' },
  },
})
const CRD = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'gadgets.example.org' },
  spec: {
    group: 'example.org',
    names: { kind: 'Gadget', plural: 'gadgets', singular: 'gadget' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1beta2',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object' } },
      },
    ],
  },
}

interface World {
  api: ApiServer
  policy: string
  /** Prints the RBAC for the policy. */
  rights: () => string
  /** The job under this account, with the policy of everything; gives what it has published. */
  run: (account: string, env?: Record<string, string>, args?: readonly string[]) => Promise<Job>
  published: () => Record<string, unknown>
}

async function startWorld(t: Scope): Promise<World> {
  const api = await startApiServer(t)
  makeNamespace(api, NAMESPACE, { labels: { 'pod-security.kubernetes.io/enforce': 'restricted' } })
  // Everybody may ask for these in a new cluster; here a right is only what somebody gives.
  api.kubectl([
    'delete',
    'clusterrolebinding',
    'system:public-info-viewer',
    'system:discovery',
    'system:basic-user',
  ])
  api.apply(stringify(CRD))
  for (const node of NODES) api.apply(stringify(nodeObject(node)))
  api.kubectl(['wait', '--for=condition=Established', 'crd/gadgets.example.org', '--timeout=30s'])
  const gadgets = Array.from({ length: 120 }, (_, i) => ({
    apiVersion: 'example.org/v1beta2',
    kind: 'Gadget',
    metadata: { name: `gadget-${i}`, namespace: NAMESPACE },
  }))
  api.kubectl(['create', '-f', '-'], {
    input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: gadgets }),
  })
  api.apply(deployed('facts.yaml').split('---')[0]!)
  const policy = join(api.folder, 'policy.yaml')
  await writeFile(policy, EVERYTHING)
  const call = (args: readonly string[], env: Record<string, string> = {}): Promise<Job> =>
    startJob(args, { USAGE_POLICY: policy, ...env }, BUNDLE).ended
  const { stdout: rbac } = await call(['rights'])
  return {
    api,
    policy,
    rights: () => rbac,
    run: (account, env = {}, args = []) =>
      call(['--start-within', '0', '--namespace', NAMESPACE, ...args], {
        KUBECONFIG: api.serviceAccount(NAMESPACE, account),
        ...env,
      }),
    published: () => {
      const { data = {} } = JSON.parse(
        api.kubectl(['get', 'configmap', 'usage-sidecar-facts', '-n', NAMESPACE, '-o', 'json']),
      ) as {
        data?: Record<string, string>
      }
      return JSON.parse(data['facts.json'] ?? '{}') as Record<string, unknown>
    },
  }
}

/** One server for all tests; each acts as an account of its own. */
const world = startWorld({ after })

/** `FACT: RIGHT` for each one that the log names. */
const missingIn = ({ lines }: Job): string[] =>
  lines
    .filter(({ event }) => event === 'facts: missing fact')
    .map(({ fact, right, why }) => `${fact}: ${right}: ${why}`)

test('with the rights that are printed for a policy everything is read and published; without any, all is named', async () => {
  const { api, rights, run, published } = await world
  api.apply(rights())
  const full = await run('usage-sidecar-facts')
  assert.deepEqual([full.code, missingIn(full), published()], [0, [], ALL], full.stderr)
  const none = await run('nobody')
  assert.equal(none.code, 0, none.stderr)
  assert.deepEqual(missingIn(none), [
    'k8s.version: get /version: the right is missing',
    'k8s.distribution: get /version: the right is missing',
    ...['k8s.provider', 'k8s.nodes', 'k8s.cpus', 'k8s.nodes.by_arch.arm64'].map(
      (fact) => `${fact}: list nodes: the right is missing`,
    ),
    'k8s.resources.gadgets.example.org: get /apis/example.org: the right is missing',
  ])
  assert.match(none.stderr, /cannot publish the facts.*"why":"the right is missing"/)
  assert.doesNotMatch(full.stderr + none.stderr, /worker-|us-west|forbidden|serviceaccount|gadget-/)
  // Applied again, the manifest leaves what was published.
  api.apply(deployed('facts.yaml').split('---')[0]!)
  assert.deepEqual(published(), ALL)
})

test('each right alone gives what it says; each one missing takes only that away', async () => {
  const { api, rights, run } = await world
  const roles = parseAllDocuments(rights()).map(
    (document) => document.toJS() as { kind: string; rules?: object[] },
  )
  const of = (kind: string) => roles.find((object) => object.kind === kind)!
  const clusterRules = of('ClusterRole').rules!
  const publishing = of('Role').rules!
  const GIVES: Record<string, string[]> = {
    '/version': ['k8s.version'],
    '/apis/config.openshift.io': [],
    nodes: ['k8s.provider', 'k8s.nodes', 'k8s.cpus', 'k8s.nodes.by_arch.arm64'],
    '/apis/example.org': [],
    gadgets: [],
  }
  const nameOf = (rule: object): string => {
    const { resources, nonResourceURLs } = rule as {
      resources?: string[]
      nonResourceURLs?: string[]
    }
    return (resources ?? nonResourceURLs)![0]!
  }
  assert.deepEqual(clusterRules.map(nameOf), Object.keys(GIVES))
  let accounts = 0
  const attempt = async (
    rules: readonly object[],
  ): Promise<{ known: string[]; missing: string[] }> => {
    const account = `account-${accounts++}`
    const kubeconfig = api.serviceAccount(NAMESPACE, account)
    const objects = [
      ...(['ClusterRole', 'Role'] as const).flatMap((kind) => {
        const metadata = { name: account, ...(kind === 'Role' ? { namespace: NAMESPACE } : {}) }
        const binding = {
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind, name: account },
          subjects: [{ kind: 'ServiceAccount', name: account, namespace: NAMESPACE }],
        }
        const apiVersion = 'rbac.authorization.k8s.io/v1'
        return [
          { apiVersion, kind, metadata, rules: kind === 'Role' ? publishing : rules },
          { apiVersion, kind: `${kind}Binding`, metadata, ...binding },
        ]
      }),
    ]
    api.apply(objects.map((object) => stringify(object)).join('---\n'))
    const job = await run(account, { KUBECONFIG: kubeconfig })
    assert.equal(job.code, 0, job.stderr)
    const missing = missingIn(job)
    return {
      missing,
      known: Object.keys(ALL).filter(
        (fact) => !missing.some((line) => line.startsWith(`${fact}: `)),
      ),
    }
  }
  for (const rule of clusterRules) {
    assert.deepEqual((await attempt([rule])).known, GIVES[nameOf(rule)], `only ${nameOf(rule)}`)
    const without = await attempt(clusterRules.filter((other) => other !== rule))
    assert.ok(
      without.missing.length > 0 &&
        without.missing.every((line) =>
          line.endsWith(
            `${nameOf(rule)}${nameOf(rule) === 'gadgets' ? '.example.org' : ''}: the right is missing`,
          ),
        ),
      `${nameOf(rule)}: ${without.missing.join('; ')}`,
    )
  }
})

test('of many Jobs that make the identity at once one does, and its Secret stays', async () => {
  const { api, run } = await world
  api.apply(deployed('identity.yaml').split('---').slice(0, 3).join('---'))
  const make = () =>
    run('usage-sidecar-facts-identity', {}, ['--identity-secret', 'usage-sidecar-identity'])
  const secret = () =>
    JSON.parse(
      api.kubectl(['get', 'secret', 'usage-sidecar-identity', '-n', NAMESPACE, '-o', 'json']),
    ) as {
      data: Record<string, string>
      immutable: boolean
      metadata: { uid: string }
    }
  const jobs = await Promise.all(Array.from({ length: 6 }, make))
  assert.deepEqual(
    jobs.map(({ code }) => code),
    [0, 0, 0, 0, 0, 0],
    jobs[0]!.stderr,
  )
  assert.equal(jobs.filter(({ stderr }) => stderr.includes('"by":"this job"')).length, 1)
  const { data, immutable, metadata } = secret()
  assert.equal(immutable, true)
  const text = (name: string): string => Buffer.from(data[name]!, 'base64').toString('utf8')
  assert.match(
    `${text('instance-id')} ${text('secret')}`,
    /^[0-7][0-9A-HJKMNP-TV-Z]{25} [0-9a-f]{64}$/,
  )
  assert.equal((await make()).code, 0)
  assert.deepEqual([secret().data, secret().metadata.uid], [data, metadata.uid])
  // The account can do nothing else.
  const kubeconfig = api.serviceAccount(NAMESPACE, 'usage-sidecar-facts-identity')
  for (const args of [
    ['get', 'secret', 'usage-sidecar-identity'],
    ['delete', 'secret', 'usage-sidecar-identity'],
    ['get', 'nodes'],
    ['get', 'secrets', '-A'],
  ])
    assert.match(
      api.tryKubectl([...args, '-n', NAMESPACE], { kubeconfig }).stderr,
      /forbidden/i,
      args.join(' '),
    )
})

test('Spartakus end to end, from the nodes in the API server to the collector', async (t) => {
  const { api, run } = await world
  const collector = await startCollector(t)
  const policy = policyFile('spartakus-compat')
  const sidecar = await startSidecar(t, {
    folder: await temporaryFolder(t),
    env: {
      USAGE_REPORTING: 'on',
      USAGE_ENDPOINT: collector.endpoint,
      USAGE_SEND_INTERVAL: '500ms',
      USAGE_POLICY: policy,
    },
  })
  const { page } = await sidecar.said('accept: ready')
  const env = {
    USAGE_POLICY: policy,
    USAGE_OTLP_ENDPOINT: `http://127.0.0.1:${sidecar.port}`,
    USAGE_PAGE_LISTEN: `127.0.0.1:${page}`,
  }
  api.apply((await startJob(['rights', '--policy', policy], {}, BUNDLE).ended).stdout)
  const job = await run('usage-sidecar-facts', { ...env, USAGE_FACTS: '{"cluster.id": "c-1"}' })
  assert.equal(job.code, 0, job.stderr)
  assert.equal(job.lines.at(-1)?.event, 'facts: cluster report delivered')
  const spans = collector
    .spans()
    .map(({ span, attributes }) => ({ span: span.name, ...attributes }) as Record<string, unknown>)
  const first = '7c646c3344af8e73d38e85a4ce6455b3'
  assert.deepEqual(
    new Set(spans.map((it) => it['spartakus.node.id'] ?? it['spartakus.master_version'])),
    new Set([`v${KUBERNETES}`, first, '61bcd00672bebb55505a36a25c52d138']),
  )
  assert.equal(spans.length, 3)
  assert.equal(
    spans.find((it) => it['spartakus.node.id'] === first)!['spartakus.node.capacity.memory'],
    '16Gi',
  )
  for (const { body } of collector.requests) assert.ok(!body.includes('worker-1'))
})

/**
 * Every request of a service account, and those for objects by what was asked for, as the server
 * counts them.
 */
function requestsIn(metrics: string): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const [, name, labels, count] of metrics.matchAll(/^(apiserver_\w+)\{(.*)\} (\S+)$/gm)) {
    const label = (of: string): string => new RegExp(`\\b${of}="([^"]*)"`).exec(labels!)?.[1] ?? ''
    const key =
      name === 'apiserver_request_total'
        ? `${label('verb')} ${label('resource')} ${label('code')}`
        : name === 'apiserver_flowcontrol_dispatched_requests_total'
          ? `all of ${label('flow_schema')}`
          : undefined
    if (key !== undefined) counts[key] = (counts[key] ?? 0) + Number(count)
  }
  return counts
}

test('what a day costs the API server does not grow with the number of sidecars', async (t) => {
  const { api, rights, run } = await world
  api.apply(rights())
  const kubeconfig = api.serviceAccount(NAMESPACE, 'usage-sidecar-facts')
  const folder = await temporaryFolder(t)
  // A sidecar that could find the API server, if it looked.
  const [, host, port] = /https:\/\/(.+):(\d+)/.exec(api.url)!
  await startSidecar(t, {
    folder,
    env: { KUBERNETES_SERVICE_HOST: host!, KUBERNETES_SERVICE_PORT: port!, KUBECONFIG: kubeconfig },
  })
  /**
   * The server asks itself for other things all the time, and kubectl makes the account's token.
   */
  const ours = /^(?:all of service-accounts|(?:LIST|GET|PATCH) (?:nodes|configmaps|gadgets|pods) )/
  const day = async (): Promise<Record<string, number>> => {
    const before = requestsIn(api.metrics())
    assert.equal((await run('usage-sidecar-facts', { KUBECONFIG: kubeconfig })).code, 0)
    const after = requestsIn(api.metrics())
    const changed = Object.keys(after).filter((key) => ours.test(key) && after[key] !== before[key])
    return Object.fromEntries(changed.map((key) => [key, after[key]! - (before[key] ?? 0)]))
  }
  makeNamespace(api, 'apps')
  const pods = (from: number, to: number): void => {
    const items = Array.from({ length: to - from }, (_, i) => {
      const metadata = {
        name: `app-${from + i}`,
        namespace: 'apps',
        labels: { 'usage-sidecar.dev/injected': 'true' },
      }
      return {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata,
        spec: {
          containers: [{ name: 'app', image: 'localhost/any' }],
          initContainers: [
            { name: 'usage-sidecar', image: 'localhost/any', restartPolicy: 'Always' },
          ],
        },
      }
    })
    api.kubectl(['create', '-f', '-'], {
      input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
    })
  }
  await day() // notes since when the policy is in force, once
  pods(0, 1)
  const one = await day()
  pods(1, 1_000)
  assert.equal(
    api.kubectl(['get', 'pods', '-n', 'apps', '-o', 'name']).trim().split('\n').length,
    1_000,
  )
  const thousand = await day()
  t.diagnostic(
    `requests a day, for 1 sidecar ${JSON.stringify(one)}, for 1000 ${JSON.stringify(thousand)}`,
  )
  assert.deepEqual(thousand, one)
  // The version, OpenShift's API and the version of the gadgets are no objects.
  assert.deepEqual(one, {
    'PATCH configmaps 200': 1,
    'LIST nodes 200': 1,
    'LIST gadgets 200': 1,
    'all of service-accounts': 6,
  })
})

test('the manifests are taken by the server, and their pods in a restricted namespace', async () => {
  const { api } = await world
  for (const file of ['rights.yaml', 'facts.yaml', 'once.yaml', 'identity.yaml'])
    api.apply(deployed(file))
  const cronJob = parseAllDocuments(deployed('facts.yaml'))[1]!.toJS() as {
    spec: { jobTemplate: { spec: { template: object } } }
  }
  const job = parse(deployed('identity.yaml').split('---').at(-1)!) as {
    spec: { template: object }
  }
  for (const [name, account, template] of [
    ['facts', 'usage-sidecar-facts', cronJob.spec.jobTemplate.spec.template],
    ['identity', 'usage-sidecar-facts-identity', job.spec.template],
  ] as const) {
    const { metadata = {}, spec } = template as { metadata?: object; spec: object }
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { ...metadata, name, namespace: NAMESPACE },
      spec,
    }
    api.kubectl(['create', '-f', '-'], { input: JSON.stringify(pod) })
    const made = JSON.parse(api.kubectl(['get', 'pod', name, '-n', NAMESPACE, '-o', 'json'])) as {
      spec: { serviceAccountName: string; containers: Mounting[]; initContainers?: Mounting[] }
    }
    assert.equal(made.spec.serviceAccountName, account)
    const token = ({ volumeMounts }: Mounting): string =>
      volumeMounts.find(({ mountPath }) => mountPath.endsWith('/serviceaccount'))?.name ?? 'none'
    assert.match(token(made.spec.containers[0]!), /^kube-api-access-/)
    for (const sidecar of made.spec.initContainers ?? [])
      assert.equal(token(sidecar), 'usage-sidecar-no-token')
  }
})

interface Mounting {
  volumeMounts: { name: string; mountPath: string }[]
}
