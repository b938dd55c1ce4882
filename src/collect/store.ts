// The usage store: one DuckDB file. Every accepted batch is counted once, whatever is sent again
// and in whatever body, and is on disk when `add` resolves. Requests that wait together share one
// commit. Of the time a batch came only the UTC day is kept, and nothing of who sent it.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBConnection, DuckDBInstance, type DuckDBValue } from '@duckdb/node-api'
import { ConfigError, retryLater } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import { type Batch, DAY_MS } from './batches.ts'
import { type Changes, commit, knownBatches, SCHEMA } from './tables.ts'

export const STORE_FILE = 'usage.duckdb'

/** How many spans of a request were new, and how many had come before. */
export interface Added {
  accepted: number
  duplicates: number
}

export type Row = Record<string, unknown>

export interface Store {
  add(batches: readonly Batch[]): Promise<Added>
  /** Rows of one query, as plain objects; it sees whole requests only. */
  read(sql: string, values?: DuckDBValue[]): Promise<Row[]>
  close(): Promise<void>
}

/**
 * The store talks to its own file only: no other file, no network, no extension that is loaded from
 * somewhere.
 */
const SETTINGS = {
  enable_external_access: 'false',
  autoinstall_known_extensions: 'false',
  autoload_known_extensions: 'false',
  memory_limit: '512MB',
  threads: '2',
}
/**
 * One commit takes requests until it holds this many spans or batches; the rest waits for the next
 * commit.
 */
const COMMIT_SPANS = 20_000
const COMMIT_BATCHES = 500
const RETRY_SECONDS = 10

interface Waiting {
  batches: readonly Batch[]
  resolve: (added: Added) => void
  reject: (error: Error) => void
}

/** Opens the store in `folder`, or makes both. `now` is milliseconds since 1970. */
export async function openStore(
  folder: string,
  log: Log,
  now: () => number = Date.now,
): Promise<Store> {
  const { instance, writer, reader } = await openFile(folder)
  const last = async (sql: string): Promise<number> =>
    Number((await writer.runAndReadAll(sql)).getRows()[0]?.[0] ?? 0)
  // A number whose commit failed is never used again, so that no row can point at another's batch.
  let lastBatch = await last('SELECT max(number) FROM batches')
  let lastSpan = await last('SELECT max(number) FROM spans')
  const queue: Waiting[] = []
  let writing: Promise<void> | undefined
  let closed = false

  /**
   * Works out what is new in `group`, in order, so that two equal requests in one group count once.
   */
  const plan = async (group: readonly Waiting[]): Promise<{ changes: Changes; added: Added[] }> => {
    const known = await knownBatches(
      writer,
      group.flatMap((waiting) => waiting.batches.map((batch) => batch.id)),
    )
    const changes: Changes = { batches: [], spans: [] }
    const take = (batch: Batch): Added => {
      let seen = known.get(batch.id)
      if (seen === undefined) {
        seen = { number: ++lastBatch, project: batch.project, spans: new Set() }
        known.set(batch.id, seen)
        changes.batches.push({ number: seen.number, batch })
      }
      // An id belongs to the project that used it first: nobody can add spans to another project's
      // batch.
      if (seen.project !== batch.project) return { accepted: 0, duplicates: batch.spans.length }
      let accepted = 0
      for (const span of batch.spans) {
        const key = span.traceId + span.spanId
        if (seen.spans.has(key)) continue
        seen.spans.add(key)
        changes.spans.push({ number: ++lastSpan, batch: seen.number, span })
        accepted++
      }
      return { accepted, duplicates: batch.spans.length - accepted }
    }
    const added = group.map(({ batches }) => {
      const sum: Added = { accepted: 0, duplicates: 0 }
      for (const batch of batches) {
        const { accepted, duplicates } = take(batch)
        sum.accepted += accepted
        sum.duplicates += duplicates
      }
      return sum
    })
    return { changes, added }
  }

  const write = async (group: readonly Waiting[]): Promise<void> => {
    try {
      const { changes, added } = await plan(group)
      if (changes.spans.length > 0) await commit(writer, changes, Math.floor(now() / DAY_MS))
      for (const [at, waiting] of group.entries()) waiting.resolve(added[at]!)
    } catch {
      // The text of the error is not told: it can quote values. Alone, a request cannot take others
      // down with it.
      if (group.length > 1) {
        for (const waiting of group) await write([waiting])
        return
      }
      log.error(
        'collect: the usage store cannot be written; look for a full disk, then start again',
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

  const drain = async (): Promise<void> => {
    while (queue.length > 0) await write(nextGroup(queue))
    writing = undefined
  }

  return {
    add: (batches) => {
      if (closed)
        return Promise.reject(
          retryLater('The usage store is closing. Send the same request later.', RETRY_SECONDS),
        )
      return new Promise((resolve, reject) => {
        queue.push({ batches, resolve, reject })
        writing ??= drain()
      })
    },
    read: async (sql, values = []) => (await reader.runAndReadAll(sql, values)).getRowObjectsJS(),
    close: async () => {
      closed = true
      await writing
      reader.closeSync()
      writer.closeSync()
      instance.closeSync()
    },
  }
}

async function openFile(
  folder: string,
): Promise<{ instance: DuckDBInstance; writer: DuckDBConnection; reader: DuckDBConnection }> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const instance = await DuckDBInstance.create(join(folder, STORE_FILE), SETTINGS)
    const writer = await DuckDBConnection.create(instance)
    await writer.run(SCHEMA)
    return { instance, writer, reader: await DuckDBConnection.create(instance) }
  } catch {
    throw new ConfigError([
      `The file ${STORE_FILE} in the data folder cannot be opened. Make the folder writable, end the other process that has the file open, or move a file away that is not a usage store.`,
    ])
  }
}

/** The front of the queue, bounded; never empty where the queue is not. */
function nextGroup(queue: Waiting[]): Waiting[] {
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
