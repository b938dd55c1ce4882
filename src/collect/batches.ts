// Splits a request into batches that the collector stores and spans that it refuses. Anybody can
// send, so names, texts and counts are limited. The sender learns how many spans were refused and
// why (OTLP partial success), in words that contain no input. Only the UTC day of a span's time is
// kept.
import type { ExportResult } from '../otlp/answer.ts'
import type { Attribute as DecodedAttribute, DecodedRequest, DecodedSpan } from '../otlp/decode.ts'

export const DAY_MS = 86_400_000
const DAY_NS = 86_400_000_000_000n
export const MAX_TEXT_BYTES = 256
export const MAX_ATTRIBUTES = 64

export interface Attribute {
  key: string
  type: 'string' | 'int' | 'bool' | 'double'
  value: string
}

export interface SpanRow {
  traceId: string
  spanId: string
  parentId: string | undefined
  name: string
  /** Days since 1970, UTC. */
  day: number
  status: 'unset' | 'ok' | 'error'
  attributes: Attribute[]
}

export interface Batch {
  id: string
  project: string
  policyVersion: number | undefined
  policyDigest: string | undefined
  /** The other attributes of the resource. */
  facts: Attribute[]
  spans: SpanRow[]
}

const REASONS = {
  noId: 'no usage.batch.id of 32 hex digits, which usage-sidecar sets',
  noProject: 'no usage.project',
  ids: 'no valid trace id and span id',
  name: 'a name that is empty or longer than 256 bytes',
  day: 'a day in the future',
  many: 'more than 64 attributes',
  long: 'an attribute longer than 256 bytes or without a key',
  twice: 'a repeated attribute',
  kind: 'an attribute that is neither text, number nor boolean',
}

/** `today` is in days since 1970, UTC. */
export function readBatches(
  request: DecodedRequest,
  today: number,
): { batches: Batch[]; refused: ExportResult } {
  const batches: Batch[] = []
  const reasons = new Map<string, number>()
  const refuse = (reason: string, spans: number): void => {
    if (spans > 0) reasons.set(reason, (reasons.get(reason) ?? 0) + spans)
  }

  for (const { attributes, scopeSpans } of request.resourceSpans) {
    const spans = scopeSpans.flatMap((scope) => scope.spans)
    const head = readResource(attributes)
    if (typeof head === 'string') {
      refuse(head, spans.length)
      continue
    }
    const batch: Batch = { ...head, spans: [] }
    for (const span of spans) {
      const row = readSpan(span, today)
      if (typeof row === 'string') refuse(row, 1)
      else batch.spans.push(row)
    }
    if (batch.spans.length > 0) batches.push(batch)
  }

  let rejected = 0
  for (const count of reasons.values()) rejected += count
  const message = [...reasons].map(([reason, count]) => `${count} with ${reason}`).join('; ')
  return {
    batches,
    refused: { rejected, message: message === '' ? '' : `Spans not stored: ${message}.` },
  }
}

/** The resource of a batch, or why it is refused. */
function readResource(attributes: readonly DecodedAttribute[]): Omit<Batch, 'spans'> | string {
  const facts = readAttributes(attributes)
  if (typeof facts === 'string') return `a resource with ${facts}`
  const take = (key: string): string | undefined => {
    const at = facts.findIndex((fact) => fact.key === key)
    return at === -1 ? undefined : facts.splice(at, 1)[0]?.value
  }
  const id = take('usage.batch.id')
  const project = take('usage.project')
  const version = Number(take('usage.policy.version') ?? Number.NaN)
  const policyDigest = take('usage.policy.digest')
  if (id === undefined || !/^[0-9a-f]{32}$/.test(id)) return REASONS.noId
  if (project === undefined || project === '') return REASONS.noProject
  const policyVersion =
    Number.isInteger(version) && version >= 0 && version < 2 ** 31 ? version : undefined
  return { id, project, policyVersion, policyDigest, facts }
}

/** A row for a span, or why it is refused. */
function readSpan(span: DecodedSpan, today: number): SpanRow | string {
  const { traceId, spanId, parentSpanId, name } = span
  // OTLP: trace ids are 16 bytes, span ids 8, and all zeros is invalid.
  if (!/^(?!0+$)[0-9a-f]{32}$/.test(traceId) || !/^(?!0+$)[0-9a-f]{16}$/.test(spanId))
    return REASONS.ids
  if (name === '' || !isShort(name)) return REASONS.name
  const day = Number(span.startTimeUnixNano / DAY_NS)
  // One day of tolerance for clocks that are ahead. A distant day would push others off the page.
  if (day > today + 1) return REASONS.day
  const attributes = readAttributes(span.attributes)
  if (typeof attributes === 'string') return attributes
  const parentId = /^[0-9a-f]{16}$/.test(parentSpanId) ? parentSpanId : undefined
  return {
    traceId,
    spanId,
    parentId,
    name,
    day,
    status: STATUS[span.statusCode] ?? 'unset',
    attributes,
  }
}

const STATUS = ['unset', 'ok', 'error'] as const

const isShort = (text: string): boolean =>
  text.length <= MAX_TEXT_BYTES && Buffer.byteLength(text) <= MAX_TEXT_BYTES

/** All attributes, or why one is refused. */
function readAttributes(attributes: readonly DecodedAttribute[]): Attribute[] | string {
  if (attributes.length > MAX_ATTRIBUTES) return REASONS.many
  const keys = new Set<string>()
  const read: Attribute[] = []
  for (const { key, value } of attributes) {
    const type = value.kind
    if (type !== 'string' && type !== 'int' && type !== 'bool' && type !== 'double')
      return REASONS.kind
    const text = String(value.value)
    if (key === '' || !isShort(key) || !isShort(text)) return REASONS.long
    if (keys.has(key)) return REASONS.twice
    keys.add(key)
    read.push({ key, type, value: text })
  }
  return read
}
