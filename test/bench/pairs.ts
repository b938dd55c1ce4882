// `npm run bench:pairs COMMIT [pipeline]` compares this checkout with another commit, in 15 pairs
// that take turns, so that both meet the same moments of a noisy machine. It compares the pass, or
// with `pipeline` the whole program: accept, anonymize, queue, disk, send. It prints the ratio of
// CPU time of each pair, their median and range. It ends with 1 if the median is above 1.1. Load,
// policy and collector are those of this checkout for both.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type BuildOptions, build } from 'esbuild'
import { DEFAULT_POLICY_FILE, SECRET } from '../support/spans.ts'
import { bodies, median, range } from './load.ts'
import { Side } from './pipeline.ts'
import { cpuSeconds, IMAGE_FLAGS, ROOT, scratchFolder, startOurs, startSink } from './processes.ts'

const PAIRS = 15
const MAX_RATIO = 1.1

const PASS = { bodies: 80, spans: 512, warmUpRounds: 2 }
const PIPELINE = { connections: 8, spans: 10, seconds: 120, requests: 10_000 }
const PIPELINE_WARM_UP = { ...PIPELINE, requests: 2_000 }

type Folders = Pick<typeof import('../../src/anonymize/anonymize.ts'), 'createAnonymizer'> &
  Pick<typeof import('../../src/policy/parse.ts'), 'parsePolicy'> &
  Pick<typeof import('../../src/support/counters.ts'), 'Counters'>

/** Builds what is compared, of the checkout at `root`, and gives the path of the script. */
type Bundle = (root: string, outdir: string) => Promise<string>
/** CPU seconds of one process of this script. */
type Measure = (script: string) => Promise<number>

const OPTIONS: BuildOptions = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  nodePaths: [join(ROOT, 'node_modules')],
  external: ['@duckdb/node-api'],
  banner: {
    js: "import { createRequire as from } from 'node:module'\nconst require = from(import.meta.url)",
  },
  logLevel: 'error',
}

const bundlePass: Bundle = async (root, outdir) => {
  // A commit from before the folders policy/ and support/ has these files elsewhere.
  const sourceOf = (...places: string[]): string =>
    `./src/${places.find((place) => existsSync(join(root, 'src', place)))}`
  const contents =
    "export { createAnonymizer } from './src/anonymize/anonymize.ts'\n" +
    `export { parsePolicy } from '${sourceOf('policy/parse.ts', 'anonymize/parse.ts')}'\n` +
    `export { Counters } from '${sourceOf('support/counters.ts', 'counters.ts')}'\n`
  const outfile = join(outdir, 'pass.mjs')
  await build({ ...OPTIONS, stdin: { contents, resolveDir: root, loader: 'ts' }, outfile })
  return outfile
}

const bundleProgram: Bundle = async (root, outdir) => {
  const entryPoints = { program: join(root, 'src/main.ts') }
  const outExtension = { '.js': '.mjs' }
  await build({ ...OPTIONS, entryPoints, outdir, outExtension, splitting: true })
  return join(outdir, 'program.mjs')
}

/** In the process of its own: passes the load, and prints CPU microseconds for the parent. */
async function pass(script: string): Promise<void> {
  const { createAnonymizer, parsePolicy, Counters } = (await import(script)) as Folders
  const anonymizer = createAnonymizer({
    policy: parsePolicy(readFileSync(DEFAULT_POLICY_FILE, 'utf8')),
    facts: new Map(),
    secret: SECRET,
    counters: new Counters(),
    maxBytes: 64 * 1024 * 1024,
  })
  const load = bodies(PASS.bodies, PASS.spans)
  const round = (): void => load.forEach((body) => void anonymizer.pass(body, Date.now()))
  for (let i = 0; i < PASS.warmUpRounds; i++) round()
  const before = process.cpuUsage()
  round()
  const { user, system } = process.cpuUsage(before)
  process.stdout.write(String(user + system))
}

const measurePass: Measure = async (script) => {
  const { status, stdout } = spawnSync(
    process.execPath,
    [import.meta.filename, '--measure', script],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  )
  if (status !== 0) throw new Error('The pass of one of the two could not be measured.')
  return Number(stdout) / 1e6
}

/** Throws unless every accepted batch has arrived at the collector exactly once. */
const measurePipeline: Measure = async (script) => {
  const sink = await startSink()
  const side = new Side(await startOurs(sink, IMAGE_FLAGS, script), sink)
  await side.run(PIPELINE_WARM_UP)
  const before = cpuSeconds(side.program.pid)
  await side.run(PIPELINE)
  const seconds = cpuSeconds(side.program.pid) - before
  await side.stop()
  return seconds
}

function checkOut(commit: string): string {
  const folder = scratchFolder()
  const archive = spawnSync('git', ['-C', ROOT, 'archive', commit, 'src'], { maxBuffer: 2 ** 30 })
  if (archive.status !== 0) throw new Error(`There is no commit ${commit}.`)
  spawnSync('tar', ['-x', '-C', folder], { input: archive.stdout })
  return folder
}

async function compare(
  commit: string,
  name: string,
  bundle: Bundle,
  measure: Measure,
): Promise<void> {
  const folder = scratchFolder()
  const [oldOutdir, newOutdir] = [join(folder, 'old'), join(folder, 'new')]
  for (const outdir of [oldOutdir, newOutdir]) mkdirSync(outdir)
  const old = await bundle(checkOut(commit), oldOutdir)
  const current = await bundle(ROOT, newOutdir)
  const ratios: number[] = []
  for (let pair = 1; pair <= PAIRS; pair++) {
    const seconds = new Map<string, number>()
    const turns = pair % 2 === 0 ? [old, current] : [current, old]
    for (const script of turns) seconds.set(script, await measure(script))
    const ratio = seconds.get(current)! / seconds.get(old)!
    ratios.push(ratio)
    process.stdout.write(`pair ${String(pair).padStart(2)}: ${ratio.toFixed(3)} of the CPU time\n`)
  }
  const ratio = median(ratios)
  process.stdout.write(
    `The ${name} takes ${ratio.toFixed(3)} of the CPU time of ${commit} (${range(ratios, 3)}, ${PAIRS} pairs).\n`,
  )
  if (ratio > MAX_RATIO) process.exitCode = 1
}

const [first, second = 'pass'] = process.argv.slice(2)
if (first === '--measure') await pass(second)
else if (first === undefined || !['pass', 'pipeline'].includes(second)) {
  process.stderr.write(
    'Name the commit to compare with: npm run bench:pairs COMMIT, or npm run bench:pairs COMMIT pipeline\n',
  )
  process.exitCode = 2
} else if (second === 'pass') await compare(first, 'pass', bundlePass, measurePass)
else await compare(first, 'pipeline', bundleProgram, measurePipeline)
