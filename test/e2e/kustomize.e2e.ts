// Builds the Kustomize component with the real kustomize and checks every object against the
// schemas of Kubernetes 1.29 to 1.37.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { stringify } from 'yaml'
import { injectionFile, PLACEHOLDER } from '../../scripts/manifests/injection-file.ts'
import { find, objectsIn, podIn, setting, sidecarIn } from './charts/objects.ts'
import { type KubernetesObject, MINORS, mistakesIn } from './charts/schemas.ts'
import { chartIn, DEPLOY, helm, kustomize } from './charts/tools.ts'

const folder = mkdtempSync(join(tmpdir(), 'usage-kustomize-'))
after(() => rmSync(folder, { recursive: true }))
cpSync(join(DEPLOY, 'kustomize'), join(folder, 'kustomize'), { recursive: true })
const example = join(folder, 'kustomize/example')
const build = (path: string): KubernetesObject[] => objectsIn(kustomize('build', path))

/** The example's component with these workloads. */
function buildWith(...workloads: readonly object[]): KubernetesObject[] {
  writeFileSync(
    join(example, 'deployment.yaml'),
    workloads.map((workload) => stringify(workload)).join('---\n'),
  )
  return build(example)
}

const app = { name: 'app', image: 'app' }
const inTemplate = (spec: object): object => ({
  template: { metadata: { labels: { app: 'x' } }, spec },
})

test('the example has the sidecar before every other container, in the shape that each release wants', () => {
  const objects = build(example)
  for (const minor of MINORS)
    assert.deepEqual(
      objects.flatMap((object) => mistakesIn(minor, object)),
      [],
    )
  const pod = podIn(find(objects, 'Deployment')!)
  assert.equal(pod.spec.initContainers?.[0]?.name, 'usage-sidecar')
  assert.equal(pod.spec.initContainers[0].image, 'registry.example/usage-sidecar:0.1.0')
  assert.equal(pod.metadata?.labels?.['usage-sidecar.dev/injected'], 'true')
  assert.deepEqual(pod.spec.containers[0]?.env, [
    { name: 'USAGE_OTLP_ENDPOINT', value: 'http://127.0.0.1:44318' },
  ])
  const { data } = find(objects, 'ConfigMap', 'usage-sidecar')!
  assert.equal(
    (data as Record<string, string>)['policy.yaml'],
    readFileSync(join(DEPLOY, 'policies/default.yaml'), 'utf8'),
  )
})

test('what the ConfigMap says is in every workload, of every kind; who is left out stays as he is', () => {
  const out = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'out', annotations: { 'usage-sidecar.dev/inject': 'disabled' } },
    spec: inTemplate({ containers: [app] }),
  }
  const pod = {
    initContainers: [{ name: 'migrate', image: 'app' }],
    containers: [app, { ...app, name: 'two', env: [{ name: 'A', value: 'b' }] }],
  }
  const workloads = [
    ...['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet'].map((kind) => ({
      apiVersion: 'apps/v1',
      kind,
      metadata: { name: kind.toLowerCase() },
      spec: inTemplate(pod),
    })),
    { apiVersion: 'batch/v1', kind: 'Job', metadata: { name: 'job' }, spec: inTemplate(pod) },
    {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'cronjob' },
      spec: { schedule: '@daily', jobTemplate: { spec: inTemplate(pod) } },
    },
    { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'pod', labels: { app: 'x' } }, spec: pod },
  ]
  const objects = buildWith(...workloads, out)
  for (const { kind, metadata } of workloads) {
    const built = podIn(find(objects, kind, metadata.name)!)
    assert.deepEqual(
      built.spec.initContainers?.map(({ name }) => name),
      ['usage-sidecar', 'migrate'],
      kind,
    )
    assert.equal(setting(built, 'USAGE_REPORTING'), 'local', kind)
    assert.equal(setting(built, 'USAGE_ENDPOINT'), 'https://usage.example.org', kind)
    assert.equal(setting(built, 'USAGE_OTLP_ENDPOINT'), undefined, kind)
    for (const container of [built.spec.initContainers![1]!, ...built.spec.containers])
      assert.equal(
        container.env?.find(({ name }) => name === 'USAGE_OTLP_ENDPOINT')?.value,
        'http://127.0.0.1:44318',
        kind,
      )
    assert.equal(built.metadata?.labels?.app, 'x', kind)
    assert.equal(built.spec.volumes?.length, 6, kind)
  }
  assert.deepEqual(find(objects, 'Deployment', 'out')?.spec, out.spec)
})

test('a workload says of which class its pods are', () => {
  const pods = ['guaranteed', 'bestEffort', 'podLevel', 'burstable'].map((qos) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: qos.toLowerCase(), annotations: { 'usage-sidecar.dev/qos': qos } },
    spec: { containers: [app] },
  }))
  const objects = buildWith(...pods)
  const resources = (name: string) =>
    sidecarIn(podIn(find(objects, 'Pod', name.toLowerCase())!))?.resources ?? {}
  const same = { cpu: '100m', memory: '96Mi' }
  assert.deepEqual(resources('guaranteed'), { requests: same, limits: same })
  assert.deepEqual(resources('bestEffort'), {})
  assert.deepEqual(resources('podLevel'), {})
  assert.deepEqual(resources('burstable'), {
    requests: { cpu: '10m', memory: '64Mi' },
    limits: { memory: '96Mi' },
  })
  assert.equal(setting(podIn(find(objects, 'Pod', 'besteffort')!), 'USAGE_MAX_BODY'), '2MiB')
})

test('the identity is made by the Job that the chart has', () => {
  const chart = objectsIn(
    helm(
      'template',
      'my',
      chartIn(folder, 'example'),
      ...['--set', 'usage.factsImage=registry.example/usage-sidecar-facts:0.1.0'],
    ),
  )
  for (const kind of ['ServiceAccount', 'Role', 'RoleBinding', 'Job']) {
    const [ours, theirs] = [find(build(example), kind)!, find(chart, kind)!]
    for (const object of [ours, theirs]) {
      const text = JSON.stringify(object).replaceAll('my-usage-identity', 'usage-identity')
      Object.assign(object, JSON.parse(text))
      object.metadata = { name: object.metadata.name }
      if (kind === 'Job') delete podIn(object).metadata?.labels
      // With reporting off, Helm renders no Job at all.
      if (kind === 'Job' && object === ours) {
        const [container] = podIn(object).spec!.containers as { env?: unknown }[]
        const reporting = {
          configMapKeyRef: { name: 'usage-sidecar', key: 'reporting', optional: true },
        }
        assert.deepEqual(container!.env, [{ name: 'USAGE_REPORTING', valueFrom: reporting }])
        delete container!.env
      }
      if (kind === 'RoleBinding')
        object.subjects = (object.subjects as object[]).map((subject) => ({
          ...subject,
          namespace: undefined,
        }))
    }
    assert.deepEqual(ours, theirs)
  }
})

test('injection by the API server is that of the one file for kubectl, in the project’s name', () => {
  const file = objectsIn(injectionFile().replaceAll(PLACEHOLDER, 'acme'))
  const parameters = find(file, 'ConfigMap')! as KubernetesObject & { data: Record<string, string> }
  parameters.data.image = 'registry.example/usage-sidecar:0.1.0'
  assert.deepEqual(build(join(DEPLOY, 'kustomize/example-injection')), file)
})

test('the facts job stands in the namespace of its project, with the rights of its account and no other', () => {
  const objects = build(join(DEPLOY, 'kustomize/example-facts'))
  for (const minor of MINORS)
    assert.deepEqual(
      objects.flatMap((object) => mistakesIn(minor, object)),
      [],
    )
  for (const { kind, metadata } of objects)
    assert.equal(
      metadata.namespace,
      kind.startsWith('ClusterRole') ? undefined : 'acme-usage',
      kind,
    )
  for (const kind of ['ClusterRoleBinding', 'RoleBinding'])
    for (const { subjects } of objects.filter((object) => object.kind === kind))
      assert.deepEqual(
        (subjects as { namespace: string }[]).map(({ namespace }) => namespace),
        ['acme-usage'],
      )
  const pod = podIn(find(objects, 'CronJob')!)
  assert.deepEqual(
    [setting(pod, 'USAGE_REPORTING'), setting(pod, 'USAGE_ENDPOINT')],
    ['local', 'https://usage.example.org'],
  )
  assert.equal(
    pod.spec.containers[0]!.env!.find(({ name }) => name === 'USAGE_REPORTING')?.value,
    'local',
  )
})
