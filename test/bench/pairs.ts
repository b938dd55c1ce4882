// `npm run bench:pairs COMMIT`: the pass of this checkout against that of another commit, in 15
// pairs of processes that take turns, so that both meet the same moments of a noisy machine. Prints
// each pair's ratio of CPU time, their median and range; ends with 1 where the median is more than
// a tenth above 1. The load and the policy are this checkout's for both.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { DEFAULT_POLICY_FILE, SECRET } from '../support/spans.ts'
import { bodies, median, range } from './load.ts'
import { ROOT } from './processes.ts'

const PAIRS = 15
const MOST = 1.1
const BODIES = 80
const SPANS_A_BODY = 512
const WARM_UP_ROUNDS = 2

type Rooms = Pick<typeof import('../../src/anonymize/anonymize.ts'), 'createAnonymizer'> &
  Pick<typeof import('../../src/policy/parse.ts'), 'parsePolicy'> &
  Pick<typeof import('../../src/support/counters.ts'), 'Counters'>

/** The rooms that the pass needs, of the checkout at `root`, as one file. */
async function bundle(root: string, outfile: string): Promise<void> {
  // A commit from before the folders policy/ and support/ has these files elsewhere.
  const parse = ['policy/parse.ts', 'anonymize/parse.ts'].find((file) =>
    existsSync(join(root, 'src', file)),
  )
  const counters = ['support/counters.ts', 'counters.ts'].find((file) =>
    existsSync(join(root, 'src', file)),
  )
  const contents =
    "export { createAnonymizer } from './src/anonymize/anonymize.ts'\n" +
    `export { parsePolicy } from './src/${parse}'\nexport { Counters } from './src/${counters}'\n`
  const banner = {
    js: "import { createRequire as from } from 'node:module'\nconst require = from(import.meta.url)",
  }
  await build({
    stdin: { contents, resolveDir: root, loader: 'ts' },
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    nodePaths: [join(ROOT, 'node_modules')],
    banner,
    logLevel: 'error',
  })
}

/** CPU microseconds of one process that passes the load, printed for the parent. */
async function measure(file: string): Promise<void> {
  const { createAnonymizer, parsePolicy, Counters } = (await import(file)) as Rooms
  const policy = parsePolicy(readFileSync(DEFAULT_POLICY_FILE, 'utf8'))
  const { pass } = createAnonymizer({
    policy,
    facts: new Map(),
    secret: SECRET,
    counters: new Counters(),
    maxBytes: 64 * 1024 * 1024,
  })
  const load = bodies(BODIES, SPANS_A_BODY)
  const round = (): void => load.forEach((body) => void pass(body, Date.now()))
  for (let i = 0; i < WARM_UP_ROUNDS; i++) round()
  const before = process.cpuUsage()
  round()
  const { user, system } = process.cpuUsage(before)
  process.stdout.write(String(user + system))
}

function cpuOf(file: string): number {
  const { status, stdout } = spawnSync(
    process.execPath,
    [import.meta.filename, '--measure', file],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  if (status !== 0) throw new Error('The pass of one of the two could not be measured.')
  return Number(stdout)
}

async function compare(commit: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'usage-pairs-'))
  try {
    const old = join(folder, 'old')
    mkdirSync(old)
    const files = spawnSync('git', ['-C', ROOT, 'archive', commit, 'src'], { maxBuffer: 2 ** 30 })
    if (files.status !== 0) throw new Error(`There is no commit ${commit}.`)
    spawnSync('tar', ['-x', '-C', old], { input: files.stdout })
    const [before, now] = [join(folder, 'before.mjs'), join(folder, 'now.mjs')]
    await bundle(old, before)
    await bundle(ROOT, now)
    const ratios = Array.from({ length: PAIRS }, (_, i) => {
      const first = i % 2 === 0 ? cpuOf(now) : cpuOf(before)
      const second = i % 2 === 0 ? cpuOf(before) : cpuOf(now)
      const ratio = i % 2 === 0 ? first / second : second / first
      process.stdout.write(
        `pair ${String(i + 1).padStart(2)}: ${ratio.toFixed(3)} of the CPU time\n`,
      )
      return ratio
    })
    const middle = median(ratios)
    process.stdout.write(
      `The pass takes ${middle.toFixed(3)} of the CPU time of ${commit} (${range(ratios, 3)}, ${PAIRS} pairs).\n`,
    )
    if (middle > MOST) process.exitCode = 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const [what, file] = process.argv.slice(2)
if (what === undefined) {
  process.stderr.write('Name the commit to compare with: npm run bench:pairs COMMIT\n')
  process.exitCode = 2
} else if (what === '--measure') await measure(file!)
else await compare(what)
