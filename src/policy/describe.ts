// Describes a policy to people: where a value comes from, its steps, and every value that can be
// sent. `policy check`, the data sheet and `policy diff` use the same words.
import { canBeLeftOut } from './bits.ts'
import {
  type Action,
  type Field,
  type Policy,
  placesOf,
  type Scalar,
  type Source,
  type SourcePlace,
  type SpanRule,
} from './policy.ts'

/**
 * `the attribute stage.cloud_provider, or else stage.cloud_providers; split at ","; lower case`.
 */
export function sourceText({ from, or, action, split, before, after, fold, shape }: Field): string {
  if (action.kind === 'constant') return 'the policy itself'
  const steps = [
    or === undefined ? '' : ` or else ${sourceWords(or)}`,
    split === undefined ? '' : `; one copy of the span for each part separated by "${split}"`,
    before === undefined ? '' : `; only the text before "${before}"`,
    after === undefined ? '' : `; only the text after the last "${after}"`,
    fold === undefined ? '' : `; ${fold} case`,
    shape === undefined ? '' : `; only if it looks like ${shape.join(' or ')}`,
    action.kind === 'hmac' ? `; with the key ${sourceWords(action.key)}` : '',
  ]
  return sourceWords(from) + steps.join('')
}

const sourceWords = (source: Source): string =>
  placesOf(source).map(placeText).join(' joined with ')

function placeText(place: SourcePlace): string {
  switch (place.kind) {
    case 'attribute':
      return `the span’s attribute ${place.key}`
    case 'resource':
      return `the application’s resource attribute ${place.key}`
    case 'fact':
      return `the fact ${place.name}`
    case 'text':
      return `the text "${place.text}"`
    case 'span':
      return place.what === 'duration' ? 'the span’s duration in seconds' : 'the span’s status'
  }
}

/** Every value that can leave, or one sentence in place of values that the policy does not list. */
export interface PossibleValues {
  listed: readonly Scalar[]
  /** Beside the listed ones; `''`: there are no others. */
  open: string
  /** The attribute may be missing. */
  optional: boolean
}

const CASES = { major: '1', minor: '1.31', core: '1.31.4' } as const

export function valuesOf(field: Field): PossibleValues {
  const { action, absent, expires } = field
  const add = (values: readonly Scalar[], ...more: (Scalar | undefined)[]): Scalar[] => [
    ...new Set([...values, ...more.filter((value) => value !== undefined)]),
  ]
  // After its last day an attribute is as if the policy never named it.
  // promise: sheet-expiring-missing
  const optional = expires !== undefined || (action.kind !== 'constant' && canBeLeftOut(field))
  switch (action.kind) {
    case 'keep':
      return { listed: add(action.values, action.otherwise, absent), open: '', optional }
    case 'buckets':
      return { listed: add(action.bounds, absent), open: '', optional }
    case 'version':
      return {
        listed: add(['other'], absent),
        open: `a version such as ${CASES[action.level]}, of digits only`,
        optional,
      }
    case 'constant':
      return { listed: [action.value], open: '', optional }
    default:
      return { listed: add([], absent), open: openValues(action), optional }
  }
}

type OpenAction = Exclude<Action, { kind: 'keep' | 'buckets' | 'version' | 'constant' }>

function openValues(action: OpenAction): string {
  switch (action.kind) {
    case 'pseudonym':
      return action.period === 'forever'
        ? '32 hex digits derived with the installation’s secret, always the same for the same input'
        : `32 hex digits derived with the installation’s secret, new every ${action.period}`
    case 'hash':
      return `${HASHES[action.algorithm]} of the value in hex, which anyone who guesses the value can confirm`
    case 'hmac':
      return `HMAC-SHA-256 of the value in hex, which anyone who knows the key and guesses the value can confirm`
    case 'exact':
      return action.what === 'number'
        ? 'the number unchanged'
        : `the ${action.what === 'version' ? 'version' : 'text'} unchanged, up to ${action.maxBytes} bytes`
  }
}

const HASHES = { sha256: 'SHA-256', md5: 'MD5' } as const

/**
 * `10 to under 50`, for the bound 10 of [1, 10, 50]: bounds are compared with numbers that need not
 * be whole.
 */
export function bucketText(bounds: readonly number[], index: number): string {
  const next = bounds[index + 1]
  if (next === undefined) return index === 0 ? 'any number' : `${bounds[index]} or more`
  return index === 0 ? `under ${next}` : `${bounds[index]} to under ${next}`
}

/** A value of the kind that leaves, for a reader to imagine it. */
export function exampleOf({ action }: Field): string {
  switch (action.kind) {
    case 'keep':
      return String(action.values[0])
    case 'buckets':
      return String(action.bounds[action.bounds.length >> 1])
    case 'version':
      return CASES[action.level]
    case 'constant':
      return String(action.value)
    case 'pseudonym':
      return '8a9327385ac095ed67154f66562f3753'
    case 'hash':
      return action.algorithm === 'md5'
        ? '9e107d9d372bb6826bd81d3542a419d6'
        : '0b190ee1…22851624 (64 hex digits)'
    case 'hmac':
      return '5e87efcb…48e04d3a8 (64 hex digits)'
    case 'exact':
      return { number: '12', version: '1.31.4-gke.100', text: 'i-0abc12def3456789a' }[action.what]
  }
}

/** Type on the wire. */
export function typeOf({ action }: Field): 'text' | 'whole number' | 'number' | 'true or false' {
  const byScalar = (value: Scalar | undefined) =>
    typeof value === 'number'
      ? 'whole number'
      : typeof value === 'boolean'
        ? 'true or false'
        : 'text'
  if (action.kind === 'keep') return byScalar(action.values[0])
  if (action.kind === 'constant') return byScalar(action.value)
  if (action.kind === 'buckets') return 'whole number'
  return action.kind === 'exact' && action.what === 'number' ? 'number' : 'text'
}

/** When a span of this rule is left out, as whole sentences; none where it never is. */
export function conditionsOf({ only, skip }: SpanRule): string[] {
  return [
    ...only.map(({ name, values }) => `Only if ${name} is ${values.join(' or ')}.`),
    ...(skip.length === 0 ? [] : [`Never if the span has ${skip.join(' or ')}.`]),
  ]
}

export const TIME_TEXTS: Record<SpanRule['time'], string> = {
  day: 'the UTC day',
  hour: 'the UTC hour',
  minute: 'the UTC minute',
  exact: 'start and end to the nanosecond',
}

/**
 * What makes records linkable to a person’s system for longer than a batch; empty: the word
 * "anonymous" may be used.
 */
export function linkingOf(policy: Policy): string[] {
  const fields = [...policy.resource, ...policy.spans.flatMap((rule) => rule.fields)]
  const named = (kind: string, test: (field: Field) => boolean): string[] => {
    const names = [...new Set(fields.filter(test).map(({ name }) => name))]
    return names.length === 0 ? [] : [`${kind}: ${names.join(', ')}`]
  }
  const linked = policy.spans.filter((rule) => rule.ids === 'linked').map((rule) => rule.name)
  const timed = policy.spans.filter((rule) => rule.time === 'exact').map((rule) => rule.name)
  return [
    // promise: sheet-pseudonyms-not-anonymous
    ...named('pseudonyms', ({ action }) => action.kind === 'pseudonym'),
    ...(linked.length === 0 ? [] : [`ids that link spans for a day: ${linked.join(', ')}`]),
    ...named('hashes', ({ action }) => action.kind === 'hash' || action.kind === 'hmac'),
    ...named('unchanged values', ({ action }) => action.kind === 'exact'),
    ...(timed.length === 0 ? [] : [`exact times: ${timed.join(', ')}`]),
  ]
}

export function bitsText(bits: number | undefined): string {
  return bits === undefined
    ? 'an unlimited number of bits'
    : `${bits.toFixed(1).replace(/\.0$/, '')} ${bits.toFixed(1) === '1.0' ? 'bit' : 'bits'}`
}
