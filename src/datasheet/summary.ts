// Summarises a policy as text: every outgoing attribute with its values, and the leak budget of one
// record and of stable values, links and assumptions.
import { type BitShare, budgetOf, type LeakBudget } from '../policy/bits.ts'
import {
  bitsText,
  conditionsOf,
  linkingOf,
  sourceText,
  TIME_TEXTS,
  valuesOf,
} from '../policy/describe.ts'
import { effectivePolicy } from '../policy/overlay-values.ts'
import { type Field, type Policy, policyDigest } from '../policy/policy.ts'
import { LINKS } from './sheet-markdown.ts'

const SHOWN_VALUES = 12

export function summary(whole: Policy): string {
  const policy = effectivePolicy(whole)
  const lines = [
    `${policy.project}, policy version ${policy.version}, in force until ${policy.expires}`,
    `  ${policy.purpose}`,
    `  digest ${policyDigest(whole)}`,
    '',
    'Once with each batch:',
    ...(policy.resource.length === 0
      ? ['  only project, policy and batch id']
      : policy.resource.map(fieldLine)),
  ]
  for (const rule of policy.spans) {
    const status = rule.status === 'keep' ? 'its code' : 'dropped'
    lines.push(
      '',
      `Span "${rule.name}": ids ${rule.ids}, time ${TIME_TEXTS[rule.time]}, status ${status}`,
    )
    lines.push(...conditionsOf(rule).map((sentence) => `  ${sentence}`))
    lines.push(...(rule.fields.length === 0 ? ['  no attributes'] : rule.fields.map(fieldLine)))
  }
  return `${[...lines, '', ...budgetLines(policy)].join('\n')}\n`
}

function fieldLine(field: Field): string {
  const { listed, open } = valuesOf(field)
  const shown = listed.slice(0, SHOWN_VALUES).map(String)
  const more = listed.length > SHOWN_VALUES ? [`… ${listed.length - SHOWN_VALUES} more`] : []
  const values = [...(open === '' ? [] : [open]), ...shown, ...more].join(' | ')
  return `  ${field.name.padEnd(24)} ${values}${field.action.kind === 'constant' ? '' : `   from ${sourceText(field)}`}`
}

function budgetLines(policy: Policy): string[] {
  const { limits } = policy
  const budget = budgetOf(policy)
  const line = (what: string, bits: number, limit: number | undefined, of: string): string =>
    `  ${what.padEnd(34)} ${bitsText(Number.isFinite(bits) ? bits : undefined)}${limit === undefined ? '' : `, at most ${limit}`}${of}`
  const stable = budget.stable.map(({ name }) => name)
  return [
    'How much it reveals:',
    ...budget.records.map(({ name, bits }) =>
      line(`one record of ${name}`, bits, limits?.recordBits, ''),
    ),
    line(
      'the same from day to day',
      budget.stableBits,
      limits?.stableBits,
      stable.length === 0 ? '' : ` (${stable.join(', ')})`,
    ),
    ...named('  links records', linksOf(budget)),
    ...named('  assumes how many releases are in use', [
      ...new Set(everyShare(budget).flatMap(({ assumed, name }) => (assumed ? [name] : []))),
    ]),
    ...named('  has no limit', [
      ...new Set(
        everyShare(budget).flatMap(({ bits, name }) => (Number.isFinite(bits) ? [] : [name])),
      ),
    ]),
    linkingOf(policy).length === 0
      ? '  It is anonymous. It has no pseudonym, no hash and no linked id.'
      : '  It is pseudonymous, not anonymous.',
  ]
}

const everyShare = ({ resource, records }: LeakBudget): BitShare[] => [
  ...resource,
  ...records.flatMap(({ shares }) => shares),
]

function linksOf({ resource, records }: LeakBudget): string[] {
  const shares = (place: string, { name, links }: BitShare): string[] =>
    links === undefined ? [] : [`${place}${name} for ${LINKS[links]}`]
  return [
    ...resource.flatMap((share) => shares('', share)),
    ...records.flatMap((record) =>
      record.shares.flatMap((share) =>
        shares(share.name === 'ids' ? `${record.name} ` : '', share),
      ),
    ),
  ]
}

const named = (what: string, names: readonly string[]): string[] =>
  names.length === 0 ? [] : [`${what}: ${names.join(', ')}`]
