// The pods of test/fixtures/pods, and what it means that two forms of injection make the same pod
// of one. A form is a way into the pod: the command, the admission policy, the chart, the
// component.
import { readdirSync, readFileSync } from 'node:fs'
import { parseAllDocuments } from 'yaml'
import { CONTAINER, DEFAULTS, literal, type Options } from '../../src/inject/container.ts'
import { injectText } from '../../src/inject/inject.ts'

export interface Variable {
  name: string
  value?: string
}
export interface PodContainer {
  name: string
  image: string
  restartPolicy?: string
  env?: Variable[]
  volumeMounts?: { name: string; mountPath: string }[]
  resources?: object
}
export interface PodObject {
  metadata: {
    name?: string
    namespace?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
  } & Record<string, unknown>
  spec: {
    containers: PodContainer[]
    initContainers?: PodContainer[]
    volumes?: { name: string }[]
  } & Record<string, unknown>
}
interface KubernetesObject {
  kind: string
  metadata: PodObject['metadata']
  spec: unknown
}

export interface Sample {
  /** Also of its namespace. */
  name: string
  text: string
  /** What is expected: all forms alike may be wrong. */
  injected: boolean
  namespace: { labels?: Record<string, string>; annotations?: Record<string, string> }
}

const FOLDER = new URL('../fixtures/pods/', import.meta.url)

export const SAMPLES: readonly Sample[] = readdirSync(FOLDER).map((file) => {
  const text = readFileSync(new URL(file, FOLDER), 'utf8')
  const expected = /^# injected: (yes|no)\b/.exec(text)?.[1]
  if (expected === undefined) throw new Error(`${file} does not say what is expected`)
  const { labels, annotations } =
    objectsOf(text).find(({ kind }) => kind === 'Namespace')?.metadata ?? {}
  return {
    name: file.replace('.yaml', ''),
    text,
    injected: expected === 'yes',
    namespace: { ...(labels && { labels }), ...(annotations && { annotations }) },
  }
})

/**
 * What every form is to put into every sample; the texts hold what Kubernetes or a template could
 * take for its own.
 */
export const TEXTS = {
  policy: 'project: example.org/demo # $(HOME) $$\npurpose: "a {{ b }} c"\n',
  facts: '{"app.version":"1.32.0"}',
}
export const OPTIONS: Options = {
  ...DEFAULTS,
  image:
    'registry.example/usage-sidecar@sha256:0000000000000000000000000000000000000000000000000000000000000000',
  settings: {
    ...DEFAULTS.settings,
    USAGE_REPORTING: 'on',
    USAGE_ENDPOINT: 'https://usage.example.org',
    USAGE_POLICY_TEXT: literal(TEXTS.policy),
    USAGE_FACTS: literal(TEXTS.facts),
  },
}

function objectsOf(text: string): KubernetesObject[] {
  return parseAllDocuments(text, { version: '1.1' }).map(
    (document) => document.toJS() as KubernetesObject,
  )
}

/** The pod that the workload in this text makes, in the sample's namespace. */
export function podOf(text: string, { name }: Sample): PodObject {
  const { kind, metadata, spec } = objectsOf(text).find((object) => object.kind !== 'Namespace')!
  const template = spec as { template?: PodObject; jobTemplate?: { spec: { template: PodObject } } }
  const pod =
    kind === 'Pod'
      ? { metadata, spec: spec as PodObject['spec'] }
      : (template.template ?? template.jobTemplate!.spec.template)
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { ...pod.metadata, name: 'app', namespace: name },
    spec: pod.spec,
  } as PodObject
}

export const podByCommand = (sample: Sample): PodObject =>
  podOf(injectText(sample.text, OPTIONS).text, sample)

export const sidecarOf = ({ spec }: PodObject): PodContainer | undefined =>
  spec.initContainers?.find(({ name }) => name === CONTAINER)

/**
 * What two forms may do differently: the order of what is ours and has a name, and what the server
 * makes up for a pod.
 */
export function comparable(pod: PodObject): PodObject {
  const { metadata, spec } = structuredClone(pod)
  for (const made of ['uid', 'creationTimestamp', 'generation', 'managedFields'])
    delete metadata[made]
  const byName = <Named extends { name: string }>(list: readonly Named[] = []): Named[] =>
    list
      .map((item) => ({
        ...item,
        name: item.name.replace(/^kube-api-access-.*/, 'kube-api-access'),
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  const container = (one: PodContainer): PodContainer => ({
    ...one,
    volumeMounts: byName(one.volumeMounts),
    env: one.name === CONTAINER ? byName(one.env) : (one.env ?? []),
  })
  const { initContainers = [], containers, volumes } = spec
  return {
    metadata,
    spec: {
      ...spec,
      volumes: byName(volumes),
      initContainers: initContainers.map(container),
      containers: containers.map(container),
    },
  }
}
