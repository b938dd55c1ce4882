// Who does the same job beside each other: the sidecar as it ships, the OpenTelemetry Collector
// with its queue on disk (fsynced) and in memory, and the baseline. Each stands in front of a sink
// of its own and is told apart by nothing else.
import { setTimeout as wait } from 'node:timers/promises'
import { collectorBinary } from '../../e2e/collector.ts'
import { freePort } from '../../support/free-port.ts'
import type { LoadOptions, LoadResult } from '../generator.ts'
import {
  IMAGE_FLAGS,
  load,
  ROOT,
  type Running,
  scratchFolder,
  startBaseline,
  startOther,
  startOurs,
  startSink,
} from '../processes.ts'
import type { Totals } from '../sink.ts'

export type Name = 'ours' | 'durable' | 'memory' | 'baseline'

export const NAMES: Record<Name, string> = {
  ours: 'usage-sidecar',
  durable: 'Collector, durable',
  memory: 'Collector, in memory',
  baseline: 'baseline',
}
const FOLDER = `${ROOT}test/bench/collector`
/** Only hex: it is pasted into OTTL. */
const SALT = '6a09e667f3bcc908bb67ae8584caa73b'
/**
 * The sidecar's own limit is the 96 MiB of its container; the Collector's heap may have that alone.
 */
const MEMORY_MIB = '96'
const ARRIVAL_MS = 60_000

/** Starts one; `folder` may hold what an earlier one left. */
export async function begin(name: Name, sink: Running, folder = scratchFolder()): Promise<Running> {
  if (name === 'ours') return startOurs(sink, IMAGE_FLAGS, undefined, folder)
  if (name === 'baseline') return startBaseline(sink, IMAGE_FLAGS)
  const port = await freePort()
  const configs = [
    `${FOLDER}/durable.yaml`,
    ...(name === 'memory' ? [`${FOLDER}/memory.yaml`] : []),
  ]
  const env = {
    BENCH_FOLDER: folder,
    BENCH_PORT: String(port),
    BENCH_SINK_PORT: String(sink.port),
    BENCH_SALT: SALT,
    BENCH_MEMORY_MIB: MEMORY_MIB,
  }
  return startOther(
    collectorBinary('sidecar'),
    configs.flatMap((config) => ['--config', config]),
    port,
    `${folder}/queue`,
    env,
  )
}

export async function totalsOf(sink: Running): Promise<Totals> {
  return (await (await fetch(`http://127.0.0.1:${sink.port}/totals`)).json()) as Totals
}

export interface Loaded extends LoadResult {
  /** Bytes on the wire for each span. */
  wire: number
}

/** One under load, with the sink behind it. */
export class Contender {
  readonly name: Name
  readonly program: Running
  readonly #sink: Running
  /** Spans that were answered 200. */
  #accepted = 0

  private constructor(name: Name, program: Running, sink: Running) {
    this.name = name
    this.program = program
    this.#sink = sink
  }

  static async start(name: Name): Promise<Contender> {
    const sink = await startSink()
    return new Contender(name, await begin(name, sink), sink)
  }

  /** Loads it, and waits until all that it accepted has arrived: none lost, none twice. */
  async run(options: Omit<LoadOptions, 'port'>): Promise<Loaded> {
    const before = await totalsOf(this.#sink)
    const loaded = await load({ port: this.program.port, ...options })
    if (loaded.cut > 0) throw new Error(`${this.name} cut ${loaded.cut} connections off.`)
    this.#accepted += loaded.requests * options.spans
    const deadline = Date.now() + ARRIVAL_MS
    for (;;) {
      const { spans, bytes } = await totalsOf(this.#sink)
      if (spans === this.#accepted)
        return { ...loaded, wire: (bytes - before.bytes) / (spans - before.spans) }
      if (Date.now() > deadline || spans > this.#accepted)
        throw new Error(`${this.name}: ${this.#accepted} spans were accepted, ${spans} arrived.`)
      await wait(50)
    }
  }

  async stop(): Promise<void> {
    await this.program.stop()
    await this.#sink.stop()
  }
}
