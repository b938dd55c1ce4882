// The heartbeat: at most one record per UTC day, also across restarts. It has a body of its own, so
// what counts installations never lies beside what they do. The day is marked on disk before the
// record is appended. A crash in between loses one heartbeat, and none is sent twice. If the clock
// goes back, no heartbeat is recorded until the marked day is over.
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../anonymize/clock.ts'
import type { Queue } from '../queue/queue.ts'
import type { Counters } from '../support/counters.ts'
import { writeDurably } from '../support/durable-file.ts'
import { errorCode } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import type { Config } from '../support/settings.ts'
import type { PolicyRuntime } from './policy-runtime.ts'
import type { Reporting } from './reporting.ts'

export interface HeartbeatOptions {
  /** For the mark. `undefined` in mode `local`, which sends nothing, so memory is enough. */
  folder: string | undefined
  counters: Counters
  log: Log
}

const DAY = /^\d{4}-\d\d-\d\d\n$/

export class Heartbeat {
  readonly #options: HeartbeatOptions
  /** The day of the last heartbeat. Empty if there was none. */
  #last: string | undefined

  constructor(options: HeartbeatOptions) {
    this.#options = options
  }

  /**
   * `prepare` makes the record and returns what appends it, or nothing if the policy has no
   * heartbeat.
   */
  recordIfDue(day: string, prepare: () => (() => Promise<void>) | undefined): void {
    const { counters } = this.#options
    try {
      this.#last ??= this.#readMark()
      if (day <= this.#last) return
      const append = prepare()
      if (append === undefined) return
      this.#last = day
      this.#writeMark(day)
      append().then(
        () => counters.add('heartbeats.kept'),
        (error: unknown) => this.#countLost(error),
      )
    } catch (error) {
      // Without a mark, a second heartbeat could follow.
      this.#last = day
      this.#countLost(error)
    }
  }

  #readMark(): string {
    const { folder } = this.#options
    if (folder === undefined) return ''
    try {
      const text = readFileSync(join(folder, 'heartbeat'), 'utf8')
      return DAY.test(text) ? text.slice(0, 10) : ''
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return ''
      throw error
    }
  }

  #writeMark(day: string): void {
    const { folder } = this.#options
    if (folder === undefined) return
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeDurably(join(folder, 'heartbeat'), `${day}\n`)
  }

  #countLost(error: unknown): void {
    const { counters, log } = this.#options
    counters.add('heartbeats.lost')
    log.warn('heartbeat of today lost', { code: errorCode(error) })
  }
}

/** Returns a function that records the heartbeat of the day in the mode and policy of then. */
export function createHeartbeat(
  config: Config,
  reporting: Reporting,
  clock: Clock,
  { counters, log }: { counters: Counters; log: Log },
): () => void {
  if (config.heartbeat === 'off') return () => undefined
  const heartbeats = {
    on: new Heartbeat({ folder: config.dataDir, counters, log }),
    local: new Heartbeat({ folder: undefined, counters, log }),
  }
  return () => {
    const { mode } = reporting.decision()
    const target = reporting.recordingSince(performance.now())
    if (target === undefined || mode === 'off') return
    heartbeats[mode].recordIfDue(clock.period('day'), () => prepare(target))
  }
}

/** Uses the policy and the queue of all records, but a body of its own. */
function prepare({ runtime, queue }: { runtime: PolicyRuntime; queue: Queue }) {
  const passed = runtime.anonymizer.heartbeat(Date.now())
  const { spans } = passed
  if (spans === 0) return undefined
  const record = runtime.enricher.wrapResourceSpans(passed)
  // promise: heartbeat-alone
  return () => queue.appendIsolated(record, spans)
}
