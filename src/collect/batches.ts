// What the collector accepts of a request: other people's sidecars send to this door, so names, texts and counts are
// bounded, and what does not fit is refused with a sentence that tells the sender how much and why (OTLP partial
// success). Nothing of the input is in a sentence. Of a span's time only the UTC day goes on.
import type { Handled } from '../accept/accept.ts'
import type { AnyValue, DecodedRequest, DecodedSpan, KeyValue } from '../otlp/decode.ts'

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

const NO_ID = 'no usage.batch.id of 32 hex digits; send through usage-sidecar'
const NO_PROJECT = 'no usage.project'
const BAD_FACTS =
  'a resource that has more than 64 attributes, one of them twice, longer than 256 bytes or neither text, number nor boolean'
const BAD_IDS = 'no trace id and span id'
const BAD_NAME = 'a name that is empty or longer than 256 bytes'
const BAD_ATTRIBUTES = 'more than 64 attributes, one of them twice, longer than 256 bytes or neither text, number nor boolean'

/** Splits a request into what can be stored and what cannot. */
export function readBatches(request: DecodedRequest): { batches: Batch[]; refused: Handled } {
  const batches: Batch[] = []
  const reasons = new Map<string, number>()
  const refuse = (reason: string, spans: number): void => {
    if (spans > 0) reasons.set(reason, (reasons.get(reason) ?? 0) + spans)
  }

  for (const { resource, spans } of request.resourceSpans) {
    const head = readResource(resource)
    if (typeof head === 'string') {
      refuse(head, spans.length)
      continue
    }
    const batch: Batch = { ...head, spans: [] }
    for (const span of spans) {
      const row = readSpan(span)
      if (typeof row === 'string') refuse(row, 1)
      else batch.spans.push(row)
    }
    if (batch.spans.length > 0) batches.push(batch)
  }

  let rejected = 0
  for (const count of reasons.values()) rejected += count
  const message = [...reasons].map(([reason, count]) => `${count} with ${reason}`).join('; ')
  return { batches, refused: { rejected, message: message === '' ? '' : `Spans not stored: ${message}.` } }
}

/** The resource of a batch, or why it is refused. */
function readResource(attributes: readonly KeyValue[]): Omit<Batch, 'spans'> | string {
  const facts = readAttributes(attributes)
  if (facts === undefined) return BAD_FACTS
  const take = (key: string): string | undefined => {
    const at = facts.findIndex((fact) => fact.key === key)
    return at === -1 ? undefined : facts.splice(at, 1)[0]?.value
  }
  const id = take('usage.batch.id')
  const project = take('usage.project')
  const version = Number(take('usage.policy.version') ?? Number.NaN)
  const policyDigest = take('usage.policy.digest')
  if (id === undefined || !/^[0-9a-f]{32}$/.test(id)) return NO_ID
  if (project === undefined || project === '') return NO_PROJECT
  const policyVersion = Number.isInteger(version) && version >= 0 && version < 2 ** 31 ? version : undefined
  return { id, project, policyVersion, policyDigest, facts }
}
