// The ways in which a promise is taken away. Each works on the syntax of the marked statement.
import { childrenOf, type Marked, parse, type Syntax } from './marked.ts'

export type Change =
  /** The statement, property, class member or list item is removed. */
  | 'delete'
  /** The first condition (of `if`, `?:` or a loop) becomes this constant. */
  | { condition: boolean }
  /** The first chain of `&&`, `||` or `??` loses this operand, counted from 1. */
  | { withoutOperand: number }
  /** The first call is replaced by this one of its arguments, counted from 1. */
  | { argument: number }
  /** The first value becomes this: initial, returned, assigned, of a property, or an expression. */
  | { value: string }
  /**
   * The exception: a text that occurs once in the statement becomes another. White space, quotes,
   * semicolons and trailing commas do not count. `$1` stands for a string or a name, with its
   * members, and is the same wherever it occurs. */
  | { replace: string; by: string }

interface Edit {
  start: number
  end: number
  by: string
}

type Node = Syntax & Readonly<Record<string, unknown>>

/** The first node, from outside in and from left to right, of which `pick` makes something. */
function first<T>(node: Syntax, pick: (node: Node) => T | undefined): T | undefined {
  const found = pick(node as Node)
  if (found !== undefined) return found
  for (const child of childrenOf(node).toSorted((a, b) => a.start - b.start)) {
    const inside = first(child, pick)
    if (inside !== undefined) return inside
  }
  return undefined
}

/** A list item goes with the comma behind it. */
function deleted({ source, node, parent }: Marked): Edit {
  const isStatement = /Statement$|Declaration$/.test(node.type)
  if (isStatement || parent.type === 'ClassBody')
    return { start: node.start, end: node.end, by: isStatement ? ';' : '' }
  const comma = /^\s*,/.exec(source.slice(node.end))?.[0].length ?? 0
  return { start: node.start, end: node.end + comma, by: '' }
}

function chainOf(node: Node, operator: unknown): Syntax[] {
  if (node.type !== 'LogicalExpression' || node.operator !== operator) return [node]
  return [...chainOf(node.left as Node, operator), ...chainOf(node.right as Node, operator)]
}

function withoutOperand({ node }: Marked, number: number): Edit | undefined {
  const chain =
    first(node, (one) =>
      one.type === 'LogicalExpression' ? chainOf(one, one.operator) : undefined,
    ) ?? []
  const [before, operand, after] = [chain[number - 2], chain[number - 1], chain[number]]
  if (operand === undefined) return undefined
  if (after !== undefined) return { start: operand.start, end: after.start, by: '' }
  return before && { start: before.end, end: operand.end, by: '' }
}

function argument({ source, node }: Marked, number: number): Edit | undefined {
  const call = first(node, (one) => (one.type === 'CallExpression' ? one : undefined))
  const given = (call?.arguments as Syntax[] | undefined)?.[number - 1]
  return (
    call && given && { start: call.start, end: call.end, by: source.slice(given.start, given.end) }
  )
}

const VALUES: Readonly<Record<string, string>> = {
  VariableDeclarator: 'init',
  ReturnStatement: 'argument',
  AssignmentExpression: 'right',
  Property: 'value',
  PropertyDefinition: 'value',
  ExpressionStatement: 'expression',
}

function value({ node }: Marked, by: string): Edit | undefined {
  const found = first(node, (one): Syntax | undefined => {
    if (one.type === 'ArrowFunctionExpression' && one.expression === true) return one.body as Syntax
    // An assignment stands in an expression statement, but what it assigns is meant.
    if (
      one.type === 'ExpressionStatement' &&
      (one.expression as Node).type === 'AssignmentExpression'
    )
      return undefined
    const key = VALUES[one.type]
    return key === undefined ? undefined : ((one[key] as Syntax | null) ?? undefined)
  })
  return found && { start: found.start, end: found.end, by }
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')

const TOKEN = /[\w$]+|'(?:[^'\\]|\\.)*'|`[^`]*`|\S/g

/** What `$1` stands for: a string, or a name with its members and indexes. */
const SOMETHING = String.raw`'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|#?[\w$]+(?:\s*\??\.#?[\w$]+|\[[\w$.]+\])*`

/** The tokens in any format. */
function patternOf(tokens: readonly string[]): RegExp {
  const parts = tokens.map((token, i) => {
    if (/^\$\d$/.test(token))
      return tokens.indexOf(token) < i ? `\\k<_${token[1]}>` : `(?<_${token[1]}>${SOMETHING})`
    if (/^[)\]}]$/.test(token)) return `,?\\s*${escaped(token)}`
    return /^'.*'$/.test(token) ? `['"]${escaped(token.slice(1, -1))}['"]` : escaped(token)
  })
  return new RegExp(parts.join('[\\s;]*'), 'g')
}

function replaced({ source, node }: Marked, text: string, by: string): Edit | undefined {
  const pattern = patternOf(text.match(TOKEN) ?? [])
  const [found, ...others] = source.slice(node.start, node.end).matchAll(pattern)
  if (found === undefined || others.length > 0) return undefined
  const start = node.start + found.index
  const names = found.groups ?? {}
  return {
    start,
    end: start + found[0].length,
    by: by.replace(/\$(\d)/g, (_, number: string) => names[`_${number}`] ?? ''),
  }
}

function editOf(marked: Marked, change: Change): Edit | undefined {
  if (change === 'delete') return deleted(marked)
  if ('condition' in change) {
    const test = first(marked.node, (one) => one.test as Syntax | null | undefined)
    return test ? { start: test.start, end: test.end, by: String(change.condition) } : undefined
  }
  if ('withoutOperand' in change) return withoutOperand(marked, change.withoutOperand)
  if ('argument' in change) return argument(marked, change.argument)
  if ('value' in change) return value(marked, change.value)
  return replaced(marked, change.replace, change.by)
}

/** The whole file without the promise; throws where the change does not fit the marked code. */
export function without(marked: Marked, change: Change): string {
  const { id, file, source } = marked
  const edit = editOf(marked, change)
  if (edit === undefined)
    throw new Error(
      `${file}: ${JSON.stringify(change)} does not fit the code at \`// promise: ${id}\`.`,
    )
  const result = `${source.slice(0, edit.start)}${edit.by}${source.slice(edit.end)}`
  parse(file, result)
  return result
}
