// Shows that each promise has a test that can fail. It takes away one marked statement of the
// source at a time, in a scratch copy, and runs the test that must notice.
// `npm run mutate [PATTERN]` takes the rows whose id, file or sentence matches. With `-- --changed`
// it takes the rows whose source or test file differs from main.
// Only a named test that fails counts. A file that cannot be parsed, an undefined name or an
// endless loop does not.
import { execFileSync, spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { cp, mkdtemp, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { without } from './change.ts'
import { problemsOf } from './check.ts'
import { type Marked, markedOf } from './marked.ts'
import type { Result } from './reporter.ts'
import type { PlacedRow } from './row.ts'
import { rows as table } from './rows.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const COPIED = [
  'src',
  'test',
  'scripts',
  'deploy',
  'docs',
  'package.json',
  'tsconfig.json',
  'README.md',
]
const AT_ONCE = 2
/** On a busy machine, a greater number lets tests take as many times as long. */
const PATIENCE = Number(process.env.USAGE_TEST_PATIENCE ?? 1)
/** How long a test waits for an event. Nothing comes later because a promise is gone. */
const WAIT_LIMIT_MS = 4_000 * PATIENCE
/** A test that hangs fails before its waits end by themselves. */
const TEST_LIMIT_MS = Math.min(15_000 * PATIENCE, 25_000)
/** A test that never yields is killed a little later. */
const RUN_LIMIT_MS = 30_000 * PATIENCE

interface Work extends PlacedRow {
  marked: Marked
}

const escaped = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')

/**
 * Results of the tests with these names in one file of a copy; `undefined` if they do not end.
 */
async function run(
  copy: string,
  { test, env = {} }: PlacedRow,
  names: readonly string[],
): Promise<Result[] | undefined> {
  const reporter = `--test-reporter=${join(copy, 'test/mutate/reporter.ts')}`
  const limits = ['--test-force-exit', `--test-timeout=${TEST_LIMIT_MS}`]
  const patterns = names.map((name) => `--test-name-pattern=${escaped(name)}`)
  const child = spawn(process.execPath, [reporter, ...limits, ...patterns, join(copy, test)], {
    cwd: copy,
    env: { ...process.env, USAGE_TEST_DEADLINE_MS: String(WAIT_LIMIT_MS), ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: RUN_LIMIT_MS,
    killSignal: 'SIGKILL',
  })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const signal = await new Promise((resolve) => child.once('close', (_, by) => resolve(by)))
  if (signal !== null) return undefined
  const lines = output.split('\n').filter((line) => line.startsWith('{"name":'))
  return lines.map((line) => JSON.parse(line) as Result)
}

/** Why the row proves nothing; `undefined` if a named test noticed. */
async function missed(copy: string, work: Work): Promise<string | undefined> {
  const { marked, change, noticedBy } = work
  const path = join(copy, marked.file)
  await writeFile(path, without(marked, change))
  const results = await run(copy, work, [noticedBy])
  await writeFile(path, marked.source)
  if (results === undefined) return 'the test does not end'
  if (results.some(({ outcome }) => outcome === 'failed')) return undefined
  if (results.length === 0) return 'the test file does not run'
  return results.some(({ outcome }) => outcome === 'broken')
    ? 'the test breaks, but not by what it checks'
    : 'no test notices'
}

async function makeCopy(): Promise<string> {
  const copy = await mkdtemp(join(tmpdir(), 'mutate-'))
  process.once('exit', () => rmSync(copy, { recursive: true, force: true }))
  for (const path of COPIED) await cp(join(ROOT, path), join(copy, path), { recursive: true })
  await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

/** Does `work` with every item, in each copy one after the other. */
async function inCopies<T>(
  copies: readonly string[],
  items: readonly T[],
  work: (copy: string, item: T) => Promise<void>,
): Promise<void> {
  const rest = items.values()
  const inOne = async (copy: string): Promise<void> => {
    for (const item of rest) await work(copy, item)
  }
  await Promise.all(copies.map(inOne))
}

/** Rows that one run can serve: those with the same test file and environment. */
function byRun(rows: readonly Work[]): Work[][] {
  const runs = new Map<string, Work[]>()
  for (const row of rows) {
    const key = JSON.stringify([row.test, row.env])
    runs.set(key, [...(runs.get(key) ?? []), row])
  }
  return [...runs.values()]
}

/** The files that differ from main, committed or not, from the root of the repository. */
function changedFiles(): Set<string> {
  const git = (...args: string[]): string =>
    execFileSync('git', args, { cwd: ROOT, encoding: 'utf8' })
  const base = git('merge-base', 'main', 'HEAD').trim()
  const lists = [
    git('diff', '--name-only', base),
    git('ls-files', '--others', '--exclude-standard'),
  ]
  return new Set(lists.flatMap((list) => list.split('\n')))
}

function chosen(all: readonly Work[], args: readonly string[]): Work[] {
  const pattern = new RegExp(args.find((arg) => !arg.startsWith('--')) ?? '', 'i')
  const changed = args.includes('--changed') ? changedFiles() : undefined
  return all.filter(
    ({ id, keeps, test, marked: { file } }) =>
      [id, keeps, file].some((text) => pattern.test(text)) &&
      (changed === undefined || changed.has(file) || changed.has(test)),
  )
}

/** The rows whose test fails although nothing is taken away. */
async function failingBefore(
  copies: readonly string[],
  rows: readonly Work[],
): Promise<ReadonlySet<Work>> {
  const failing = new Set<Work>()
  await inCopies(copies, byRun(rows), async (copy, those) => {
    const names = [...new Set(those.map(({ noticedBy }) => noticedBy))]
    const results = (await run(copy, those[0]!, names)) ?? []
    for (const row of those) {
      const mine = results.filter(({ name }) => name.includes(row.noticedBy))
      if (mine.length === 0 || mine.some(({ outcome }) => outcome !== 'passed')) failing.add(row)
    }
  })
  return failing
}

async function main(args: readonly string[]): Promise<boolean> {
  const marked = await markedOf(ROOT)
  const problems = problemsOf(ROOT, table, marked)
  if (problems.length > 0) throw new Error(problems.join('\n'))
  const rows = chosen(
    table.map((row) => ({ ...row, marked: marked.get(row.id)! })),
    args,
  )
  if (rows.length === 0) {
    console.log('No row is chosen.')
    return args.includes('--changed')
  }
  const copies = await Promise.all(Array.from({ length: AT_ONCE }, makeCopy))
  const failing = await failingBefore(copies, rows)
  const missing: string[] = []
  await inCopies(copies, rows, async (copy, row) => {
    const began = performance.now()
    const why = failing.has(row)
      ? 'the test fails before anything is taken away'
      : await missed(copy, row)
    const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(5)
    console.log(
      `${seconds} s  ${why === undefined ? 'noticed' : 'MISSED '}  ${row.id}: ${row.keeps}`,
    )
    if (why !== undefined)
      missing.push(
        `${row.id} in ${row.marked.file}: ${row.keeps}\n    ${why}: ${row.test} "${row.noticedBy}"`,
      )
  })
  if (missing.length > 0) console.log(`\nMissing tests:\n  ${missing.join('\n  ')}\n`)
  console.log(`${rows.length - missing.length} of ${rows.length} rows noticed`)
  return missing.length === 0
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
try {
  process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
