// Recognizes pods of a service mesh. The mesh's proxy takes every connection to the pod, including
// the kubelet's probe. Under strict mTLS it refuses the probe. As an ordinary container it is not
// ready before the init containers are done. Neither Istio (istio#53786) nor Linkerd exempts the
// probes of native sidecars, so the pod would never start. A mesh pod is therefore left alone
// unless it exempts the health port.
import { PORTS } from './container.ts'

export interface Mesh {
  name: string
  /** Label or annotation of the pod that asks for the proxy (`true`) or refuses it. */
  pod: string
  words: readonly string[]
  /** Label of the namespace that asks for the proxy: one of these values, or any value. */
  namespaceLabels: Readonly<Record<string, readonly string[] | 'any'>>
  /** Whether the namespace's annotation of the same name counts. */
  namespaceAnnotation: boolean
  /** Annotation with the ports that the proxy does not take. */
  leaves: string
}

export const MESHES: readonly Mesh[] = [
  {
    name: 'Istio',
    pod: 'sidecar.istio.io/inject',
    words: ['true'],
    namespaceLabels: { 'istio-injection': ['enabled'], 'istio.io/rev': 'any' },
    namespaceAnnotation: false,
    leaves: 'traffic.sidecar.istio.io/excludeInboundPorts',
  },
  {
    name: 'Linkerd',
    pod: 'linkerd.io/inject',
    words: ['enabled', 'ingress'],
    namespaceLabels: {},
    namespaceAnnotation: true,
    leaves: 'config.linkerd.io/skip-inbound-ports',
  },
]

interface Named {
  labels?: Readonly<Record<string, unknown>> | null
  annotations?: Readonly<Record<string, unknown>> | null
}

/** The mesh whose proxy would stand between the kubelet and the sidecar. */
export function meshInTheWay({ labels, annotations }: Named, namespace: Named): Mesh | undefined {
  return MESHES.find(({ pod, words, namespaceLabels, namespaceAnnotation, leaves }) => {
    const said =
      labels?.[pod] ??
      annotations?.[pod] ??
      (namespaceAnnotation ? namespace.annotations?.[pod] : undefined)
    const ofNamespace = Object.entries(namespaceLabels).some(([name, of]) => {
      const label = namespace.labels?.[name]
      return label !== undefined && (of === 'any' || of.some((word) => word === label))
    })
    const isIn = said === undefined ? ofNamespace : words.some((word) => word === said)
    const left = annotations?.[leaves] ?? namespace.annotations?.[leaves]
    const isLeft =
      typeof left === 'string' &&
      left.split(',').some((port) => port.trim() === String(PORTS.health))
    // promise: inject-mesh
    return isIn && !isLeft
  })
}
