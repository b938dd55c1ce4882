// The structure of the code, held as data: who may import whom, no cycles, nothing long, and a
// first comment in each file of src.
import assert from 'node:assert/strict'
import { globSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { test } from 'node:test'
import { problemsOf } from '../mutate/check.ts'
import { markedOf } from '../mutate/marked.ts'
import { rows } from '../mutate/rows.ts'
import { functionsIn, longLinesIn } from './code-size.ts'
import { LONG_FILES, LONG_FUNCTIONS } from './long-code.ts'

const SRC = new URL('../../src/', import.meta.url).pathname
/** Folder: the folders that it may import besides itself and support. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  support: [],
  net: [],
  otlp: [],
  policy: [],
  consent: [],
  identity: [],
  queue: [],
  inject: [],
  page: ['net'],
  datasheet: ['net', 'policy'],
  anonymize: ['policy', 'otlp'],
  enrich: ['policy', 'anonymize', 'otlp'],
  send: ['queue', 'consent'],
  accept: ['net', 'otlp'],
  facts: ['policy', 'anonymize', 'otlp'],
  collect: ['net', 'otlp'],
}
/** What wires the folders: the sidecar, and the commands. */
const WIRING = ['sidecar', 'cli', 'main.ts']
const FORBIDDEN_NAMES = /^(index|utils?|common|helpers?|misc)(\.ts)?$/
const MAX_LINES = 400
const MAX_FUNCTION_LINES = 60
const MAX_LINE_LENGTH = 100
const MAX_ROWS = 200

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('.ts'),
)
const imports = new Map(files.map((file) => [file, importsOf(file)]))

/** All code that people write: from the root of the repository, with its text. */
const code = new Map(
  globSync('{src,test,scripts}/**/*.ts', { cwd: join(SRC, '..') })
    .filter((file) => !file.includes('otlp-generated/'))
    .toSorted()
    .map((file) => [file, readFileSync(join(SRC, '..', file), 'utf8')]),
)

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8')
  const found = [...text.matchAll(/(?:from\s+|import\(\s*|import\s+)'(\.[^']+)'/g)].map(
    (match) => match[1]!,
  )
  return found.map((target) => relative(SRC, join(SRC, dirname(file), target)))
}

const folderOf = (file: string): string => file.split('/')[0]!

test('folders import only what the table allows', () => {
  const wrong: string[] = []
  for (const [file, targets] of imports) {
    const folder = folderOf(file)
    if (WIRING.includes(folder)) continue
    const allowed = [folder, 'support', ...(MAY_IMPORT[folder] ?? [])]
    for (const target of targets)
      if (!allowed.includes(folderOf(target))) wrong.push(`${file} may not import ${target}`)
  }
  assert.deepEqual(wrong, [])
})

test('every folder of src is in the table', () => {
  const known = [...Object.keys(MAY_IMPORT), ...WIRING]
  assert.deepEqual(
    [...new Set(files.map(folderOf))].filter((folder) => !known.includes(folder)),
    [],
  )
})

test('imports have no cycle', () => {
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    assert.ok(!path.includes(file), `cycle: ${[...path, file].join(' -> ')}`)
    if (done.has(file)) return
    for (const target of imports.get(file) ?? []) visit(target, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
})

test('files are named for what they are and open with what they promise', () => {
  for (const file of files) {
    const text = readFileSync(join(SRC, file), 'utf8')
    assert.ok(text.replace(/^#!.*\n/, '').startsWith('// '), `${file} does not open with a comment`)
    for (const part of file.split('/')) assert.doesNotMatch(part, FORBIDDEN_NAMES, file)
  }
})

test('only main.ts touches process', () => {
  for (const file of files) {
    if (file === 'main.ts') continue
    const text = readFileSync(join(SRC, file), 'utf8').replace(/\/\/.*$|\/\*[\s\S]*?\*\//gm, '')
    assert.doesNotMatch(text, /(?<!['\w])process\.|from 'node:process'/, `${file} touches process`)
  }
})

test('only send opens outgoing connections in the sidecar', () => {
  // The demo asks the collector's page for its counts; it is not part of `run`.
  const outside =
    /\bfetch\(|\bhttps?Request\b|\brequest as |from 'node:(https|tls|dgram|dns)'|\bconnect\(|createConnection/
  const opening = files.filter((file) =>
    outside.test(readFileSync(join(SRC, file), 'utf8').replace(/\/\/.*$/gm, '')),
  )
  assert.deepEqual(
    [...new Set(opening.filter((file) => file !== 'cli/demo.ts').map(folderOf))],
    ['send'],
  )
})

test('only the html tag writes markup', () => {
  const markup = /(?<!html)[`'"]<\/?[a-z!]/
  for (const file of files.filter((file) => file !== 'net/html.ts')) {
    const lines = readFileSync(join(SRC, file), 'utf8')
      .replace(/\/\/.*$/gm, '')
      .split('\n')
    assert.deepEqual(
      lines.filter((line) => markup.test(line)),
      [],
      file,
    )
  }
})

test('no comment suppresses a check', () => {
  for (const [file, text] of code)
    assert.doesNotMatch(
      text,
      /@ts-(ignore|expect-error|nocheck)|(biome|lint)-(ignore|disable)/,
      file,
    )
})

/** Fails for what is too long, and for an exception that is no longer one. */
function assertOnlyExceptions(found: readonly string[], exceptions: readonly string[]): void {
  assert.deepEqual(
    found.filter((one) => !exceptions.includes(one)),
    [],
    'Split these. The limits are in this file.',
  )
  assert.deepEqual(
    exceptions.filter((one) => !found.includes(one)),
    [],
    'Remove these from long-code.ts. They are short now.',
  )
}

test(`files have at most ${MAX_LINES} lines`, () => {
  const found = [...code].filter(([, text]) => text.split('\n').length - 1 > MAX_LINES)
  assertOnlyExceptions(
    found.map(([file]) => file),
    LONG_FILES,
  )
})

test(`functions have at most ${MAX_FUNCTION_LINES} lines`, () => {
  const found = [...code].flatMap(([file, text]) =>
    (text.split('\n').length > MAX_FUNCTION_LINES ? functionsIn(file, text) : [])
      .filter(({ lines }) => lines > MAX_FUNCTION_LINES)
      .map(({ name }) => `${file} ${name}`),
  )
  assertOnlyExceptions([...new Set(found)], LONG_FUNCTIONS)
})

test(`lines have at most ${MAX_LINE_LENGTH} characters besides a text`, () => {
  const found = [...code].flatMap(([file, text]) =>
    longLinesIn(file, text, MAX_LINE_LENGTH).map((line) => `${file}:${line}`),
  )
  assert.deepEqual(found, [])
})

test('every promise of the mutation table has one marker, a change that fits and a test', async () => {
  const root = join(SRC, '..')
  assert.deepEqual(problemsOf(root, rows, await markedOf(root)), [])
  assert.ok(rows.length <= MAX_ROWS, `the table has ${rows.length} rows; ${MAX_ROWS} is the limit`)
})
