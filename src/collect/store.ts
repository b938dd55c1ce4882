// The usage store: one DuckDB file. It counts each accepted batch once, also if a sender repeats it
// in another body. The batch is on disk when `add` resolves. Pending requests share one commit. The
// store keeps only the UTC day of arrival, and nothing about the sender.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBConnection, DuckDBInstance, type DuckDBValue } from '@duckdb/node-api'
import { ConfigError, retryLater } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import { type Batch, DAY_MS } from './batches.ts'
import { type Changes, commit, type Known, knownBatches, SCHEMA } from './tables.ts'

export const STORE_FILE = 'usage.duckdb'

/** How many spans of a request were new, and how many were known. */
export interface Added {
  accepted: number
  duplicates: number
}

export type Row = Record<string, unknown>

/** The store uses its own file only: no other file, no network, no extension. */
const SETTINGS = {
  enable_external_access: 'false',
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
  memory_limit: '512MB',
  threads: '2',
}
/** A commit takes requests up to this many spans or batches. The others get the next commit. */
const COMMIT_SPANS = 20_000
const COMMIT_BATCHES = 500
const RETRY_SECONDS = 10

interface Pending {
  batches: readonly Batch[]
  resolve: (added: Added) => void
  reject: (error: Error) => void
}

/** Opens the store in `folder`, or creates both. `now` is milliseconds since 1970. */
export async function openStore(
  folder: string,
  log: Log,
  now: () => number = Date.now,
): Promise<Store> {
  const file = await openFile(folder)
  const highest = async (table: string): Promise<number> => {
    const found = await file.writer.runAndReadAll(`SELECT max(number) FROM ${table}`)
    return Number(found.getRows()[0]?.[0] ?? 0)
  }
  const last = { batch: await highest('batches'), span: await highest('spans') }
  return new Store(file, last, log, now)
}

export class Store {
  readonly #file: StoreFile
  /** A number whose commit failed is never used again: no row may point at another batch. */
  readonly #last: { batch: number; span: number }
  readonly #log: Log
  readonly #now: () => number
  readonly #queue: Pending[] = []
  #writing: Promise<void> | undefined
  #closed = false

  constructor(file: StoreFile, last: { batch: number; span: number }, log: Log, now: () => number) {
    this.#file = file
    this.#last = last
    this.#log = log
    this.#now = now
  }

  add(batches: readonly Batch[]): Promise<Added> {
    if (this.#closed)
      return Promise.reject(
        retryLater('The usage store is closing. Send the same request later.', RETRY_SECONDS),
      )
    return new Promise((resolve, reject) => {
      this.#queue.push({ batches, resolve, reject })
      this.#writing ??= this.#writeAll()
    })
  }

  /** The rows of one query, as plain objects. It sees whole requests only. */
  async read(sql: string, values: DuckDBValue[] = []): Promise<Row[]> {
    return (await this.#file.reader.runAndReadAll(sql, values)).getRowObjectsJS()
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#writing
    this.#file.reader.closeSync()
    this.#file.writer.closeSync()
    this.#file.instance.closeSync()
  }

  async #writeAll(): Promise<void> {
    while (this.#queue.length > 0) await this.#write(nextGroup(this.#queue))
    this.#writing = undefined
  }

  async #write(group: readonly Pending[]): Promise<void> {
    try {
      const { changes, added } = await this.#plan(group)
      const today = Math.floor(this.#now() / DAY_MS)
      if (changes.spans.length > 0) await commit(this.#file.writer, changes, today)
      for (const [at, pending] of group.entries()) pending.resolve(added[at]!)
    } catch {
      // The log never gets the error's text, which can quote values. Written alone, a request
      // cannot make others fail.
      if (group.length > 1) {
        for (const pending of group) await this.#write([pending])
        return
      }
      this.#log.error(
        'collect: cannot write the usage store; make space on the disk, then restart',
        { file: STORE_FILE },
      )
      group[0]?.reject(
        retryLater(
          'The usage store cannot be written. Send the same request later.',
          RETRY_SECONDS,
        ),
      )
    }
  }

  /** Finds what is new in `group`, in order, so that two equal requests of it count once. */
  async #plan(group: readonly Pending[]): Promise<{ changes: Changes; added: Added[] }> {
    const ids = group.flatMap(({ batches }) => batches.map((batch) => batch.id))
    const known = await knownBatches(this.#file.writer, ids)
    const changes: Changes = { batches: [], spans: [] }
    const added = group.map(({ batches }) => {
      const sum: Added = { accepted: 0, duplicates: 0 }
      for (const batch of batches) {
        const accepted = this.#planBatch(batch, known, changes)
        sum.accepted += accepted
        sum.duplicates += batch.spans.length - accepted
      }
      return sum
    })
    return { changes, added }
  }

  /** Adds the new spans of `batch` to `changes`, and returns how many there are. */
  #planBatch(batch: Batch, known: Map<string, Known>, changes: Changes): number {
    let seen = known.get(batch.id)
    if (seen === undefined) {
      seen = { number: ++this.#last.batch, project: batch.project, spans: new Set() }
      known.set(batch.id, seen)
      changes.batches.push({ number: seen.number, batch })
    }
    // An id belongs to the first project that uses it. No other project can add spans to its batch.
    if (seen.project !== batch.project) return 0
    let accepted = 0
    for (const span of batch.spans) {
      const key = span.traceId + span.spanId
      if (seen.spans.has(key)) continue
      seen.spans.add(key)
      changes.spans.push({ number: ++this.#last.span, batch: seen.number, span })
      accepted++
    }
    return accepted
  }
}

interface StoreFile {
  instance: DuckDBInstance
  writer: DuckDBConnection
  reader: DuckDBConnection
}

async function openFile(folder: string): Promise<StoreFile> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const instance = await DuckDBInstance.create(join(folder, STORE_FILE), SETTINGS)
    const writer = await DuckDBConnection.create(instance)
    await writer.run(SCHEMA)
    return { instance, writer, reader: await DuckDBConnection.create(instance) }
  } catch {
    throw new ConfigError([
      `The file ${STORE_FILE} in the data directory cannot be opened. Make the directory writable, or end the other process that has the file open, or move the file away if it is not a usage store.`,
    ])
  }
}

/** Takes the first requests of the queue, up to the limits of a commit but at least one. */
function nextGroup(queue: Pending[]): Pending[] {
  let spans = 0
  let batches = 0
  let count = 0
  while (count < queue.length && spans < COMMIT_SPANS && batches < COMMIT_BATCHES) {
    for (const batch of queue[count]!.batches) spans += batch.spans.length
    batches += queue[count]!.batches.length
    count++
  }
  return queue.splice(0, count)
}
