// Pods of a service mesh. Its proxy takes every connection to the pod, also that of the kubelet's
// probe: under strict mTLS it refuses it, and where the proxy is an ordinary container nobody
// answers before the init containers are done. Neither Istio (istio#53786) nor Linkerd makes way
// for the probes of native sidecars, so the pod would never start. Unless it says that the port of
// health is not the mesh's, a pod of a mesh is left alone.
import { PORTS } from './container.ts'

export interface Mesh {
  name: string
  /** Asks for the proxy, `true`; or not: label or annotation of the pod. */
  pod: string
  words: readonly string[]
  /** What the namespace says: the label has one of the words, or is there at all. */
  namespaceLabels: Readonly<Record<string, readonly string[] | 'any'>>
  /** Whether the namespace's annotation of the pod's name counts. */
  namespaceAnnotation: boolean
  /** Annotation with the ports that the proxy leaves alone. */
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
