// `npm test` and `npm run test:long`: all tests with few cases, or those of counts.ts with many.
// Names of files or folders run only these. Tests mostly wait, so more files run at once than
// there are cores. Node keeps the code that it compiled between processes, which halves the time
// that a process takes to start.
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'

const root = new URL('..', import.meta.url).pathname
const names = process.argv.slice(2)
const isLong = names[0] === '--long'
if (isLong) names.shift()

/** The tests in these files and folders of the repository. */
function testsIn(places: readonly string[]): string[] {
  const found = places.flatMap((place) =>
    statSync(join(root, place)).isDirectory()
      ? globSync(`${place.replace(/\/$/, '')}/**/*.test.ts`, { cwd: root })
      : [place],
  )
  return [...new Set(found)].sort()
}

const takesCounts = (file: string): boolean =>
  readFileSync(join(root, file), 'utf8').includes('/support/counts.ts')

const all = testsIn(names.length === 0 ? ['test'] : names)
const files = isLong ? all.filter(takesCounts) : all
if (files.length === 0) throw new Error(`No tests in ${names.join(', ')}.`)

const { status } = spawnSync(
  process.execPath,
  ['--test', '--test-reporter=spec', `--test-concurrency=${availableParallelism() + 1}`, ...files],
  {
    cwd: root,
    stdio: 'inherit',
    env: {
      ...process.env,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(root, '.cache/compiled'),
      ...(isLong ? { USAGE_TEST_COUNTS: 'long' } : {}),
    },
  },
)
process.exitCode = status ?? 1
