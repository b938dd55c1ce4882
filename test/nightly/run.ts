// `npm run nightly` runs the tests that take too long for every commit. Needs `npm run build`. An
// argument that is a number sets the number of kills (1 000 by default). With another word, only
// stages with it in their name run.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crash, figuresOf } from './crash.ts'

const root = new URL('../../', import.meta.url).pathname
const program = join(root, 'dist/usage-sidecar.js')
const words = process.argv.slice(2)
const kills = Number(words.find((word) => /^\d+$/.test(word)) ?? 1_000)
const only = words.find((word) => !/^\d+$/.test(word)) ?? ''
const seed = Number(process.env.USAGE_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32))
const say = (text: string): void => void process.stdout.write(`${text}\n`)

async function thousandKills(): Promise<boolean> {
  if (!existsSync(program))
    throw new Error('dist/usage-sidecar.js is not there. Run `npm run build` first.')
  const folder = await mkdtemp(join(tmpdir(), 'usage-nightly-'))
  try {
    const result = await crash({ kills, seed, folder, program, progress: say })
    say(`seed ${seed}: ${figuresOf(result)}`)
    const wrong = [...result.lost, ...result.twice, ...result.split]
    if (wrong.length > 0) say(`wrong: ${wrong.slice(0, 20).join(', ')}`)
    return wrong.length === 0
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Test files that run with more cases. Their output goes to the terminal. */
function tests(env: Record<string, string>, ...files: string[]): boolean {
  const paths = files.map((file) => join(root, file))
  return (
    spawnSync(process.execPath, ['--test', '--test-reporter=spec', ...paths], {
      stdio: 'inherit',
      env: { ...process.env, ...env },
    }).status === 0
  )
}

const stages: readonly [name: string, run: () => boolean | Promise<boolean>][] = [
  ['kills', thousandKills],
  [
    'power loss',
    () =>
      tests(
        { USAGE_TEST_COUNTS: 'nightly' },
        'test/queue/power-loss.test.ts',
        'test/send/power-loss.test.ts',
      ),
  ],
  [
    'promises, taken away one at a time',
    () =>
      spawnSync(process.execPath, [join(root, 'test/mutate/run.ts')], { stdio: 'inherit' })
        .status === 0,
  ],
  [
    'fuzz',
    () =>
      spawnSync(process.execPath, [join(root, 'test/nightly/fuzz.ts'), '600'], { stdio: 'inherit' })
        .status === 0,
  ],
  [
    'the receivers with nearly valid connections',
    () =>
      tests(
        { USAGE_TEST_COUNTS: 'nightly', USAGE_TEST_SEED: String(seed) },
        'test/accept/connections-fuzz.test.ts',
      ),
  ],
  [
    'a million canaries',
    () => tests({ USAGE_TEST_COUNTS: 'nightly' }, 'test/system/canary-many.test.ts'),
  ],
  [
    'attacks on what leaves',
    () =>
      spawnSync(process.execPath, [join(root, 'test/attack/run.ts')], { stdio: 'inherit' })
        .status === 0,
  ],
  ['epochs', () => tests({ USAGE_TEST_COUNTS: 'nightly' }, 'test/system/epochs.test.ts')],
  // Linux and root, as `npm run e2e`.
  ['a minute of silence', () => tests({ USAGE_NIGHTLY: '1' }, 'test/e2e/off.e2e.ts')],
  ['a week without a collector', () => tests({}, 'test/system/outage.test.ts')],
  [
    'ten thousand sidecars',
    () =>
      spawnSync(process.execPath, [join(root, 'test/nightly/rollout.ts'), '--check'], {
        stdio: 'inherit',
      }).status === 0,
  ],
]
for (const [name, run] of stages.filter(([title]) => title.includes(only))) {
  const began = performance.now()
  say(`== ${name}`)
  const passed = await run()
  say(
    `== ${name}: ${passed ? 'passed' : 'FAILED'} after ${Math.round((performance.now() - began) / 1000)} s`,
  )
  if (!passed) process.exitCode = 1
}
