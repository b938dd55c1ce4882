// Reads one outgoing attribute of a policy: where its value comes from, the steps, and exactly one action.
import type { Action, Field, Period, Scalar, Source, VersionLevel } from './policy.ts'
import type { Fold } from './table.ts'
import type { Node, YamlReader } from './yaml-reader.ts'

const OUTGOING_NAME = /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/
const MAX_NAME_BYTES = 96
const MAX_KEY_BYTES = 256
const MAX_KEPT_VALUES = 1000
const MAX_VALUE_BYTES = 64
const MAX_BUCKETS = 64
const ACTIONS = ['keep', 'buckets', 'version', 'pseudonym', 'constant'] as const
const STEPS = ['from', 'or', 'absent', 'split', 'fold', 'else', 'releases', 'reason'] as const
/** Words of the policy language that this version does not carry out yet: refused, because ignoring one would send more. */
const LATER = ['before', 'after', 'shape', 'hash', 'hmac', 'key', 'exact', 'max', 'expires']
const RELEASES: Record<VersionLevel, number> = { major: 4, minor: 16, core: 64 }
/** A constant needs no value from anywhere. */
const NOTHING: Source = { kind: 'text', text: '-' }

type Given = Map<string, Node>

/** `place` is where outgoing attributes are: facts and literals are allowed in both, the rest only under `spans`. */
export function parseField(reader: YamlReader, keyNode: Node, name: string, node: Node, place: 'resource' | 'spans'): Field | undefined {
  const before = reader.mistakes.length
  if (!OUTGOING_NAME.test(name) || name.length > MAX_NAME_BYTES) {
    reader.mistake(
      keyNode,
      'The name of an outgoing attribute is lower-case words joined by dots, such as stage.type, of at most 96 letters.',
    )
  } else if (name === 'usage' || name.startsWith('usage.')) reader.mistake(keyNode, 'Names that begin with "usage." belong to the sidecar.')

  const given: Given = new Map()
  for (const { key, keyNode: at, value } of reader.entries(node, 'An attribute')) {
    if ((ACTIONS as readonly string[]).includes(key) || (STEPS as readonly string[]).includes(key)) given.set(key, value)
    else if (LATER.includes(key)) reader.mistake(at, `"${key}" is not carried out by this version of usage-sidecar.`)
    else reader.mistake(at, `"${printable(key)}" is not a word of the policy language. Allowed here: ${[...ACTIONS, ...STEPS].join(', ')}.`)
  }
  const actions = ACTIONS.filter((action) => given.has(action))
  if (actions.length !== 1) {
    reader.mistake(keyNode, `An attribute has exactly one action: ${ACTIONS.join(', ')}.`)
    return undefined
  }
  const kind = actions[0]!
  const fold = given.has('fold') ? reader.word<NonNullable<Fold>>(given.get('fold')!, 'fold', ['upper', 'lower']) : undefined
  const action = parseAction(reader, kind, given, fold)
  const from = given.has('from')
    ? parseSource(reader, given.get('from')!, place)
    : kind === 'constant'
      ? NOTHING
      : defaultSource(reader, keyNode, name, place)
  const or = given.has('or') ? parseSource(reader, given.get('or')!, place) : undefined
  const field: Field = {
    name,
    from,
    or,
    absent: given.has('absent') ? parseAbsent(reader, given.get('absent')!, action) : undefined,
    split: given.has('split')
      ? reader.text(given.get('split')!, 'split', /^[^\p{Cc}]{1,8}$/u, 'the separator between the parts, 1 to 8 characters')
      : undefined,
    fold,
    action,
    reason: given.has('reason')
      ? reader.text(given.get('reason')!, 'reason', /^[^\p{Cc}]{3,300}$/u, 'a sentence of 3 to 300 characters on one line')
      : '',
  }
  checkTogether(reader, keyNode, given, field, place)
  return reader.mistakes.length === before ? field : undefined
}

/** What is not on one line of printable characters is not repeated in a sentence. */
const printable = (key: string): string => (/^[\x20-\x7e]{1,40}$/.test(key) ? key : '…')

function defaultSource(reader: YamlReader, keyNode: Node, name: string, place: 'resource' | 'spans'): Source {
  if (place === 'resource')
    reader.mistake(
      keyNode,
      'Under "resource" say where the value comes from, such as from: fact:app.version; the application’s own resource is never used.',
    )
  return { kind: 'attribute', key: name }
}

function parseSource(reader: YamlReader, node: Node, place: 'resource' | 'spans'): Source {
  const text = reader.scalar(node)
  const nothing: Source = { kind: 'text', text: '' }
  if (typeof text !== 'string' || text === '' || Buffer.byteLength(text) > MAX_KEY_BYTES) {
    reader.mistake(node, 'A source is an attribute’s key, fact:NAME, text:WORDS, span:duration or span:status.')
    return nothing
  }
  if (text.startsWith('text:')) return { kind: 'text', text: text.slice(5) }
  if (text.startsWith('fact:')) {
    const name = text.slice(5)
    if (/^[a-z][a-z0-9_.-]{0,127}$/i.test(name)) return { kind: 'fact', name }
    reader.mistake(node, 'The name of a fact is letters, digits, dots, dashes and underscores, such as fact:app.version.')
    return nothing
  }
  if (text.startsWith('resource:')) {
    reader.mistake(node, '"resource:" sources are not carried out by this version of usage-sidecar.')
    return nothing
  }
  if (place === 'resource') {
    reader.mistake(node, 'Under "resource" only fact:NAME and text:WORDS are sources.')
    return nothing
  }
  if (text === 'span:duration' || text === 'span:status') return { kind: 'span', what: text === 'span:duration' ? 'duration' : 'status' }
  if (text.startsWith('span:')) {
    reader.mistake(node, 'Of the span itself there are span:duration and span:status.')
    return nothing
  }
  return { kind: 'attribute', key: text }
}

function parseAction(reader: YamlReader, kind: (typeof ACTIONS)[number], given: Given, fold: Fold): Action {
  const node = given.get(kind)!
  switch (kind) {
    case 'keep':
      return parseKeep(reader, node, given.get('else'), fold)
    case 'buckets': {
      const bounds = reader
        .items(node, 'buckets')
        .map((item) => reader.whole(item, 'A bound', -Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER))
      if (bounds.length === 0 || bounds.length > MAX_BUCKETS) reader.mistake(node, `buckets has 1 to ${MAX_BUCKETS} bounds.`)
      if (bounds.some((bound, i) => i > 0 && bound <= bounds[i - 1]!))
        reader.mistake(node, 'The bounds of buckets ascend, each above the one before.')
      return { kind, bounds }
    }
    case 'version': {
      const level = reader.word<VersionLevel>(node, 'version', ['major', 'minor', 'core'])
      const releases = given.get('releases')
      return { kind, level, releases: releases === undefined ? RELEASES[level] : reader.whole(releases, 'releases', 1, 1_000_000) }
    }
    case 'pseudonym':
      return { kind, period: reader.word<Period>(node, 'pseudonym', ['day', 'month']) }
    case 'constant': {
      const value = reader.scalar(node)
      if (value === undefined || !isSendable(value))
        reader.mistake(node, `constant is a word of at most ${MAX_VALUE_BYTES} bytes, a whole number, true or false.`)
      return { kind, value: value ?? '' }
    }
  }
}

function parseKeep(reader: YamlReader, node: Node, elseNode: Node | undefined, fold: Fold): Action {
  const items = reader.items(node, 'keep')
  if (items.length === 0 || items.length > MAX_KEPT_VALUES) reader.mistake(node, `keep lists 1 to ${MAX_KEPT_VALUES} values.`)
  const values: Scalar[] = []
  for (const item of items.slice(0, MAX_KEPT_VALUES)) {
    const value = reader.scalar(item)
    if (value === undefined || !isSendable(value)) {
      reader.mistake(item, `A kept value is a word of at most ${MAX_VALUE_BYTES} bytes, a whole number, true or false.`)
      continue
    }
    if (values.length > 0 && typeof value !== typeof values[0])
      reader.mistake(item, 'All values of a keep are of one type. Put numbers in quotes to make them words.')
    if (values.includes(value)) reader.mistake(item, 'This value is listed twice.')
    if (typeof value === 'string' && fold !== undefined && value !== folded(value, fold)) {
      reader.mistake(item, `With fold: ${fold} this value can never match; write it as "${folded(value, fold)}".`)
    }
    values.push(value)
  }
  const type = typeof values[0]
  // An attribute has one type on the wire, so only words fold to the word "other".
  let otherwise: Scalar | undefined = type === 'string' ? 'other' : undefined
  if (elseNode !== undefined) {
    const value = reader.scalar(elseNode)
    if (value === 'none') otherwise = undefined
    else if (value === undefined || !isSendable(value) || typeof value !== type)
      reader.mistake(elseNode, 'else is "none", or a value of the same type as the kept ones.')
    else otherwise = value
  }
  return { kind: 'keep', values, otherwise }
}

const folded = (text: string, fold: Fold): string => (fold === 'upper' ? text.toUpperCase() : fold === 'lower' ? text.toLowerCase() : text)

/** Printable, short; integers exact in a double. */
export function isSendable(value: Scalar): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value) && !Object.is(value, -0)
  return typeof value === 'boolean' || (value !== '' && Buffer.byteLength(value) <= MAX_VALUE_BYTES && !/[\p{Cc}\p{Cs}]/u.test(value))
}

/** The type that an action sends; its `absent` and the values of `only` have the same. */
export function sentType(action: Action): 'string' | 'number' | 'boolean' {
  if (action.kind === 'keep') return typeof action.values[0] as 'string' | 'number' | 'boolean'
  if (action.kind === 'constant') return typeof action.value as 'string' | 'number' | 'boolean'
  return action.kind === 'buckets' ? 'number' : 'string'
}

function parseAbsent(reader: YamlReader, node: Node, action: Action): Scalar | undefined {
  const value = reader.scalar(node)
  if (value !== undefined && isSendable(value) && typeof value === sentType(action)) return value
  reader.mistake(node, 'absent is a value of the type that the action sends.')
  return undefined
}

/** Words that do not go together. */
function checkTogether(reader: YamlReader, keyNode: Node, given: Given, field: Field, place: 'resource' | 'spans'): void {
  const { action, from, or } = field
  if (!given.has('reason') && action.kind !== 'constant') reader.mistake(keyNode, 'Say why this is needed: reason: "…".')
  if (given.has('else') && action.kind !== 'keep') reader.mistake(given.get('else')!, 'else goes with keep only.')
  if (given.has('releases') && action.kind !== 'version') reader.mistake(given.get('releases')!, 'releases goes with version only.')
  if (action.kind === 'constant') {
    for (const step of ['from', 'or', 'absent', 'split', 'fold'])
      if (given.has(step)) reader.mistake(given.get(step)!, `A constant takes no ${step}.`)
  }
  const takesText = sentType(action) === 'string'
  for (const step of ['split', 'fold'])
    if (given.has(step) && !takesText) reader.mistake(given.get(step)!, `${step} needs text, and this action takes numbers or booleans.`)
  if (place === 'resource' && given.has('split'))
    reader.mistake(given.get('split')!, 'split makes copies of a span; under "resource" there is none.')
  for (const source of [from, or]) {
    if (source?.kind === 'fact' && source.name === 'instance.id' && action.kind !== 'pseudonym') {
      reader.mistake(keyNode, 'fact:instance.id may only reach pseudonym; as it is it would identify the installation for ever.')
    }
  }
}
