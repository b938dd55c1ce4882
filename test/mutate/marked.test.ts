// Markers are found by what follows them, so a rename, a move or another format loses none.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { transform } from 'esbuild'
import { without } from './change.ts'
import { type Marked, markedIn, markedOf } from './marked.ts'
import { rows } from './rows.ts'

const ROOT = join(import.meta.dirname, '../..')
const textOf = ({ source, node }: Marked): string => source.slice(node.start, node.end)
const textsIn = (source: string): string[] => markedIn('src/a.ts', source).map(textOf)

function repository(t: TestContext, files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), 'marked-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, file)), { recursive: true })
    writeFileSync(join(root, file), text)
  }
  return root
}

test('a marker belongs to the whole statement, property or member behind it', () => {
  assert.deepEqual(textsIn('a()\n// promise: x\nif (b) c()\nelse d()\ne()'), [
    'if (b) c()\nelse d()',
  ])
  assert.deepEqual(textsIn('const a = {\n  b: 1,\n  // promise: x\n  c: d(2),\n}'), ['c: d(2)'])
  assert.deepEqual(textsIn('class A {\n  // promise: x\n  b(): void {}\n}'), ['b(): void {}'])
  assert.deepEqual(textsIn('const a = [\n  1,\n  // promise: x\n  ...b,\n]'), ['...b'])
  assert.deepEqual(textsIn('// promise: x\nexport const a = 1'), ['export const a = 1'])
})

test('other comments, and other markers, may stand between a marker and its statement', () => {
  const source = '// promise: x\n// Why.\n// promise: y\n/** What. */\nf()'
  assert.deepEqual(textsIn(source), ['f()', 'f()'])
  assert.deepEqual(
    markedIn('src/a.ts', source).map(({ id }) => id),
    ['x', 'y'],
  )
})

test('places are right behind characters of more than one byte', () => {
  assert.deepEqual(textsIn("const a = '’😀'\n// promise: x\nf()"), ['f()'])
})

test('a text that only looks like a marker is none', () => {
  assert.deepEqual(textsIn("const a = '// promise: x'\nf() // a promise: it comes later"), [])
})

test('a malformed marker, and one without a statement, is named with its line', () => {
  assert.throws(
    () => textsIn('a()\n// promise: Two words\nf()'),
    /src\/a\.ts:2: write the marker as/,
  )
  assert.throws(
    () => textsIn('function a() {\n  b()\n  // promise: last\n}'),
    /src\/a\.ts:3: put `\/\/ promise: last` directly before a statement/,
  )
})

test('an id that stands in two places is named with both files', async (t) => {
  const file = '// promise: same\nf()\n'
  const root = repository(t, { 'src/a.ts': file, 'src/b/c.ts': file })
  await assert.rejects(
    markedOf(root),
    /promise: same` stands in src\/a\.ts and again in src\/b\/c\.ts/,
  )
})

test('every row takes away the same after a move and in another format', async (t) => {
  const root = repository(t, {})
  cpSync(join(ROOT, 'src'), join(root, 'src/moved'), { recursive: true })
  const biome = join(ROOT, 'node_modules/@biomejs/biome/bin/biome')
  const style = ['--indent-style=tab', '--line-width=60', '--semicolons=always']
  const commas = '--trailing-commas=none'
  execFileSync(process.execPath, [biome, 'format', '--write', ...style, commas, 'src'], {
    cwd: root,
    stdio: 'ignore',
  })
  const [marked, moved] = [await markedOf(ROOT), await markedOf(root)]
  const bare = async (text: string): Promise<string> =>
    (await transform(text, { loader: 'ts', minifyWhitespace: true, minifySyntax: true })).code
  for (const { id, change } of rows) {
    const [here, there] = [marked.get(id)!, moved.get(id)!]
    assert.notEqual(here.source, there.source, id)
    assert.equal(there.file, here.file.replace('src/', 'src/moved/'))
    assert.equal(await bare(without(there, change)), await bare(without(here, change)), id)
  }
})

test('each file of rows is in the table', async () => {
  const files = readdirSync(join(import.meta.dirname, 'rows'))
  const listed = await Promise.all(
    files.map(async (file) => Object.values((await import(`./rows/${file}`)) as object)),
  )
  const ids = listed.flat().flatMap(({ rows: byTest }) => Object.values(byTest as object))
  assert.deepEqual(
    ids.flatMap((those) => Object.keys(those as object)).toSorted(),
    rows.map(({ id }) => id).toSorted(),
  )
})
