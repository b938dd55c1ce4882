// Kills the sidecar at random instants, again and again on the same directory, under load and with
// a faulty collector. It counts acknowledged spans that never arrived, and spans that arrived
// twice although they were sent once.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { spansWaiting } from '../support/collector.ts'
import { freePort } from '../support/free-port.ts'
import { type Ledger, officialClient, POLICY, rawClient, startSdk } from './crash-clients.ts'
import { type CrashCollector, startCrashCollector } from './crash-collector.ts'
import { seeded } from './fleet.ts'

export interface CrashOptions {
  kills: number
  seed: number
  folder: string
  /** The program, such as dist/usage-sidecar.js. */
  program: string
  /** Called now and then with the progress. */
  progress?: (text: string) => void
}

export interface CrashResult {
  kills: number
  /** The kills within 300 ms of a start. */
  soon: number
  acknowledged: number
  acknowledgedBy: Readonly<Record<string, number>>
  /** Acknowledged, and neither accepted nor refused by the collector. */
  lost: number[]
  /** Accepted under two batch ids although the client sent it once. */
  twice: number[]
  /** Batches that arrived in two different bodies. */
  split: string[]
  /** Spans that count twice because the client got no answer and sent them again. */
  resent: number
  refused: number
  /** Spans that arrived again in the same batch. The collector recognises them. */
  recognised: number
  met: Readonly<Record<string, number>>
}

const SOON_MS = 300
const LATER_MS = 900
const READY_MS = 30_000
const DRAIN_MS = 120_000

interface Running {
  child: ChildProcess
  ready: Promise<boolean>
  gone: Promise<unknown>
  said: () => string
}

function start({ program, folder }: CrashOptions, port: number, collector: number): Running {
  const env = {
    USAGE_REPORTING: 'on',
    USAGE_POLICY: join(folder, 'policy.yaml'),
    USAGE_ENDPOINT: `http://127.0.0.1:${collector}`,
    USAGE_HTTP_LISTEN: `127.0.0.1:${port}`,
    USAGE_HEALTH_LISTEN: '127.0.0.1:0',
    USAGE_GRPC_LISTEN: '127.0.0.1:0',
    USAGE_PAGE_LISTEN: '127.0.0.1:0',
    USAGE_DATA_DIR: join(folder, 'data'),
    USAGE_SEND_INTERVAL: '100ms',
  }
  const child = spawn(process.execPath, [program, 'run'], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const gone = once(child, 'close')
  let said = ''
  const ready = new Promise<boolean>((resolve) => {
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (said.includes('"accept: ready"')) resolve(true)
    })
    void gone.then(() => resolve(false))
  })
  return { child, ready, gone, said: () => said }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function killAgainAndAgain(
  options: CrashOptions,
  port: number,
  collector: CrashCollector,
  random: () => number,
): Promise<number> {
  let soon = 0
  for (let kill = 1; kill <= options.kills; kill++) {
    const running = start(options, port, collector.port)
    if (kill % 4 === 0) {
      soon++
      await pause(random() * SOON_MS)
    } else {
      const late = setTimeout(() => running.child.kill('SIGKILL'), READY_MS)
      if (!(await running.ready))
        throw new Error(
          `The sidecar did not get ready after kill ${kill - 1} (seed ${options.seed}):\n${running.said()}`,
        )
      clearTimeout(late)
      await pause(random() * LATER_MS)
    }
    if (running.child.exitCode !== null)
      throw new Error(`The sidecar ended by itself (seed ${options.seed}):\n${running.said()}`)
    running.child.kill('SIGKILL')
    await running.gone
    if (kill % 100 === 0) options.progress?.(`${kill} kills`)
  }
  return soon
}

/** Sends everything that waits to a collector that accepts it. */
async function drain(
  options: CrashOptions,
  port: number,
  collector: CrashCollector,
  clients: Promise<unknown>,
): Promise<void> {
  await collector.behave()
  const running = start(options, port, collector.port)
  await running.ready
  await clients
  const deadline = Date.now() + DRAIN_MS
  while ((await spansWaiting(join(options.folder, 'data'))).length > 0) {
    if (Date.now() > deadline)
      throw new Error(`Spans still wait (seed ${options.seed}):\n${running.said()}`)
    await pause(50)
  }
  running.child.kill('SIGKILL')
  await running.gone
}

export async function crash(options: CrashOptions): Promise<CrashResult> {
  const random = seeded(options.seed)
  await writeFile(join(options.folder, 'policy.yaml'), POLICY)
  const collector = await startCrashCollector(seeded(options.seed + 1))
  const port = await freePort()
  let last = 0
  let stopped = false
  const ledger: Ledger = {
    acknowledged: new Map(),
    sent: new Map(),
    next: () => ++last,
    stopped: () => stopped,
  }
  const sdk = startSdk()
  const clients = Promise.all([
    ...[11, 12].map((seed) => rawClient(port, ledger, seeded(options.seed + seed))),
    officialClient('json', port, ledger, seeded(options.seed + 21), sdk),
    officialClient('protobuf', port, ledger, seeded(options.seed + 22), sdk),
  ])
  try {
    const soon = await killAgainAndAgain(options, port, collector, random)
    stopped = true
    await drain(options, port, collector, clients)
    return { kills: options.kills, soon, ...judge(ledger, collector) }
  } finally {
    stopped = true
    await clients
    await sdk.stop()
    await collector.close()
  }
}

/** Compares the count of the collector, by batch and span id, with the records of the clients. */
function judge(
  { acknowledged, sent }: Ledger,
  { taken, refused, met }: CrashCollector,
): Omit<CrashResult, 'kills' | 'soon'> {
  const batchesOf = new Map<number, Set<string>>()
  const bodiesOf = new Map<string, Set<string>>()
  const counted = new Set<string>()
  for (const { batchId, spanId, number, sha256 } of taken) {
    counted.add(`${batchId} ${spanId}`)
    batchesOf.set(number, (batchesOf.get(number) ?? new Set()).add(batchId))
    bodiesOf.set(batchId, (bodiesOf.get(batchId) ?? new Set()).add(sha256))
  }
  const acknowledgedBy: Record<string, number> = {}
  for (const client of acknowledged.values())
    acknowledgedBy[client] = (acknowledgedBy[client] ?? 0) + 1
  const several = [...batchesOf].filter(([, batches]) => batches.size > 1)
  return {
    acknowledged: acknowledged.size,
    acknowledgedBy,
    lost: [...acknowledged.keys()].filter(
      (number) => !batchesOf.has(number) && !refused.has(number),
    ),
    twice: several.filter(([number]) => sent.get(number) === 1).map(([number]) => number),
    split: [...bodiesOf].filter(([, bodies]) => bodies.size > 1).map(([batchId]) => batchId),
    resent: several.filter(([number]) => sent.get(number) !== 1).length,
    refused: refused.size,
    recognised: taken.length - counted.size,
    met: Object.fromEntries(met),
  }
}

const countsOf = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(', ')

export const figuresOf = (result: CrashResult): string =>
  `${result.kills} kills, ${result.soon} of them within ${SOON_MS} ms of a start: ${result.acknowledged} spans acknowledged (${countsOf(result.acknowledgedBy)}), ${result.lost.length} lost, ` +
  `${result.twice.length} counted twice; ${result.resent} counted twice because their client sent them again after a lost 200; ` +
  `${result.recognised} arrived again and were recognised; ${result.refused} refused by the collector. ` +
  `Bodies met ${countsOf(result.met)}.`
