// Turns Node objects into attributes of the cluster report and into facts. The functions are pure.
// Names and ids only pass through memory to the sidecar in the same pod, which applies the policy.
import type { Scalar } from '../policy/policy.ts'

/**
 * The parts of a Node that are read. A missing part, or one of another kind, is an empty string.
 */
export interface Node {
  name: string
  /** Whether the node has AKS's label. No other label is kept. */
  aks: boolean
  providerId: string
  info: Readonly<Record<string, string>>
  capacity: Readonly<Record<string, string>>
}

const MAX_TEXT = 1024

export function nodeFrom(json: unknown): Node {
  const metadata = member(json, 'metadata')
  return {
    name: textOf(member(metadata, 'name')),
    aks: member(member(metadata, 'labels'), 'kubernetes.azure.com/cluster') !== undefined,
    providerId: textOf(member(member(json, 'spec'), 'providerID')),
    info: textsOf(member(member(json, 'status'), 'nodeInfo')),
    capacity: textsOf(member(member(json, 'status'), 'capacity')),
  }
}

const member = (json: unknown, name: string): unknown =>
  typeof json === 'object' && json !== null ? (json as Record<string, unknown>)[name] : undefined
const textOf = (json: unknown): string =>
  typeof json === 'string' && json.length <= MAX_TEXT ? json : ''
const textsOf = (json: unknown): Record<string, string> =>
  typeof json === 'object' && json !== null
    ? Object.fromEntries(Object.entries(json).map(([key, value]) => [key, textOf(value)]))
    : {}

/** Attribute of `k8s.node` by the member of status.nodeInfo. */
const INFO: Record<string, string> = {
  'node.machine_id': 'machineID',
  'node.system_uuid': 'systemUUID',
  'node.os': 'operatingSystem',
  'node.os_image': 'osImage',
  'node.kernel': 'kernelVersion',
  'node.arch': 'architecture',
  'node.runtime': 'containerRuntimeVersion',
  'node.kubelet': 'kubeletVersion',
}
const CAPACITY = 'node.capacity.'

/**
 * One attribute of a node's span; empty if the node does not have it, `undefined` if the name is
 * unknown.
 */
export function nodeAttribute(
  { name, providerId, info, capacity }: Node,
  key: string,
): string | undefined {
  if (key === 'node.name') return name
  if (key === 'node.provider_id') return providerId
  // Nodes have different kinds of resources. A missing one is absent.
  if (key.startsWith(CAPACITY)) return capacity[key.slice(CAPACITY.length)]
  const inInfo = INFO[key]
  return inInfo === undefined ? undefined : (info[inInfo] ?? '')
}

/** `gce` for `gce://project/zone/node`; `other` if it names no cloud. */
export function providerOf(providerId: string): string {
  const [provider, rest, ...more] = providerId.split('://')
  return provider !== undefined &&
    rest !== undefined &&
    more.length === 0 &&
    /^[a-z][a-z0-9-]{0,30}$/.test(provider)
    ? provider
    : 'other'
}

const SUFFIXES: readonly [RegExp, string][] = [
  [/-gke\./, 'gke'],
  [/-eks-/, 'eks'],
  [/\+rke2/, 'rke2'],
  [/\+k3s/, 'k3s'],
]

/** Distribution by the API server's version; `undefined` if unknown. */
export const distributionByVersion = (gitVersion: string): string | undefined =>
  SUFFIXES.find(([suffix]) => suffix.test(gitVersion))?.[1]

/** Distribution by a node; `undefined` if unknown. */
export function distributionByNode({ aks, providerId }: Node): string | undefined {
  if (aks) return 'aks'
  return providerId.startsWith('kind://') ? 'kind' : undefined
}

const UNITS: Record<string, number> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  '': 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
}

/** Parses a Kubernetes quantity such as `3920m`, `32Gi` or `1e3`; `undefined` if it is none. */
export function quantity(text: string): number | undefined {
  const match = /^(\d{1,20}(?:\.\d{1,20})?)(?:e(\d{1,2})|([numkMGTPE]|[KMGTPE]i)?)$/.exec(text)
  if (match === null) return undefined
  return (
    Number(match[1]) * (match[2] === undefined ? UNITS[match[3] ?? '']! : 10 ** Number(match[2]))
  )
}

/** A fact about all nodes; `undefined` if the name is unknown. */
export function aggregate(nodes: readonly Node[], name: string): Scalar | undefined {
  if (name === 'k8s.nodes') return nodes.length
  if (name === 'k8s.cpus') return Math.round(total(nodes, 'cpu'))
  if (name === 'k8s.memory_gib') return Math.round(total(nodes, 'memory') / 2 ** 30)
  const [, kind, wanted] = /^k8s\.nodes\.by_(arch|kubelet)\.(.+)$/.exec(name) ?? []
  if (kind === 'arch') return nodes.filter(({ info }) => info.architecture === wanted).length
  if (kind === 'kubelet')
    return nodes.filter(({ info }) => minorOf(info.kubeletVersion ?? '') === wanted).length
  return undefined
}

const total = (nodes: readonly Node[], resource: string): number =>
  nodes.reduce((sum, { capacity }) => sum + (quantity(capacity[resource] ?? '') ?? 0), 0)

const minorOf = (version: string): string | undefined => /^v?(\d+\.\d+)/.exec(version)?.[1]
