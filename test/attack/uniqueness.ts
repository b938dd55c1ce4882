// How many clusters of a population are alone with what their reports tell and keep telling: the
// attacker does not know a name, but a combination that only one cluster has is as good as one.
// Pseudonyms and ids are apart: they change.
import { readFileSync } from 'node:fs'
import { budgetOf } from '../../src/policy/bits.ts'
import { Rng } from '../support/rng.ts'
import { type Left, NOW, policyOf, startPipeline } from '../support/shipped-policy.ts'

export const POPULATION = 10_000
/** Of a hundred clusters so many may be alone under a hardened policy. */
export const MOST_ALONE_PERCENT = 10
const SEED = 20_261_005

interface Cluster {
  facts: Record<string, string | number>
  attributes: Record<string, string | number>
  node: Record<string, string>
}

/** The first is by far the most frequent. */
function zipf<T>(rng: Rng, list: readonly T[]): T {
  let weight = rng.below(2 ** 30) / 2 ** 30
  const total = list.reduce((sum, _, i) => sum + 1 / (i + 1), 0)
  for (const [i, item] of list.entries()) {
    weight -= 1 / (i + 1) / total
    if (weight < 0) return item
  }
  return list.at(-1)!
}

/** Mostly small, with a long tail. */
const size = (rng: Rng, middle: number): number =>
  Math.round(
    middle * Math.exp(1.2 * (rng.below(1000) + rng.below(1000) + rng.below(1000) - 1500) * 0.002),
  )

const APP_VERSIONS = Array.from(
  { length: 60 },
  (_, i) => `1.${38 - Math.floor(i / 4)}.${3 - (i % 4)}`,
)
const K8S_VERSIONS = Array.from(
  { length: 48 },
  (_, i) => `v1.${34 - Math.floor(i / 6)}.${5 - (i % 6)}-gke.${100 + 37 * (i % 5)}`,
)

function clusterOf(rng: Rng, index: number): Cluster {
  const nodes = Math.max(1, size(rng, 8))
  const version = zipf(rng, APP_VERSIONS)
  const k8s = zipf(rng, K8S_VERSIONS)
  const provider = zipf(rng, ['aws', 'gce', 'azure', 'vsphere', 'openstack', 'other', 'ovirt'])
  const facts = {
    'app.version': version,
    'k8s.version': k8s,
    'k8s.nodes': nodes,
    'k8s.provider': provider,
    'app.cluster_uid': `uid-${index}`,
  }
  const kernel = `${zipf(rng, ['6.8.0', '5.15.0', '6.1.90', '5.10.220'])}-${rng.below(40)}-generic`
  return {
    facts,
    attributes: {
      'cluster.id': `cluster-${index}`,
      'k8s.version': k8s,
      'one_node.provider_id': `${provider}:///a/i-${index.toString(16).padStart(17, '0')}`,
      'k8s.resources.apis.gateway.kusk.io': size(rng, 6),
      'k8s.resources.staticroutes.gateway.kusk.io': size(rng, 2),
      'k8s.resources.envoyfleet.gateway.kusk.io': 1 + rng.below(2),
      'instance.pipeline_count': size(rng, 60),
      'deployment.method': zipf(rng, ['halyard', 'kubernetes_operator', 'kleat', 'own']),
      'deployment.version': `1.${rng.below(50)}.0`,
      environment: rng.chance(95) ? 'kubernetes' : 'vm',
      version,
      event: 'started',
    },
    node: {
      'node.name': `node-${index}`,
      'node.machine_id': `m${index}`,
      'node.system_uuid': `u${index}`,
      'node.os_image': zipf(rng, [
        'Ubuntu 22.04.5 LTS',
        'Container-Optimized OS',
        'Bottlerocket',
        'Flatcar',
      ]),
      'node.kernel': kernel,
      'node.capacity.memory': `${16_000_000 + rng.below(400) * 4}Ki`,
      'node.capacity.cpu': String(2 ** rng.below(6)),
    },
  }
}

/** What is the same in every report of a cluster, without pseudonyms and ids. */
function profile({ resource, spans }: Left, apart: ReadonlySet<string>): string {
  const own = (attributes: Record<string, unknown>): [string, unknown][] =>
    Object.entries(attributes).filter(([key]) => !key.startsWith('usage.') && !apart.has(key))
  return JSON.stringify(
    [own(resource), ...spans.map(({ name, attributes }) => [name, own(attributes)])],
    (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
  )
}

export interface Uniqueness {
  alone: number
  /** With less than four others. */
  few: number
  profiles: number
  stableBits: number
}

export function uniquenessOf(name: string): Uniqueness {
  const policy = policyOf(name)
  const fields = [...policy.resource, ...policy.spans.flatMap((rule) => rule.fields)]
  // A hash, or a pseudonym for ever, is a name; one that changes tells nothing beyond its period.
  const apart = new Set(
    fields.flatMap(({ name: key, action }) =>
      action.kind === 'pseudonym' && action.period !== 'forever' ? [key] : [],
    ),
  )
  const rng = new Rng(SEED)
  const counts = new Map<string, number>()
  const profiles: string[] = []
  for (let index = 0; index < POPULATION; index++) {
    const { facts, attributes, node } = clusterOf(rng, index)
    const instance = `01ARZ3NDEKTSV4RRFF${String(index).padStart(8, '0')}`
    const names = policy.spans.map((rule) => rule.name)
    const events = names.map((span) => ({
      name: span,
      attributes: span === 'k8s.node' ? node : attributes,
    }))
    const profileText = profile(
      startPipeline(name, { facts, instance }).sendAt(NOW, ...events),
      apart,
    )
    profiles.push(profileText)
    counts.set(profileText, (counts.get(profileText) ?? 0) + 1)
  }
  const alone = profiles.filter((profileText) => counts.get(profileText) === 1).length
  const few = profiles.filter((profileText) => counts.get(profileText)! < 5).length
  return { alone, few, profiles: counts.size, stableBits: budgetOf(policy).stableBits }
}

/** What a data sheet says of uniqueness, and the digest of the policy of which it was measured. */
export type Figures = Pick<Uniqueness, 'alone' | 'few'> & { digest: string }

export const KEPT_FIGURES = new URL('uniqueness.json', import.meta.url).pathname
export const keptFigures = (): Record<string, Figures> =>
  JSON.parse(readFileSync(KEPT_FIGURES, 'utf8')) as Record<string, Figures>
