// `npm run bench:collector`: the OpenTelemetry Collector and the sidecar at the same job, on the
// same machine under the same load, in one run; printed and written to test/bench/README.md.
// `--quick` tries everything once and writes nothing. Ends with 1 where a target is missed. Needs
// Linux, Go (or Debian's, which it installs) and strace.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { collectorBinary } from '../../e2e/collector.ts'
import { installDebian } from '../../e2e/tools.ts'
import { traced } from '../fsync.ts'
import { ROOT } from '../processes.ts'
import { machine, othersLoad, writePart } from '../report.ts'
import { Contender, NAMES } from './contenders.ts'
import { fixedRate } from './fixed-rate.ts'
import { fullSpeed } from './full-speed.ts'
import { whatAKillLoses } from './kills.ts'
import { proveSameJob } from './same-job.ts'
import { startAndIdle } from './start.ts'

const isQuick = process.argv.includes('--quick')
const REPETITIONS = isQuick ? 1 : 3
const parts: string[] = []
const missed: string[] = []

function say(text: string): void {
  parts.push(text)
  process.stdout.write(`\n${text}\n`)
}

async function part(
  text: string,
  bench: () => Promise<{ table: string; missed: string[] }>,
): Promise<void> {
  const { table, missed: more } = await bench()
  missed.push(...more)
  say(`${text}\n\n${table}`)
}

/** Both with a 200 only after the fsync. */
async function proveFsync(): Promise<{ table: string; missed: string[] }> {
  const rows: string[] = []
  const failed: string[] = []
  for (const connections of [1, 8]) {
    for (const name of ['durable', 'ours'] as const) {
      const { answers, syncs, without } = await traced(await Contender.start(name), connections)
      if (answers === 0 || answers > connections * syncs || (connections === 1 && without > 0))
        failed.push(
          `fsync of ${NAMES[name]}: ${answers} answers 200, ${syncs} syncs, ${without} answers without one of their own`,
        )
      rows.push(
        `| ${NAMES[name]} | ${connections} | ${answers} | ${syncs} | ${connections === 1 ? without : 'shared'} |`,
      )
    }
  }
  const head = [
    '| seen by strace | connections | answers 200 | syncs of the queue | answers without one of their own |',
    '|---|---|---|---|---|',
  ]
  return { table: [...head, ...rows].join('\n'), missed: failed }
}

if (
  spawnSync(process.execPath, [join(ROOT, 'scripts/build.ts')], { stdio: 'inherit' }).status !== 0
)
  throw new Error('The bundle could not be built.')
installDebian([['/usr/bin/strace', 'strace']])
const version = spawnSync(collectorBinary('sidecar'), ['--version'], {
  encoding: 'utf8',
}).stdout.trim()

const began = Date.now()
const load = othersLoad()
say(await proveSameJob())
await part(
  'A 200 of either means "on disk": a sync is an `fdatasync`, or a write to a file that is open with `O_DSYNC`.',
  proveFsync,
)
await part('As fast as answers come:', () =>
  fullSpeed({ repetitions: REPETITIONS, seconds: isQuick ? 1 : 3 }),
)
await part('10 spans a request, 8 connections:', () =>
  fixedRate({ repetitions: REPETITIONS, seconds: isQuick ? 2 : 8 }),
)
say(
  await startAndIdle(
    isQuick
      ? { starts: 1, repetitions: 1, idleSeconds: 2 }
      : { starts: 7, repetitions: REPETITIONS, idleSeconds: 15 },
  ),
)
await part('What a kill loses, while nobody takes the reports:', () =>
  whatAKillLoses(isQuick ? 2 : 6),
)

const seconds = Math.round((Date.now() - began) / 1000)
const verdict =
  missed.length === 0
    ? 'All targets are met.'
    : `Missed:\n${missed.map((one) => `- ${one}`).join('\n')}`
const head = `## Beside the OpenTelemetry Collector

Written by \`npm run bench:collector\` (${seconds} s): ${machine()}; load average of others as it began ${load}.
${verdict}

The Collector (${version}, built from \`test/e2e/collector/sidecar\`) does the sidecar's job: \`collector/durable.yaml\` is
\`deploy/policies/default.yaml\` in OTTL, in front of its persistent queue with fsync; \`collector/memory.yaml\` keeps the queue in
memory. The baseline is the bare \`node:http\` server from above: no policy. Each has a collector behind it in another process, gzip
level 1, and sends at least once a second. CPU is user and system time of the whole process until every accepted span has
arrived. Medians of ${REPETITIONS}, ranges in brackets; all sides in turns within each repetition.`
if (!isQuick) writePart('npm run bench:collector', `${head}\n\n${parts.join('\n\n')}`)
process.stdout.write(`\n${seconds} s, load average of others ${load}. ${verdict}\n`)
if (missed.length > 0) process.exitCode = 1
