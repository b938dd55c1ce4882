// Decides whether a pod gets the sidecar, and why not. The pod's annotation overrides the
// namespace's, which overrides the default. An unknown value means no. Pods in which the sidecar
// cannot work are left alone, because a failing sidecar would hold the pod back.
import { CONTAINER, PORTS, PREFIX, type Traits } from './container.ts'
import { meshInTheWay } from './mesh.ts'
import { qosOf, type Resourced } from './qos.ts'

export const INJECT = `${PREFIX}inject`
export const REPORTING = `${PREFIX}reporting`
/** Whether the pod asks for OTEL_EXPORTER_OTLP_ENDPOINT as well. */
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

/** A pod or a pod template as parsed, unchecked. */
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
 * `namespace` is `undefined` if unknown; `workload` is the metadata of the Deployment around the
 * template.
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
    return no('it uses hostNetwork, so loopback is shared with the node')
  if (
    (spec.os?.name ?? 'linux') !== 'linux' ||
    (spec.nodeSelector?.['kubernetes.io/os'] ?? 'linux') !== 'linux'
  )
    return no('it does not run on Linux')
  if ('kubernetes.io/config.mirror' in annotations) return no('it mirrors a static pod')
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

/** Anything but a string is written as JSON, so that it is no known value. */
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

/**
 * Reads the variable as the sidecar does. A value that is known only in the pod may be anything.
 */
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
