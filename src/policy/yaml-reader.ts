// Reads YAML 1.2 (core schema) with the position of every value and collects all errors. It refuses
// what makes YAML dangerous or surprising: anchors, aliases, merge keys, tags, duplicate keys and
// several documents.
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  type Pair,
  parseDocument,
  type Scalar,
  visit,
  type YAMLMap,
} from 'yaml'

export type { Node }

const MAX_POLICY_BYTES = 1024 * 1024
/** Reports at most this many errors. */
const MAX_ERRORS = 100

/**
 * Sentences for the codes of the parser that people meet; the parser's own messages quote the text.
 */
const PARSE_ERRORS: Record<string, string> = {
  MULTIPLE_DOCS: 'A second document begins here. Put each document into its own file.',
  BAD_INDENT: 'The indentation is wrong here. Indent all names of one map equally.',
  TAB_AS_INDENT: 'A tab is used for indentation. Use spaces.',
  MISSING_CHAR: 'A bracket, a quote or a colon is missing here. Add it.',
}

/**
 * Of the parser's work and memory, both of which grow with the tokens of a file far more than with
 * its bytes.
 */
const MAX_TOKENS = 100_000
/** A policy has three: a map of attributes on one line, an attribute, a list. */
const MAX_NESTING = 16

/** The lexer adds these to say what follows. They are not in the text. */
const MARKER_TOKENS = ['\u0002', '\u0018', '\u001f']

/**
 * Unicode's embeddings, overrides and isolates, and its own ends of lines: with them a text reads
 * as another one than it is.
 */
const INVISIBLE = /[\u2028\u2029\u202a-\u202e\u2066-\u2069]/
const INVISIBLE_ERROR = 'An invisible character reorders the text or ends a line here. Remove it.'

/** Why a file is not even parsed, with its place. */
function reasonNotToParse(text: string): string | undefined {
  // promise: policy-size-bounded
  if (Buffer.byteLength(text) > MAX_POLICY_BYTES)
    return '1:1: The file is larger than 1 MiB. Shorten it.'
  // Invalid UTF-8 was read as this character, so two such words look equal.
  const notUtf8 = text.indexOf('\ufffd')
  if (notUtf8 >= 0)
    return `${positionOf(text, notUtf8)}: This is not UTF-8. Save the file as UTF-8.`
  const unseen = text.search(INVISIBLE)
  if (unseen >= 0) return `${positionOf(text, unseen)}: ${INVISIBLE_ERROR}`
  let tokens = 0
  let nesting = 0
  let at = 0
  for (const token of new Lexer().lex(text)) {
    if (++tokens > MAX_TOKENS)
      return `1:1: The file has more than ${MAX_TOKENS} tokens. Shorten it.`
    if (token === '[' || token === '{') nesting++
    else if (token === ']' || token === '}') nesting--
    if (nesting > MAX_NESTING)
      return `${positionOf(text, at)}: Brackets are nested more than ${MAX_NESTING} deep here. Use fewer levels.`
    if (!MARKER_TOKENS.includes(token)) at += token.length
  }
  return undefined
}

/** A word of the policy language as itself; other names, such as `A key`, as they are. */
const named = (what: string): string => (/^[a-z]/.test(what) ? `\`${what}\`` : what)

/** Keys that are long or not printable are not repeated in an error. */
export const quotable = (key: string): string => (/^[\x20-\x7e]{1,40}$/.test(key) ? key : '…')

function positionOf(text: string, offset: number): string {
  const before = text.slice(0, offset)
  return `${before.split('\n').length}:${offset - before.lastIndexOf('\n')}`
}

export class YamlReader {
  readonly errors: string[] = []
  /** Positions of the parts that were read, for errors that appear only when all is read. */
  readonly nodes = new Map<object, Node>()
  readonly #lines = new LineCounter()
  readonly root: Node | null

  constructor(text: string) {
    const tooMuch = reasonNotToParse(text)
    if (tooMuch !== undefined) {
      this.root = null
      this.errors.push(tooMuch)
      return
    }
    const document = parseDocument(text, {
      version: '1.2',
      schema: 'core',
      merge: false,
      // The parser compares each key with each other one, which takes minutes for a large map; see
      // #keysOnce.
      uniqueKeys: false,
      lineCounter: this.#lines,
      prettyErrors: false,
    })
    // promise: yaml-errors-count
    // promise: yaml-errors-not-repeated
    for (const error of [...document.errors, ...document.warnings])
      this.#report(
        error.pos[0],
        PARSE_ERRORS[error.code] ?? 'This is not YAML. Correct the syntax here.',
      )
    visit(document, {
      Node: (_, node) => {
        if (isMap(node)) this.#keysOnce(node)
        if (isAlias(node)) this.error(node, 'Aliases are not allowed. Write the value out.')
        else if (node.anchor !== undefined)
          this.error(node, 'Anchors are not allowed. Write the value out.')
        else if (node.tag !== undefined) this.error(node, 'Tags are not allowed. Remove this one.')
        // Written as an escape in quotes.
        else if (isScalar(node) && INVISIBLE.test(String(node.value)))
          this.error(node, INVISIBLE_ERROR)
      },
    })
    this.root = this.errors.length > 0 ? null : (document.contents as Node | null)
    if (document.contents === null && this.errors.length === 0)
      this.errors.push('1:1: The file is empty. Start with `apiVersion`.')
  }

  #keysOnce(map: YAMLMap): void {
    const seen = new Set<unknown>()
    for (const { key } of map.items) {
      if (!isScalar(key)) continue
      if (seen.has(key.value))
        this.error(key as Node, 'This key is given twice. Remove one of them.')
      seen.add(key.value)
    }
  }

  error(node: Node | null, sentence: string): void {
    this.#report(node?.range?.[0] ?? 0, sentence)
  }

  #report(offset: number, sentence: string): void {
    if (this.errors.length >= MAX_ERRORS) return
    const error = this.#placed(offset, sentence)
    if (!this.errors.includes(error)) this.errors.push(error)
  }

  /** The sentence with its place, for the caller to tell. */
  positioned(node: Node | null, sentence: string): string {
    return this.#placed(node?.range?.[0] ?? 0, sentence)
  }

  #placed(offset: number, sentence: string): string {
    const { line, col } = this.#lines.linePos(offset)
    return `${Math.max(1, line)}:${Math.max(1, col)}: ${sentence}`
  }

  /** Errors in the order of their places. */
  sorted(): string[] {
    const place = (error: string): [number, number] =>
      error.split(':', 2).map(Number) as [number, number]
    return this.errors.toSorted((a, b) => place(a)[0] - place(b)[0] || place(a)[1] - place(b)[1])
  }

  /**
   * Keys with their values, in order; anything but a map is an error. `undefined` values never
   * occur.
   */
  entries(
    node: Node | null | undefined,
    what: string,
  ): { key: string; keyNode: Node; value: Node }[] {
    if (!isMap(node)) {
      this.error(
        node ?? null,
        `${named(what)} must be a map. Write each name with a colon and a value.`,
      )
      return []
    }
    return (node as YAMLMap<Node, Node | null>).items.flatMap((pair: Pair<Node, Node | null>) => {
      const { key, value } = pair
      if (!isScalar(key) || typeof key.value !== 'string') {
        this.error(key, 'A name must be text. Put it in quotes.')
        return []
      }
      if (value === null) {
        this.error(key, `\`${quotable(key.value)}\` has no value. Write one after the colon.`)
        return []
      }
      return [{ key: key.value, keyNode: key, value }]
    })
  }

  items(node: Node, what: string): Node[] {
    const items = this.list(node)
    if (items === undefined) this.error(node, `${named(what)} must be a list, for example [a, b].`)
    return items ?? []
  }

  /** `undefined` where it is not a list. */
  list(node: Node): Node[] | undefined {
    return isSeq(node) ? (node.items as Node[]) : undefined
  }

  /** The plain value of a scalar; maps, lists and null give `undefined`. */
  scalar(node: Node): string | number | boolean | undefined {
    const value = isScalar(node) ? (node as Scalar).value : undefined
    return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
      ? value
      : undefined
  }

  text(node: Node, what: string, test: RegExp, form: string): string {
    const value = this.scalar(node)
    if (typeof value === 'string' && test.test(value)) return value
    this.error(node, `${named(what)} must be ${form}.`)
    return ''
  }

  word<Word extends string>(node: Node, what: string, words: readonly Word[]): Word {
    const value = this.scalar(node)
    const found = words.find((word) => word === value)
    if (found === undefined)
      this.error(
        node,
        `${named(what)} must be ${words.length === 1 ? '' : 'one of: '}${words.join(', ')}.`,
      )
    return found ?? words[0]!
  }

  integer(node: Node, what: string, min: number, max: number): number {
    const value = this.scalar(node)
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max)
      return value
    this.error(node, `${named(what)} must be a whole number from ${min} to ${max}.`)
    return min
  }

  /** A UTC day, `2027-12-31`. */
  day(node: Node, what: string): string {
    const day = this.text(node, what, /^\d{4}-\d\d-\d\d$/, 'a UTC day, for example 2027-12-31')
    if (day !== '' && new Date(`${day}T00:00:00Z`).toJSON()?.slice(0, 10) !== day)
      this.error(
        node,
        `This day does not exist. ${named(what)} must be a UTC day, for example 2027-12-31.`,
      )
    return day
  }
}
