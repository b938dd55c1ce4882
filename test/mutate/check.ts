// Whether table, markers and tests fit each other: each marker has one row, each row has one
// marker that its change fits, and a test with its name exists.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { without } from './change.ts'
import { childrenOf, type Marked, parse, type Syntax } from './marked.ts'
import type { PlacedRow } from './row.ts'

/** The texts of a file that could be the name of a test: fixed parts, with a gap between them. */
function textsIn(node: Syntax): string[][] {
  const { type, value, quasis } = node as Syntax & {
    value?: unknown
    quasis?: readonly { value: { cooked: string } }[]
  }
  const inside = childrenOf(node).flatMap(textsIn)
  if (type === 'Literal' && typeof value === 'string') return [[value], ...inside]
  if (type === 'TemplateLiteral' && quasis !== undefined)
    return [quasis.map((quasi) => quasi.value.cooked), ...inside]
  return inside
}

/** So much of a name has to stand in the file, if the rest is put in when the test runs. */
const KNOWN_LETTERS = 7

function canHold(texts: readonly string[], name: string): boolean {
  if (texts.some((text) => text.includes(name))) return true
  if (texts.length === 1) return false
  return texts.some((text, i) => {
    const isKnown = (length: number, part: (letters: number) => boolean): boolean =>
      Array.from({ length: Math.max(0, length - KNOWN_LETTERS + 1) }).some((_, more) =>
        part(KNOWN_LETTERS + more),
      )
    const length = Math.min(text.length, name.length)
    const begins = i < texts.length - 1 && isKnown(length, (n) => text.endsWith(name.slice(0, n)))
    const ends = i > 0 && isKnown(length, (n) => text.startsWith(name.slice(-n)))
    return begins || ends || (text.length >= KNOWN_LETTERS && name.includes(text))
  })
}

function testProblem(
  { id, test, noticedBy }: PlacedRow,
  texts: (file: string) => string[][] | undefined,
): string[] {
  const those = texts(test)
  if (those === undefined) return [`${id}: the test file ${test} does not exist.`]
  if (those.some((parts) => canHold(parts, noticedBy))) return []
  return [`${id}: ${test} has no test with "${noticedBy}" in its name.`]
}

/** Every error of table and markers as a sentence that says what to do. */
export function problemsOf(
  root: string,
  rows: readonly PlacedRow[],
  marked: ReadonlyMap<string, Marked>,
): string[] {
  const known = new Map<string, string[][] | undefined>()
  const texts = (file: string): string[][] | undefined => {
    const path = join(root, file)
    if (!known.has(file))
      known.set(
        file,
        existsSync(path) ? textsIn(parse(file, readFileSync(path, 'utf8')).program) : undefined,
      )
    return known.get(file)
  }
  const ids = rows.map(({ id }) => id)
  const twice = ids.filter((id, i) => ids.indexOf(id) !== i)
  const unused = [...marked.values()].filter(({ id }) => !ids.includes(id))
  return [
    ...twice.map((id) => `${id}: two rows have this id.`),
    ...unused.map(
      ({ id, file }) => `${file}: \`// promise: ${id}\` has no row in test/mutate/rows/.`,
    ),
    ...rows.flatMap((row) => {
      const one = marked.get(row.id)
      if (one === undefined)
        return [
          `${row.id}: put \`// promise: ${row.id}\` before the statement in src that keeps it.`,
        ]
      return [...changeProblem(one, row), ...testProblem(row, texts)]
    }),
  ]
}

function changeProblem(one: Marked, { change }: PlacedRow): string[] {
  try {
    without(one, change)
    return []
  } catch (error) {
    return [(error as Error).message]
  }
}
