// What is put into a pod, said once: the sidecar's container, its volumes, and the variables that
// the application's containers get. Helm's template, the MutatingAdmissionPolicy, the Kustomize
// component and `usage-sidecar inject` are all made from this page, and a test compares the pods
// that they make (test/inject-forms.test.ts).
//
// What it promises: the container never holds the pod back and never weakens it. It starts whatever
// is missing (each ConfigMap and Secret is optional; the probes ask the process alone), passes Pod
// Security `restricted` by itself, cannot read the pod's API token, needs no right, and keeps the
// pod's QoS class (qos.ts decides which row of RESOURCES).
//
// Whoever generates text gives expressions of his own language in the place of `Options`' strings;
// the shape stays. What depends on the pod (`Traits`) is one row of RESOURCES, one more limit, and
// one more variable.

export const CONTAINER = 'usage-sidecar'
export const PREFIX = 'usage-sidecar.dev/'
/**
 * On the pod: a label, so that `kubectl annotate pods -A -l usage-sidecar.dev/injected …=off` finds
 * every one.
 */
export const INJECTED = { [`${PREFIX}injected`]: 'true' } as const

/** Not 4317 to 4320: an application may have a collector of its own on those. */
export const PORTS = { grpc: 44317, http: 44318, health: 44319, page: 44320 } as const

const ETC = '/etc/usage-sidecar'
const DATA = '/var/lib/usage-sidecar'

/** Strings of the environment are given as Kubernetes wants them: see `literal`. */
export interface Options {
  image: string
  /**
   * Optional ConfigMap in the pod's namespace: `policy.yaml`, which is read where `settings` has no
   * USAGE_POLICY_TEXT, and `off`, whatever it holds: a kill switch, in force when the kubelet has
   * written it (about a minute).
   */
  configMap: string
  /**
   * Optional ConfigMap in the pod's namespace: `facts.json`, as the facts job publishes it
   * (FACTS_KEY).
   */
  factsConfigMap: string
  /** Optional Secret in the pod's namespace: `instance-id` and `secret`. */
  identitySecret: string
  /**
   * Other settings by name, such as USAGE_ENDPOINT, USAGE_FACTS, USAGE_POLICY_TEXT. Those of
   * FIXED_SETTINGS win.
   */
  settings: Readonly<Record<string, string>>
  /** A PersistentVolumeClaim for the queue, instead of an emptyDir that goes with the pod. */
  dataClaim?: string
}

/**
 * The names that hold where nobody says otherwise; reporting is `local` until somebody turns it on.
 */
export const STANDARD = {
  configMap: CONTAINER,
  factsConfigMap: `${CONTAINER}-facts`,
  identitySecret: `${CONTAINER}-identity`,
  settings: { USAGE_REPORTING: 'local', USAGE_FIRST_SEND_DELAY: '24h' },
} as const satisfies Partial<Options>

/** What of the pod decides something. */
export interface Traits {
  qos: Qos
  /**
   * Any container limits ephemeral-storage: then the kubelet holds the whole pod to the sum of such
   * limits.
   */
  limitsStorage: boolean
  /** Any container sets DO_NOT_TRACK. */
  doNotTrack: boolean
  /**
   * What the namespace's annotation `usage-sidecar.dev/reporting` says: it can only lower
   * USAGE_REPORTING.
   */
  atMost?: string
}

/** From the lowest to the highest; any other word counts as the lowest. */
export const REPORTING_WORDS = ['off', 'local', 'on'] as const

const lower = (setting: string, atMost: string | undefined): string => {
  if (atMost === undefined) return setting
  const rank = (word: string): number =>
    Math.max(0, REPORTING_WORDS.indexOf(word as (typeof REPORTING_WORDS)[number]))
  // promise: inject-namespace-lowers
  return REPORTING_WORDS[Math.min(rank(setting), rank(atMost))]!
}

/**
 * `podLevel`: the pod has `spec.resources`, of which the container may take no part without leave.
 */
export type Qos = 'guaranteed' | 'burstable' | 'bestEffort' | 'podLevel'

export interface Resources {
  requests?: Record<string, string>
  limits?: Record<string, string>
}

/** No CPU limit but where the class asks for it: it would slow the start of the pod. */
export const RESOURCES: Readonly<Record<Qos, Resources>> = {
  guaranteed: {
    requests: { cpu: '100m', memory: '96Mi' },
    limits: { cpu: '100m', memory: '96Mi' },
  },
  burstable: { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '96Mi' } },
  bestEffort: {},
  podLevel: {},
}
/** Of the container's own, where the pod is held to the sum: our volume counts as well. */
export const STORAGE_LIMIT = { 'ephemeral-storage': '256Mi' } as const
/** What a memory limit of 96Mi would make of them; set where there is none. */
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

/** Kubernetes replaces `$(NAME)` in values of the environment; doubled, a `$` is one again. */
export const literal = (value: string): string => value.replaceAll('$', '$$$$')

/**
 * Key of the ConfigMap that the facts job writes; in the parameters of the admission policy too.
 */
export const FACTS_KEY = 'facts.json'

/** Settings that follow from the shape below, the same in every pod. */
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
    USAGE_REPORTING: lower(settings.USAGE_REPORTING ?? STANDARD.settings.USAGE_REPORTING, atMost),
    ...(settings.USAGE_POLICY_TEXT === undefined ? POLICY_FILE : {}),
    ...FIXED_SETTINGS,
    ...(doNotTrack ? { DO_NOT_TRACK: '1' } : {}),
  }
  return Object.entries(values).map(([name, value]) => ({ name, value }))
}

/** The volumes, with where the sidecar mounts each. All of them are read only but the first. */
const MOUNTS: readonly { name: string; mountPath: string; readOnly?: true }[] = [
  { name: `${CONTAINER}-data`, mountPath: DATA },
  { name: `${CONTAINER}-podinfo`, mountPath: `${ETC}/podinfo`, readOnly: true },
  { name: `${CONTAINER}-project`, mountPath: `${ETC}/project`, readOnly: true },
  { name: `${CONTAINER}-facts`, mountPath: `${ETC}/facts`, readOnly: true },
  { name: `${CONTAINER}-identity`, mountPath: `${ETC}/identity`, readOnly: true },
  // Where something is mounted already, the ServiceAccount admission puts no token.
  {
    name: `${CONTAINER}-no-token`,
    mountPath: '/var/run/secrets/kubernetes.io/serviceaccount',
    readOnly: true,
  },
]

/**
 * The pod is evicted where an emptyDir outgrows its limit: the limit is three times what the
 * sidecar may keep (64 MiB that wait, 16 MiB that were sent). Nothing but annotations comes from
 * the downward API: names and uids identify.
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
 * The first of the initContainers: it listens before any other container starts and ends after the
 * last one, and a Job ends without it. No port is declared, because discovery of scrape targets
 * takes every declared one. No preStop, no readiness probe: either would change when the pod ends
 * or is ready. The pod's terminationGracePeriodSeconds stays as it is: a native sidecar gets its
 * SIGTERM when the application is gone, and what it holds by then is on disk.
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
 * For every container of the application, init containers too, that has no variable of this name.
 */
export const APP_ENV: EnvVar = {
  name: 'USAGE_OTLP_ENDPOINT',
  value: `http://127.0.0.1:${PORTS.http}`,
}
/**
 * Only where the pod asks for it (annotation `usage-sidecar.dev/otel-endpoint: enabled`), and never
 * for a container with `envFrom` or any variable OTEL_EXPORTER_OTLP_…: it redirects everything that
 * an SDK exports.
 */
export const OTEL_ENV: readonly EnvVar[] = [
  { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: `http://127.0.0.1:${PORTS.http}` },
  { name: 'OTEL_EXPORTER_OTLP_PROTOCOL', value: 'http/protobuf' },
]
