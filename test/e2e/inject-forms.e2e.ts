// Compares the pods of the chart and the component with those of the command, for every pod of the
// corpus. A chart and a kustomization cannot read the pod, so the test sets what a maintainer would
// set. Two tables list what they cannot do.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { parseAllDocuments, stringify } from 'yaml'
import { DEFAULTS, type Traits } from '../../src/inject/container.ts'
import { decide, type Pod } from '../../src/inject/decide.ts'
import { injectText } from '../../src/inject/inject.ts'
import {
  comparable,
  OPTIONS,
  type PodContainer,
  type PodObject,
  podByCommand,
  podOf,
  SAMPLES,
  type Sample,
  sidecarOf,
  TEXTS,
} from '../support/inject-corpus.ts'
import { objectsIn } from './charts/objects.ts'
import { chartIn, DEPLOY, helm, kustomize } from './charts/tools.ts'

const NAMESPACE = 'It does not know the namespace. The annotation on the pod works all the same.'
const NOT_BY_HELM: Record<string, string> = {
  'namespace-lowers': NAMESPACE,
  'namespace-unknown': NAMESPACE,
}
const NOT_BY_KUSTOMIZE: Record<string, string> = {
  ...NOT_BY_HELM,
  'do-not-track': 'It cannot see the variables of a container.',
  'do-not-track-unknown': 'It cannot see the variables of a container.',
  otel: 'It gives the one variable.',
  'own-endpoint': 'It cannot spare a variable of the name that is its own.',
  storage: 'It cannot see a limit of ephemeral-storage.',
}
const injected = SAMPLES.filter((sample) => sample.injected)
const folder = mkdtempSync(join(tmpdir(), 'usage-forms-'))
after(() => rmSync(folder, { recursive: true }))

interface Workload {
  kind: string
  metadata: { name: string; namespace?: string; annotations?: Record<string, string> }
}

function workloadOf({ text }: Sample): Workload {
  const objects = parseAllDocuments(text, { version: '1.1' }).map(
    (document) => document.toJS() as Workload,
  )
  return objects.find(({ kind }) => kind !== 'Namespace')!
}

/** The pod or pod template to change. */
function podWithin(workload: object): PodObject {
  const { kind, spec } = workload as {
    kind: string
    spec: { template?: PodObject; jobTemplate?: { spec: { template: PodObject } } }
  }
  return kind === 'Pod'
    ? (workload as PodObject)
    : (spec.template ?? spec.jobTemplate!.spec.template)
}

/** What a maintainer knows about their pod. */
function known(sample: Sample): { traits: Traits; otel: boolean } {
  const decision = decide(podOf(sample.text, sample) as unknown as Pod, undefined)
  assert.ok(decision.inject)
  return decision
}

/** One document for each sample, by its name. */
function podsIn(output: string): Map<string, string> {
  return new Map(
    objectsIn(output).flatMap((object) =>
      object.kind === 'ConfigMap' ? [] : [[object.metadata.namespace!, JSON.stringify(object)]],
    ),
  )
}

describe('the chart and the command', () => {
  const includes: string[] = []
  const include = (name: string, traits: Traits): string => {
    const { qos, limitsStorage, doNotTrack } = traits
    const pod = `(dict "qos" "${qos}" "limitsStorage" ${limitsStorage} "doNotTrack" ${doNotTrack})`
    return `@${includes.push(`include "usage-sidecar.${name}" (dict "root" . "pod" ${pod})`) - 1}@`
  }

  function template(sample: Sample): string {
    const workload = workloadOf(sample)
    workload.metadata.namespace = sample.name
    const pod = podWithin(workload) as {
      metadata?: PodObject['metadata']
      spec: Record<string, unknown> & PodObject['spec']
    }
    const { traits, otel } = known(sample)
    const forApp = (container: PodContainer): object => {
      const { env = [], envFrom } = container as PodContainer & { envFrom?: unknown[] }
      const mine = env.some(({ name }) => name === 'USAGE_OTLP_ENDPOINT')
        ? []
        : [include('env', traits)]
      const theirs =
        !otel ||
        envFrom !== undefined ||
        env.some(({ name }) => name.startsWith('OTEL_EXPORTER_OTLP_'))
      return {
        ...container,
        env: [...mine, ...(theirs ? [] : [include('otelEnv', traits)]), ...env],
      }
    }
    const { initContainers = [], containers, volumes = [] } = pod.spec
    Object.assign(pod.spec, {
      containers: containers.map(forApp),
      initContainers: [include('container', traits), ...initContainers.map(forApp)],
      volumes: [include('volumes', traits), ...volumes],
    })
    pod.metadata = {
      ...pod.metadata,
      labels: { ...pod.metadata?.labels, [include('labels', traits)]: '' },
    }
    const text = stringify(workload, { lineWidth: 0, version: '1.1' }).replaceAll(
      '{{',
      '{{ "{{" }}',
    )
    return text.replaceAll(
      /^( *)(?:- |\? |)"@(\d+)@"(?:: "")?$/gm,
      (_, indent: string, i: string) => `{{ ${includes[Number(i)]} | indent ${indent.length} }}`,
    )
  }

  const chart = chartIn(folder, 'example')
  rmSync(join(chart, 'templates/deployment.yaml'))
  const there = injected.filter(({ name }) => !(name in NOT_BY_HELM))
  writeFileSync(join(chart, 'templates/all.yaml'), there.map(template).join('---\n'))
  const { USAGE_REPORTING: reporting, USAGE_ENDPOINT: endpoint } = OPTIONS.settings as Record<
    string,
    string
  >
  const usage = {
    reporting,
    endpoint,
    image: OPTIONS.image,
    policy: TEXTS.policy,
    identity: { create: false },
  }
  writeFileSync(join(folder, 'values.yaml'), JSON.stringify({ usage }))
  const pods = podsIn(helm('template', 'my', chart, '--values', join(folder, 'values.yaml')))

  for (const sample of there)
    it(`make the same pod of ${sample.name}`, () => {
      const pod = podOf(
        pods.get(sample.name)!.replaceAll('my-usage-sidecar', DEFAULTS.configMap),
        sample,
      )
      assert.equal(pod.spec.initContainers?.[0], sidecarOf(pod))
      assert.deepEqual(comparable(pod), comparable(podByCommand(sample)))
    })
})

describe('the component and the command', () => {
  const there = injected.filter(({ name }) => !(name in NOT_BY_KUSTOMIZE))
  const QOS = 'usage-sidecar.dev/qos'
  cpSync(join(DEPLOY, 'kustomize'), join(folder, 'kustomize'), { recursive: true })
  const example = join(folder, 'kustomize/example')
  const workloads = there.map((sample) => {
    const workload = workloadOf(sample)
    workload.metadata.namespace = sample.name
    workload.metadata.annotations = {
      ...workload.metadata.annotations,
      [QOS]: known(sample).traits.qos,
    }
    return JSON.stringify(workload)
  })
  writeFileSync(join(example, 'deployment.yaml'), workloads.join('\n---\n'))
  const { USAGE_REPORTING, USAGE_ENDPOINT } = OPTIONS.settings as Record<string, string>
  const [newName, digest] = OPTIONS.image.split('@')
  const kustomization = {
    resources: ['deployment.yaml'],
    components: ['../components/sidecar'],
    configMapGenerator: [
      {
        name: 'usage-sidecar',
        literals: [`reporting=${USAGE_REPORTING}`, `endpoint=${USAGE_ENDPOINT}`],
        options: { disableNameSuffixHash: true },
      },
    ],
    images: [{ name: 'usage-sidecar', newName, digest }],
  }
  writeFileSync(join(example, 'kustomization.yaml'), stringify(kustomization))
  const pods = podsIn(kustomize('build', example))
  /** The ConfigMap holds the policy, and the chart gives no facts. */
  const settings = {
    ...DEFAULTS.settings,
    USAGE_REPORTING: USAGE_REPORTING!,
    USAGE_ENDPOINT: USAGE_ENDPOINT!,
  }
  /** The application's variables have another order. */
  const sorted = (pod: PodObject): PodObject => {
    const { metadata, spec } = comparable(pod)
    const { [QOS]: _, ...annotations } = metadata.annotations ?? {}
    const byName = (one: PodContainer): PodContainer => ({
      ...one,
      env: (one.env ?? []).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    })
    return {
      metadata: { ...metadata, annotations },
      spec: {
        ...spec,
        containers: spec.containers.map(byName),
        initContainers: (spec.initContainers ?? []).map(byName),
      },
    }
  }

  for (const sample of there)
    it(`make the same pod of ${sample.name}`, () => {
      const pod = podOf(pods.get(sample.name)!, sample)
      assert.equal(pod.spec.initContainers?.[0], sidecarOf(pod))
      assert.deepEqual(
        sorted(pod),
        sorted(podOf(injectText(sample.text, { ...OPTIONS, settings }).text, sample)),
      )
    })
})
