// What a request must become under a policy, in plain TypeScript and without regard for speed:
// written from the policy language and test/fixtures/malformed.md, never from src/anonymize. It
// reads messages of the generated codec; what that codec cannot read as the table wants is told to
// it as faults.
import { createCipheriv } from 'node:crypto'
import { apply, hkdf, MAX_SAFE } from './oracle-act.ts'
import {
  type Expected,
  type OutgoingSpan,
  type SpanFaults,
  type SpanRule,
  type Surroundings,
  sent,
  type Tally,
} from './oracle-policy.ts'
import { attribute, reader } from './oracle-source.ts'
import type { ExportTraceServiceRequest } from './otlp-generated/opentelemetry/proto/collector/trace/v1/trace_service.ts'
import type { Resource } from './otlp-generated/opentelemetry/proto/resource/v1/resource.ts'
import type { Span } from './otlp-generated/opentelemetry/proto/trace/v1/trace.ts'

const UNITS = {
  day: 86_400_000_000_000n,
  hour: 3_600_000_000_000n,
  minute: 60_000_000_000n,
  exact: 1n,
}
const MAX_ATTRIBUTES = 4096

export function expect(
  request: ExportTraceServiceRequest,
  faults: ReadonlyMap<number, SpanFaults>,
  around: Surroundings,
): Expected {
  const expected: Expected = { rejected: 0, unlisted: 0, foreign: 0, spans: [] }
  const { tally } = around
  const all = request.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap((scope) => scope.spans.map((span) => ({ span, resource }))),
  )
  all.forEach(({ span, resource }, index) => {
    const faultsHere = faults.get(index) ?? { attributes: new Map<string, string>() }
    const rejection = faultsHere.rejected ?? whyRejected(span)
    const rule = Object.hasOwn(around.policy.spans, span.name)
      ? around.policy.spans[span.name]
      : undefined
    if (rejection !== undefined) {
      expected.rejected++
      tally(`${rejection}: span`)
    } else if (rule === undefined) {
      expected.unlisted++
      tally('span: unlisted')
    } else if (span.name === 'usage.heartbeat') {
      expected.foreign++
      tally('heartbeat: foreign')
    } else {
      expected.spans.push(...outgoing(span, resource, rule, faultsHere, around))
    }
  })
  return expected
}

function whyRejected(span: Span): string | undefined {
  const zero = (id: Uint8Array): boolean => id.every((byte) => byte === 0)
  if (
    span.traceId.length !== 16 ||
    zero(span.traceId) ||
    span.spanId.length !== 8 ||
    zero(span.spanId)
  )
    return 'bad-id'
  if (span.parentSpanId.length !== 0 && span.parentSpanId.length !== 8) return 'bad-id'
  return span.attributes.length > MAX_ATTRIBUTES ? 'too-many-attributes' : undefined
}

function outgoing(
  span: Span,
  resource: Resource | undefined,
  rule: SpanRule,
  faults: SpanFaults,
  around: Surroundings,
): OutgoingSpan[] {
  const { tally } = around
  const code = span.status?.code ?? 0
  const statusFault = faults.status ?? (code < 0 || code > 2 ? 'status' : undefined)
  const read = reader(span, resource, faults, statusFault, around)
  for (const key of rule.skip ?? []) {
    const found = attribute(span.attributes, key, faults.attributes)
    if (found.state === 'absent' || (found.state === 'value' && found.value === '')) continue
    tally(found.state === 'malformed' ? 'skip: malformed' : 'skip: left out')
    return []
  }
  const today = new Date(around.nowMs).toISOString().slice(0, 10)
  const results = Object.entries(rule.attributes ?? {}).flatMap(([name, attributeRule]) => {
    const { expires } = attributeRule
    if (expires !== undefined) tally(expires < today ? 'expires: over' : 'expires: not yet')
    return expires !== undefined && expires < today
      ? []
      : [{ name, outcomes: apply(name, attributeRule, read, around) }]
  })
  const copies = Math.max(1, ...results.map(({ outcomes }) => outcomes.length))
  if (copies > 1) tally('split: copies')
  if (span.startTimeUnixNano > MAX_SAFE * 1000n || span.endTimeUnixNano < span.startTimeUnixNano)
    tally('time-extreme: number')
  const time = rule.time ?? 'day'
  const start = span.startTimeUnixNano - (span.startTimeUnixNano % UNITS[time])
  const spans: OutgoingSpan[] = []
  for (let copy = 0; copy < copies; copy++) {
    const attributes: OutgoingSpan['attributes'] = []
    for (const { name, outcomes } of results) {
      const value = outcomes.length > 1 ? outcomes[copy] : outcomes[0]
      if (value !== undefined) attributes.push([name, value])
    }
    if (!passesOnly(rule.only, attributes, tally)) continue
    if (rule.status === 'keep')
      tally(statusFault === undefined ? `status: ${code}` : 'status: no status')
    tally(`time: ${time}`)
    const status = rule.status === 'keep' && statusFault === undefined ? code : 0
    const end = time === 'exact' ? span.endTimeUnixNano : start
    spans.push({
      name: span.name,
      ...ids(span, rule, copy, around),
      start,
      end,
      status,
      attributes,
    })
  }
  return spans
}

function passesOnly(
  only: SpanRule['only'],
  attributes: OutgoingSpan['attributes'],
  tally: Tally,
): boolean {
  for (const [name, values] of Object.entries(only ?? {})) {
    const value = attributes.find(([key]) => key === name)?.[1]
    if (value !== undefined && values.some((allowed) => sent(allowed) === value)) continue
    tally('only: left out')
    return false
  }
  if (only !== undefined) tally('only: passed')
  return true
}

function ids(
  span: Span,
  rule: SpanRule,
  copy: number,
  around: Surroundings,
): Pick<OutgoingSpan, 'traceId' | 'spanId' | 'parentId'> {
  around.tally(`ids: ${rule.ids ?? 'random'}`)
  if (rule.ids !== 'linked') return { traceId: 'random', spanId: 'random', parentId: '' }
  const { secret, policy, nowMs } = around
  if (secret === undefined)
    throw new Error('Without a secret linked ids are made from a key that nobody knows.')
  const day = new Date(nowMs).toISOString().slice(0, 10)
  const prf = (field: string, block: Uint8Array): Buffer => {
    const cipher = createCipheriv(
      'aes-128-ecb',
      hkdf(secret, 'usage-sidecar/ids/v1', [policy.project, field, day], 16),
      null,
    )
    return cipher.setAutoPadding(false).update(block)
  }
  const spanId = (id: Uint8Array, number: number): string => {
    const block = Buffer.alloc(16)
    block.set(id)
    block.writeBigUInt64BE(BigInt(number), 8)
    return prf('span', block).toString('hex', 0, 8)
  }
  const root = span.parentSpanId.every((byte) => byte === 0)
  around.tally(root ? 'ids: no parent' : 'ids: parent')
  const parentId = root ? '' : spanId(span.parentSpanId, 0)
  return {
    traceId: prf('trace', span.traceId).toString('hex'),
    spanId: spanId(span.spanId, copy),
    parentId,
  }
}
