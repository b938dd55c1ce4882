// Finds the statements that keep a promise. A comment `// promise: ID` stands directly before each
// of them, so a rename, a move or another format changes nothing.

import { globSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseSync } from 'oxc-parser'

export interface Syntax {
  type: string
  start: number
  end: number
}

/** The code behind one marker. */
export interface Marked {
  id: string
  /** From the root of the repository. */
  file: string
  source: string
  node: Syntax
  /** What the node is part of. */
  parent: Syntax
}

const MARKER = /^\s*promise:(.*)$/
const ID = /^ [a-z0-9]+(-[a-z0-9]+)*$/

/** Throws where the text is not TypeScript. */
export function parse(
  file: string,
  source: string,
): { program: Syntax; comments: readonly { value: string; start: number; end: number }[] } {
  const { program, comments, errors } = parseSync(file, source)
  if (errors.length > 0) throw new Error(`${file} cannot be parsed: ${errors[0]!.message}`)
  return { program, comments }
}

export const isSyntax = (value: unknown): value is Syntax =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as Syntax).type === 'string' &&
  'start' in value

export function childrenOf(node: Syntax): Syntax[] {
  return Object.values(node).flat().filter(isSyntax)
}

/** The outermost node that begins at this place, and its parent. */
function nodeAt(program: Syntax, place: number): { node: Syntax; parent: Syntax } | undefined {
  let parent = program
  for (;;) {
    const within = childrenOf(parent).filter(({ start, end }) => start <= place && place < end)
    const node = within.find(({ start }) => start === place)
    if (node !== undefined) return { node, parent }
    const next = within[0]
    if (next === undefined) return undefined
    parent = next
  }
}

/** All markers of a file in order; throws if one is malformed or no statement follows it. */
export function markedIn(file: string, source: string): Marked[] {
  if (!source.includes('promise:')) return []
  const { program, comments } = parse(file, source)
  const behind = new Map(comments.map(({ start, end }) => [start, end]))
  return comments.flatMap(({ value, end }) => {
    const rest = MARKER.exec(value)?.[1]
    if (rest === undefined) return []
    const line = source.slice(0, end).split('\n').length
    if (!ID.test(rest))
      throw new Error(`${file}:${line}: write the marker as \`// promise: some-id\`.`)
    let place = end
    for (;;) {
      while (/\s/.test(source[place] ?? '')) place++
      const next = behind.get(place)
      if (next === undefined) break
      place = next
    }
    const found = nodeAt(program, place)
    if (found === undefined)
      throw new Error(`${file}:${line}: put \`// promise:${rest}\` directly before a statement.`)
    return [{ id: rest.trim(), file, source, ...found }]
  })
}

/** Every marker of `src/`, by its id; throws where two have the same. */
export async function markedOf(root: string): Promise<Map<string, Marked>> {
  const marked = new Map<string, Marked>()
  for (const file of globSync('src/**/*.ts', { cwd: root }).toSorted())
    for (const one of markedIn(file, await readFile(join(root, file), 'utf8'))) {
      const other = marked.get(one.id)
      if (other !== undefined)
        throw new Error(
          `\`// promise: ${one.id}\` stands in ${other.file} and again in ${one.file}. Rename one.`,
        )
      marked.set(one.id, one)
    }
  return marked
}
