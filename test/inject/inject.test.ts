// The text filter: what it puts in, what it leaves alone, and that taking it out again gives the
// bytes from before.
import assert from 'node:assert/strict'
import { describe, it, test } from 'node:test'
import { parse, parseAllDocuments } from 'yaml'
import { DEFAULTS, type Options } from '../../src/inject/container.ts'
import { type Filtered, injectText, uninjectText } from '../../src/inject/inject.ts'
import { countOf, SEED } from '../support/counts.ts'
import { manifestOf } from './arbitrary-pods.ts'

const OPTIONS: Options = { image: 'registry.example/usage-sidecar@sha256:00', ...DEFAULTS }
const inject = (text: string): Filtered => injectText(text, OPTIONS)
const RUNS = countOf('manifests')

const deployment = (template: string, metadata = ''): string => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
${metadata}spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
    spec:
${template.replaceAll(/^(?=.)/gm, '      ')}`
const APP = 'containers:\n- name: app\n  image: example.org/app:1\n'

/** Injected, and back again to the same bytes. */
function injected(text: string): string {
  const { text: result, outcomes } = inject(text)
  assert.ok(
    outcomes.some(({ done }) => done) && outcomes.every(({ failed }) => !failed),
    JSON.stringify(outcomes),
  )
  assert.equal(uninjectText(result).text, text)
  assert.equal(inject(result).text, result)
  return result
}

function leftAlone(text: string): (string | undefined)[] {
  const { text: result, outcomes } = inject(text)
  assert.equal(result, text)
  return outcomes.map(({ reason }) => reason)
}

test('every manifest comes back byte for byte, twice is once, and nothing that a person would write fails', (t) => {
  let done = 0
  for (let run = 0; run < RUNS; run++) {
    for (const plain of [true, false]) {
      const seed = (SEED + run) | 0
      const text = manifestOf(seed, plain)
      const about = `USAGE_TEST_SEED=${seed} (${plain ? 'plain' : 'any'})`
      const first = inject(text)
      assert.equal(uninjectText(first.text).text, text, about)
      assert.equal(inject(first.text).text, first.text, about)
      if (plain)
        assert.deepEqual(
          first.outcomes.filter(({ failed }) => failed),
          [],
          about,
        )
      done += first.outcomes.filter((line) => line.done).length
    }
  }
  t.diagnostic(`seed ${SEED}, ${2 * RUNS} manifests, ${done} pods injected`)
  assert.ok(RUNS < 50 || done > RUNS)
})

describe('what it puts in', () => {
  it('is the sidecar first of all, its volumes, a label and the variable of every container', () => {
    const text = deployment(
      'initContainers:\n- name: migrate\n  image: m\ncontainers:\n- name: app\n  image: a\n  env:\n  - {name: A, value: b}\n',
    )
    const { metadata, spec } = parse(injected(text)).spec.template
    assert.deepEqual(metadata.labels, { 'usage-sidecar.dev/injected': 'true', app: 'web' })
    assert.deepEqual(
      spec.initContainers.map(({ name, restartPolicy }: Record<string, unknown>) => [
        name,
        restartPolicy,
      ]),
      [
        ['usage-sidecar', 'Always'],
        ['migrate', undefined],
      ],
    )
    const endpoint = { name: 'USAGE_OTLP_ENDPOINT', value: 'http://127.0.0.1:44318' }
    assert.deepEqual(spec.initContainers[1].env, [endpoint])
    assert.deepEqual(spec.containers[0].env, [endpoint, { name: 'A', value: 'b' }])
    const mounted = spec.initContainers[0].volumeMounts.map(({ name }: { name: string }) => name)
    assert.deepEqual(spec.volumes.map(({ name }: { name: string }) => name).sort(), mounted.sort())
  })

  it('keeps comments with what they are about', () => {
    const result = injected(
      deployment(
        '# the pod\ncontainers:\n# the application\n- name: app # its name\n  # pinned\n  image: a\n',
      ),
    )
    for (const two of [
      '# the pod\n      containers:',
      '# the application\n      - name: app # its name\n        env:',
      '# pinned\n        image: a',
    ])
      assert.ok(result.includes(two), two)
  })

  it('is JSON in JSON', () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p' },
      spec: { containers: [{ name: 'a', image: 'x' }], volumes: [] },
    }
    for (const indent of [0, 2]) {
      const { spec } = JSON.parse(injected(JSON.stringify(pod, undefined, indent)))
      assert.deepEqual(
        [spec.initContainers.length, spec.volumes.length, spec.containers[0].env.length],
        [1, 6, 1],
      )
    }
  })

  it('is in the pods of all kinds that make them, in lists too', () => {
    const template = `template:\n  spec:\n    ${APP.replaceAll('\n', '\n    ')}\n`
    const of = (apiVersion: string, kind: string): string =>
      `apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: x}\nspec:\n  ${template.replaceAll('\n', '\n  ').trimEnd()}\n`
    const kinds = [
      ['apps/v1', 'Deployment'],
      ['apps/v1', 'StatefulSet'],
      ['apps/v1', 'DaemonSet'],
      ['apps/v1', 'ReplicaSet'],
      ['batch/v1', 'Job'],
      ['v1', 'ReplicationController'],
    ] as const
    const all = kinds.map(([apiVersion, kind]) => of(apiVersion, kind))
    all.push(
      `apiVersion: batch/v1\nkind: CronJob\nmetadata: {name: c}\nspec:\n  jobTemplate:\n    spec:\n      ${template.replaceAll('\n', '\n      ').trimEnd()}\n`,
    )
    all.push(
      `apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  ${APP.replaceAll('\n', '\n  ').trimEnd()}\n`,
    )
    const list = `apiVersion: v1\nkind: List\nitems:\n${all.map((one) => `- ${one.trimEnd().replaceAll('\n', '\n  ')}\n`).join('')}`
    for (const text of [...all, all.join('---\n'), list]) {
      const count = text.split('- name: app').length - 1
      assert.equal(injected(text).split('- name: usage-sidecar\n').length - 1, count, text)
    }
  })

  it('quotes what Kubernetes would not read as text', () => {
    const { text } = injectText(deployment(APP), {
      ...OPTIONS,
      settings: { USAGE_REPORTING: 'on', USAGE_SEND_INTERVAL: '10' },
    })
    assert.match(text, /value: "on"\n/)
    assert.match(text, /value: "10"\n/)
  })
})

describe('what it leaves alone, byte for byte', () => {
  const cases: [what: string, text: string, because: RegExp][] = [
    [
      'kinds that make no pods',
      'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n',
      /makes no pods/,
    ],
    [
      'a kind of the same name in another group',
      deployment(APP).replace('apps/v1', 'apps.example.org/v1'),
      /makes no pods/,
    ],
    ['a pod without containers', deployment('containers: []\n'), /^its pod has no containers/],
    ['a pod that has it', injected(deployment(APP)), /container usage-sidecar already/],
    [
      'a pod that says no',
      deployment(APP).replace(
        '{app: web}\n    spec',
        '{app: web}\n      annotations: {usage-sidecar.dev/inject: disabled}\n    spec',
      ),
      /^it has the annotation .*: disabled/,
    ],
    [
      'a word that is none of ours',
      deployment(APP).replace(
        '{app: web}\n    spec',
        '{app: web}\n      annotations: {usage-sidecar.dev/inject: flase}\n    spec',
      ),
      /with a word that is not/,
    ],
    [
      'a boolean',
      deployment(APP).replace(
        '{app: web}\n    spec',
        '{app: web}\n      annotations: {usage-sidecar.dev/inject: yes}\n    spec',
      ),
      /with a word that is not/,
    ],
    [
      'a Deployment that says no',
      deployment(APP, '  annotations: {usage-sidecar.dev/inject: disabled}\n'),
      /^its workload has/,
    ],
    ['hostNetwork', deployment(`hostNetwork: yes\n${APP}`), /hostNetwork/],
    ['Windows', deployment(`os: {name: windows}\n${APP}`), /not run on Linux/],
    [
      'nodes with Windows',
      deployment(`nodeSelector: {kubernetes.io/os: windows}\n${APP}`),
      /not run on Linux/,
    ],
    [
      'a volume with one of our names',
      deployment(`${APP}volumes: [{name: usage-sidecar-data}]\n`),
      /volume whose name/,
    ],
    [
      'one of our ports',
      deployment(`${APP}  ports: [{containerPort: 44319}]\n`),
      /one of the ports/,
    ],
    [
      'an alias',
      deployment('containers: &c\n- name: app\n  image: a\ninitContainers: *c\n'),
      /byte for byte|alias/,
    ],
    [
      'a merge key',
      deployment(
        'containers:\n- &a\n  name: app\n  image: a\n  env: [{name: X, value: y}]\n- <<: *a\n  name: b\n',
      ),
      /byte for byte|alias/,
    ],
    [
      'a pod in which our variable is there already',
      deployment(`${APP}  env: [{name: USAGE_OTLP_ENDPOINT, value: "http://127.0.0.1:44318"}]\n`),
      /byte for byte/,
    ],
    [
      'a part that an alias repeats elsewhere',
      `${deployment('containers:\n- &app\n  name: app\n  image: a\n')}status: *app\n`,
      /byte for byte/,
    ],
    ['null in words', deployment(`${APP}volumes: null\n`), /not empty/],
    ['what is no YAML', '{{ if .Values.x }}\nkind: Pod\n', /not valid YAML/],
    ['a name that is there twice', deployment(`${APP}${APP}`), /not valid YAML/],
  ]
  for (const [what, text, because] of cases)
    it(what, () => assert.match(leftAlone(text)[0] ?? '', because))

  it('nothing at all', () => {
    for (const text of ['', '\n', '---\n', '# only a comment', '\ufeff', '...\n', '---\n---\n'])
      assert.deepEqual(leftAlone(text), [])
  })

  it('one document that cannot be read, and the others are done', () => {
    const text = `${deployment(APP)}---\nkind: [\n---\n${deployment(APP)}`
    const { text: result, outcomes } = inject(text)
    assert.deepEqual(
      outcomes.map(({ done }) => done),
      [true, false, true],
    )
    assert.equal(uninjectText(result).text, text)
    assert.ok(result.includes('---\nkind: [\n---\n'))
  })

  it('an alias of something else does no harm', () => {
    injected(
      deployment(
        'containers:\n- name: app\n  image: &image example.org/app:1\n- name: two\n  image: *image\n',
      ),
    )
  })
})

describe('the namespace, where it is in the text', () => {
  const namespace = (more: string): string =>
    `apiVersion: v1\nkind: Namespace\nmetadata:\n  name: shop\n  ${more}\n---\n`
  const pod = (annotation = ''): string =>
    deployment(APP).replace('{app: web}\n    spec', `{app: web}\n${annotation}    spec`)
  const ENABLED = '      annotations: {usage-sidecar.dev/inject: enabled}\n'
  const reportingIn = (text: string): string =>
    (
      parseAllDocuments(text)[1]!.toJS().spec.template.spec.initContainers[0].env as {
        name: string
        value: string
      }[]
    ).find(({ name }) => name === 'USAGE_REPORTING')!.value

  it('says no where the pod says nothing', () => {
    assert.match(
      leftAlone(namespace('annotations: {usage-sidecar.dev/inject: disabled}') + pod())[1] ?? '',
      /^its namespace has the annotation/,
    )
    injected(namespace('annotations: {usage-sidecar.dev/inject: disabled}') + pod(ENABLED))
  })

  it('says no by a label, whatever the pod says', () => {
    for (const word of ['disabled', 'flase'])
      assert.match(
        leftAlone(namespace(`labels: {usage-sidecar.dev/inject: ${word}}`) + pod(ENABLED))[1] ?? '',
        /^its namespace has the label/,
      )
  })

  it('can only lower reporting', () => {
    for (const [setting, said, becomes] of [
      ['on', 'local', 'local'],
      ['on', '"off"', 'off'],
      ['local', '"on"', 'local'],
      ['on', 'sometimes', 'off'],
      ['off', '"on"', 'off'],
      ['on', '"on"', 'on'],
    ] as const) {
      const text = namespace(`annotations: {usage-sidecar.dev/reporting: ${said}}`) + pod()
      const result = injectText(text, { ...OPTIONS, settings: { USAGE_REPORTING: setting } })
      assert.equal(reportingIn(result.text), becomes, `${setting} ${said}`)
    }
  })
})

describe('uninject', () => {
  it('takes out what a tool has written anew', () => {
    const written = JSON.stringify(parse(injected(deployment(APP))))
    const { text, outcomes } = uninjectText(written)
    assert.deepEqual(
      outcomes.map(({ done }) => done),
      [true],
    )
    const { metadata, spec } = JSON.parse(text).spec.template
    assert.deepEqual(metadata.labels, { app: 'web' })
    assert.deepEqual(
      [spec.initContainers ?? [], spec.volumes ?? [], spec.containers[0].env ?? []],
      [[], [], []],
    )
  })

  it('leaves alone what has no sidecar', () => {
    const text = deployment(APP)
    assert.equal(uninjectText(text).text, text)
    assert.match(uninjectText(text).outcomes[0]?.reason ?? '', /has no container usage-sidecar/)
  })

  it('leaves alone what it cannot take out', () => {
    const text = deployment(
      'initContainers: &all\n- name: usage-sidecar\n  image: x\ncontainers:\n- name: app\n  image: a\n  args: *all\n',
    )
    const { text: result, outcomes } = uninjectText(text)
    assert.equal(result, text)
    assert.deepEqual([outcomes[0]?.failed, outcomes[0]?.done], [true, false])
  })

  it('keeps what was added beside it', () => {
    const more = injected(deployment(APP)).replace(
      '      containers:\n',
      '      - name: mine\n        emptyDir: {}\n      containers:\n',
    )
    const { spec } = parse(uninjectText(more).text).spec.template
    assert.deepEqual(spec.volumes, [{ name: 'mine', emptyDir: {} }])
  })
})
