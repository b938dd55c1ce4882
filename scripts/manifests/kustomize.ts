// Writes the sidecar as a Kustomize component from container.ts; `npm run generate` puts it into
// deploy/kustomize. Kustomize cannot look into a pod, so annotations of the workload decide.
// `usage-sidecar.dev/inject: disabled` leaves it out. `usage-sidecar.dev/qos` names the class of
// its pods without the sidecar (default: burstable).
import { stringify } from 'yaml'
import {
  APP_ENV,
  CONTAINER,
  DEFAULTS,
  INJECTED,
  PREFIX,
  type Qos,
  RESOURCES,
  sidecar,
  type Traits,
  UNLIMITED_SETTINGS,
  volumes,
} from '../../src/inject/container.ts'

const OPTIONS = { ...DEFAULTS, image: CONTAINER }
const TRAITS: Traits = { qos: 'burstable', limitsStorage: false, doNotTrack: false }
const QOS = `${PREFIX}qos`
/** Settings that the application's kustomization gives in the ConfigMap `usage-sidecar`. */
const SETTINGS = { reporting: 'USAGE_REPORTING', endpoint: 'USAGE_ENDPOINT' }

/** Regular expression of the kinds, and the path to the pod's spec. */
const SHAPES: readonly { kind: string; path: readonly string[] }[] = [
  {
    kind: 'Deployment|StatefulSet|DaemonSet|ReplicaSet|ReplicationController|Job',
    path: ['spec', 'template'],
  },
  { kind: 'CronJob', path: ['spec', 'jobTemplate', 'spec', 'template'] },
  { kind: 'Pod', path: [] },
]
const ENABLED = `${PREFIX}inject notin (disabled)`

type Tree = Record<string, unknown>
/** Helm, kustomize and kubectl read YAML 1.1, where a bare `off` is a boolean. */
const yaml = (value: unknown): string =>
  stringify(value, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false })

/** A patch for every workload of one shape. Kustomize takes kind and name from its target. */
function patch(path: readonly string[], pod: Tree): string {
  const { metadata, ...body } = path.reduceRight<Tree>((inner, name) => ({ [name]: inner }), pod)
  return yaml({
    apiVersion: 'v1',
    kind: 'Any',
    metadata: { name: 'any', ...(metadata as Tree | undefined) },
    ...body,
  })
}

const ofSidecar = (fields: Tree): Tree => ({
  spec: { initContainers: [{ name: CONTAINER, ...fields }] },
})
const unlimited = Object.entries(UNLIMITED_SETTINGS).map(([name, value]) => ({ name, value }))
/**
 * Rows of the other classes: annotation selector and container fields. `null` removes a field of
 * the first patch.
 */
const OTHERS: readonly { classes: readonly Qos[]; fields: Tree }[] = [
  { classes: ['guaranteed'], fields: { resources: RESOURCES.guaranteed } },
  {
    classes: ['bestEffort', 'podLevel'],
    fields: { resources: { requests: null, limits: null }, env: unlimited },
  },
]

function kustomization(): Tree {
  const to = (field: string): Tree[] =>
    SHAPES.map(({ kind, path }) => ({
      select: { kind },
      reject: [{ annotationSelector: `${PREFIX}inject=disabled` }],
      fieldPaths: [[...path, 'spec', field].join('.')],
      options: { create: true },
    }))
  return {
    apiVersion: 'kustomize.config.k8s.io/v1alpha1',
    kind: 'Component',
    patches: SHAPES.flatMap((shape) => [
      { path: fileOf(shape), target: { kind: shape.kind, annotationSelector: ENABLED } },
      ...OTHERS.map(({ classes, fields }) => ({
        patch: patch(shape.path, ofSidecar(fields)),
        target: {
          kind: shape.kind,
          annotationSelector: `${ENABLED},${QOS} in (${classes.join()})`,
        },
      })),
    ]),
    replacements: [
      ...Object.entries(SETTINGS).map(([key, name]) => ({
        source: { kind: 'ConfigMap', name: DEFAULTS.configMap, fieldPath: `data.${key}` },
        targets: to(`initContainers.[name=${CONTAINER}].env.[name=${name}].value`),
      })),
      ...['containers', 'initContainers'].map((list) => ({
        sourceValue: APP_ENV.value,
        targets: to(`${list}.*.env.[name=${APP_ENV.name}].value`),
      })),
    ],
    // The patch above adds the variable to all init containers; this removes it from the sidecar.
    transformers: SHAPES.map((shape, i) =>
      yaml({
        apiVersion: 'builtin',
        kind: 'PatchTransformer',
        metadata: { name: `not-for-the-sidecar-${i}` },
        patch: patch(shape.path, ofSidecar({ env: [{ name: APP_ENV.name, $patch: 'delete' }] })),
        target: { kind: shape.kind, annotationSelector: ENABLED },
      }),
    ),
  }
}

const fileOf = ({ kind }: { kind: string }): string =>
  kind.includes('|') ? 'workload.yaml' : `${kind.toLowerCase()}.yaml`
const HEAD = '# Made from src/inject/container.ts by npm run generate.\n'

/** Name and text of each file of the component. */
export function kustomizeFiles(): [name: string, text: string][] {
  const pod = {
    metadata: { labels: INJECTED },
    spec: { initContainers: [sidecar(OPTIONS, TRAITS)], volumes: volumes(OPTIONS) },
  }
  return [
    ['kustomization.yaml', HEAD + yaml(kustomization())],
    ...SHAPES.map((shape): [string, string] => [fileOf(shape), HEAD + patch(shape.path, pod)]),
  ]
}
