// Tests the chart for a cluster with the real helm, the schemas of Kubernetes and the real API
// server. Its policy is the one of deploy/injection.yaml, which injection.e2e.ts tests.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { injectionFile, PLACEHOLDER } from '../../scripts/manifests/injection-file.ts'
import { until } from '../support/sidecar.ts'
import { find, objectsIn, podIn, setting, sidecarIn } from './charts/objects.ts'
import { type KubernetesObject, mistakesIn } from './charts/schemas.ts'
import { DEPLOY, helm } from './charts/tools.ts'
import { makeNamespace, startApiServer } from './cluster/apiserver.ts'

const CHART = join(DEPLOY, 'helm/usage-sidecar')
const IMAGE = 'registry.example/usage-sidecar:0.1.0'
const FACTS_IMAGE = 'registry.example/usage-sidecar-facts:0.1.0'
const GIVEN = [
  '--set',
  `project=acme,image=${IMAGE},facts.image=${FACTS_IMAGE},endpoint=https://usage.example.org`,
  '--set-file',
  `policy=${join(DEPLOY, 'policies/default.yaml')}`,
]
const render = (...args: readonly string[]): KubernetesObject[] =>
  objectsIn(helm('template', 'my', CHART, '--namespace', 'acme-usage', ...GIVEN, ...args))
const kinds = (objects: readonly KubernetesObject[]): string[] =>
  objects.map(({ kind }) => kind).sort()
const parameters = (objects: readonly KubernetesObject[]) =>
  find(objects, 'ConfigMap', 'acme.usage-sidecar.dev')!.data as Record<string, string>

interface AdmissionPolicy {
  spec: { variables: { name: string; expression: string }[] }
}
const policyIn = (objects: readonly KubernetesObject[]) =>
  find(objects, 'MutatingAdmissionPolicy') as unknown as AdmissionPolicy

test('helm lint has nothing to say', () => {
  const said = helm('lint', '--strict', CHART, ...GIVEN)
  assert.match(said, /1 chart\(s\) linted, 0 chart\(s\) failed/)
  assert.doesNotMatch(
    said.replace('[INFO] Chart.yaml: icon is recommended', ''),
    /\[(INFO|WARNING|ERROR)\]/,
  )
})

test('policy, binding and parameters are those of the one file for kubectl', () => {
  const file = objectsIn(injectionFile().replaceAll(PLACEHOLDER, 'acme'))
  for (const minor of [36, 37] as const) {
    const objects = render('--kube-version', `1.${minor}.0`)
    assert.deepEqual(
      objects.flatMap((object) => mistakesIn(minor, object)),
      [],
    )
    assert.deepEqual(
      find(objects, 'MutatingAdmissionPolicyBinding'),
      find(file, 'MutatingAdmissionPolicyBinding'),
    )
    const [ours, theirs] = [policyIn(objects), policyIn(file)]
    const [literal, ofConfigMap] = [ours.spec.variables[0]!, theirs.spec.variables[0]!]
    assert.deepEqual(
      { ...ours.spec, variables: ours.spec.variables.slice(1) },
      { ...theirs.spec, variables: theirs.spec.variables.slice(1) },
    )
    assert.deepEqual(ofConfigMap, { name: 'parameters', expression: 'params.data' })
    const { configMap, factsConfigMap, identitySecret, ...same } = JSON.parse(
      literal.expression,
    ) as Record<string, string>
    assert.deepEqual(same, { ...parameters(file), image: IMAGE })
    assert.deepEqual(
      [configMap, factsConfigMap, identitySecret],
      ['usage-sidecar', 'usage-sidecar-facts', 'usage-sidecar-identity'],
    )
  }
})

test('a cluster before 1.36 is told what there is for it', () => {
  assert.throws(
    () => render('--kube-version', '1.35.4'),
    /needs Kubernetes 1\.36\. Before: the chart usage-sidecar-library/,
  )
  const objects = render('--kube-version', '1.29.0', '--set', 'injection.enabled=false')
  assert.ok(!kinds(objects).includes('MutatingAdmissionPolicy'))
  assert.deepEqual(
    objects.flatMap((object) => mistakesIn(29, object)),
    [],
  )
})

test('what is missing or misspelt is told before anything is installed', () => {
  for (const [value, said] of [
    ['project=', /set project/],
    ['project=Acme', /project/],
    ['image=', /set image/],
    ['policy=', /give the text of the policy/],
    ['reporting=of', /reporting/],
    ['injecton.default=disabled', /injecton/],
    ['facts.image=', /set facts\.image/],
  ] as const)
    assert.throws(
      () =>
        render('--set', value, ...(value === 'policy=' ? ['--set-file', 'policy=/dev/null'] : [])),
      said,
      value,
    )
})

test('the facts job and its rights are those of deploy/facts, in the namespace of the release', () => {
  const file = ['facts', 'rights', 'identity'].flatMap((name) =>
    objectsIn(readFileSync(join(DEPLOY, `facts/${name}.yaml`), 'utf8')),
  )
  const objects = render('--set', 'reporting=on')
  const own = (text: string): string =>
    text
      .replaceAll('usage-system', 'acme-usage')
      .replaceAll('usage-sidecar-facts-identity', 'usage-sidecar-identity')
  const theirs = (kind: string, name: string) =>
    JSON.parse(own(JSON.stringify(find(file, kind, name)))) as KubernetesObject
  for (const kind of ['ClusterRole', 'ClusterRoleBinding'])
    assert.deepEqual(find(objects, kind), theirs(kind, 'usage-sidecar-facts-usage-system'))
  for (const kind of ['ServiceAccount', 'RoleBinding'])
    assert.deepEqual(
      find(objects, kind, 'usage-sidecar-facts'),
      theirs(kind, 'usage-sidecar-facts'),
    )
  // The admission policy reads the facts from this ConfigMap.
  const [rule] = find(objects, 'Role', 'usage-sidecar-facts')!.rules as object[]
  assert.deepEqual(rule, {
    apiGroups: [''],
    resources: ['configmaps'],
    resourceNames: ['acme.usage-sidecar.dev'],
    verbs: ['patch'],
  })
  const [ours, other] = [podIn(find(objects, 'CronJob')!), podIn(find(file, 'CronJob')!)]
  const [job, otherJob] = [ours.spec.containers[0]!, other.spec.containers[0]!]
  assert.deepEqual(job.args, ['facts', '--facts-config-map', 'acme.usage-sidecar.dev'])
  const on = { name: 'USAGE_REPORTING', value: 'on' }
  assert.deepEqual(job.env, [on, ...otherJob.env!.slice(1)])
  assert.equal(otherJob.env![0]!.name, on.name)
  assert.deepEqual({ ...job, args: 0, env: 0 }, { ...otherJob, args: 0, env: 0 })
  assert.equal(job.env!.find(({ name }) => name === 'USAGE_FIRST_SEND_DELAY')?.value, '24h')
  for (const name of ['USAGE_FIRST_SEND_DELAY', 'USAGE_SEND_INTERVAL', 'USAGE_HEARTBEAT'])
    assert.equal(setting(ours, name), setting(other, name), name)
  assert.equal(setting(ours, 'USAGE_REPORTING'), 'on')
  assert.deepEqual(sidecarIn(ours)!.volumeMounts, sidecarIn(other)!.volumeMounts)
  const none = render('--set', 'facts.version=false,facts.nodes=false')
  assert.equal(find(none, 'ClusterRole')!.rules, null)
  const kusk = render(
    '--set',
    'facts.objects[0].group=gateway.kusk.io,facts.objects[0].plural=apis',
  )
  assert.deepEqual((find(kusk, 'ClusterRole')!.rules as object[]).slice(-2), [
    { nonResourceURLs: ['/apis/gateway.kusk.io'], verbs: ['get'] },
    { apiGroups: ['gateway.kusk.io'], resources: ['apis'], verbs: ['list'] },
  ])
  for (const args of ['facts.enabled=false', 'reporting=off'])
    assert.deepEqual(
      kinds(render('--set', args)).filter((kind) => /Job|Role|Account/.test(kind)),
      [],
    )
})

test('off needs no image and gives the policy none: then it injects nothing', () => {
  const objects = render('--set', 'reporting=off,image=')
  assert.equal(parameters(objects).USAGE_REPORTING, 'off')
  const { expression } = policyIn(objects).spec.variables[0]!
  assert.equal((JSON.parse(expression) as { image: string }).image, '')
})

test('the API server injects what the release says, and no upgrade raises reporting', async (t) => {
  const api = await startApiServer(t)
  makeNamespace(api, 'acme-usage')
  makeNamespace(api, 'shop', { annotations: { 'usage-sidecar.dev/project': 'acme' } })
  const run = (...args: readonly string[]) =>
    helm(...args, '--kubeconfig', api.kubeconfig, '--namespace', 'acme-usage')
  const reporting = (): string => {
    const args = ['run', 'app', '--image=app', '-n', 'shop', '--dry-run=server', '-o', 'json']
    const { spec } = JSON.parse(api.kubectl(args)) as {
      spec: { initContainers?: { env: { name: string; value: string }[] }[] }
    }
    return (
      spec.initContainers?.[0]?.env.find(({ name }) => name === 'USAGE_REPORTING')?.value ?? 'off'
    )
  }
  const becomes = (mode: string, why = mode) =>
    until(`reporting is ${why}`, () => reporting() === mode)
  // A second after the last binding is deleted, the server stops watching ConfigMaps for good
  // (kubernetes#130887).
  const forgotten = () => new Promise((resolve) => setTimeout(resolve, 3_000))
  run('install', 'my', CHART, '--no-hooks', ...GIVEN)
  await becomes('local')
  run('upgrade', 'my', CHART, '--no-hooks', ...GIVEN, '--set', 'reporting=on')
  await becomes('on')
  // As the facts job does.
  const facts = JSON.stringify({ data: { 'facts.json': '{"k8s.nodes":10}' } })
  api.kubectl([
    'patch',
    'configmap',
    'acme.usage-sidecar.dev',
    '-n',
    'acme-usage',
    '--type=merge',
    '-p',
    facts,
    '--field-manager=usage-sidecar-facts',
  ])
  run('upgrade', 'my', CHART, '--no-hooks', ...GIVEN, '--set', 'reporting=off')
  await becomes('off')
  const record = (): Record<string, string> =>
    (
      JSON.parse(
        api.kubectl([
          'get',
          'configmap',
          'acme.usage-sidecar.dev',
          '-n',
          'acme-usage',
          '-o',
          'json',
        ]),
      ) as KubernetesObject
    ).data as Record<string, string>
  for (const args of [
    ['--reset-values', ...GIVEN],
    [...GIVEN, '--set', 'reportingDefault=on'],
    ['--reuse-values'],
  ]) {
    run('upgrade', 'my', CHART, '--no-hooks', ...args)
    assert.equal(record().USAGE_REPORTING, 'off')
  }
  run('uninstall', 'my')
  await forgotten()
  run('install', 'my', CHART, '--no-hooks', ...GIVEN, '--set', 'reportingDefault=on')
  assert.equal(record().USAGE_REPORTING, 'off')
  assert.equal(record()['facts.json'], '{"k8s.nodes":10}', 'what the facts job wrote stays')
  assert.equal(reporting(), 'off')
  run('upgrade', 'my', CHART, '--no-hooks', ...GIVEN, '--set', 'reporting=local')
  await becomes('local', 'raised by a word')
  run('uninstall', 'my')
  await forgotten()
  run('install', 'my', CHART, '--no-hooks', ...GIVEN, '--set', 'reporting=on')
  await becomes(
    'on',
    'what is said now, not what an API server remembers that sees no ConfigMap any more',
  )
})
