// `npm run bench`: everything that is claimed about speed and memory, measured in one run of some
// minutes, printed and written to test/bench/README.md. Ends with 1 where a target is missed or
// fsync is not proven.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { proveFsync } from './fsync.ts'
import { benchMemory } from './memory.ts'
import { benchPass } from './pass.ts'
import { benchPipeline } from './pipeline.ts'
import { ROOT } from './processes.ts'
import { benchProfile } from './profile.ts'
import { machine, othersLoad, writePart } from './report.ts'

const began = Date.now()
const load = othersLoad()
const sections: string[] = []
const missed: string[] = []

function say(heading: string, text: string): void {
  sections.push(`## ${heading}\n\n${text}\n`)
  process.stdout.write(`\n${heading}\n${text}\n`)
}

/** A part that also says which of its targets it missed. */
async function part(
  heading: string,
  before: string,
  bench: () => Promise<{ table: string; missed: string[] }>,
): Promise<void> {
  const { table, missed: more } = await bench()
  missed.push(...more)
  say(heading, `${before}\n\n${table}`)
}

const built = spawnSync(process.execPath, [join(ROOT, 'scripts/build.ts')], { stdio: 'inherit' })
if (built.status !== 0) throw new Error('The bundle could not be built.')

try {
  await part(
    'Durable',
    'A 200 means "on disk": what the kernel saw, 10 spans a request.',
    proveFsync,
  )
} catch (error) {
  const why = (error as Error).message
  process.stderr.write(
    `\n!!! FSYNC IS NOT PROVEN: ${why}\n!!! Install strace and let it trace; until then no figure below counts as durable.\n`,
  )
  missed.push(`fsync is not proven: ${why}`)
  say('Durable', '**Not proven in this run.**')
}
const pass = benchPass()
missed.push(...pass.missed)
say('The pass', pass.table)
await part(
  'The whole program',
  'The bundle in mode `on`, its sending included, until every accepted batch has arrived at a collector in another process. The baseline is a bare\n`node:http` server that appends the bodies as they came with a shared synced write, acknowledges after it, and sends files of 1 MiB on, gzipped\n(level 1). It has three times the bytes to write and to compress, and no policy to apply. Both run with the flags of the image, in turns.',
  benchPipeline,
)
say(
  'Where the rest goes',
  `The main thread by folder of \`src/\` (what Node does for a folder stands beside it), from a CPU profile of the\nsource from its start on, and the other threads from /proc.\n\n${await benchProfile()}`,
)
await part(
  'Start and memory',
  'Beside a bare `node:http` server that reads each request and answers 200.',
  benchMemory,
)

const verdict =
  missed.length === 0
    ? 'All targets are met.'
    : `Missed:\n${missed.map((one) => `- ${one}`).join('\n')}`
const seconds = Math.round((Date.now() - began) / 1000)
const head = `Written by \`npm run bench\` (${seconds} s) on a shared machine: ${machine()}; load average of others as it\nbegan ${load}. Absolute figures move from run to run by half; both sides of a ratio are measured in turns in the same run, so ratios\ndecide. ${verdict}\n`
writePart('npm run bench', `${head}\n${sections.join('\n')}`)
process.stdout.write(`\n${machine()}, ${seconds} s. ${verdict}\n`)
if (missed.length > 0) process.exitCode = 1
