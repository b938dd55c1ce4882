// Reads policy YAML and returns a checked policy, or throws all errors at once with line and
// column. An unknown word is an error and is never ignored, because the sidecar must do exactly
// what a policy says.
import { ConfigError } from '../support/errors.ts'
import { checkPeriods, overLimits } from './check-limits.ts'
import { type FieldContext, isSendable, needsCompat, sentType } from './parse-action.ts'
import { parseField } from './parse-field.ts'
import {
  COMPAT_TIME,
  type Field,
  ID_MODES,
  type Policy,
  type PolicyLimits,
  type Scalar,
  type SpanRule,
  STATUS_MODES,
  TIME_UNITS,
} from './policy.ts'
import { type Node, YamlReader } from './yaml-reader.ts'

export const API_VERSION = 'usage-sidecar.dev/v1'
export const REQUIRED_WORDS = [
  'apiVersion',
  'project',
  'version',
  'purpose',
  'contact',
  'retention',
  'expires',
  'spans',
] as const
const POLICY_WORDS = [...REQUIRED_WORDS, 'review', 'compat', 'limits', 'resource'] as const
const SPAN_WORDS = ['ids', 'time', 'status', 'only', 'skip', 'attributes'] as const
export type SpanWord = (typeof SPAN_WORDS)[number]
export type PolicyWord = (typeof POLICY_WORDS)[number]
export const PROJECT_PATTERN = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(\/[a-z0-9._-]+){0,4}$/
export const RETENTION_PATTERN = /^[1-9][0-9]{0,4}d$/
const PRINTABLE_LINE = /^[^\p{Cc}]{3,500}$/u
export const MAX_POLICY_VERSION = 9999
export const MAX_LIMIT_BITS = 1000
export const MAX_POLICY_ATTRIBUTES = 2000
export const MAX_SPANS = 100

/** Throws a ConfigError with errors of the form `line:column: sentence`. */
export function parsePolicy(text: string): Policy {
  const { policy, over } = checkPolicy(text)
  // promise: policy-within-limits
  if (over.length > 0) throw new ConfigError(over)
  return policy
}

export interface CheckedPolicy {
  policy: Policy
  /** Where it tells more than its limits allow; with any of these nothing may be sent under it. */
  over: readonly string[]
}

/** Like `parsePolicy`, but keeps errors of the limits apart from errors of the language. */
export function checkPolicy(text: string): CheckedPolicy {
  const reader = new YamlReader(text)
  const policy = reader.root === null ? undefined : parseRoot(reader, reader.root)
  if (policy !== undefined && reader.errors.length === 0) checkPeriods(reader, policy)
  // promise: invalid-policy-refused
  if (policy === undefined || reader.errors.length > 0) throw new ConfigError(reader.sorted())
  return { policy, over: overLimits(reader, policy) }
}

function parseRoot(reader: YamlReader, root: Node): Policy | undefined {
  const given = new Map<string, Node>()
  for (const { key, keyNode, value } of reader.entries(root, 'A policy')) {
    // promise: unknown-policy-key
    if ((POLICY_WORDS as readonly string[]).includes(key)) given.set(key, value)
    else reader.error(keyNode, `This word is unknown. Allowed here: ${POLICY_WORDS.join(', ')}.`)
  }
  for (const word of REQUIRED_WORDS)
    if (!given.has(word)) reader.error(root, `\`${word}\` is missing. Add it at the top level.`)
  const text = (word: string, test: RegExp, form: string): string =>
    given.has(word) ? reader.text(given.get(word)!, word, test, form) : ''
  if (given.has('apiVersion')) reader.word(given.get('apiVersion')!, 'apiVersion', [API_VERSION])
  const compat = given.has('compat') && parseCompat(reader, given.get('compat')!)
  return {
    project: text(
      'project',
      PROJECT_PATTERN,
      'a domain with an optional path, for example example.org/demo',
    ),
    version: given.has('version')
      ? reader.integer(given.get('version')!, 'version', 1, MAX_POLICY_VERSION)
      : 0,
    purpose: text('purpose', PRINTABLE_LINE, 'one line of 3 to 500 characters'),
    contact: text('contact', PRINTABLE_LINE, 'one line of 3 to 500 characters'),
    review: given.has('review')
      ? text(
          'review',
          /^https:\/\/[^\s\p{Cc}]{3,300}$/u,
          'an https address, for example https://example.org/discussions/1',
        )
      : undefined,
    retention: text('retention', RETENTION_PATTERN, 'a number of days, for example 395d'),
    expires: given.has('expires') ? reader.day(given.get('expires')!, 'expires') : '',
    compat,
    limits: parseLimits(reader, given.get('limits'), compat),
    resource: given.has('resource')
      ? parseFields(reader, given.get('resource')!, { part: 'resource', compat })
      : [],
    spans: given.has('spans') ? parseSpans(reader, given.get('spans')!, compat) : [],
  }
}

function parseCompat(reader: YamlReader, node: Node): boolean {
  if (reader.scalar(node) !== true)
    reader.error(node, '`compat` must be true. Otherwise remove the line.')
  return true
}

function parseLimits(
  reader: YamlReader,
  node: Node | undefined,
  compat: boolean,
): Policy['limits'] {
  const limits: PolicyLimits = { recordBits: 40, stableBits: 16 }
  if (node === undefined) return limits
  if (reader.scalar(node) === 'none') {
    if (!compat) reader.error(node, needsCompat('limits: none'))
    return undefined
  }
  for (const { key, keyNode, value } of reader.entries(node, 'limits')) {
    if (key === 'recordBits' || key === 'stableBits')
      limits[key] = reader.integer(value, key, 0, MAX_LIMIT_BITS)
    else reader.error(keyNode, '`limits` can only have recordBits and stableBits.')
  }
  return limits
}

function parseFields(reader: YamlReader, node: Node, context: FieldContext): Field[] {
  const entries = reader.entries(node, context.part === 'resource' ? 'resource' : 'attributes')
  if (entries.length > MAX_POLICY_ATTRIBUTES)
    reader.error(node, `There are more than ${MAX_POLICY_ATTRIBUTES} attributes. Remove some.`)
  return entries
    .slice(0, MAX_POLICY_ATTRIBUTES)
    .flatMap(({ key, keyNode, value }) => parseField(reader, keyNode, key, value, context) ?? [])
}

function parseSpans(reader: YamlReader, node: Node, compat: boolean): SpanRule[] {
  const entries = reader.entries(node, 'spans')
  if (entries.length > MAX_SPANS)
    reader.error(node, `There are more than ${MAX_SPANS} spans. Remove some.`)
  return entries
    .slice(0, MAX_SPANS)
    .map(({ key, keyNode, value }) => parseSpan(reader, keyNode, key, value, compat))
}

function parseSpan(
  reader: YamlReader,
  keyNode: Node,
  name: string,
  node: Node,
  compat: boolean,
): SpanRule {
  if (!/^[\x21-\x7e]([\x20-\x7e]{0,62}[\x21-\x7e])?$/.test(name))
    reader.error(
      keyNode,
      'The name of a span must have 1 to 64 printable ASCII characters, and no space at its ends.',
    )
  const given = new Map<string, Node>()
  for (const { key, keyNode: at, value } of reader.entries(node, 'A span')) {
    if ((SPAN_WORDS as readonly string[]).includes(key)) given.set(key, value)
    else reader.error(at, `This word is unknown. Allowed here: ${SPAN_WORDS.join(', ')}.`)
  }
  const fields = given.has('attributes')
    ? parseFields(reader, given.get('attributes')!, { part: 'spans', compat })
    : []
  const splits = fields.filter((field) => field.split !== undefined)
  if (splits.length > 1) reader.error(keyNode, 'Only one attribute of a span can have `split`.')
  const rule: SpanRule = {
    name,
    ids: given.has('ids') ? reader.word(given.get('ids')!, 'ids', ID_MODES) : 'random',
    // promise: times-day-by-default
    time: given.has('time') ? parseTime(reader, given.get('time')!, compat) : 'day',
    status: given.has('status')
      ? reader.word(given.get('status')!, 'status', STATUS_MODES)
      : 'drop',
    only: given.has('only') ? parseOnly(reader, given.get('only')!, fields) : [],
    skip: given.has('skip') ? parseSkip(reader, given.get('skip')!) : [],
    fields,
  }
  reader.nodes.set(rule, keyNode)
  return rule
}

function parseTime(reader: YamlReader, node: Node, compat: boolean): SpanRule['time'] {
  const time = reader.word(node, 'time', TIME_UNITS)
  if (time === COMPAT_TIME && !compat) reader.error(node, needsCompat(`time: ${COMPAT_TIME}`))
  return time
}

function parseOnly(reader: YamlReader, node: Node, fields: readonly Field[]): SpanRule['only'] {
  return reader.entries(node, 'only').map(({ key, keyNode, value }) => {
    const field = fields.find((candidate) => candidate.name === key)
    const items = reader.items(value, 'The value of an attribute under `only`')
    if (field === undefined)
      reader.error(keyNode, '`only` must name an outgoing attribute of this span.')
    if (items.length === 0)
      reader.error(value, 'An empty list excludes every span. Remove the span instead.')
    const values = items.flatMap((item): Scalar[] => {
      const scalar = reader.scalar(item)
      if (
        scalar !== undefined &&
        isSendable(scalar) &&
        (field === undefined ||
          (typeof scalar === sentType(field.action) && canBeSent(field, scalar)))
      )
        return [scalar]
      reader.error(item, 'This attribute never has this value. Use a value that it can send.')
      return []
    })
    return { name: key, values: [...new Set(values)] }
  })
}

/**
 * Whether the attribute can go out with this value; where the policy has no list of them any may.
 */
function canBeSent({ action, absent }: Field, value: Scalar): boolean {
  if (value === absent) return true
  if (action.kind === 'keep') return action.values.includes(value) || action.otherwise === value
  if (action.kind === 'buckets') return action.bounds.includes(Number(value))
  return action.kind !== 'constant' || action.value === value
}

function parseSkip(reader: YamlReader, node: Node): string[] {
  const items = reader.items(node, 'skip')
  if (items.length === 0) reader.error(node, '`skip` must list one or more attribute keys.')
  return [
    ...new Set(
      items.map((item) =>
        reader.text(
          item,
          'A key',
          /^[^\p{Cc}]{1,256}$/u,
          'the exact key of an incoming attribute, of 1 to 256 characters',
        ),
      ),
    ),
  ]
}
