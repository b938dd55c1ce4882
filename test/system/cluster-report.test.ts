// The whole road of the cluster report, as processes: the facts job, the sidecar in its pod, the
// collector. Spartakus's reports come out with the vectors that were published for it; what the
// cluster also says reaches nobody.
import assert from 'node:assert/strict'
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, type TestContext, test } from 'node:test'
import { bundle } from '../../scripts/build.ts'
import { type Collector, type Left, startCollector } from '../support/collector.ts'
import { type Fake, fakeCluster, WORKER } from '../support/fake-cluster.ts'
import {
  filesIn,
  type Place,
  placeOf,
  startChild,
  temporaryFolder,
  until,
} from '../support/sidecar.ts'
import { type FakeServer, type Job, runJob, serve, TOKEN } from './facts-process.ts'

/** Bundled, as in the image. */
const folder = await realpath(await mkdtemp(join(tmpdir(), 'facts-')))
after(() => rm(folder, { recursive: true }))
await bundle(folder)
await writeFile(join(folder, 'package.json'), '{"type": "module"}')
const PROGRAM = join(folder, 'usage-sidecar.js')

const policyFile = (name: string): string =>
  new URL(`../../deploy/policies/${name}.yaml`, import.meta.url).pathname
const SILENT = { name: 'worker-1', info: { machineID: '', systemUUID: '' } }

/** What the pod's environment may hold for its application. */
const HOSTILE = {
  OTEL_SDK_DISABLED: 'true',
  OTEL_TRACES_EXPORTER: 'console',
  OTEL_TRACES_SAMPLER: 'always_off',
  OTEL_LOG_LEVEL: 'all',
  OTEL_RESOURCE_ATTRIBUTES: 'host.name=CANARY',
  OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
  OTEL_EXPORTER_OTLP_HEADERS: 'authorization=CANARY',
  OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
  OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT: '1',
  OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT: '1',
  OTEL_METRICS_EXPORTER: 'otlp',
  OTEL_CONFIG_FILE: '/nowhere.yaml',
  HTTP_PROXY: 'http://127.0.0.1:1',
  HTTPS_PROXY: 'http://127.0.0.1:1',
  NODE_USE_ENV_PROXY: '1',
}

interface Pod {
  collector: Collector
  server: FakeServer
  fake: Fake
  place: Place
  report: (env?: Record<string, string>) => Promise<Job>
  sidecarLog: () => string
}

async function startPod(
  t: TestContext,
  policy: string,
  fake: Fake,
  env: Record<string, string> = {},
): Promise<Pod> {
  const collector = await startCollector(t)
  const server = await serve(t, fake)
  const place = await placeOf(t, {
    USAGE_ENDPOINT: collector.endpoint,
    USAGE_POLICY: policyFile(policy),
    ...env,
  })
  const sidecar = await startChild(t, place)
  const page = sidecar.lines().find(({ event }) => event === 'accept: ready')!.page
  const report = (more: Record<string, string> = {}): Promise<Job> =>
    runJob(
      [],
      {
        ...HOSTILE,
        KUBECONFIG: server.kubeconfig,
        USAGE_POLICY: policyFile(policy),
        USAGE_OTLP_ENDPOINT: `http://127.0.0.1:${sidecar.port}`,
        USAGE_PAGE_LISTEN: `127.0.0.1:${page}`,
        ...more,
      },
      PROGRAM,
    )
  return { collector, server, fake, place, report, sidecarLog: () => sidecar.output.stderr }
}

const placeOfSpan = ({ span, attributes }: Left): string =>
  `${span.name} ${String(attributes['spartakus.node.id'])}`

test('Spartakus: server and nodes, exactly, once for each run; and nothing else that the cluster knows', async (t) => {
  const began = Date.now()
  const pod = await startPod(
    t,
    'spartakus-compat',
    fakeCluster({ nodes: [WORKER, SILENT], version: 'v1.31.4-eks-a1b2c3' }),
  )
  const facts = {
    'cluster.id': 'd9a7e3c1-0000-4000-8000-1b2c3d4e5f60',
    'extension.seldon-core-version': '1.18.2',
  }
  const job = await pod.report({ USAGE_FACTS: JSON.stringify(facts) })
  assert.deepEqual([job.code, job.stdout], [0, ''], job.stderr)
  assert.equal(job.lines.at(-1)?.event, 'facts: cluster report delivered')
  assert.deepEqual(
    // They leave in the order of their ids.
    pod.collector
      .spans()
      .toSorted((a, b) => placeOfSpan(a).localeCompare(placeOfSpan(b)))
      .map(({ span, attributes }) => ({ name: span.name, ...attributes })),
    [
      {
        name: 'k8s.cluster',
        'spartakus.version': 'v1.1.0',
        'spartakus.cluster_id': facts['cluster.id'],
        'spartakus.master_version': 'v1.31.4-eks-a1b2c3',
        'spartakus.extensions.seldon_core_version': '1.18.2',
      },
      {
        name: 'k8s.node',
        'spartakus.node.id': '7c646c3344af8e73d38e85a4ce6455b3', // V11
        'spartakus.node.operating_system': 'linux',
        'spartakus.node.os_image': 'Debian GNU/Linux 12 (bookworm)',
        'spartakus.node.kernel_version': '6.1.0-26-amd64',
        'spartakus.node.architecture': 'amd64',
        'spartakus.node.container_runtime_version': 'containerd://1.7.22',
        'spartakus.node.kubelet_version': 'v1.31.4-eks-a1b2c3',
        'spartakus.node.cloud_provider': 'aws',
        'spartakus.node.capacity.cpu': '3920m',
        'spartakus.node.capacity.ephemeral_storage': '95551679124',
        'spartakus.node.capacity.memory': '16Gi',
        'spartakus.node.capacity.pods': '110',
      },
      {
        name: 'k8s.node',
        'spartakus.node.id': 'fd8beb38b0b3b008322ea4ba31a713ac',
        'spartakus.node.cloud_provider': 'unknown',
      }, // V12
    ],
  )
  for (const { span } of pod.collector.spans()) {
    const at = Number(span.startTimeUnixNano / 1_000_000n)
    assert.ok(at >= began && at <= Date.now() && span.endTimeUnixNano === span.startTimeUnixNano)
  }
  // The period is another run, the one-shot form none.
  assert.equal((await pod.report()).code, 0)
  assert.equal(pod.collector.spans().length, 6)

  const written = [...(await filesIn(pod.place.folder))].filter(
    ([name]) => !name.startsWith('identity/'),
  )
  const everywhere = [
    job.stderr,
    pod.sidecarLog(),
    JSON.stringify(pod.fake.configMap),
    ...pod.collector.requests.map(({ rawHeaders }) => rawHeaders.join()),
  ]
  const bytes = [
    ...everywhere.map((text) => Buffer.from(text)),
    ...written.map(([, content]) => content),
    ...pod.collector.requests.map(({ body }) => body),
  ]
  for (const secret of [
    'worker-1',
    'CANARY',
    '10.1.2.3',
    '0123456789abcdef0123456789abcdef',
    '6F9619FF',
    'us-west-2a',
    TOKEN,
  ])
    for (const [index, content] of bytes.entries())
      assert.ok(!content.includes(secret), `${secret} in ${index}`)
  assert.deepEqual(pod.fake.asked, [
    ...['GET /version', 'GET /api/v1/nodes?limit=50'],
    ...['GET /version', 'GET /api/v1/nodes?limit=50'],
  ])
})

test('the hardened form: the sidecar learns what is published, and the report comes out in buckets', async (t) => {
  const fake = fakeCluster({
    nodes: Array.from({ length: 37 }, (_, i) => ({ ...WORKER, name: `n${i}` })),
  })
  const file = join(await temporaryFolder(t), 'facts.json')
  const pod = await startPod(t, 'spartakus', fake, {
    USAGE_FACTS_FILE: file,
    USAGE_FACTS: '{"app.version": "1.9.2-acme"}',
  })
  const { ask } = fake
  fake.ask = async (question) => {
    const answer = await ask(question)
    // What the kubelet does with a ConfigMap that a pod has as a volume.
    if (question.method === 'PATCH') await writeFile(file, fake.configMap.data['facts.json']!)
    return answer
  }
  const { code, stderr } = await pod.report({ USAGE_FACTS: '{"app.version": "1.9.2-acme"}' })
  assert.equal(code, 0, stderr)
  assert.deepEqual(fake.configMap.data, {
    'facts.json': '{"app.version":"1.9","k8s.version":"1.31","k8s.nodes":10,"k8s.provider":"aws"}',
  })
  const reports = pod.collector.spans().filter(({ span }) => span.name === 'k8s.cluster')
  assert.deepEqual(
    reports.map(({ attributes }) => attributes),
    [{ 'app.version': '1.9', 'k8s.version': '1.31', 'k8s.nodes': 10, 'k8s.provider': 'aws' }],
  )
})

test('the questions share their connections, and the client names itself and not the machine', async (t) => {
  const fake = fakeCluster({
    objects: {
      'apis.gateway.kusk.io': 2,
      'staticroutes.gateway.kusk.io': 1,
      'envoyfleet.gateway.kusk.io': 0,
    },
  })
  const pod = await startPod(t, 'kusk-compat', fake, { USAGE_FACTS: '{"app.cluster_uid": "x"}' })
  const { code, stderr } = await pod.report()
  assert.equal(code, 0, stderr)
  assert.equal(fake.asked.length, 4)
  // Undici may open a second one while the answer on the first is being read.
  assert.ok(pod.server.connections <= 2, `${pod.server.connections} connections`)
  assert.deepEqual([...pod.server.userAgents], ['usage-sidecar-facts'])
  await until('the report is there', () => pod.collector.spans().length === 1)
  assert.deepEqual(pod.collector.spans()[0]!.attributes, {
    'kusk.resources.apis': 2,
    'kusk.resources.static_routes': 1,
    'kusk.resources.envoy_fleets': 0,
  })
})

test('a collector that refuses, and a mode that sends nothing, are told as what they are', async (t) => {
  const pod = await startPod(t, 'spartakus-compat', fakeCluster())
  pod.collector.answer = () => 400
  const refused = await pod.report()
  assert.deepEqual(
    [refused.code, refused.lines.at(-1)?.event],
    [1, 'facts: the collector refused the cluster report'],
  )
  const local = await startPod(t, 'spartakus-compat', fakeCluster(), { USAGE_REPORTING: 'local' })
  const kept = await local.report()
  assert.equal(kept.code, 0)
  assert.match(
    String(kept.lines.at(-1)?.event),
    /reporting is local; the cluster report stays in the sidecar/,
  )
  assert.equal(local.collector.requests.length, 0)
  const off = await startPod(t, 'spartakus-compat', fakeCluster(), { USAGE_REPORTING: 'off' })
  assert.equal((await off.report()).code, 0)
  assert.deepEqual([off.fake.asked, off.server.connections], [[], 0])
})
