// Describes what injection adds to a pod: the sidecar's container, its volumes, and the variables
// for the application. Helm's template, the MutatingAdmissionPolicy, the Kustomize component and
// `usage-sidecar inject` are all made from this file. A test compares their pods
// (test/e2e/inject-forms.e2e.ts).
// The container never holds the pod back and never weakens it. It starts even if ConfigMaps and
// Secrets are missing; its probes ask only the process. It passes Pod Security `restricted`, cannot
// read the pod's API token, needs no right, and keeps the pod's QoS class (qos.ts selects the row
// of RESOURCES).
// A generator passes expressions of its own language as the strings of `Options`; the shape stays.
// What depends on the pod (`Traits`) is one row of RESOURCES, one more limit, and one more
// variable.

export const CONTAINER = 'usage-sidecar'
export const PREFIX = 'usage-sidecar.dev/'
/**
 * A label on the pod. `kubectl annotate pods -A -l usage-sidecar.dev/injected …=off` finds every
 * pod with the sidecar.
 */
export const INJECTED = { [`${PREFIX}injected`]: 'true' } as const

/** Not 4317 to 4320, because an application may have its own collector on those. */
export const PORTS = { grpc: 44317, http: 44318, health: 44319, page: 44320 } as const

const ETC = '/etc/usage-sidecar'
const DATA = '/var/lib/usage-sidecar'

/** Values of variables are escaped for Kubernetes; see `literal`. */
export interface Options {
  image: string
  /**
   * Optional ConfigMap in the pod's namespace. Its key `policy.yaml` is read if `settings` has no
   * USAGE_POLICY_TEXT. The key `off`, with any value, is a kill switch. It takes effect when the
   * kubelet has updated the volume, after about a minute.
   */
  configMap: string
  /**
   * Optional ConfigMap in the pod's namespace: `facts.json`, as the facts job publishes it
   * (FACTS_KEY).
   */
  factsConfigMap: string
  /** Optional Secret in the pod's namespace with `instance-id` and `secret`. */
  identitySecret: string
  /**
   * Other settings by name, such as USAGE_ENDPOINT, USAGE_FACTS or USAGE_POLICY_TEXT.
   * FIXED_SETTINGS override them.
   */
  settings: Readonly<Record<string, string>>
  /** A PersistentVolumeClaim for the queue, instead of an emptyDir that ends with the pod. */
  dataClaim?: string
}

/** Defaults of the options. Reporting is `local` until someone turns it on. */
export const DEFAULTS = {
  configMap: CONTAINER,
  factsConfigMap: `${CONTAINER}-facts`,
  identitySecret: `${CONTAINER}-identity`,
  settings: { USAGE_REPORTING: 'local', USAGE_FIRST_SEND_DELAY: '24h' },
} as const satisfies Partial<Options>

/** The properties of a pod that change the container. */
export interface Traits {
  qos: Qos
  /**
   * Whether any container limits ephemeral-storage. The kubelet then holds the whole pod to the sum
   * of such limits.
   */
  limitsStorage: boolean
  /** Whether any container sets DO_NOT_TRACK. */
  doNotTrack: boolean
  /**
   * The namespace's annotation `usage-sidecar.dev/reporting`, which can only lower USAGE_REPORTING.
   */
  atMost?: string
}

/** From the lowest to the highest. Any other value counts as the lowest. */
export const REPORTING_WORDS = ['off', 'local', 'on'] as const

const lower = (setting: string, atMost: string | undefined): string => {
  if (atMost === undefined) return setting
  const rank = (word: string): number =>
    Math.max(0, REPORTING_WORDS.indexOf(word as (typeof REPORTING_WORDS)[number]))
  // promise: inject-namespace-lowers
  return REPORTING_WORDS[Math.min(rank(setting), rank(atMost))]!
}

/**
 * `podLevel`: the pod has `spec.resources`, of which a container may not take a part without
 * permission.
 */
export type Qos = 'guaranteed' | 'burstable' | 'bestEffort' | 'podLevel'

export interface Resources {
  requests?: Record<string, string>
  limits?: Record<string, string>
}

/** No CPU limit unless the class requires one, because it would slow the start of the pod. */
export const RESOURCES: Readonly<Record<Qos, Resources>> = {
  guaranteed: {
    requests: { cpu: '100m', memory: '96Mi' },
    limits: { cpu: '100m', memory: '96Mi' },
  },
  burstable: { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '96Mi' } },
  bestEffort: {},
  podLevel: {},
}
/**
 * The container's ephemeral-storage limit, if the pod is held to the sum. Our volume counts as
 * well.
 */
export const STORAGE_LIMIT = { 'ephemeral-storage': '256Mi' } as const
/** The limits that a memory limit of 96Mi would lead to. Set if the pod has none. */
export const UNLIMITED_SETTINGS = { USAGE_MAX_BODY: '2MiB', USAGE_MAX_INFLIGHT: '8MiB' } as const

export type EnvVar = { name: string; value: string }

export interface Volume {
  name: string
  emptyDir?: { sizeLimit: string; medium?: 'Memory' }
  persistentVolumeClaim?: { claimName: string }
  downwardAPI?: { items: { path: string; fieldRef: { fieldPath: string } }[] }
  configMap?: { name: string; optional: true }
  secret?: { secretName: string; optional: true }
}

/** Kubernetes replaces `$(NAME)` in values of variables; `$$` is a literal `$`. */
export const literal = (value: string): string => value.replaceAll('$', '$$$$')

/** Key of the facts in the facts job's ConfigMap and in the parameters of the admission policy. */
export const FACTS_KEY = 'facts.json'

/** Settings that follow from the shape below and are the same in every pod. */
export const FIXED_SETTINGS = {
  USAGE_HTTP_LISTEN: `127.0.0.1:${PORTS.http}`,
  USAGE_GRPC_LISTEN: `127.0.0.1:${PORTS.grpc}`,
  USAGE_HEALTH_LISTEN: `:${PORTS.health}`,
  USAGE_PAGE_LISTEN: `127.0.0.1:${PORTS.page}`,
  USAGE_DATA_DIR: DATA,
  USAGE_IDENTITY_DIR: `${ETC}/identity`,
  USAGE_ANNOTATIONS_FILE: `${ETC}/podinfo/annotations`,
  USAGE_OFF_FILE: `${ETC}/project/off`,
  USAGE_FACTS_FILE: `${ETC}/facts/${FACTS_KEY}`,
} as const
export const POLICY_FILE = { USAGE_POLICY: `${ETC}/project/policy.yaml` } as const

export function environment({ settings }: Options, { qos, doNotTrack, atMost }: Traits): EnvVar[] {
  const values: Record<string, string> = {
    ...(RESOURCES[qos].limits === undefined ? UNLIMITED_SETTINGS : {}),
    ...settings,
    USAGE_REPORTING: lower(settings.USAGE_REPORTING ?? DEFAULTS.settings.USAGE_REPORTING, atMost),
    ...(settings.USAGE_POLICY_TEXT === undefined ? POLICY_FILE : {}),
    ...FIXED_SETTINGS,
    ...(doNotTrack ? { DO_NOT_TRACK: '1' } : {}),
  }
  return Object.entries(values).map(([name, value]) => ({ name, value }))
}

/** The volumes and their mount paths. All but the first are read-only. */
const MOUNTS: readonly { name: string; mountPath: string; readOnly?: true }[] = [
  { name: `${CONTAINER}-data`, mountPath: DATA },
  { name: `${CONTAINER}-podinfo`, mountPath: `${ETC}/podinfo`, readOnly: true },
  { name: `${CONTAINER}-project`, mountPath: `${ETC}/project`, readOnly: true },
  { name: `${CONTAINER}-facts`, mountPath: `${ETC}/facts`, readOnly: true },
  { name: `${CONTAINER}-identity`, mountPath: `${ETC}/identity`, readOnly: true },
  // Covers the token's path. ServiceAccount admission mounts no token where a mount exists.
  {
    name: `${CONTAINER}-no-token`,
    mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
    readOnly: true,
  },
]

/**
 * The kubelet evicts a pod whose emptyDir exceeds its limit. The limit is three times what the
 * sidecar may keep (64 MiB queued and 16 MiB sent). The downward API gives only annotations,
 * because names and uids identify.
 */
export function volumes({
  configMap,
  factsConfigMap,
  identitySecret,
  dataClaim,
}: Options): Volume[] {
  return [
    dataClaim === undefined
      ? { name: `${CONTAINER}-data`, emptyDir: { sizeLimit: '256Mi' } }
      : { name: `${CONTAINER}-data`, persistentVolumeClaim: { claimName: dataClaim } },
    {
      name: `${CONTAINER}-podinfo`,
      downwardAPI: {
        items: [{ path: 'annotations', fieldRef: { fieldPath: 'metadata.annotations' } }],
      },
    },
    // promise: inject-policy-optional
    { name: `${CONTAINER}-project`, configMap: { name: configMap, optional: true } },
    { name: `${CONTAINER}-facts`, configMap: { name: factsConfigMap, optional: true } },
    { name: `${CONTAINER}-identity`, secret: { secretName: identitySecret, optional: true } },
    { name: `${CONTAINER}-no-token`, emptyDir: { sizeLimit: '4Ki', medium: 'Memory' } },
  ]
}

export type Container = ReturnType<typeof sidecar>

/**
 * The first init container. It listens before any other container starts and ends after the last
 * one, and Jobs still finish. It declares no port, because scrape target discovery takes every
 * declared one. It has no preStop and no readiness probe, which would change when the pod ends or
 * is ready. terminationGracePeriodSeconds stays as it is: a native sidecar gets SIGTERM after the
 * application, and by then everything acknowledged is on disk.
 */
export function sidecar(options: Options, traits: Traits) {
  const { requests, limits } = RESOURCES[traits.qos]
  return {
    name: CONTAINER,
    image: options.image,
    imagePullPolicy: 'IfNotPresent',
    restartPolicy: 'Always',
    env: environment(options, traits),
    startupProbe: {
      httpGet: { path: '/startupz', port: PORTS.health },
      periodSeconds: 1,
      timeoutSeconds: 1,
      failureThreshold: 60,
    },
    livenessProbe: {
      httpGet: { path: '/livez', port: PORTS.health },
      periodSeconds: 20,
      timeoutSeconds: 5,
      failureThreshold: 3,
    },
    resources: {
      ...(requests === undefined ? {} : { requests }),
      ...(limits === undefined && !traits.limitsStorage
        ? {}
        : { limits: { ...limits, ...(traits.limitsStorage ? STORAGE_LIMIT : {}) } }),
    } as Resources,
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
      privileged: false,
      readOnlyRootFilesystem: true,
      runAsGroup: 65532,
      runAsNonRoot: true,
      runAsUser: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
    },
    terminationMessagePolicy: 'FallbackToLogsOnError',
    volumeMounts: MOUNTS,
  }
}

/**
 * Set in every container of the application, init containers included, that does not set it itself.
 */
export const APP_ENV: EnvVar = {
  name: 'USAGE_OTLP_ENDPOINT',
  value: `http://127.0.0.1:${PORTS.http}`,
}
/**
 * Set only if the pod asks for it (annotation `usage-sidecar.dev/otel-endpoint: enabled`), and
 * never in a container with `envFrom` or any OTEL_EXPORTER_OTLP_… variable. It redirects everything
 * that an SDK exports.
 */
export const OTEL_ENV: readonly EnvVar[] = [
  { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: `http://127.0.0.1:${PORTS.http}` },
  { name: 'OTEL_EXPORTER_OTLP_PROTOCOL', value: 'http/protobuf' },
]
