// Tests injection by the real API server. For every pod of the corpus the admission policy decides
// like the command and makes the same pod. Pods and namespaces choose the project and can lower
// reporting. An error leaves the pod unchanged.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { injectionFile, PLACEHOLDER } from '../../scripts/manifests/injection-file.ts'
import { FIXED_SETTINGS, literal } from '../../src/inject/container.ts'
import { injectText } from '../../src/inject/inject.ts'
import {
  comparable,
  OPTIONS,
  type PodObject,
  podByCommand,
  podOf,
  SAMPLES,
  type Sample,
  sidecarOf,
  TEXTS,
} from '../support/inject-corpus.ts'
import { until } from '../support/sidecar.ts'
import { type ApiServer, makeNamespace, startApiServer } from './cluster/apiserver.ts'

const PROJECT = 'usage-sidecar.dev/project'
const PLAIN = SAMPLES.find(({ name }) => name === 'plain')!
const ends: (() => unknown)[] = []
let api: ApiServer

/** The shipped file for this project, with other data in its parameters. */
function install(project: string, data: Record<string, string>): void {
  const objects = parseAllDocuments(injectionFile().replaceAll(PLACEHOLDER, project)).map(
    (document) => document.toJS(),
  )
  const parameters = objects.find(({ kind }) => kind === 'ConfigMap')
  parameters.data = { project: parameters.data.project, inject: parameters.data.inject, ...data }
  api.apply(objects.map((object) => JSON.stringify(object)).join('\n---\n'))
}

const setParameters = (project: string, data: Record<string, string | null>): void =>
  void api.kubectl([
    'patch',
    'configmap',
    `${project}.usage-sidecar.dev`,
    '-n',
    `${project}-usage`,
    '--type=merge',
    '-p',
    JSON.stringify({ data }),
  ])

type Created = PodObject & { status: { qosClass: string } }

/** In the form in which the API server stores them. */
function created(pods: readonly PodObject[]): Created[] {
  const input = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: pods })
  const answer = api.kubectl(['create', '-f', '-', '--dry-run=server', '-o', 'json'], { input })
  return answer.split(/(?<=^\})\n(?=\{)/m).map((one) => JSON.parse(one) as Created)
}

const pod = (namespace: string, annotations: Record<string, string> = {}): PodObject => {
  const { metadata, ...rest } = podOf(PLAIN.text, PLAIN)
  return { ...rest, metadata: { ...metadata, namespace, annotations } }
}
const sidecarIn = (namespace: string, annotations?: Record<string, string>) =>
  sidecarOf(created([pod(namespace, annotations)])[0]!)
const setting = (name: string, namespace = 'probe'): string | undefined =>
  sidecarIn(namespace)?.env?.find((variable) => variable.name === name)?.value

const { settings, image } = OPTIONS
const DATA: Record<string, string> = {
  image,
  ...settings,
  USAGE_POLICY_TEXT: TEXTS.policy,
  USAGE_FACTS: TEXTS.facts,
}

before(async () => {
  api = await startApiServer({ after: (end) => void ends.unshift(end) })
  install('acme', DATA)
  install('other', { ...DATA, image: 'registry.example/other:1' })
  // The shipped file under another name. It does nothing until somebody sets an image.
  api.apply(injectionFile().replaceAll(PLACEHOLDER, 'third'))
  for (const { name, namespace } of SAMPLES)
    makeNamespace(api, name, {
      ...namespace,
      annotations: { ...namespace.annotations, [PROJECT]: 'acme' },
    })
  makeNamespace(api, 'probe', { annotations: { [PROJECT]: 'acme' } })
  makeNamespace(api, 'bare')
  await until(
    'both policies are in force',
    () =>
      sidecarIn('probe') !== undefined && sidecarIn('bare', { [PROJECT]: 'other' }) !== undefined,
  )
})
after(async () => {
  for (const end of ends) await end()
})

describe('the policy and the command', () => {
  const podIn = (sample: Sample, namespace = sample.name): PodObject => {
    const made = podOf(sample.text, sample)
    return { ...made, metadata: { ...made.metadata, namespace } }
  }
  let byPolicy: Created[]
  let byCommand: Created[]
  let without: Created[]
  before(() => {
    byPolicy = created(SAMPLES.map((sample) => podIn(sample)))
    byCommand = created(SAMPLES.map(podByCommand))
    without = created(SAMPLES.map((sample) => podIn(sample, 'bare')))
  })
  for (const [index, sample] of SAMPLES.entries())
    it(`make the same pod of ${sample.name}, ${sample.injected ? 'with' : 'without'} the sidecar`, () => {
      const [policy, command, plain] = [byPolicy[index]!, byCommand[index]!, without[index]!]
      assert.deepEqual(comparable(policy), comparable(command))
      assert.equal(policy.status.qosClass, plain.status.qosClass)
      const sidecar = sidecarOf(policy)
      assert.equal(sidecar?.image === image, sample.injected)
      if (!sample.injected)
        assert.deepEqual(
          { ...comparable(policy), metadata: 0 },
          { ...comparable(plain), metadata: 0 },
        )
      else {
        assert.equal(policy.spec.initContainers?.[0], sidecar)
        const tokens = sidecar?.volumeMounts
          ?.filter(({ mountPath }) => mountPath.includes('serviceaccount'))
          .map(({ name }) => name)
        assert.deepEqual(tokens, ['usage-sidecar-no-token'])
      }
    })
})

describe('the text that the command prints', () => {
  for (const sample of SAMPLES.filter(({ injected }) => injected))
    it(`is read by kubectl and taken by the server: ${sample.name}`, () => {
      const input = injectText(sample.text, OPTIONS).text.split(/^---$/m).at(-1)!
      const read = api.kubectl(
        ['create', '-f', '-', '--dry-run=server', '-o', 'json', '-n', sample.name],
        { input },
      )
      const [taken, meant] = [read, injectText(sample.text, OPTIONS).text].map((text) =>
        sidecarOf(podOf(text, sample)),
      )
      assert.deepEqual(taken?.env, meant?.env)
      assert.deepEqual(taken?.image, OPTIONS.image)
    })
})

describe('projects', () => {
  it('are named by the pod, or else by its namespace, and never meet', () => {
    assert.equal(sidecarIn('probe')?.image, image)
    assert.equal(sidecarIn('probe', { [PROJECT]: 'other' })?.image, 'registry.example/other:1')
    for (const nobody of ['', 'acm', 'third'])
      assert.equal(sidecarIn('probe', { [PROJECT]: nobody }), undefined, nobody)
    assert.equal(sidecarIn('bare'), undefined)
  })

  it('leave pods of their own namespaces alone', () => {
    makeNamespace(api, 'acme-usage')
    assert.equal(sidecarIn('acme-usage', { [PROJECT]: 'acme' }), undefined)
    makeNamespace(api, 'kube-system')
    assert.equal(sidecarIn('kube-system', { [PROJECT]: 'acme' }), undefined)
  })
})

describe('the parameters', () => {
  const inNamespaces = (): string =>
    ['raises', 'lowers', 'unknown']
      .map((word) => setting('USAGE_REPORTING', `namespace-${word}`))
      .join(' ')
  const CASES: [what: string, changed: Record<string, string | null>, holds: () => boolean][] = [
    [
      'can ask every pod for its own word',
      { inject: 'disabled' },
      () =>
        sidecarIn('probe') === undefined &&
        sidecarIn('probe', { 'usage-sidecar.dev/inject': 'enabled' }) !== undefined,
    ],
    ['with a word that is none is no', { inject: 'yes' }, () => sidecarIn('probe') === undefined],
    ['without an image do nothing', { image: '' }, () => sidecarIn('probe') === undefined],
    [
      'without the key of the image do nothing',
      { image: null },
      () => sidecarIn('probe') === undefined,
    ],
    [
      'without a policy leave it to the ConfigMap of the namespace',
      { USAGE_POLICY_TEXT: null },
      () => setting('USAGE_POLICY') === '/etc/usage-sidecar/project/policy.yaml',
    ],
    [
      'carry what the facts job has published',
      { 'facts.json': '{"k8s.nodes":10}' },
      () => setting('USAGE_FACTS') === '{"k8s.nodes":10}',
    ],
    [
      'cannot change the listen addresses of the sidecar',
      { USAGE_HTTP_LISTEN: '127.0.0.1:1', USAGE_LOG_LEVEL: 'warn' },
      () =>
        setting('USAGE_LOG_LEVEL') === 'warn' && setting('USAGE_HTTP_LISTEN') === '127.0.0.1:44318',
    ],
    // The corpus already tests that a namespace lowers `on`.
    [
      'that say local are not raised by a namespace',
      { USAGE_REPORTING: 'local' },
      () => inNamespaces() === 'local local off',
    ],
    [
      'that say off are not raised by a namespace',
      { USAGE_REPORTING: 'off' },
      () => inNamespaces() === 'off off off',
    ],
    [
      'of which no word is one of ours are passed on as they are',
      { USAGE_REPORTING: 'On' },
      () => setting('USAGE_REPORTING') === 'On',
    ],
  ]
  for (const [what, changed, holds] of CASES)
    it(what, async () => {
      setParameters('acme', changed)
      await until(what, holds)
      const none = Object.fromEntries(Object.keys(changed).map((key) => [key, null]))
      setParameters('acme', { ...none, ...DATA, inject: 'enabled' })
      const given = Object.keys(changed).filter(
        (key) => key.startsWith('USAGE_') && !(key in FIXED_SETTINGS),
      )
      const was = given
        .map((key) => DATA[key])
        .map((text) => (text === undefined ? undefined : literal(text)))
      const before = (): boolean =>
        setting('USAGE_FACTS') === TEXTS.facts &&
        given.every((key, index) => setting(key) === was[index])
      await until('they are as before', before)
    })

  it('that are gone leave every pod as it was', async () => {
    api.kubectl(['delete', 'configmap', 'other.usage-sidecar.dev', '-n', 'other-usage'])
    await until(
      'no pod of it is injected',
      () => sidecarIn('bare', { [PROJECT]: 'other' }) === undefined,
    )
    assert.equal(sidecarIn('probe')?.image, image)
  })
})
