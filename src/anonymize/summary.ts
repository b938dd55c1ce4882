// What a policy lets out, in a text that is read in a minute: every outgoing attribute with the values it can have, and
// how many bits that tells.
import type { Field, Policy, Source } from './policy.ts'
import { policyDigest } from './policy.ts'

const TIME_BITS = { day: 0, hour: Math.log2(24), minute: Math.log2(1440) }
const STATUS_BITS = Math.log2(3)

/** Bits of one attribute; pseudonyms count apart, because they link within their period instead of telling a value. */
export function fieldBits({ action, from, absent }: Field): number {
  const canBeAbsent = absent !== undefined || from.kind !== 'text' ? 1 : 0
  switch (action.kind) {
    case 'keep':
      return Math.log2(action.values.length + 1 + canBeAbsent)
    case 'buckets':
      return Math.log2(action.bounds.length + canBeAbsent)
    case 'version':
      return Math.log2(action.releases + canBeAbsent)
    case 'pseudonym':
    case 'constant':
      return 0
  }
}

export function summary(policy: Policy): string {
  const lines = [
    `${policy.project}, policy version ${policy.version}, in force until ${policy.expires}`,
    `  ${policy.purpose}`,
    `  digest ${policyDigest(policy)}`,
    '',
    'Once with each batch:',
    ...policy.resource.map(fieldLine),
  ]
  for (const rule of policy.spans) {
    const bits = rule.fields.reduce(
      (sum, field) => sum + fieldBits(field),
      TIME_BITS[rule.time] + (rule.status === 'keep' ? STATUS_BITS : 0),
    )
    lines.push(
      '',
      `Span "${rule.name}": ids ${rule.ids}, time cut to the ${rule.time}, status ${rule.status === 'keep' ? 'code' : 'dropped'}, about ${bits.toFixed(1)} bits:`,
    )
    if (rule.only.length > 0)
      lines.push(`  only where ${rule.only.map(({ name, values }) => `${name} is ${values.join(' or ')}`).join(' and ')}`)
    if (rule.skip.length > 0) lines.push(`  never where ${rule.skip.join(' or ')} is present`)
    lines.push(...(rule.fields.length === 0 ? ['  no attributes'] : rule.fields.map(fieldLine)))
  }
  return `${lines.join('\n')}\n`
}

function fieldLine(field: Field): string {
  const from = [field.from, ...(field.or === undefined ? [] : [field.or])].map(sourceText).join(' or ')
  return `  ${field.name.padEnd(24)} ${valuesText(field)}${field.action.kind === 'constant' ? '' : `   from ${from}`}`
}

function sourceText(source: Source): string {
  switch (source.kind) {
    case 'attribute':
      return source.key
    case 'fact':
      return `fact ${source.name}`
    case 'text':
      return 'a literal'
    case 'span':
      return `the span's ${source.what}`
  }
}

function valuesText({ action }: Field): string {
  switch (action.kind) {
    case 'keep':
      return `${action.values.slice(0, 12).join(' | ')}${action.values.length > 12 ? ` | … ${action.values.length - 12} more` : ''}${action.otherwise === undefined ? '' : ` | ${action.otherwise}`}`
    case 'buckets':
      return action.bounds.map((bound, index) => (index === action.bounds.length - 1 ? `${bound}+` : bound)).join(' | ')
    case 'version':
      return `${{ major: '1', minor: '1.31', core: '1.31.4' }[action.level]} | other (${action.releases} releases assumed)`
    case 'pseudonym':
      return `32 hex digits, new every ${action.period}`
    case 'constant':
      return `always ${action.value}`
  }
}
