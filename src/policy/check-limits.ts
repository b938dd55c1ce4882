// Checks what only the whole policy shows: pseudonyms that would link what a shorter period
// separates, and the limits on bits. A policy over its limits is invalid: nothing is kept or sent
// under it.
import { type BitShare, budgetOf, type LeakBudget, sum } from './bits.ts'
import { type Field, PERIODS, type Period, type Policy } from './policy.ts'
import type { YamlReader } from './yaml-reader.ts'

/** An error about a limit names this many of the largest shares. */
const CONTRIBUTORS = 3

/**
 * "A pseudonym in `resource` may not outlive the shortest period in `spans` (linked ids count as
 * day)."
 */
export function checkPeriods(reader: YamlReader, { resource, spans }: Policy): void {
  const periodsOf = (fields: readonly Field[]): Period[] =>
    fields.flatMap(({ action }) => (action.kind === 'pseudonym' ? [action.period] : []))
  const inSpans = spans.flatMap((rule): Period[] => [
    ...periodsOf(rule.fields),
    ...(rule.ids === 'linked' ? (['day'] as const) : []),
  ])
  const shortest = PERIODS.find((period) => inSpans.includes(period))
  if (shortest === undefined) return
  for (const field of resource) {
    const { action } = field
    if (action.kind === 'pseudonym' && PERIODS.indexOf(action.period) > PERIODS.indexOf(shortest))
      reader.error(
        reader.nodes.get(field) ?? null,
        `This pseudonym (${action.period}) outlives the pseudonyms or linked ids of \`spans\` (${shortest}) and would link them. Write \`pseudonym: ${shortest}\`.`,
      )
  }
}

/**
 * Errors as `line:column: sentence`; none if the policy stays within its limits.
 */
export function overLimits(reader: YamlReader, policy: Policy): string[] {
  const { limits } = policy
  if (limits === undefined) return []
  const { resource, records, stable, stableBits }: LeakBudget = budgetOf(policy)
  const over: string[] = []
  records.forEach(({ name, shares, bits }, index) => {
    // promise: record-within-limit
    if (bits <= limits.recordBits) return
    const place = reader.nodes.get(policy.spans[index]!) ?? null
    over.push(
      reader.positioned(
        place,
        `One record of "${name}" reveals ${excess(bits, limits.recordBits, 'recordBits', [...resource, ...shares])}`,
      ),
    )
  })
  // A policy without spans sends nothing, and its Resource goes with nothing.
  // promise: stable-within-limit
  if (stableBits > limits.stableBits)
    over.push(
      reader.positioned(
        reader.root,
        `The values that stay the same from day to day reveal ${excess(stableBits, limits.stableBits, 'stableBits', stable)}`,
      ),
    )
  return over
}

function excess(bits: number, limit: number, word: string, shares: readonly BitShare[]): string {
  const unbounded = shares.filter((share) => share.bits === Number.POSITIVE_INFINITY)
  if (unbounded.length > 0)
    return `an unlimited number of bits (${names(unbounded)}). If the policy reproduces an old reporter, add \`compat: true\` and \`limits: none\`.`
  const largest = shares.toSorted((a, b) => b.bits - a.bits).slice(0, CONTRIBUTORS)
  const parts = largest.map((share) => `${share.name} ${share.bits.toFixed(1)}`).join(', ')
  return `${bits.toFixed(1)} bits, more than \`limits.${word}\` (${limit}). The largest shares, ${sum(largest).toFixed(1)} bits together: ${parts}. Send less or raise the limit.`
}

const names = (shares: readonly BitShare[]): string =>
  `${shares
    .slice(0, CONTRIBUTORS)
    .map(({ name }) => name)
    .join(', ')}${shares.length > CONTRIBUTORS ? ` and ${shares.length - CONTRIBUTORS} more` : ''}`
