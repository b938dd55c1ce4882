// The four tables of the usage store, and the only code that writes to them. Rows are appended and
// never changed. A span refers to its batch, and an attribute to its span, by small ascending
// numbers, so that DuckDB can skip data that a query does not need.
import { type DuckDBAppender, type DuckDBConnection, dateValue } from '@duckdb/node-api'
import type { Attribute, Batch, SpanRow } from './batches.ts'

export const SCHEMA = `
  CREATE TABLE IF NOT EXISTS batches (number INTEGER NOT NULL, batch_id VARCHAR PRIMARY KEY, received DATE NOT NULL,
    project VARCHAR NOT NULL, policy_version INTEGER, policy_digest VARCHAR);
  CREATE TABLE IF NOT EXISTS batch_attributes (batch INTEGER NOT NULL, key VARCHAR NOT NULL, type VARCHAR NOT NULL, value VARCHAR NOT NULL);
  CREATE TABLE IF NOT EXISTS spans (number BIGINT NOT NULL, batch INTEGER NOT NULL, trace_id VARCHAR NOT NULL, span_id VARCHAR NOT NULL,
    parent_id VARCHAR, name VARCHAR NOT NULL, day DATE NOT NULL, status VARCHAR NOT NULL);
  CREATE TABLE IF NOT EXISTS span_attributes (span BIGINT NOT NULL, key VARCHAR NOT NULL, type VARCHAR NOT NULL, value VARCHAR NOT NULL);
`

/** What one commit appends. */
export interface Changes {
  batches: { number: number; batch: Batch }[]
  spans: { number: number; batch: number; span: SpanRow }[]
}

/** A batch that is in the store. `spans` has the trace id and span id of each of its spans. */
export interface Known {
  number: number
  project: string
  spans: Set<string>
}

const IDS_PER_QUERY = 1000

/** The batches among `ids` that are in the store. */
export async function knownBatches(
  writer: DuckDBConnection,
  ids: string[],
): Promise<Map<string, Known>> {
  const known = new Map<string, Known>()
  const byNumber = new Map<number, Set<string>>()
  for (let from = 0; from < ids.length; from += IDS_PER_QUERY) {
    const some = ids.slice(from, from + IDS_PER_QUERY)
    // DuckDB uses its index for a list of parameters, but not for one parameter that is a list.
    const found = await writer.runAndReadAll(
      `SELECT batch_id, number, project FROM batches WHERE batch_id IN (${some.map(() => '?').join()})`,
      some,
    )
    for (const [id, number, project] of found.getRows() as [string, number, string][]) {
      const spans = new Set<string>()
      known.set(id, { number, project, spans })
      byNumber.set(number, spans)
    }
  }
  if (byNumber.size === 0) return known
  const rows = await writer.runAndReadAll(
    `SELECT batch, trace_id || span_id FROM spans WHERE batch IN (${[...byNumber.keys()].join()})`,
  )
  for (const [number, key] of rows.getRows() as [number, string][]) byNumber.get(number)?.add(key)
  return known
}

/** One transaction, fsynced by DuckDB in its write-ahead log before COMMIT returns. */
export async function commit(
  writer: DuckDBConnection,
  changes: Changes,
  today: number,
): Promise<void> {
  await writer.run('BEGIN')
  try {
    await append(writer, 'batches', (rows) => {
      for (const { number, batch } of changes.batches) appendBatch(rows, number, batch, today)
    })
    await append(writer, 'batch_attributes', (rows) => {
      for (const { number, batch } of changes.batches)
        for (const fact of batch.facts)
          appendAttribute(rows, () => rows.appendInteger(number), fact)
    })
    await append(writer, 'spans', (rows) => {
      for (const { number, batch, span } of changes.spans) appendSpan(rows, number, batch, span)
    })
    await append(writer, 'span_attributes', (rows) => {
      for (const { number, span } of changes.spans) {
        const id = BigInt(number)
        for (const attribute of span.attributes)
          appendAttribute(rows, () => rows.appendBigInt(id), attribute)
      }
    })
    await writer.run('COMMIT')
  } catch (error) {
    // If COMMIT failed, DuckDB has already ended the transaction, and ROLLBACK fails.
    await writer.run('ROLLBACK').catch(() => undefined)
    throw error
  }
}

async function append(
  writer: DuckDBConnection,
  table: string,
  rows: (appender: DuckDBAppender) => void,
): Promise<void> {
  const appender = await writer.createAppender(table)
  try {
    rows(appender)
  } finally {
    appender.closeSync()
  }
}

function appendBatch(rows: DuckDBAppender, number: number, batch: Batch, today: number): void {
  rows.appendInteger(number)
  rows.appendVarchar(batch.id)
  rows.appendDate(dateValue(today))
  rows.appendVarchar(batch.project)
  if (batch.policyVersion === undefined) rows.appendNull()
  else rows.appendInteger(batch.policyVersion)
  if (batch.policyDigest === undefined) rows.appendNull()
  else rows.appendVarchar(batch.policyDigest)
  rows.endRow()
}

function appendSpan(rows: DuckDBAppender, number: number, batch: number, span: SpanRow): void {
  rows.appendBigInt(BigInt(number))
  rows.appendInteger(batch)
  rows.appendVarchar(span.traceId)
  rows.appendVarchar(span.spanId)
  if (span.parentId === undefined) rows.appendNull()
  else rows.appendVarchar(span.parentId)
  rows.appendVarchar(span.name)
  rows.appendDate(dateValue(span.day))
  rows.appendVarchar(span.status)
  rows.endRow()
}

function appendAttribute(rows: DuckDBAppender, owner: () => void, attribute: Attribute): void {
  owner()
  rows.appendVarchar(attribute.key)
  rows.appendVarchar(attribute.type)
  rows.appendVarchar(attribute.value)
  rows.endRow()
}
