// Reads what the policy needs from the cluster, each thing once. A missing right or answer makes
// the dependent facts absent. Each missing fact is named with its right and reason, and the others
// are still read.

import type { Facts } from '../anonymize/compiled-source.ts'
import type { Scalar } from '../policy/policy.ts'
import type { Answer, Cluster } from './cluster.ts'
import { type Counted, type Needs, ONE_NODE } from './needs.ts'
import {
  aggregate,
  distributionByNode,
  distributionByVersion,
  type Node,
  nodeFrom,
  providerOf,
} from './nodes.ts'
import {
  NODES,
  OPENSHIFT,
  objects,
  type Right,
  rightText,
  servedVersion,
  VERSION,
} from './rights.ts'

export interface Missing {
  /** A fact, or an attribute of the cluster report. */
  fact: string
  /** Such as `list nodes`; empty if no right would help. */
  right: string
  why: string
  /** Whether the next run may find it. */
  passing: boolean
}

export interface Reading {
  facts: ReadonlyMap<string, Scalar>
  /** Set if the policy has a rule for nodes. */
  nodes: readonly Node[]
  missing: readonly Missing[]
}

const METADATA = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io,application/json'
const PAGE = 50
const METADATA_PAGE = 500
/** Limit of one listing; no cluster has as many nodes. */
const MAX_PAGES = 500

/** Why there is no answer, in our own words. */
export function whyNot({ status }: Pick<Answer, 'status'>): string {
  if (status === 0) return 'the API server did not answer'
  if (status === 401) return 'the API server does not accept the account'
  if (status === 403) return 'the right is missing'
  if (status === 404) return 'the cluster has no such resource'
  return status >= 200 && status < 300
    ? 'the answer is not understood'
    : `the API server answered ${status}`
}

/** The answers to the requests, or why they are missing. */
type Got<T> = { value: T } | Failed
interface Failed {
  right: Right
  status: number
}
const failed = (right: Right, { status }: Pick<Answer, 'status'>): Failed => ({ right, status })
const missingFor = (fact: string, { right, status }: Failed): Missing => ({
  fact,
  right: rightText(right),
  why: whyNot({ status }),
  passing: status === 0 || status === 429 || status >= 500,
})

export async function readCluster(cluster: Cluster, needs: Needs, given: Facts): Promise<Reading> {
  const facts = new Map<string, Scalar>()
  const missing: Missing[] = []
  const wanted = [...new Set([...needs.published, ...(needs.cluster ?? [])])].filter(
    (name) => !given.has(name),
  )
  const take = (name: string, got: Got<Scalar | undefined>): void => {
    if ('right' in got) missing.push(missingFor(name, got))
    else if (got.value === undefined)
      missing.push({ fact: name, right: '', why: 'it is not set (USAGE_FACTS)', passing: false })
    else facts.set(name, got.value)
  }

  const version: Got<string> = needs.version ? await readVersion(cluster) : { value: '' }
  const nodes: Got<Nodes> =
    needs.nodes === 'none'
      ? { value: { all: [], count: undefined } }
      : await readNodes(cluster, needs.nodes)
  const first = 'value' in nodes ? nodes.value.all[0] : undefined
  const served = new Map<string, Answer>()
  for (const name of wanted) {
    const counted = needs.counted.find(({ fact }) => fact === name)
    if (counted !== undefined) take(name, await countObjects(cluster, counted, served))
    else if (name === 'k8s.version') take(name, version)
    else if (name === 'k8s.distribution') take(name, await distribution(cluster, version, nodes))
    else if (
      'right' in nodes &&
      /^k8s\.(?:nodes|cpus|memory_gib|provider)\b|^one_node\./.test(name)
    )
      take(name, nodes)
    else if (name === 'k8s.nodes' && 'value' in nodes) take(name, { value: nodes.value.count })
    else if (name === 'k8s.provider')
      take(
        name,
        first === undefined
          ? failed(NODES, { status: 404 })
          : { value: providerOf(first.providerId) },
      )
    else if (name === ONE_NODE)
      take(name, first === undefined ? failed(NODES, { status: 404 }) : { value: first.providerId })
    else take(name, { value: 'value' in nodes ? aggregate(nodes.value.all, name) : undefined })
  }
  if (needs.node !== undefined && 'right' in nodes) missing.push(missingFor('k8s.node', nodes))
  return {
    facts,
    nodes: needs.node !== undefined && 'value' in nodes ? nodes.value.all : [],
    missing,
  }
}

async function readVersion(cluster: Cluster): Promise<Got<string>> {
  const answer = await cluster.ask({ method: 'GET', path: '/version' })
  const version = (answer.body as { gitVersion?: unknown } | undefined)?.gitVersion
  return typeof version === 'string' && version !== '' && version.length <= 256
    ? { value: version }
    : failed(VERSION, answer)
}

interface Nodes {
  /** All nodes, one, or none, as needed. */
  all: Node[]
  count: number | undefined
}

async function readNodes(cluster: Cluster, need: 'count' | 'one' | 'all'): Promise<Got<Nodes>> {
  const one = need === 'all' ? {} : { stopAtCount: true }
  const all: Node[] = []
  const keep = need === 'count' ? undefined : (item: unknown): void => void all.push(nodeFrom(item))
  const listing = await list(cluster, '/api/v1/nodes', { keep, ...one })
  return 'count' in listing ? { value: { all, count: listing.count } } : failed(NODES, listing)
}

/** `served` holds the answer about each API group. */
async function countObjects(
  cluster: Cluster,
  { group, plural }: Counted,
  served: Map<string, Answer>,
): Promise<Got<number>> {
  const answer = served.get(group) ?? (await cluster.ask({ method: 'GET', path: `/apis/${group}` }))
  served.set(group, answer)
  const version = (answer.body as { preferredVersion?: { version?: unknown } } | undefined)
    ?.preferredVersion?.version
  if (typeof version !== 'string' || !/^v[a-z0-9]{1,60}$/.test(version))
    return failed(servedVersion(group), answer)
  const listing = await list(cluster, `/apis/${group}/${version}/${plural}`, { stopAtCount: true })
  return 'count' in listing ? { value: listing.count } : failed(objects(group, plural), listing)
}

/** Asks for the least first: the server's version, then OpenShift's own API, then a node. */
async function distribution(
  cluster: Cluster,
  version: Got<string>,
  nodes: Got<Nodes>,
): Promise<Got<string>> {
  if ('right' in version) return version
  const known = distributionByVersion(version.value)
  if (known !== undefined) return { value: known }
  const openshift = await cluster.ask({
    method: 'GET',
    path: (OPENSHIFT.of as { path: string }).path,
  })
  if (openshift.status === 200) return { value: 'openshift' }
  const node = 'value' in nodes ? nodes.value.all[0] : undefined
  const byNode = node === undefined ? undefined : distributionByNode(node)
  if (byNode !== undefined) return { value: byNode }
  // The distribution is "other" only if every source answered.
  if (openshift.status !== 404) return failed(OPENSHIFT, openshift)
  return 'right' in nodes ? nodes : { value: 'other' }
}

interface Page {
  metadata?: { continue?: unknown; remainingItemCount?: unknown }
  items?: unknown
}

/**
 * Passes each item to `keep`. Without `keep` the server sends metadata only. Reads all items, or
 * only as many as their count needs.
 */
async function list(
  cluster: Cluster,
  path: string,
  {
    keep,
    stopAtCount = false,
  }: { keep?: ((item: unknown) => void) | undefined; stopAtCount?: boolean },
): Promise<{ count: number } | { status: number }> {
  let count = 0
  let from = ''
  for (let page = 0; page < MAX_PAGES; page++) {
    const limit = stopAtCount && page === 0 ? 1 : keep === undefined ? METADATA_PAGE : PAGE
    const query = new URLSearchParams({
      limit: String(limit),
      ...(from === '' ? {} : { continue: from }),
    })
    const answer = await cluster.ask({
      method: 'GET',
      path: `${path}?${query.toString()}`,
      ...(keep === undefined ? { accept: METADATA } : {}),
    })
    const { metadata = {}, items } = (answer.body ?? {}) as Page
    if (!Array.isArray(items)) return { status: answer.status }
    count += items.length
    if (keep !== undefined) for (const item of items) keep(item)
    const { remainingItemCount: rest, continue: next } = metadata
    if (typeof next !== 'string' || next === '') return { count }
    if (stopAtCount && typeof rest === 'number' && Number.isSafeInteger(rest))
      return { count: count + rest }
    from = next
  }
  return { status: 200 }
}
