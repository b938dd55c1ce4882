// Computes how many bits a policy reveals: in one record, and in the values that stay the same from
// day to day and so fingerprint a cluster. The result is an upper bound, because it counts possible
// outcomes. Pseudonyms and linked ids reveal no value, so they are listed with the period for which
// they link. The checker, the data sheet and `run` all use this file.
import {
  type Field,
  type Period,
  type Policy,
  placesOf,
  placesRead,
  type SourcePlace,
  type SpanRule,
  type TimeUnit,
} from './policy.ts'

const TIME_BITS: Record<TimeUnit, number> = {
  day: 0,
  hour: Math.log2(24),
  minute: Math.log2(1440),
  exact: Number.POSITIVE_INFINITY,
}
const STATUS_BITS = Math.log2(3)
/**
 * The facts job sends the cluster's facts as attributes of these spans: they are as stable as the
 * facts themselves.
 */
const REPORT = ['k8s.cluster', 'k8s.node']
/**
 * One row a node, so the rows of one report add up; how many there are is not known when a policy
 * is checked.
 */
const NODE_REPORT = 'k8s.node'
export const ASSUMED_NODES = 10

/** What one attribute, the time or the status adds. */
export interface BitShare {
  name: string
  /** Infinite where the policy sets no bound (hash, hmac, exact). */
  bits: number
  /** The same from day to day, because it tells of the installation and not of what happened. */
  stable: boolean
  /** Rests on how many releases are in use, which the policy only assumes. */
  assumed: boolean
  /** A pseudonym, or linked ids: equal ones belong together for this long. */
  links: Period | undefined
}

export interface RecordBudget {
  name: string
  /** Attributes in the policy's order, then time and status where they tell something. */
  shares: readonly BitShare[]
  /** With the Resource that every record comes with. */
  bits: number
}

export interface LeakBudget {
  resource: readonly BitShare[]
  records: readonly RecordBudget[]
  /** Of all that stays the same, each thing counted once however often it is sent. */
  stableBits: number
  stable: readonly BitShare[]
}

export function budgetOf(policy: Policy): LeakBudget {
  const resource = policy.resource.map((field) => shareOf(field, false))
  const records = policy.spans.map((rule) => {
    const shares = [
      ...rule.fields.map((field) => shareOf(field, REPORT.includes(rule.name))),
      ...surroundings(rule),
    ]
    return { name: rule.name, shares, bits: sum([...resource, ...shares]) }
  })
  const stable = stableShares(policy)
  return { resource, records, stableBits: sum(stable), stable }
}

export const sum = (shares: readonly BitShare[]): number =>
  shares.reduce((total, { bits }) => total + bits, 0)

/** `report`: the attribute is on a span of the cluster report. */
export function shareOf(field: Field, report: boolean): BitShare {
  const { name, action } = field
  const stable = placesRead(field).some(
    ({ kind }) => kind === 'fact' || kind === 'resource' || (report && kind === 'attribute'),
  )
  const links = action.kind === 'pseudonym' ? action.period : undefined
  return { name, bits: bitsOf(field), stable, assumed: action.kind === 'version', links }
}

function surroundings(rule: SpanRule): BitShare[] {
  const share = (name: string, bits: number, links?: Period): BitShare => ({
    name,
    bits,
    stable: false,
    assumed: false,
    links,
  })
  return [
    // promise: bits-of-time
    ...(TIME_BITS[rule.time] > 0 ? [share('time', TIME_BITS[rule.time])] : []),
    ...(rule.status === 'keep' ? [share('status', STATUS_BITS)] : []),
    ...(rule.ids === 'linked' ? [share('ids', 0, 'day')] : []),
  ]
}

function stableShares(policy: Policy): BitShare[] {
  const seen = new Set<string>()
  const once = (field: Field): boolean => {
    // The same facts through the same steps and action tell nothing new under a second name.
    const { name: _, reason: __, expires: ___, ...meaning } = field
    const key = JSON.stringify(meaning)
    return !seen.has(key) && seen.add(key) !== undefined
  }
  const resource = policy.resource.filter(once).map((field) => shareOf(field, false))
  const spans = policy.spans.flatMap((rule) => {
    const rows = rule.name === NODE_REPORT ? ASSUMED_NODES : 1
    return rule.fields.filter(once).map((field): BitShare => {
      const share = shareOf(field, REPORT.includes(rule.name))
      return { ...share, bits: share.bits * rows, assumed: share.assumed || rows > 1 }
    })
  })
  return [...resource, ...spans].filter(({ stable, bits }) => stable && bits > 0)
}

function bitsOf(field: Field): number {
  const { action, split, absent } = field
  switch (action.kind) {
    case 'keep': {
      // A split sends a set of what is kept and the `else`.
      // promise: bits-of-split
      if (split !== undefined) return action.values.length + 1
      const sent = new Set([...action.values, action.otherwise, absent])
      sent.delete(undefined)
      return Math.log2(sent.size + (canBeLeftOut(field) ? 1 : 0))
    }
    case 'buckets':
      return Math.log2(
        new Set([...action.bounds, ...(absent === undefined ? [] : [absent])]).size + 1,
      )
    case 'version':
      return split === undefined ? Math.log2(action.releases) : action.releases + 1
    case 'pseudonym':
    case 'constant':
      return 0
    case 'hash':
    case 'hmac':
    case 'exact':
      return Number.POSITIVE_INFINITY
  }
}

/** Whether what has a source can leave its attribute out; for a keep that is one outcome more. */
export function canBeLeftOut({ action, absent, from, or }: Field): boolean {
  if (action.kind !== 'keep' || action.otherwise === undefined) return true
  const sources = or === undefined ? [from] : [from, or]
  // promise: bits-of-malformed
  if (sources.some((source) => placesOf(source).some(canBeMalformed))) return true
  return (
    absent === undefined &&
    !sources.some((source) => placesOf(source).every(({ kind }) => kind === 'text'))
  )
}

/** Malformed input leaves the attribute out whatever the policy says of missing values. */
const canBeMalformed = (place: SourcePlace): boolean =>
  place.kind === 'attribute' ||
  place.kind === 'resource' ||
  (place.kind === 'span' && place.what === 'status')
