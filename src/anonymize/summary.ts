// What a policy lets out, in a text that is read in a minute: every outgoing attribute with the values it can have, and
// how many bits that tells.
import { budgetOf } from './bits.ts'
import { type Field, type Place, type Policy, placesOf, policyDigest } from './policy.ts'

export function summary(policy: Policy): string {
  const lines = [
    `${policy.project}, policy version ${policy.version}, in force until ${policy.expires}`,
    `  ${policy.purpose}`,
    `  digest ${policyDigest(policy)}`,
    '',
    'Once with each batch:',
    ...policy.resource.map(fieldLine),
  ]
  const { records } = budgetOf(policy)
  for (const [index, rule] of policy.spans.entries()) {
    const { bits } = records[index]!
    lines.push(
      '',
      `Span "${rule.name}": ids ${rule.ids}, time cut to the ${rule.time}, status ${rule.status === 'keep' ? 'code' : 'dropped'}, ${Number.isFinite(bits) ? `about ${bits.toFixed(1)}` : 'no bound of'} bits with what comes with each batch:`,
    )
    if (rule.only.length > 0)
      lines.push(`  only where ${rule.only.map(({ name, values }) => `${name} is ${values.join(' or ')}`).join(' and ')}`)
    if (rule.skip.length > 0) lines.push(`  never where ${rule.skip.join(' or ')} is present`)
    lines.push(...(rule.fields.length === 0 ? ['  no attributes'] : rule.fields.map(fieldLine)))
  }
  return `${lines.join('\n')}\n`
}

function fieldLine(field: Field): string {
  const from = [field.from, ...(field.or === undefined ? [] : [field.or])]
    .map((source) => placesOf(source).map(placeText).join(' + '))
    .join(' or ')
  return `  ${field.name.padEnd(24)} ${valuesText(field)}${field.action.kind === 'constant' ? '' : `   from ${from}`}`
}

function placeText(place: Place): string {
  switch (place.kind) {
    case 'attribute':
      return place.key
    case 'resource':
      return `${place.key} of the resource`
    case 'fact':
      return `fact ${place.name}`
    case 'text':
      return 'a literal'
    case 'span':
      return `the span's ${place.what}`
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
      return action.period === 'forever' ? '32 hex digits, for ever the same' : `32 hex digits, new every ${action.period}`
    case 'constant':
      return `always ${action.value}`
    case 'hash':
      return `${action.algorithm} of the value, in hex: whoever knows the value finds it`
    case 'hmac':
      return `hmac-${action.algorithm} of the value, in hex: whoever knows value and key finds it`
    case 'exact':
      return `the ${action.what} as it is${action.what === 'number' ? '' : `, of at most ${action.maxBytes} bytes`}`
  }
}
