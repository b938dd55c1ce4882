// `npm run check`: the fast half of `.ci/run`, for use before each commit. It checks format, types,
// lint, generated files and structure, and runs the tests of the folders that changed since main.
// It stops at the first stage that fails.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { join } from 'node:path'

const root = new URL('..', import.meta.url).pathname
const say = (text: string): void => void process.stdout.write(`${text}\n`)

const git = (...args: string[]): string =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()

/** Where this branch left main. */
function base(): string {
  for (const main of ['main', 'origin/main']) {
    try {
      return git('merge-base', 'HEAD', main)
    } catch {
      // The next one, or the error below.
    }
  }
  throw new Error('There is no branch main to compare with. Run `git fetch origin main:main`.')
}

/** What the branch, the index and the working tree have changed, new files among it. */
function changedFiles(): string[] {
  const tracked = git('diff', '--name-only', base()).split('\n')
  const added = git('ls-files', '--others', '--exclude-standard').split('\n')
  return [...new Set([...tracked, ...added])].filter((file) => file !== '')
}

/** Outside of src and test: the tests that read these files. */
const READ_BY: readonly [start: string, folder: string][] = [
  ['src/main.ts', 'test/cli'],
  ['deploy/policies/', 'test/policy'],
  ['scripts/', 'test/scripts'],
  ['docs/', 'test/scripts'],
  ['.github/', 'test/scripts'],
  ...['ARCHITECTURE', 'CONTRIBUTING', 'README', 'SECURITY'].map(
    (name) => [`${name}.md`, 'test/scripts'] as [string, string],
  ),
]

/**
 * The tests to run for a changed file: src/x/ and test/x/ have test/x/. In test/system/, which
 * takes minutes, only the tests that changed are run.
 */
function testsOf(file: string): string | undefined {
  const known = READ_BY.find(([start]) => file.startsWith(start))
  if (known !== undefined) return known[1]
  const folder = /^(?:src|test)\/([^/]+)\//.exec(file)?.[1]
  if (folder === undefined) return undefined
  if (folder !== 'system') return `test/${folder}`
  return file.endsWith('.test.ts') ? file : undefined
}

const holdsTests = (place: string): boolean =>
  existsSync(join(root, place)) &&
  (place.endsWith('.test.ts') || globSync(`${place}/**/*.test.ts`, { cwd: root }).length > 0)

function stage(name: string, command: string, ...args: string[]): void {
  const start = performance.now()
  say(`== ${name}`)
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' })
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  if (status !== 0) {
    say(`== ${name} FAILED after ${seconds} s${error === undefined ? '' : `: ${error.message}`}`)
    process.exit(1)
  }
  say(`== ${name}: ${seconds} s`)
}

const files = changedFiles()
const tests = [...new Set(files.map(testsOf))].filter(
  (place): place is string => place !== undefined && holdsTests(place),
)
const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm'
for (const name of ['format', 'types', 'lint', 'generated'])
  stage(name, npm, 'run', '--silent', `check:${name}`)
stage('structure', process.execPath, 'scripts/test.ts', 'test/system/structure.test.ts')
if (tests.length > 0)
  stage(`tests of ${tests.join(', ')}`, process.execPath, 'scripts/test.ts', ...tests)
else say('== no tests: no folder that has tests differs from main')
if (files.some((file) => file.startsWith('test/support/')))
  say('== test/support/ changed, which most tests use: run `npm test` as well')
