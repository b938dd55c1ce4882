// Renders the charts with the real helm and checks every object against the schemas of Kubernetes
// 1.29 to 1.37.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { DEFAULTS, literal, POLICY_FILE } from '../../src/inject/container.ts'
import { find, objectsIn, podIn, setting, sidecarIn } from './charts/objects.ts'
import { type KubernetesObject, MINORS, mistakesIn } from './charts/schemas.ts'
import { chartIn, DEPLOY, helm } from './charts/tools.ts'

const folder = mkdtempSync(join(tmpdir(), 'usage-charts-'))
after(() => rmSync(folder, { recursive: true }))
const example = chartIn(folder, 'example')
const POLICY = readFileSync(join(DEPLOY, 'policies/default.yaml'), 'utf8')

const render = (...args: readonly string[]): KubernetesObject[] =>
  objectsIn(helm('template', 'my', example, '--namespace', 'my-namespace', ...args))
const set = (...values: readonly string[]): string[] => values.flatMap((value) => ['--set', value])
const deployment = (objects: readonly KubernetesObject[]) => podIn(find(objects, 'Deployment')!)

test('the charts are of the version of the package, and name what the container names', () => {
  const { version } = JSON.parse(readFileSync(join(DEPLOY, '../package.json'), 'utf8')) as {
    version: string
  }
  for (const chart of ['usage-sidecar-library', 'usage-sidecar']) {
    const [about] = objectsIn(readFileSync(join(DEPLOY, 'helm', chart, 'Chart.yaml'), 'utf8'))
    assert.deepEqual([about!.version, about!.appVersion], [version, version])
  }
  const [values] = objectsIn(readFileSync(join(DEPLOY, 'helm/usage-sidecar/values.yaml'), 'utf8'))
  const { configMap, factsConfigMap, identitySecret } = values!.injection as Record<string, string>
  const { settings, ...names } = DEFAULTS
  assert.deepEqual({ configMap, factsConfigMap, identitySecret }, names)
  assert.deepEqual([values!.reportingDefault, values!.firstSendDelay], Object.values(settings))
})

test('helm lint has nothing to say', () => {
  for (const chart of ['usage-sidecar-library', 'example']) {
    const said = helm('lint', '--strict', join(folder, chart))
    assert.match(said, /1 chart\(s\) linted, 0 chart\(s\) failed/)
    assert.doesNotMatch(
      said.replace('[INFO] Chart.yaml: icon is recommended', ''),
      /\[(INFO|WARNING|ERROR)\]/,
    )
  }
})

for (const minor of MINORS)
  test(`two lines put the sidecar before every other container, on Kubernetes 1.${minor}`, () => {
    const objects = render('--kube-version', `1.${minor}.0`)
    assert.deepEqual(
      objects.flatMap((object) => mistakesIn(minor, object)),
      [],
    )
    const pod = deployment(objects)
    assert.equal(pod.spec.initContainers?.[0]?.name, 'usage-sidecar')
    assert.equal(pod.spec.initContainers[0].restartPolicy, 'Always')
    assert.deepEqual(pod.spec.containers[0]?.env, [
      { name: 'USAGE_OTLP_ENDPOINT', value: 'http://127.0.0.1:44318' },
    ])
    const volumes = pod.spec.volumes?.map(({ name }) => name)
    assert.deepEqual(
      pod.spec.initContainers[0].volumeMounts?.map(({ name }) => name).sort(),
      volumes?.sort(),
    )
  })

test('Kubernetes 1.28, which has no native sidecars yet, is refused', () => {
  assert.throws(() => render('--kube-version', '1.28.0'), /requires kubeVersion: >=1\.29\.0-0/)
})

test('the policy of the chart’s file arrives as it is, dollars too, and the facts are those of the chart', () => {
  const pod = deployment(render())
  assert.equal(setting(pod, 'USAGE_POLICY_TEXT'), literal(POLICY))
  assert.equal(setting(pod, 'USAGE_POLICY'), undefined)
  assert.equal(setting(pod, 'USAGE_FACTS'), '{"app.version":"1.32.0"}')
  const text = 'purpose: $(HOME) $$ "q" \\n é\t\n- end'
  writeFileSync(
    join(folder, 'values.yaml'),
    JSON.stringify({ usage: { policy: text, facts: { 'app.big': true, 'app.n': 3 } } }),
  )
  const other = deployment(render('--values', join(folder, 'values.yaml')))
  assert.equal(setting(other, 'USAGE_POLICY_TEXT'), text.replaceAll('$', '$$$$'))
  assert.deepEqual(JSON.parse(setting(other, 'USAGE_FACTS')!), {
    'app.version': '1.32.0',
    'app.big': true,
    'app.n': 3,
  })
})

test('nothing is reported but by the user’s word: local at first, the first report after a day', () => {
  const pod = deployment(render())
  assert.equal(setting(pod, 'USAGE_REPORTING'), 'local')
  assert.equal(setting(pod, 'USAGE_FIRST_SEND_DELAY'), '24h')
  assert.equal(setting(deployment(render(...set('usage.reporting=on'))), 'USAGE_REPORTING'), 'on')
})

test('off takes the sidecar out of the pod, makes no identity, and is remembered; as a bare word of YAML, too', () => {
  for (const yaml of ['off', '"off"', 'false']) {
    writeFileSync(
      join(folder, 'off.yaml'),
      `usage: {reporting: ${yaml}, image: "", factsImage: ""}`,
    )
    const objects = render('--values', join(folder, 'off.yaml'))
    assert.deepEqual(
      objects.flatMap((object) => mistakesIn(29, object)),
      [],
    )
    assert.deepEqual(objects.map(({ kind }) => kind).sort(), ['ConfigMap', 'Deployment'])
    const pod = deployment(objects)
    assert.equal(pod.spec.initContainers, null)
    assert.equal(pod.spec.volumes, null)
    assert.equal(pod.spec.containers[0]!.env, null)
    assert.equal(pod.metadata?.labels?.['usage-sidecar.dev/injected'], undefined)
    const { metadata, data } = find(objects, 'ConfigMap')! as KubernetesObject & {
      data: Record<string, string>
    }
    assert.equal(metadata.annotations?.['helm.sh/resource-policy'], 'keep')
    assert.equal(data.reporting, 'off')
    // The kill switch for pods that are not restarted.
    assert.ok('off' in data)
  }
  const { data } = find(render(), 'ConfigMap')! as KubernetesObject & {
    data: Record<string, string>
  }
  assert.deepEqual(data, { reporting: 'local' })
})

test('the application’s user is told what it reports, and how to turn it off', () => {
  const notes = (...args: readonly string[]): string =>
    helm(
      'install',
      'my',
      example,
      '--dry-run=client',
      '--namespace',
      'my-namespace',
      ...args,
    ).replace(/^[\s\S]*\nNOTES:\n/, '')
  assert.match(notes(), /reporting of my is "local": .* nothing is sent/)
  assert.match(
    notes(...set('usage.reporting=on')),
    /"on".*https:\/\/usage\.example\.org.* after 24h/s,
  )
  assert.match(notes(), /helm upgrade my .*--set usage\.reporting=off/)
  assert.match(notes(...set('usage.reporting=off')), /is "off": no pod has a sidecar/)
})

test('off keeps a sidecar whose volume outlives the pod, in mode off: it wipes what lies there', () => {
  const pod = deployment(render(...set('usage.reporting=off', 'usage.persistentData=true')))
  assert.equal(setting(pod, 'USAGE_REPORTING'), 'off')
  assert.ok(!pod.spec.volumes?.some(({ name }) => name === 'usage-sidecar-data'))
  assert.ok(sidecarIn(pod)?.volumeMounts?.some(({ name }) => name === 'usage-sidecar-data'))
})

test('what is missing or misspelt is told before anything is installed', () => {
  const cases: [string, RegExp][] = [
    ['usage.image=', /set usage\.image/],
    ['usage.factsImage=', /set usage\.factsImage/],
    ['usage.policyFile=none.yaml', /no file none\.yaml/],
    ['usage.reporting=of', /reporting/],
    ['usage.reportign=off', /reportign/],
    ['usage.firstSendDelay=1 day', /firstSendDelay/],
    ['usage.settings.OTEL_SDK_DISABLED=x', /OTEL_SDK_DISABLED/],
    ['usage.settings.USAGE_REPORTING=on', /USAGE_REPORTING/],
    ['usage.pod.qos=Guaranteed', /qos/],
  ]
  for (const [value, said] of cases) assert.throws(() => render(...set(value)), said, value)
  const file = join(example, 'Chart.yaml')
  const chart = readFileSync(file, 'utf8')
  writeFileSync(file, chart.replace('    alias: usage\n', ''))
  try {
    assert.throws(() => render(), /alias: usage/)
  } finally {
    writeFileSync(file, chart)
  }
})

test('the pod’s class, the overlay and other settings are the values’ to say', () => {
  const guaranteed = sidecarIn(
    deployment(render(...set('usage.pod.qos=guaranteed', 'usage.pod.limitsStorage=true'))),
  )
  const same = { cpu: '100m', memory: '96Mi' }
  assert.deepEqual(guaranteed?.resources, {
    requests: same,
    limits: { ...same, 'ephemeral-storage': '256Mi' },
  })
  const bestEffort = deployment(
    render(...set('usage.pod.qos=bestEffort', 'usage.pod.doNotTrack=true')),
  )
  assert.deepEqual(sidecarIn(bestEffort)?.resources, {})
  assert.equal(setting(bestEffort, 'USAGE_MAX_BODY'), '2MiB')
  assert.equal(setting(bestEffort, 'DO_NOT_TRACK'), '1')
  const narrowed = render(
    ...set('usage.overlay=drop: {spans: [stage]}', 'usage.settings.USAGE_SEND_INTERVAL=6h'),
  )
  assert.equal(setting(deployment(narrowed), 'USAGE_SEND_INTERVAL'), '6h')
  assert.equal(
    setting(deployment(narrowed), 'USAGE_POLICY_OVERLAY'),
    POLICY_FILE.USAGE_POLICY.replace('policy.yaml', 'overlay.yaml'),
  )
  assert.equal(
    (find(narrowed, 'ConfigMap')!.data as Record<string, string>)['overlay.yaml'],
    'drop: {spans: [stage]}',
  )
  // The values cannot change settings that the container's shape fixes. Otherwise two sidecars of
  // one pod would use the same ports.
  assert.equal(
    setting(
      deployment(render(...set('usage.settings.USAGE_HTTP_LISTEN=:80'))),
      'USAGE_HTTP_LISTEN',
    ),
    '127.0.0.1:44318',
  )
})

test('the Job that makes the identity runs before the pods, may create Secrets and no more, and is gone afterwards', () => {
  const objects = render()
  const hooks = objects.filter(
    ({ metadata }) => metadata.annotations?.['helm.sh/hook'] === 'pre-install,pre-upgrade',
  )
  const weight = ({ metadata }: KubernetesObject): number =>
    Number(metadata.annotations!['helm.sh/hook-weight'])
  const order = hooks.toSorted((a, b) => weight(a) - weight(b)).map(({ kind }) => kind)
  assert.deepEqual(order, ['ServiceAccount', 'Role', 'RoleBinding', 'Job'])
  for (const hook of hooks)
    assert.equal(
      hook.metadata.annotations?.['helm.sh/hook-delete-policy'],
      'before-hook-creation,hook-succeeded',
    )
  assert.deepEqual(find(hooks, 'Role')!.rules, [
    { apiGroups: [''], resources: ['secrets'], verbs: ['create'] },
  ])
  const job = podIn(find(hooks, 'Job')!)
  assert.deepEqual(job.spec.containers[0]?.args, [
    'facts',
    '--identity-secret',
    DEFAULTS.identitySecret,
  ])
  assert.equal(job.metadata?.annotations?.['usage-sidecar.dev/inject'], 'disabled')
  assert.ok(!objects.some(({ kind }) => kind === 'Secret' || kind === 'ClusterRole'))
  assert.deepEqual(
    render(...set('usage.identity.create=false', 'usage.factsImage='))
      .map(({ kind }) => kind)
      .sort(),
    ['ConfigMap', 'Deployment'],
  )
})
