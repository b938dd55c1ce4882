// Reads one outgoing attribute of a policy: its source, its steps and exactly one action.

import {
  ACTION_WORDS,
  ACTIONS,
  type ActionWord,
  type FieldContext,
  isSendable,
  parseAction,
  sentType,
} from './parse-action.ts'
import { type Part, parseSource } from './parse-source.ts'
import {
  type Action,
  type Field,
  FOLDS,
  placesOf,
  type Scalar,
  SHAPES,
  type Shape,
  type Source,
} from './policy.ts'
import { type Node, quotable, type YamlReader } from './yaml-reader.ts'

export const OUTGOING_NAME = /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/
export const MAX_NAME_BYTES = 96
export const SOURCE_WORDS = ['from', 'or', 'absent'] as const
export const STEPS = ['split', 'before', 'after', 'fold', 'shape'] as const
const FIELD_WORDS = [
  ...ACTIONS,
  ...SOURCE_WORDS,
  ...STEPS,
  ...Object.keys(ACTION_WORDS),
  'reason',
  'expires',
]
const SEPARATOR = /^[^\p{Cc}\p{Cs}]{1,8}$/u
/** A constant needs no value from anywhere. */
const NO_SOURCE: Source = { kind: 'text', text: '-' }

type Given = ReadonlyMap<string, Node>

export function parseField(
  reader: YamlReader,
  keyNode: Node,
  name: string,
  node: Node,
  context: FieldContext,
): Field | undefined {
  const before = reader.errors.length
  checkName(reader, keyNode, name)
  const given = readWords(reader, node)
  const actions = ACTIONS.filter((action) => given.has(action))
  if (actions.length !== 1) {
    reader.error(keyNode, `An attribute must have exactly one action: ${ACTIONS.join(', ')}.`)
    return undefined
  }
  const field = readField(reader, { keyNode, name, given, word: actions[0]!, context })
  checkCombinations(reader, keyNode, given, field, actions[0]!, context.part)
  if (reader.errors.length !== before) return undefined
  reader.nodes.set(field, keyNode)
  return field
}

function checkName(reader: YamlReader, keyNode: Node, name: string): void {
  // promise: own-names-reserved
  if (!OUTGOING_NAME.test(name) || name.length > MAX_NAME_BYTES) {
    reader.error(
      keyNode,
      `The name of an outgoing attribute must be lower-case words joined by dots, at most ${MAX_NAME_BYTES} letters, for example stage.type.`,
    )
  } else if (name === 'usage' || name.startsWith('usage.'))
    reader.error(
      keyNode,
      'Names that begin with "usage." belong to the sidecar. Choose another name.',
    )
}

function readWords(reader: YamlReader, node: Node): Given {
  const given = new Map<string, Node>()
  for (const { key, keyNode, value } of reader.entries(node, 'An attribute')) {
    // promise: unknown-attribute-key
    if (FIELD_WORDS.includes(key)) given.set(key, value)
    else
      reader.error(
        keyNode,
        `The word \`${quotable(key)}\` is unknown. Allowed here: ${FIELD_WORDS.join(', ')}.`,
      )
  }
  return given
}

interface FieldInput {
  keyNode: Node
  name: string
  given: Given
  word: ActionWord
  context: FieldContext
}

function readField(reader: YamlReader, { keyNode, name, given, word, context }: FieldInput): Field {
  const { part } = context
  const optional = <T>(key: string, read: (value: Node) => T): T | undefined =>
    given.has(key) ? read(given.get(key)!) : undefined
  const separator = (key: string): string | undefined =>
    optional(key, (value) => reader.text(value, key, SEPARATOR, 'a separator of 1 to 8 characters'))
  const fold = optional('fold', (value) => reader.word(value, 'fold', FOLDS))
  const action = parseAction(reader, word, given, fold, context)
  return {
    name,
    from:
      optional('from', (value) => parseSource(reader, value, part)) ??
      (word === 'constant' ? NO_SOURCE : defaultSource(reader, keyNode, name, part)),
    or: optional('or', (value) => parseSource(reader, value, part)),
    absent: optional('absent', (value) => parseAbsent(reader, value, action)),
    split: separator('split'),
    before: separator('before'),
    after: separator('after'),
    fold,
    shape: optional('shape', (value) => parseShapes(reader, value)),
    action,
    reason: optional('reason', (value) => parseReason(reader, value)) ?? '',
    expires: optional('expires', (value) => reader.day(value, 'expires')),
  }
}

const parseReason = (reader: YamlReader, node: Node): string =>
  reader.text(node, 'reason', /^[^\p{Cc}]{3,300}$/u, 'one line of 3 to 300 characters')

function defaultSource(reader: YamlReader, keyNode: Node, name: string, part: Part): Source {
  if (part === 'resource')
    reader.error(
      keyNode,
      '`from` is missing. Under `resource` it must name a fact or a text, for example `from: fact:app.version`.',
    )
  return { kind: 'attribute', key: name }
}

function parseShapes(reader: YamlReader, node: Node): Shape[] {
  const items = reader.list(node)
  if (items?.length === 0)
    reader.error(node, `\`shape\` must be one or more of: ${SHAPES.join(', ')}.`)
  return [...new Set((items ?? [node]).map((item) => reader.word(item, 'shape', SHAPES)))]
}

function parseAbsent(reader: YamlReader, node: Node, action: Action): Scalar | undefined {
  const value = reader.scalar(node)
  if (value !== undefined && isSendable(value) && typeof value === sentType(action)) return value
  reader.error(node, '`absent` must have the type that the action sends.')
  return undefined
}

/** Words that do not go together. */
function checkCombinations(
  reader: YamlReader,
  keyNode: Node,
  given: Given,
  field: Field,
  word: ActionWord,
  part: Part,
): void {
  const { action } = field
  if (!given.has('reason') && word !== 'constant')
    reader.error(keyNode, '`reason` is missing. Say why the project needs this attribute.')
  for (const [extra, owner] of Object.entries(ACTION_WORDS))
    if (given.has(extra) && word !== owner)
      reader.error(given.get(extra)!, `\`${extra}\` can only be used with \`${owner}\`.`)
  if (word === 'constant') {
    for (const extra of [...SOURCE_WORDS, ...STEPS])
      if (given.has(extra))
        reader.error(given.get(extra)!, `A constant cannot have \`${extra}\`. Remove it.`)
  }
  const takesText = sentType(action) === 'string'
  for (const step of STEPS)
    if (given.has(step) && !takesText)
      reader.error(
        given.get(step)!,
        `\`${step}\` needs text, but this action takes numbers or booleans. Remove it.`,
      )
  if (part === 'resource' && given.has('split'))
    reader.error(
      given.get('split')!,
      '`split` copies a span, so it cannot be used under `resource`. Remove it.',
    )
  const mayHoldIdentity = word === 'pseudonym' || word === 'hash' || word === 'hmac'
  // promise: instance-id-hashed-only
  if (
    !mayHoldIdentity &&
    [field.from, field.or].some((source) => source !== undefined && namesInstance(source))
  )
    reader.error(
      keyNode,
      'Only pseudonym, hash and hmac can read fact:instance.id. Any other action would identify the installation forever.',
    )
}

const namesInstance = (source: Source): boolean =>
  placesOf(source).some((place) => place.kind === 'fact' && place.name === 'instance.id')
