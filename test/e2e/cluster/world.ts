// What the cluster's tests share: a namespace with a policy, a collector that its sidecars reach by
// a Service's name, and an application that is allowed to run in it.
import { readFileSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { root } from '../../../deploy/image/contents.ts'
import {
  APP_ENV,
  CONTAINER,
  DEFAULTS,
  INJECTED,
  sidecar,
  volumes,
} from '../../../src/inject/container.ts'
import { type Collector, startCollector } from '../../support/collector.ts'
import { atEnd } from '../../support/sidecar.ts'
import { APPLICATION } from './application-image.ts'
import { addService, apply, kubectl, node } from './cluster.ts'
import { NODE_IP } from './node.ts'

const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string }
export const IMAGE = `localhost/usage-sidecar:${version}`
export const FACTS_IMAGE = `localhost/usage-sidecar-facts:${version}`
const KINDS = ['deployment', 'statefulset', 'job']
const SPEAKERS = ['init', 'app', 'kept', 'lost', ...KINDS, ...KINDS.map((kind) => `init-${kind}`)]
const MOMENTS = SPEAKERS.flatMap((name) =>
  ['first', 'tick', 'sigterm', 'last'].map((moment) => `${name}-${moment}`),
)

/**
 * Lets out which moment it was and nothing else, but for a pseudonym that tells two secrets apart.
 */
export const POLICY = `apiVersion: usage-sidecar.dev/v1
project: example.org/shop
version: 1
purpose: A test.
contact: a@example.org
retention: 1d
expires: 2999-12-31
spans:
  moment:
    attributes:
      moment.kind: {keep: [${MOMENTS.join(', ')}], reason: A test.}
      moment.user: {from: user.email, pseudonym: day, reason: A test.}
`

export interface World {
  namespace: string
  collector: Collector
  /** Settings with which a sidecar reports to this collector, at once. */
  settings: Record<string, string>
  /** The moments that the collector has, sorted. */
  moments(): string[]
}

export interface Metadata {
  labels?: Record<string, string>
  annotations?: Record<string, string>
}

export async function createWorld(
  t: TestContext,
  namespace: string,
  { labels, annotations }: Metadata = {},
): Promise<World> {
  const enforce = {
    'pod-security.kubernetes.io/enforce': 'restricted',
    'pod-security.kubernetes.io/enforce-version': 'latest',
  }
  await apply([
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name: namespace,
        labels: { ...enforce, ...labels },
        annotations: { ...annotations },
      },
    },
  ])
  atEnd(t, async () => {
    if (!t.passed) process.stdout.write(await stateOf(namespace))
  })
  const collector = await startCollector(t, () => 200, NODE_IP)
  const host = addService('usage', `collector-${namespace}`)
  const endpoint = `http://${host}:${collector.port}`
  return {
    namespace,
    collector,
    // A sidecar waits a second for the last words of its application; the moment of a send must
    // fall into it.
    settings: {
      USAGE_REPORTING: 'on',
      USAGE_ENDPOINT: endpoint,
      USAGE_SEND_INTERVAL: '300ms',
      USAGE_FIRST_SEND_DELAY: '0',
    },
    moments: () =>
      collector
        .spans()
        .map(({ attributes }) => String(attributes['moment.kind']))
        .sort(),
  }
}

/** For whoever has to find out why a test failed. */
async function stateOf(namespace: string): Promise<string> {
  const { items } = JSON.parse(await kubectl('get', 'pods', '-n', namespace, '-o', 'json')) as {
    items: { metadata: { name: string } }[]
  }
  const parts = [
    await kubectl('get', 'pods', '-n', namespace, '-o', 'wide'),
    await kubectl('get', 'events', '-n', namespace),
  ]
  for (const { metadata } of items)
    parts.push(
      await kubectl('logs', '-n', namespace, metadata.name, '--all-containers', '--prefix').catch(
        (error) => String(error),
      ),
    )
  return [...parts, node.tail()].join('\n')
}

/** What Pod Security `restricted` asks of every container. */
const CONFINED = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } }
export const application = (name: string, env: Record<string, string> = {}): object => ({
  name,
  image: APPLICATION,
  // The SDK waits five seconds for more spans, unless it is told otherwise.
  env: Object.entries({ NAME: name, OTEL_BSP_SCHEDULE_DELAY: '300', ...env }).map(
    ([key, value]) => ({ name: key, value }),
  ),
  securityContext: CONFINED,
})

/**
 * A pod that runs for ever, unless `env` says otherwise; with an init container that sends as well.
 */
export function podSpec(env: Record<string, string> = {}): Record<string, unknown> {
  return {
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    initContainers: [application('init', { LIFE_MS: '1' })],
    containers: [application('app', env)],
    terminationGracePeriodSeconds: 20,
  }
}

/** A pod template with the sidecar, as src/inject/container.ts describes it. */
export function template(
  app: string,
  settings: Record<string, string>,
  more: TemplateOptions = {},
): Record<string, unknown> {
  const { initContainers, containers, ...rest } = podSpec(more.env) as Record<string, unknown> &
    Record<string, { env: object[] }[]>
  const options = {
    ...DEFAULTS,
    image: IMAGE,
    settings,
    ...(more.dataClaim === undefined ? {} : { dataClaim: more.dataClaim }),
  }
  const before = more.init === false ? [] : initContainers!
  for (const container of [...before, ...containers!]) container.env.push(APP_ENV)
  const own = sidecar(options, { qos: 'burstable', limitsStorage: false, doNotTrack: false })
  const metadata = { labels: { app, ...INJECTED }, annotations: more.annotations ?? {} }
  return {
    metadata,
    spec: { ...rest, initContainers: [own, ...before], containers, volumes: volumes(options) },
  }
}

export interface TemplateOptions {
  env?: Record<string, string>
  annotations?: Record<string, string>
  dataClaim?: string
  /** No init container of the application's own. */
  init?: false
}

export const deployment = (
  namespace: string,
  app: string,
  podTemplate: object,
  replicas = 1,
): object => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: app, namespace },
  spec: { replicas, selector: { matchLabels: { app } }, template: podTemplate },
})

/** What a command of the sidecar's program prints inside of its container. */
export const inSidecar = (namespace: string, pod: string, ...args: string[]): Promise<string> =>
  kubectl('exec', '-n', namespace, pod, '-c', CONTAINER, '--', 'usage-sidecar', ...args)

export const configMap = (
  namespace: string,
  name: string,
  data: Record<string, string>,
): object => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { name, namespace },
  data,
})

/** Names of the containers that come before the application's. */
export const initContainersOf = (namespace: string, pod: string): Promise<string> =>
  kubectl('get', 'pod', pod, '-n', namespace, '-o', 'jsonpath={.spec.initContainers[*].name}')

/** Name and uid of the pods that have this label. */
export async function podsOf(
  namespace: string,
  selector: string,
): Promise<{ name: string; uid: string; ip: string }[]> {
  const { items } = JSON.parse(
    await kubectl('get', 'pods', '-n', namespace, '-l', selector, '-o', 'json'),
  ) as {
    items: { metadata: { name: string; uid: string }; status: { podIP: string } }[]
  }
  return items.map(({ metadata, status }) => ({
    name: metadata.name,
    uid: metadata.uid,
    ip: status.podIP,
  }))
}
