// What the structure test measures in a file: its functions, and its lines that could be shorter.
import { childrenOf, parse, type Syntax } from '../mutate/marked.ts'

export interface FunctionSize {
  name: string
  lines: number
}

interface Named {
  id?: { name?: string } | null
  key?: { name?: string }
  callee?: { name?: string; property?: { name?: string } }
}

const FUNCTIONS = new Set(['FunctionDeclaration', 'FunctionExpression', 'ArrowFunctionExpression'])
const TEXTS = new Set(['Literal', 'TemplateLiteral'])

/** The name that a node gives to a function in it. */
function nameGivenBy(node: Syntax): string | undefined {
  const { id, key, callee } = node as Syntax & Named
  const called = callee?.name ?? callee?.property?.name
  return id?.name ?? key?.name ?? (called === undefined ? undefined : `callback of ${called}`)
}

/** Calls `visit` for each node, with the name of what it is part of. */
function walk(
  node: Syntax,
  visit: (node: Syntax, name: string, parent: Syntax) => void,
  name = 'default',
  parent = node,
): void {
  visit(node, name, parent)
  const given = nameGivenBy(node) ?? name
  for (const child of childrenOf(node)) walk(child, visit, given, node)
}

/** The functions of a file. The callback of `describe` is a heading and not one of them. */
export function functionsIn(file: string, source: string): FunctionSize[] {
  const found: FunctionSize[] = []
  walk(parse(file, source).program, (node, name, parent) => {
    if (!FUNCTIONS.has(node.type) || nameGivenBy(parent) === 'callback of describe') return
    const lines = source.slice(node.start, node.end).split('\n').length
    found.push({ name: nameGivenBy(node) ?? name, lines })
  })
  return found
}

/**
 * The numbers of the lines with more than `most` characters without the texts in them: a formatter
 * breaks no text.
 */
export function longLinesIn(file: string, source: string, most: number): number[] {
  const lines = source.split('\n')
  if (!lines.some((line) => line.length > most)) return []
  const isText = new Uint8Array(source.length)
  walk(parse(file, source).program, ({ type, start, end }) => {
    if (TEXTS.has(type)) isText.fill(1, start, end)
  })
  const found: number[] = []
  let start = 0
  for (const [index, line] of lines.entries()) {
    if (line.length > most) {
      const texts = isText.subarray(start, start + line.length).reduce((sum, one) => sum + one, 0)
      if (line.length - texts > most) found.push(index + 1)
    }
    start += line.length + 1
  }
  return found
}
