// Runs one request through the pass and through the oracle and says where they differ. A world is a
// policy with facts, a secret and a moment; its pass is used again for every request, as in life.
import { randomFillSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'

import { parse } from 'yaml'
import { type Anonymizer, createAnonymizer } from '../../src/anonymize/anonymize.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { Counters } from '../../src/support/counters.ts'
import { Refusal } from '../../src/support/errors.ts'
import { expect } from './oracle.ts'
import type { OutgoingSpan, Plain, PolicyFile, Scalar, SpanFaults } from './oracle-policy.ts'
import { ExportTraceServiceRequest } from './otlp-generated/opentelemetry/proto/collector/trace/v1/trace_service.ts'
import type { AnyValue } from './otlp-generated/opentelemetry/proto/common/v1/common.ts'
import { ScopeSpans, type Span } from './otlp-generated/opentelemetry/proto/trace/v1/trace.ts'
import { encode, type Tree } from './otlp-pieces.ts'

export interface World {
  name: string
  policy: PolicyFile
  facts: ReadonlyMap<string, Plain>
  secret: Buffer | undefined
  nowMs: number
  anonymizer: Anonymizer
  counters: Counters
}

export class Tally {
  readonly counts = new Map<string, number>()
  readonly add = (outcome: string): void =>
    void this.counts.set(outcome, (this.counts.get(outcome) ?? 0) + 1)
}

const SECRET = Buffer.from(Array.from({ length: 32 }, (_, i) => i))
const FACTS = new Map<string, Plain>([
  ['instance.id', '01ARZ3NDEKTSV4RRFFQ69G5FAV'],
  ['app.version', 'v1.32.0-rc.1'],
  ['app.ratio', 1.5],
  ['app.beta', true],
  ['k8s.distribution', 'gke'],
  ['k8s.nodes', 12],
])
/** Every fact is of another kind than the policies expect, or is missing. */
const ODD_FACTS = new Map<string, Plain>([
  ['instance.id', 7],
  ['app.version', 132],
  ['app.ratio', '1.5'],
  ['app.beta', 'true'],
  ['app.missing', ''],
  ['k8s.distribution', false],
])
const LAST_MOMENT = Date.UTC(2026, 9, 31, 23, 59, 59, 999)
const FIRST_MOMENT = Date.UTC(2027, 0, 1)

export function worlds(): World[] {
  const world = (
    file: string,
    facts: ReadonlyMap<string, Plain>,
    secret: Buffer | undefined,
    nowMs: number,
    note = '',
  ): World => {
    const text = readFileSync(
      join(import.meta.dirname, '../fixtures/policies', `${file}.yaml`),
      'utf8',
    )
    const counters = new Counters()
    const anonymizer = createAnonymizer({
      policy: parsePolicy(text),
      facts,
      secret,
      counters,
      maxBytes: 2 ** 26,
      random: fill,
    })
    return {
      name: `${file}${note}`,
      policy: parse(text) as PolicyFile,
      facts,
      secret,
      nowMs,
      anonymizer,
      counters,
    }
  }
  return [
    world('sample', FACTS, SECRET, Date.UTC(2026, 9, 5, 12)),
    world('kinds', FACTS, SECRET, LAST_MOMENT),
    world('letters', FACTS, SECRET, FIRST_MOMENT),
    world('sources', FACTS, SECRET, LAST_MOMENT),
    world('copies', FACTS, Buffer.alloc(32, 0xa5), FIRST_MOMENT),
    world('copies', ODD_FACTS, SECRET, LAST_MOMENT, ' of another installation'),
    world('wide', FACTS, SECRET, FIRST_MOMENT),
    world('kinds', ODD_FACTS, undefined, FIRST_MOMENT, ' without a secret'),
    world('sources', ODD_FACTS, SECRET, FIRST_MOMENT, ' with odd facts'),
    world('steps', FACTS, SECRET, LAST_MOMENT),
    world('resource', FACTS, SECRET, FIRST_MOMENT),
    world('compat', FACTS, SECRET, LAST_MOMENT),
  ]
}

const fill = (buffer: Uint8Array): void => void randomFillSync(buffer)

/** A sentence about the first difference; `undefined` where pass and oracle agree. */
export function difference(
  world: World,
  tree: Tree,
  tally: (outcome: string) => void,
): string | undefined {
  const { wire, clean, faults, requestFault, ignored } = encode(tree)
  if (clean !== undefined) {
    const kept = differenceOf(world, wire, ExportTraceServiceRequest.decode(clean), faults, tally)
    if (kept.spans > 0) for (const harmless of ignored) tally(`${harmless}: ignored`)
    return kept.difference
  }
  const got = pass(world, wire)
  if (got.status === 400) tally(`${requestFault}: 400`)
  return got.status === 400 ? undefined : `${requestFault} must give 400, not ${got.status}`
}

export function differenceOf(
  world: World,
  wire: Uint8Array,
  message: ExportTraceServiceRequest,
  faults: ReadonlyMap<number, SpanFaults>,
  tally: (outcome: string) => void,
): { difference: string | undefined; spans: number } {
  const want = expect(message, faults, { ...world, tally })
  const got = pass(world, wire)
  const spans = want.spans.length
  if (got.status !== 200) return { difference: `status ${got.status}`, spans }
  const counts = `${want.spans.length} spans, ${want.rejected} rejected, ${want.unlisted} unlisted, ${want.foreign} foreign`
  const gotCounts = `${got.spans} spans, ${got.rejected} rejected, ${got.unlisted} unlisted, ${got.foreign} foreign`
  if (counts !== gotCounts) return { difference: `wanted ${counts}; got ${gotCounts}`, spans }
  const outgoing = readOutgoing(got.bytes)
  if (typeof outgoing === 'string') return { difference: outgoing, spans }
  if (outgoing.length !== spans)
    return { difference: `wanted ${spans} spans on the wire, got ${outgoing.length}`, spans }
  const fresh = new Set<string>()
  for (let i = 0; i < spans; i++) {
    const wanted = want.spans[i]!
    const found = outgoing[i]!
    if (wanted.spanId === 'random') {
      if (!isFresh(found.traceId, fresh) || !isFresh(found.spanId, fresh))
        return { difference: `span ${i}: ids are not fresh`, spans }
      found.traceId = found.spanId = 'random'
    }
    const [a, b] = [render(wanted), render(found)]
    if (a !== b) return { difference: `span ${i}:\n  wanted ${a}\n  got    ${b}`, spans }
  }
  return { difference: undefined, spans }
}

export interface Passing {
  status: number
  bytes: Uint8Array
  spans: number
  rejected: number
  unlisted: number
  foreign: number
}

export function pass({ anonymizer, counters, nowMs }: World, wire: Uint8Array): Passing {
  const count = (): { unlisted: number; foreign: number } => ({
    unlisted: counters.get('spans.unlisted'),
    foreign: counters.get('heartbeats.foreign'),
  })
  const { unlisted, foreign } = count()
  try {
    const passed = anonymizer.pass(wire, nowMs)
    return {
      status: 200,
      ...passed,
      unlisted: count().unlisted - unlisted,
      foreign: count().foreign - foreign,
    }
  } catch (error) {
    if (error instanceof Refusal)
      return {
        status: error.status,
        bytes: new Uint8Array(0),
        spans: 0,
        rejected: 0,
        unlisted: 0,
        foreign: 0,
      }
    throw error
  }
}

function isFresh(id: string, seen: Set<string>): boolean {
  const is = !/^0*$/.test(id) && !seen.has(id)
  seen.add(id)
  return is
}

/** What stands in the bytes, or a sentence about what must not stand there. */
function readOutgoing(bytes: Uint8Array): OutgoingSpan[] | string {
  const message = ScopeSpans.decode(bytes)
  // Writing it again finds fields that a reader passes over: unknown ones, and all but the last of
  // a repeated one.
  const zeroTimes = message.spans.filter(
    (span) => span.startTimeUnixNano === 0n || span.endTimeUnixNano === 0n,
  ).length
  if (zeroTimes === 0 && ScopeSpans.encode(message).finish().length !== bytes.length)
    return 'there is more in the bytes than a codec reads'
  const spans: OutgoingSpan[] = []
  for (const span of message.spans) {
    if (hasMore(span)) return `a span holds more than it may: ${Buffer.from(bytes).toString('hex')}`
    spans.push({
      name: span.name,
      traceId: hex(span.traceId),
      spanId: hex(span.spanId),
      parentId: hex(span.parentSpanId),
      start: span.startTimeUnixNano,
      end: span.endTimeUnixNano,
      status: span.status?.code ?? 0,
      attributes: span.attributes.map(({ key, value }) => [key, scalar(value)]),
    })
  }
  return message.scope !== undefined || message.schemaUrl !== '' || hasUnknown(message)
    ? 'more than spans'
    : spans
}

function hasMore(span: Span): boolean {
  const { events, links, status } = span
  const numbers =
    span.flags +
    span.kind +
    span.droppedAttributesCount +
    span.droppedEventsCount +
    span.droppedLinksCount
  const unknown =
    hasUnknown(span) ||
    span.attributes.some((attribute) => hasUnknown(attribute) || attribute.keyStrindex !== 0)
  return (
    unknown ||
    numbers !== 0 ||
    events.length > 0 ||
    links.length > 0 ||
    span.traceState !== '' ||
    (status?.message ?? '') !== ''
  )
}

const hasUnknown = ({ _unknownFields }: { _unknownFields?: object | undefined }): boolean =>
  Object.keys(_unknownFields ?? {}).length > 0

function scalar(value: AnyValue | undefined): Scalar {
  return (
    value?.stringValue ??
    value?.boolValue ??
    value?.intValue ??
    value?.doubleValue ??
    `not a scalar: ${Object.keys(value ?? {}).join()}`
  )
}

const hex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')

/** `1`, `"1"` and the double 1 differ, and so do the two zeros. */
function render(span: OutgoingSpan): string {
  const attributes = span.attributes
    .map(
      ([key, value]) =>
        `${key}=${typeof value === 'string' ? JSON.stringify(value) : typeof value === 'number' ? inspect(value) : value}`,
    )
    .join(' ')
  return `${span.name} ${span.traceId} ${span.spanId} ${span.parentId} ${span.start}-${span.end} status ${span.status} ${attributes}`
}
