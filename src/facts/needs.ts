// Finds the few things that a policy needs from the cluster. The job reads nothing that no
// attribute names, and nothing that the maintainer's chart already gives.

import type { Facts } from '../anonymize/compiled-source.ts'
import { factsNamed } from '../anonymize/narrow-facts.ts'
import { type Policy, placesRead } from '../policy/policy.ts'

/**
 * Facts that come from the cluster. Others come from the maintainer's chart or from each sidecar.
 */
const OF_THE_CLUSTER = /^k8s\./
const OF_THE_SIDECAR = ['host.arch', 'host.os', 'instance.id']
export const CLUSTER_SPAN = 'k8s.cluster'
export const NODE_SPAN = 'k8s.node'
/** For the cluster report only: the provider id of one node, unchanged. */
export const ONE_NODE = 'one_node.provider_id'
const RESOURCE_FACT = /^k8s\.resources\.([a-z][a-z0-9-]{0,62})\.([a-z0-9][a-z0-9.-]{0,200})$/
const OF_ALL_NODES = /^k8s\.(?:cpus|memory_gib|nodes\.by_arch\..+|nodes\.by_kubelet\..+)$/

/** How much is read of the nodes: their number, one of them, or all. */
export type NodesNeed = 'none' | 'count' | 'one' | 'all'

/** A kind of objects to count. */
export interface Counted {
  fact: string
  plural: string
  group: string
}

export interface Needs {
  /** Facts that are published for every sidecar. */
  published: readonly string[]
  /** Attributes that the rule of `k8s.cluster` reads; `undefined` if no such span may leave. */
  cluster: readonly string[] | undefined
  /** The same for `k8s.node`. */
  node: readonly string[] | undefined
  version: boolean
  distribution: boolean
  nodes: NodesNeed
  counted: readonly Counted[]
}

export function needsOf(policy: Policy, given: Facts): Needs {
  const named = factsNamed(policy).filter((name) => !OF_THE_SIDECAR.includes(name))
  const published = named.filter((name) => OF_THE_CLUSTER.test(name) || given.has(name))
  const cluster = attributesOf(policy, CLUSTER_SPAN)
  const node = attributesOf(policy, NODE_SPAN)
  const asked = [...new Set([...published, ...(cluster ?? [])])].filter((name) => !given.has(name))
  return {
    published,
    cluster,
    node,
    version: asked.includes('k8s.version') || asked.includes('k8s.distribution'),
    distribution: asked.includes('k8s.distribution'),
    nodes: nodesNeed(asked, node),
    counted: asked.flatMap(countedBy),
  }
}

function nodesNeed(asked: readonly string[], node: readonly string[] | undefined): NodesNeed {
  if (node !== undefined || asked.some((name) => OF_ALL_NODES.test(name))) return 'all'
  if (['k8s.provider', 'k8s.distribution', ONE_NODE].some((name) => asked.includes(name)))
    return 'one'
  return asked.includes('k8s.nodes') ? 'count' : 'none'
}

function countedBy(fact: string): Counted[] {
  const [, plural, group] = RESOURCE_FACT.exec(fact) ?? []
  return plural === undefined || group === undefined ? [] : [{ fact, plural, group }]
}

/** The keys that a rule reads, without duplicates. */
function attributesOf(policy: Policy, span: string): string[] | undefined {
  const rule = policy.spans.find(({ name }) => name === span)
  if (rule === undefined) return undefined
  const keys = rule.fields
    .flatMap(placesRead)
    .flatMap((place) => (place.kind === 'attribute' ? [place.key] : []))
  return [...new Set([...keys, ...rule.skip])]
}
