// What does not fit in the mutation table is named, before a test runs.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { problemsOf } from './check.ts'
import { type Marked, markedIn } from './marked.ts'
import type { PlacedRow } from './row.ts'

const ROW: PlacedRow = {
  id: 'x',
  promise: 1,
  test: 'a.test.ts',
  keeps: 'X holds.',
  change: 'delete',
  noticedBy: 'keeps x',
}
const TESTS = `
test('keeps x', () => undefined)
test(\`keeps \${what} of the day\`, () => undefined)
`

function problems(t: TestContext, rows: readonly PlacedRow[], source: string): string[] {
  const root = mkdtempSync(join(tmpdir(), 'check-'))
  t.after(() => rmSync(root, { recursive: true, force: true }))
  writeFileSync(join(root, 'a.test.ts'), TESTS)
  const marked = new Map<string, Marked>(
    markedIn('src/a.ts', source).map((one) => [one.id, one] as const),
  )
  return problemsOf(root, rows, marked)
}

test('a table that fits has no problem', (t) => {
  assert.deepEqual(problems(t, [ROW], '// promise: x\nf()'), [])
})

test('a missing marker is named', (t) => {
  const [problem, ...others] = problems(t, [ROW], 'f()')
  assert.match(problem!, /^x: put `\/\/ promise: x` before the statement/)
  assert.deepEqual(others, [])
})

test('a marker without a row, and an id of two rows, is named', (t) => {
  assert.deepEqual(problems(t, [], '// promise: x\nf()'), [
    'src/a.ts: `// promise: x` has no row in test/mutate/rows/.',
  ])
  assert.deepEqual(problems(t, [ROW, ROW], '// promise: x\nf()'), ['x: two rows have this id.'])
})

test('a change that does not fit is named', (t) => {
  const row = { ...ROW, change: { condition: true } }
  assert.match(problems(t, [row], '// promise: x\nf()').join(), /does not fit the code at/)
})

test('a test file or a name that does not exist is named', (t) => {
  const problem = (changes: Partial<PlacedRow>): string =>
    problems(t, [{ ...ROW, ...changes }], '// promise: x\nf()').join()
  assert.equal(problem({ test: 'b.test.ts' }), 'x: the test file b.test.ts does not exist.')
  assert.equal(
    problem({ noticedBy: 'keeps y' }),
    'x: a.test.ts has no test with "keeps y" in its name.',
  )
  assert.equal(problem({ noticedBy: 'keeps pseudonyms of the day' }), '')
  assert.equal(problem({ noticedBy: 'pseudonyms of the day' }), '')
})
