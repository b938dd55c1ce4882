// Reads the action of an attribute, with the words that belong to one action only: else, releases,
// key and max.

import { type Part, parseSource } from './parse-source.ts'
import {
  type Action,
  COMPAT_PERIOD,
  EXACT_TYPES,
  type Fold,
  HASH_ALGORITHMS,
  HMAC_ALGORITHMS,
  PERIODS,
  type Scalar,
  type Source,
  VERSION_LEVELS,
  type VersionLevel,
} from './policy.ts'
import type { Node, YamlReader } from './yaml-reader.ts'

export const ACTIONS = [
  'keep',
  'buckets',
  'version',
  'pseudonym',
  'constant',
  'hash',
  'hmac',
  'exact',
] as const
export type ActionWord = (typeof ACTIONS)[number]
/** Words that belong to one action. With another action they would have no effect: an error. */
export const ACTION_WORDS = {
  else: 'keep',
  releases: 'version',
  key: 'hmac',
  max: 'exact',
} as const satisfies Record<string, ActionWord>
/**
 * They reproduce an old reporter and are not anonymous, so a policy must say at its top that this
 * is what it does.
 */
export const COMPAT_ACTIONS: readonly ActionWord[] = ['hash', 'hmac', 'exact']

export const MAX_KEPT_VALUES = 1000
export const MAX_VALUE_BYTES = 64
export const MAX_BUCKETS = 64
export const MAX_EXACT_BYTES = 1024
export const MAX_RELEASES = 1_000_000
/** What is assumed where a policy does not say it. */
const RELEASES: Record<VersionLevel, number> = { major: 4, minor: 16, core: 64 }

export interface FieldContext {
  part: Part
  compat: boolean
}

/** The attribute's words, and what its action depends on. */
interface ActionInput extends FieldContext {
  node: Node
  given: ReadonlyMap<string, Node>
  fold: Fold
}

const PARSERS: Record<ActionWord, (reader: YamlReader, input: ActionInput) => Action> = {
  keep: parseKeep,
  buckets: parseBuckets,
  version: parseVersion,
  pseudonym: parsePseudonym,
  constant: parseConstant,
  hash: (reader, { node }) => ({
    kind: 'hash',
    algorithm: reader.word(node, 'hash', HASH_ALGORITHMS),
  }),
  hmac: parseHmac,
  exact: parseExact,
}

export function parseAction(
  reader: YamlReader,
  word: ActionWord,
  given: ReadonlyMap<string, Node>,
  fold: Fold,
  context: FieldContext,
): Action {
  const node = given.get(word)!
  if (COMPAT_ACTIONS.includes(word) && !context.compat) reader.error(node, needsCompat(word))
  return PARSERS[word](reader, { node, given, fold, ...context })
}

function parseVersion(reader: YamlReader, { node, given }: ActionInput): Action {
  const level = reader.word(node, 'version', VERSION_LEVELS)
  const releases = given.get('releases')
  return {
    kind: 'version',
    level,
    releases:
      releases === undefined
        ? RELEASES[level]
        : reader.integer(releases, 'releases', 1, MAX_RELEASES),
  }
}

function parsePseudonym(reader: YamlReader, { node, compat }: ActionInput): Action {
  const period = reader.word(node, 'pseudonym', PERIODS)
  if (period === COMPAT_PERIOD && !compat)
    reader.error(node, needsCompat(`pseudonym: ${COMPAT_PERIOD}`))
  return { kind: 'pseudonym', period }
}

function parseConstant(reader: YamlReader, { node }: ActionInput): Action {
  const value = reader.scalar(node)
  if (value === undefined || !isSendable(value))
    reader.error(
      node,
      `\`constant\` must be text of at most ${MAX_VALUE_BYTES} bytes, a whole number, true or false.`,
    )
  return { kind: 'constant', value: value ?? '' }
}

function parseHmac(reader: YamlReader, { node, given, part }: ActionInput): Action {
  const keyNode = given.get('key')
  if (keyNode === undefined) reader.error(node, '`hmac` needs a key. Add `key: SOURCE`.')
  const key: Source =
    keyNode === undefined ? { kind: 'text', text: '' } : parseSource(reader, keyNode, part)
  return { kind: 'hmac', algorithm: reader.word(node, 'hmac', HMAC_ALGORITHMS), key }
}

function parseExact(reader: YamlReader, { node, given }: ActionInput): Action {
  const what = reader.word(node, 'exact', EXACT_TYPES)
  const max = given.get('max')
  if (what === 'number') {
    if (max !== undefined)
      reader.error(max, '`max` limits the bytes of text, and this is a number. Remove it.')
    return { kind: 'exact', what }
  }
  return {
    kind: 'exact',
    what,
    maxBytes: max === undefined ? MAX_VALUE_BYTES : reader.integer(max, 'max', 1, MAX_EXACT_BYTES),
  }
}

/** `what` needs the top of the file to say that it is not anonymous. */
export const needsCompat = (what: string): string =>
  `\`${what}\` is not anonymous. Only a policy with \`compat: true\` at the top can use it.`

function parseBuckets(reader: YamlReader, { node }: ActionInput): Action {
  const bounds = reader
    .items(node, 'buckets')
    .map((item) =>
      reader.integer(item, 'A bound', -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER),
    )
  if (bounds.length === 0 || bounds.length > MAX_BUCKETS)
    reader.error(node, `\`buckets\` must have 1 to ${MAX_BUCKETS} bounds.`)
  if (bounds.some((bound, i) => i > 0 && bound <= bounds[i - 1]!))
    reader.error(node, 'The bounds of `buckets` must ascend. Sort them and remove duplicates.')
  return { kind: 'buckets', bounds }
}

function parseKeep(reader: YamlReader, { node, given, fold }: ActionInput): Action {
  const items = reader.items(node, 'keep')
  if (items.length === 0 || items.length > MAX_KEPT_VALUES)
    reader.error(node, `\`keep\` must list 1 to ${MAX_KEPT_VALUES} values.`)
  const values: Scalar[] = []
  for (const item of items.slice(0, MAX_KEPT_VALUES)) {
    const value = reader.scalar(item)
    if (value === undefined || !isSendable(value)) {
      reader.error(
        item,
        `A kept value must be text of at most ${MAX_VALUE_BYTES} bytes, a whole number, true or false.`,
      )
      continue
    }
    if (values.length > 0 && typeof value !== typeof values[0])
      reader.error(
        item,
        'All values of `keep` must have one type. Put numbers in quotes to make them text.',
      )
    if (values.includes(value))
      reader.error(item, 'This value is listed twice. Remove one of them.')
    if (typeof value === 'string' && fold !== undefined && value !== folded(value, fold)) {
      reader.error(
        item,
        `With \`fold: ${fold}\` this value never matches. Write it as "${folded(value, fold)}".`,
      )
    }
    values.push(value)
  }
  const elseNode = given.get('else')
  const type = typeof values[0]
  // An attribute has one type on the wire, so only words fold to the word "other".
  let otherwise: Scalar | undefined = type === 'string' ? 'other' : undefined
  if (elseNode !== undefined) {
    const value = reader.scalar(elseNode)
    if (value === 'none') otherwise = undefined
    else if (value === undefined || !isSendable(value) || typeof value !== type)
      reader.error(elseNode, '`else` must be none or a value of the same type as the kept values.')
    else otherwise = value
  }
  return { kind: 'keep', values, otherwise }
}

const folded = (text: string, fold: Fold): string =>
  fold === 'upper' ? text.toUpperCase() : fold === 'lower' ? text.toLowerCase() : text

/** Printable, short; integers exact in a double. */
export function isSendable(value: Scalar): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0)
  return (
    typeof value === 'boolean' ||
    (value !== '' && Buffer.byteLength(value) <= MAX_VALUE_BYTES && !/[\p{Cc}\p{Cs}]/u.test(value))
  )
}

/**
 * The type that an action sends; its `absent` and the values of `only` have the same. Steps work on
 * text, so it must send text.
 */
export function sentType(action: Action): 'string' | 'number' | 'boolean' {
  switch (action.kind) {
    case 'keep':
      return typeof action.values[0] as 'string' | 'number' | 'boolean'
    case 'constant':
      return typeof action.value as 'string' | 'number' | 'boolean'
    case 'buckets':
      return 'number'
    case 'exact':
      return action.what === 'number' ? 'number' : 'string'
    case 'version':
    case 'pseudonym':
    case 'hash':
    case 'hmac':
      return 'string'
  }
}
