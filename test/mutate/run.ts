// Shows that each promise has a test that can fail: takes away one guarded piece of the source at a
// time, in a scratch copy, and runs the test that must notice. `node test/mutate/run.ts [PATTERN]`
// takes those whose file or promise matches. Noticed is what makes a named test fail: not a file
// that no longer parses, an undefined name, or a loop without end.
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { cp, mkdtemp, readFile, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { transform } from 'esbuild'
import type { Guard, Witness } from './guard.ts'
import { guards as tables } from './guards.ts'
import type { Result } from './reporter.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const COPIED = ['src', 'test', 'deploy', 'package.json', 'tsconfig.json', 'README.md']
const AT_ONCE = 2
/**
 * On a machine that has much else to do, a greater number lets tests take as many times as long.
 */
const PATIENCE = Number(process.env.USAGE_TEST_PATIENCE ?? 1)
/** For what tests wait for: nothing comes later because a guard is gone. */
const WAIT_LIMIT_MS = 4_000 * PATIENCE
/**
 * A test that hangs fails, before what it waits for ends by itself; one that never lets go of the
 * thread is ended a little later.
 */
const TEST_LIMIT_MS = Math.min(15_000 * PATIENCE, 25_000)
const RUN_LIMIT_MS = 30_000 * PATIENCE

/** A guard and the file that it is in, from the root of the repository. */
type Placed = Guard & { file: string }

/**
 * Results of the tests with these names of one file in a copy of the repository; `undefined` where
 * they came to no end.
 */
async function run(
  copy: string,
  { test, env = {} }: Witness,
  names: readonly string[],
): Promise<Result[] | undefined> {
  const reporter = `--test-reporter=${join(copy, 'test/mutate/reporter.ts')}`
  const limits = ['--test-force-exit', `--test-timeout=${TEST_LIMIT_MS}`]
  const patterns = names.map((name) => `--test-name-pattern=${name}`)
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

/** The file as it is and without the guarded text; throws where the table does not fit it. */
async function mutate(
  root: string,
  { file, text, instead = '' }: Placed,
): Promise<{ source: string; without: string }> {
  const source = await readFile(join(root, file), 'utf8')
  const pieces = source.split(text)
  if (pieces.length !== 2)
    throw new Error(`${file}: this stands there ${pieces.length - 1} times, not once:\n${text}`)
  const without = pieces.join(instead)
  await transform(without, { loader: 'ts' }).catch(() => {
    throw new Error(`${file} does not parse without this:\n${text}`)
  })
  return { source, without }
}

/** Why the guard is none; `undefined` where a named test noticed. */
async function missed(copy: string, guard: Placed): Promise<string | undefined> {
  const path = join(copy, guard.file)
  const { source, without } = await mutate(copy, guard)
  await writeFile(path, without)
  const results = await run(copy, guard.noticed, [guard.noticed.name])
  await writeFile(path, source)
  if (results === undefined) return 'the test comes to no end'
  if (results.some(({ outcome }) => outcome === 'failed')) return undefined
  if (results.length === 0) return 'the test file does not run'
  return results.some(({ outcome }) => outcome === 'broken')
    ? 'the test breaks, but not by what it checks'
    : 'nobody notices'
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

/** The witnesses that one run can hear: those in one file with one environment. */
function byFile(guards: readonly Placed[]): Witness[][] {
  const files = new Map<string, Witness[]>()
  for (const { noticed } of guards) {
    const key = JSON.stringify([noticed.test, noticed.env])
    files.set(key, [...(files.get(key) ?? []), noticed])
  }
  return [...files.values()]
}

async function main(pattern: RegExp): Promise<boolean> {
  const all = tables.flatMap((table) =>
    Object.entries(table).flatMap(([file, guards]) => guards.map((guard) => ({ ...guard, file }))),
  )
  const guards = all.filter(({ file, promise }) => pattern.test(file) || pattern.test(promise))
  if (guards.length === 0)
    throw new Error(`No guard has ${pattern.source} in its file or its promise.`)
  const unfit = await Promise.all(
    guards.map((guard) =>
      mutate(ROOT, guard).then(
        () => [],
        ({ message }: Error) => [message],
      ),
    ),
  )
  if (unfit.flat().length > 0)
    throw new Error(`The table does not fit the source.\n${unfit.flat().join('\n')}`)
  const copies = await Promise.all(Array.from({ length: AT_ONCE }, makeCopy))

  const failing: string[] = []
  await inCopies(copies, byFile(guards), async (copy, witnesses) => {
    const names = [...new Set(witnesses.map(({ name }) => name))]
    const results = (await run(copy, witnesses[0]!, names)) ?? []
    for (const name of names) {
      const those = results.filter((result) => new RegExp(name).test(result.name))
      if (those.length === 0 || those.some(({ outcome }) => outcome !== 'passed'))
        failing.push(`${witnesses[0]!.test} "${name}"`)
    }
  })
  if (failing.length > 0)
    throw new Error(`These must pass before anything is taken away:\n${failing.join('\n')}`)

  const missing: string[] = []
  await inCopies(copies, guards, async (copy, guard) => {
    const began = performance.now()
    const why = await missed(copy, guard)
    const seconds = ((performance.now() - began) / 1000).toFixed(1).padStart(5)
    console.log(
      `${seconds} s  ${why === undefined ? 'noticed' : 'MISSED '}  ${guard.file}: ${guard.promise}`,
    )
    const { file, promise, noticed, text } = guard
    if (why !== undefined)
      missing.push(
        `${file}: ${promise}\n    ${why}: ${noticed.test} "${noticed.name}" without ${text.trim()}`,
      )
  })
  if (missing.length > 0) console.log(`\nMissing tests:\n  ${missing.join('\n  ')}\n`)
  console.log(`${guards.length - missing.length} of ${guards.length} guards noticed`)
  return missing.length === 0
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
try {
  process.exitCode = (await main(new RegExp(process.argv[2] ?? '', 'i'))) ? 0 : 1
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
