// What a kill loses: each side is killed while it is under load and nobody takes its reports, and
// started again on what it left; then the other end comes back. Lost: acknowledged, but never
// arrived. Once, and again shortly after each start.
import { setTimeout as wait } from 'node:timers/promises'
import { load, type Running, scratchFolder, startSink } from '../processes.ts'
import { begin, NAMES, type Name, totalsOf } from './contenders.ts'

const CONNECTIONS = 8
const SPANS = 10
/** 2 000 spans a second. */
const RATE = 200
const LOADED_SECONDS = 2
/**
 * Nothing has arrived for so long: nothing more will. More than the Collector's wait after its
 * first refusal.
 */
const QUIET_MS = 12_000
const LONGEST_MS = 120_000

interface Lost {
  accepted: number
  arrived: number
  twice: number
}

async function lostBy(name: Name, kills: number, again: boolean): Promise<Lost> {
  const sink = await startSink('ids')
  await answer(sink, 503)
  const folder = scratchFolder()
  let accepted = 0
  let program = await begin(name, sink, folder)
  for (let kill = 0; kill < kills; kill++) {
    const sending = load({
      port: program.port,
      connections: CONNECTIONS,
      spans: SPANS,
      rate: RATE,
      seconds: LOADED_SECONDS,
      seed: kill + 1,
    })
    // At different moments of what it does.
    await wait(LOADED_SECONDS * 1000 * (0.4 + 0.5 * Math.random()))
    await program.stop('SIGKILL')
    accepted += (await sending).requests * SPANS
    program = await begin(name, sink, folder)
    if (!again) continue
    await wait(Math.random() * 300)
    await program.stop('SIGKILL')
    program = await begin(name, sink, folder)
  }
  await answer(sink, 200)
  const { spans, distinct } = await whenQuiet(sink)
  await program.stop()
  await sink.stop()
  return { accepted, arrived: distinct, twice: spans - distinct }
}

async function answer(sink: Running, status: number): Promise<void> {
  await fetch(`http://127.0.0.1:${sink.port}/answer/${status}`)
}

async function whenQuiet(sink: Running): Promise<{ spans: number; distinct: number }> {
  const began = Date.now()
  let last = await totalsOf(sink)
  let since = began
  for (;;) {
    await wait(200)
    const now = await totalsOf(sink)
    if (now.spans !== last.spans) since = Date.now()
    last = now
    if (Date.now() - since > QUIET_MS || Date.now() - began > LONGEST_MS) return now
  }
}

export async function whatAKillLoses(kills: number): Promise<{ table: string; missed: string[] }> {
  const missed: string[] = []
  const rows: string[] = []
  const cases: readonly [Name, boolean][] = [
    ['durable', false],
    ['durable', true],
    ['memory', false],
    ['ours', false],
    ['ours', true],
  ]
  for (const [name, again] of cases) {
    const { accepted, arrived, twice } = await lostBy(name, kills, again)
    // What was on disk but not yet answered arrives as well, so the true loss may be greater by so
    // much.
    const unanswered = kills * CONNECTIONS * SPANS
    const lost = Math.max(0, accepted - arrived)
    if (name === 'ours' && (lost > 0 || arrived > accepted + unanswered))
      missed.push(`kills: ${lost} spans lost`)
    if (name === 'ours' && twice > 0) missed.push(`kills: ${twice} spans arrived twice`)
    const how = `${kills} kills${again ? ', each followed by another within 300 ms of the start' : ''}`
    rows.push(
      `| ${NAMES[name]} | ${how} | ${accepted} | **${lost}** (${((lost / accepted) * 100).toFixed(1)} %) | ${twice} |`,
    )
  }
  return {
    table: [
      '| kill -9 | | acknowledged spans | lost, at least | arrived twice |',
      '|---|---|---|---|---|',
      ...rows,
    ].join('\n'),
    missed,
  }
}
