// The facts job and the Job that creates the identity, as Kubernetes objects. They are made from
// the description of the sidecar's container (src/inject/container.ts) and of the rights
// (src/facts/rights.ts). `npm run generate` writes them to deploy/facts/ and into the chart.
import { documents, type FactsNames, role, serviceAccount, yaml } from '../../src/facts/rbac.ts'
import { IDENTITY } from '../../src/facts/rights.ts'
import {
  APP_ENV,
  DEFAULTS,
  FIXED_SETTINGS,
  INJECTED,
  literal,
  type Options,
  POLICY_FILE,
  PREFIX,
  sidecar,
  volumes,
} from '../../src/inject/container.ts'

const SECURITY = {
  pod: {
    runAsNonRoot: true,
    runAsUser: 65532,
    runAsGroup: 65532,
    seccompProfile: { type: 'RuntimeDefault' },
  },
  container: {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    readOnlyRootFilesystem: true,
  },
}
const RESOURCES = { requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '192Mi' } }

export interface FactsImages {
  sidecar: string
  facts: string
}

/** Only the job mounts the account's token; the sidecar covers its path. */
function podSpec(
  { sidecar: image, facts }: FactsImages,
  names: FactsNames,
  settings: Readonly<Record<string, string>>,
) {
  const options: Options = {
    ...DEFAULTS,
    image,
    factsConfigMap: names.factsConfigMap,
    // The job waits out the first send delay itself, because this pod ends before it.
    settings: {
      ...settings,
      USAGE_FIRST_SEND_DELAY: '0',
      USAGE_SEND_INTERVAL: '1m',
      USAGE_HEARTBEAT: 'off',
    },
  }
  const { USAGE_PAGE_LISTEN, USAGE_ANNOTATIONS_FILE, USAGE_OFF_FILE } = FIXED_SETTINGS
  const own = {
    ...settings,
    ...POLICY_FILE,
    USAGE_PAGE_LISTEN,
    USAGE_ANNOTATIONS_FILE,
    USAGE_OFF_FILE,
  }
  const mounted = ['usage-sidecar-podinfo', 'usage-sidecar-project']
  const container = sidecar(options, { qos: 'burstable', limitsStorage: false, doNotTrack: false })
  return {
    restartPolicy: 'Never',
    serviceAccountName: names.name,
    automountServiceAccountToken: true,
    enableServiceLinks: false,
    securityContext: SECURITY.pod,
    initContainers: [container],
    containers: [
      {
        name: 'facts',
        image: facts,
        imagePullPolicy: 'IfNotPresent',
        args: ['facts', '--facts-config-map', names.factsConfigMap],
        env: [
          ...Object.entries(own).map(([name, value]) => ({ name, value: literal(value) })),
          APP_ENV,
        ],
        resources: RESOURCES,
        securityContext: SECURITY.container,
        terminationMessagePolicy: 'FallbackToLogsOnError',
        volumeMounts: container.volumeMounts.filter(({ name }) => mounted.includes(name)),
      },
    ],
    volumes: volumes(options),
  }
}

/** Longer than the job's random start, its requests, the kubelet and 15 minutes for the sidecar. */
const DEADLINE_SECONDS = 3_600

function jobSpec(
  images: FactsImages,
  names: FactsNames,
  settings: Readonly<Record<string, string>>,
) {
  return {
    // A failed run is repeated by the next day's run.
    backoffLimit: 0,
    activeDeadlineSeconds: DEADLINE_SECONDS,
    ttlSecondsAfterFinished: 86_400,
    template: {
      metadata: {
        labels: { ...INJECTED, 'app.kubernetes.io/name': names.name },
        annotations: { [`${PREFIX}inject`]: 'disabled' },
      },
      spec: podSpec(images, names, settings),
    },
  }
}

/** Runs daily. `once` makes a Job that runs a single time. */
export function factsJob(
  images: FactsImages,
  names: FactsNames,
  settings: Readonly<Record<string, string>>,
  once = false,
): string {
  const metadata = { name: names.name, namespace: names.namespace }
  const spec = jobSpec(images, names, settings)
  if (once)
    return yaml({
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: { ...metadata, name: `${names.name}-once` },
      spec,
    })
  return yaml({
    apiVersion: 'batch/v1',
    kind: 'CronJob',
    metadata,
    spec: {
      schedule: '17 3 * * *',
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: DEADLINE_SECONDS,
      successfulJobsHistoryLimit: 1,
      failedJobsHistoryLimit: 1,
      jobTemplate: { spec },
    },
  })
}

/**
 * Empty, because the job may write to it but not create it. Applying it again keeps what the job
 * wrote.
 */
export const factsConfigMap = ({ factsConfigMap: name, namespace }: FactsNames): string =>
  yaml({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace } })

/** Creates the identity's Secret if it is missing. It has no other right. */
export function identityJob({ facts }: Pick<FactsImages, 'facts'>, names: FactsNames): string {
  const name = `${names.name}-identity`
  const container = {
    name: 'identity',
    image: facts,
    imagePullPolicy: 'IfNotPresent',
    args: ['facts', '--identity-secret', DEFAULTS.identitySecret],
    resources: RESOURCES,
    securityContext: SECURITY.container,
  }
  const spec = {
    restartPolicy: 'Never',
    serviceAccountName: name,
    automountServiceAccountToken: true,
    enableServiceLinks: false,
    securityContext: SECURITY.pod,
    containers: [container],
  }
  const template = { metadata: { annotations: { [`${PREFIX}inject`]: 'disabled' } }, spec }
  const metadata = { name, namespace: names.namespace }
  const job = {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata,
    spec: { backoffLimit: 3, ttlSecondsAfterFinished: 600, template },
  }
  return documents([
    serviceAccount(name, names),
    ...role('Role', [IDENTITY], name, names),
    yaml(job),
  ])
}
