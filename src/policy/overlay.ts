// Reads the admin's overlay, which can only narrow a policy. Its narrowing is kept beside the
// base's action and applied to the encoded result; conditions of the base are tested before. So
// inputs that look equal to the collector under the base also look equal under the overlay.
// Pseudonyms and ids differ by period, and a `skip` drops spans by attributes that the base may not
// read.
import { ConfigError } from '../support/errors.ts'
import { narrowAction, narrowConditions, narrowerWord } from './overlay-values.ts'
import { API_VERSION } from './parse.ts'
import {
  type Field,
  ID_MODES,
  type Narrowing,
  PERIODS,
  type Policy,
  type SpanRule,
  STATUS_MODES,
  TIME_UNITS,
} from './policy.ts'
import { type Node, YamlReader } from './yaml-reader.ts'

const TOP_WORDS = ['apiVersion', 'narrows', 'resource', 'spans']
const SPAN_WORDS = ['ids', 'time', 'status', 'only', 'skip', 'attributes']

/** Throws a ConfigError with errors `line:column: sentence`. The positions are the overlay's. */
export function applyOverlay(base: Policy, text: string): Policy {
  const reader = new YamlReader(text)
  const narrowed = reader.root === null ? base : narrowPolicy(reader, reader.root, base)
  // promise: invalid-overlay-refused
  if (reader.errors.length > 0) throw new ConfigError(reader.sorted())
  return narrowed
}

function narrowPolicy(reader: YamlReader, root: Node, base: Policy): Policy {
  const given = words(reader, root, 'An overlay', TOP_WORDS)
  const apiVersion = given.get('apiVersion')
  if (apiVersion === undefined)
    reader.error(root, `\`apiVersion\` is missing. Add \`apiVersion: ${API_VERSION}\`.`)
  else reader.word(apiVersion, 'apiVersion', [API_VERSION])
  const narrows = given.get('narrows')
  if (narrows === undefined)
    reader.error(root, `\`narrows\` is missing. Add \`narrows: ${base.project}\`.`)
  else if (reader.scalar(narrows) !== base.project)
    reader.error(narrows, `\`narrows\` must be ${base.project}, the project of the policy.`)
  const resource = given.get('resource')
  const spans = given.get('spans')
  return {
    ...base,
    resource:
      resource === undefined
        ? base.resource
        : narrowFields(reader, resource, base.resource, 'resource'),
    spans: spans === undefined ? base.spans : narrowSpans(reader, spans, base.spans),
  }
}

/** The members of a map, of which only `allowed` may be there. */
function words(
  reader: YamlReader,
  node: Node,
  what: string,
  allowed: readonly string[],
): Map<string, Node> {
  const given = new Map<string, Node>()
  for (const { key, keyNode, value } of reader.entries(node, what)) {
    if (allowed.includes(key)) given.set(key, value)
    else
      reader.error(keyNode, `An overlay cannot change this. Allowed here: ${allowed.join(', ')}.`)
  }
  return given
}

function narrowSpans(reader: YamlReader, node: Node, base: readonly SpanRule[]): SpanRule[] {
  const changes = new Map(reader.entries(node, 'spans').map((entry) => [entry.key, entry]))
  for (const [name, { keyNode }] of changes) {
    if (!base.some((rule) => rule.name === name))
      reader.error(keyNode, 'The policy has no span of this name, and an overlay cannot add one.')
  }
  return base.flatMap((rule) => {
    const change = changes.get(rule.name)?.value
    if (change === undefined) return [rule]
    return reader.scalar(change) === 'drop' ? [] : [narrowSpan(reader, change, rule)]
  })
}

function narrowSpan(reader: YamlReader, node: Node, base: SpanRule): SpanRule {
  const given = words(reader, node, 'The overlay of a span (`drop` or a map)', SPAN_WORDS)
  const attributes = given.get('attributes')
  const fields =
    attributes === undefined
      ? base.fields
      : narrowFields(reader, attributes, base.fields, 'attributes')
  const only = given.get('only')
  const skip = given.get('skip')
  return {
    ...base,
    ids: narrowerWord(reader, given.get('ids'), 'ids', base.ids, ID_MODES),
    time: narrowerWord(reader, given.get('time'), 'time', base.time, TIME_UNITS),
    status: narrowerWord(reader, given.get('status'), 'status', base.status, STATUS_MODES),
    ...(only === undefined ? {} : { onlyNarrowed: narrowConditions(reader, only, fields) }),
    skip: skip === undefined ? base.skip : [...new Set([...base.skip, ...keys(reader, skip)])],
    fields,
  }
}

function keys(reader: YamlReader, node: Node): string[] {
  const items = reader.items(node, 'skip')
  if (items.length === 0) reader.error(node, '`skip` must list one or more attribute keys.')
  return items.map((item) =>
    reader.text(
      item,
      'A key',
      /^[^\p{Cc}]{1,256}$/u,
      'the exact key of an incoming attribute, of 1 to 256 characters',
    ),
  )
}

function narrowFields(
  reader: YamlReader,
  node: Node,
  base: readonly Field[],
  what: string,
): Field[] {
  const changes = new Map(reader.entries(node, what).map((entry) => [entry.key, entry]))
  for (const [name, { keyNode }] of changes) {
    // promise: overlay-adds-no-attribute
    if (!base.some((field) => field.name === name))
      reader.error(
        keyNode,
        'The policy has no attribute of this name, and an overlay cannot add one.',
      )
  }
  return base.map((field) => {
    const change = changes.get(field.name)
    if (change === undefined) return field
    // Dropped, not gone: conditions of the base still look at it.
    if (reader.scalar(change.value) === 'drop')
      return { ...field, narrow: { kind: 'drop' } satisfies Narrowing }
    return narrowField(reader, change.keyNode, change.value, field)
  })
}

function narrowField(reader: YamlReader, keyNode: Node, node: Node, base: Field): Field {
  const { action } = base
  const given = words(reader, node, 'The overlay of an attribute (`drop` or a map)', [
    'keep',
    'buckets',
    'version',
    'pseudonym',
  ])
  const change = given.get(action.kind)
  // promise: overlay-keeps-action
  if (change === undefined || given.size !== 1) {
    reader.error(
      keyNode,
      `An overlay must drop this attribute or narrow its action, which is \`${action.kind}\`.`,
    )
    return base
  }
  if (action.kind === 'pseudonym')
    return {
      ...base,
      action: {
        ...action,
        period: narrowerWord(reader, change, 'pseudonym', action.period, PERIODS),
      },
    }
  const narrow = narrowAction(reader, change, action)
  return narrow === undefined ? base : { ...base, narrow }
}
