// Does this pod get the sidecar, and why not? The pod's word goes before the namespace's, and that
// before the standard; a word that is none of ours is no. What cannot work is left alone: a sidecar
// that fails would hold the pod back.
import { CONTAINER, PORTS, PREFIX, type Traits } from './container.ts'
import { meshInTheWay } from './mesh.ts'
import { qosOf, type Resourced } from './qos.ts'

export const INJECT = `${PREFIX}inject`
export const REPORTING = `${PREFIX}reporting`
/** The pod asks for OTEL_EXPORTER_OTLP_ENDPOINT as well. */
export const OTEL = `${PREFIX}otel-endpoint`

export interface Metadata {
  name?: unknown
  namespace?: unknown
  annotations?: Record<string, unknown> | null
  labels?: Record<string, unknown> | null
}

export interface AppContainer extends Resourced {
  name?: unknown
  env?: { name?: unknown; value?: unknown; valueFrom?: unknown }[] | null
  envFrom?: unknown[] | null
  ports?: { containerPort?: unknown }[] | null
}

/** A pod or a pod template, as it was read: nobody has checked it. */
export interface Pod {
  metadata?: Metadata | null
  spec: {
    containers: AppContainer[]
    initContainers?: AppContainer[] | null
    volumes?: { name?: unknown }[] | null
    hostNetwork?: unknown
    os?: { name?: unknown } | null
    nodeSelector?: Record<string, unknown> | null
    resources?: unknown
  }
}

export type Decision =
  | { inject: true; traits: Traits; otel: boolean }
  | { inject: false; reason: string }

const no = (reason: string): Decision => ({ inject: false, reason })
const OURS: readonly unknown[] = Object.values(PORTS)

/**
 * `namespace` is `undefined` where nobody knows it; `workload` is the metadata of the Deployment
 * around the template.
 */
export function decide(pod: Pod, namespace: Metadata | undefined, workload?: Metadata): Decision {
  const { spec } = pod
  const annotations = pod.metadata?.annotations ?? {}
  const all = allContainers(pod)
  // promise: one-sidecar
  if (all.some(({ name }) => name === CONTAINER))
    return no(`it has a container ${CONTAINER} already`)
  const label = namespace?.labels?.[INJECT]
  if (label !== undefined && label !== 'enabled')
    return no(`its namespace has the label ${INJECT}, which no pod overrides`)
  const said = [
    { who: 'it has', word: annotations[INJECT] },
    {
      who: 'its workload has',
      word:
        workload?.annotations?.[INJECT] === 'enabled' ? undefined : workload?.annotations?.[INJECT],
    },
    { who: 'its namespace has', word: namespace?.annotations?.[INJECT] },
  ].find(({ word }) => word !== undefined)
  // promise: inject-disabled
  if (said?.word === 'disabled') return no(`${said.who} the annotation ${INJECT}: disabled`)
  if (said !== undefined && said.word !== 'enabled')
    return no(
      `${said.who} the annotation ${INJECT} with a word that is not "enabled" or "disabled"`,
    )
  // promise: inject-host-network
  if ((spec.hostNetwork ?? false) !== false)
    return no('it uses the network of its node (hostNetwork), where loopback is not its own')
  if (
    (spec.os?.name ?? 'linux') !== 'linux' ||
    (spec.nodeSelector?.['kubernetes.io/os'] ?? 'linux') !== 'linux'
  )
    return no('it is not for Linux')
  if ('kubernetes.io/config.mirror' in annotations) return no('it is the mirror of a static pod')
  if (spec.volumes?.some(({ name }) => String(name).startsWith(`${CONTAINER}-`)))
    return no(`it has a volume whose name begins with ${CONTAINER}-`)
  // promise: inject-ports
  if (all.some(({ ports }) => ports?.some(({ containerPort }) => OURS.includes(containerPort))))
    return no(`a container listens on one of the ports ${PORTS.grpc} to ${PORTS.page}`)
  const mesh = meshInTheWay(pod.metadata ?? {}, namespace ?? {})
  if (mesh !== undefined)
    return no(
      `the proxy of ${mesh.name} would stand before its health port: say ${mesh.leaves}: "${PORTS.health}" in the pod's annotations`,
    )
  return { inject: true, traits: traitsOf(pod, namespace), otel: annotations[OTEL] === 'enabled' }
}

/** What is no text is written as JSON, so that it is none of our words. */
export const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : JSON.stringify(value)

export const allContainers = ({ spec }: Pod): AppContainer[] => [
  ...(spec.initContainers ?? []),
  ...spec.containers,
]

function traitsOf(pod: Pod, namespace: Metadata | undefined): Traits {
  const all = allContainers(pod)
  const said = namespace?.annotations?.[REPORTING]
  return {
    qos: qosOf(pod.spec, all),
    limitsStorage: all.some(
      ({ resources }) => resources?.limits?.['ephemeral-storage'] !== undefined,
    ),
    doNotTrack: all.some(({ env }) => env?.some(asksNotToTrack)),
    ...(said === undefined ? {} : { atMost: textOf(said) }),
  }
}

/** As the sidecar reads the variable; a value that is only known in the pod may be any. */
function asksNotToTrack({
  name,
  value,
  valueFrom,
}: {
  name?: unknown
  value?: unknown
  valueFrom?: unknown
}): boolean {
  if (name !== 'DO_NOT_TRACK') return false
  return (
    (valueFrom !== undefined && valueFrom !== null) ||
    !['', '0', 'false'].includes(
      textOf(value ?? '')
        .trim()
        .toLowerCase(),
    )
  )
}
