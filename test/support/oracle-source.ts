// Where the oracle finds values: attributes of the span and of its resource, facts, literals, the
// span itself, and lists of these.
import type {
  Found,
  Plain,
  Scalar,
  SourceWords,
  SpanFaults,
  Surroundings,
  Tally,
} from './oracle-policy.ts'
import type { AnyValue, KeyValue } from './otlp-generated/opentelemetry/proto/common/v1/common.ts'
import type { Resource } from './otlp-generated/opentelemetry/proto/resource/v1/resource.ts'
import type { Span } from './otlp-generated/opentelemetry/proto/trace/v1/trace.ts'

const ABSENT: Found = { state: 'absent' }

export type Read = (source: SourceWords) => Found

/** `statusFault`: the status cannot be told. */
export function reader(
  span: Span,
  resource: Resource | undefined,
  faults: SpanFaults,
  statusFault: string | undefined,
  around: Surroundings,
): Read {
  const { tally } = around
  const place = (source: string): Found => {
    if (source.startsWith('text:')) return { state: 'value', value: source.slice(5) }
    if (source.startsWith('fact:')) return fact(around.facts.get(source.slice(5)))
    if (source.startsWith('resource:')) return ofResource(resource, source.slice(9), faults, tally)
    if (source === 'span:duration') return duration(span, tally)
    if (source !== 'span:status') return attribute(span.attributes, source, faults.attributes)
    return statusFault === undefined
      ? { state: 'value', value: ['unset', 'ok', 'error'][span.status?.code ?? 0]! }
      : { state: 'malformed', fault: statusFault }
  }
  return (source) => (Array.isArray(source) ? joined(source.map(place), tally) : place(source))
}

/** "If one is missing, the whole is missing (an empty text is not missing)." */
function joined(parts: readonly Found[], tally: Tally): Found {
  const malformed = parts.find(({ state }) => state === 'malformed')
  if (malformed !== undefined) return malformed
  if (parts.some(({ state }) => state === 'absent')) {
    tally('list: one missing')
    return ABSENT
  }
  const texts = parts.flatMap((part) =>
    part.state === 'value' && typeof part.value === 'string' ? [part.value] : [],
  )
  if (texts.length < parts.length) return { state: 'other', why: 'list with another kind' }
  tally(texts.includes('') ? 'list: one empty' : 'list: joined')
  return { state: 'value', value: texts.join('') }
}

function ofResource(
  resource: Resource | undefined,
  key: string,
  { resource: faults }: SpanFaults,
  tally: Tally,
): Found {
  if (faults?.whole !== undefined) return { state: 'malformed', fault: faults.whole }
  const found = attribute(resource?.attributes ?? [], key, faults?.attributes ?? new Map())
  tally(`resource: ${found.state}`)
  return found
}

export function attribute(
  attributes: readonly KeyValue[],
  key: string,
  faults: ReadonlyMap<string, string>,
): Found {
  const fault = faults.get(key)
  if (fault !== undefined) return { state: 'malformed', fault }
  const found = attributes.filter((keyValue) => keyValue.key === key)
  if (found.length === 0) return ABSENT
  return found.length > 1
    ? { state: 'malformed', fault: 'repeated-key' }
    : anyValue(found[0]?.value)
}

function anyValue(value: AnyValue | undefined): Found {
  if (value?.stringValue !== undefined) return { state: 'value', value: value.stringValue }
  if (value?.boolValue !== undefined) return { state: 'value', value: value.boolValue }
  if (value?.intValue !== undefined) return { state: 'value', value: value.intValue }
  if (value?.doubleValue !== undefined) {
    return Number.isFinite(value.doubleValue)
      ? { state: 'value', value: value.doubleValue }
      : { state: 'other', why: 'double-extreme' }
  }
  if (value?.stringValueStrindex !== undefined) return { state: 'other', why: 'strindex-value' }
  return {
    state: 'other',
    why:
      value?.arrayValue !== undefined || value?.kvlistValue !== undefined ? 'depth' : 'other-kind',
  }
}

function fact(value: Plain | undefined): Found {
  if (value === undefined) return ABSENT
  const scalar: Scalar =
    typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value
  return { state: 'value', value: scalar }
}

/** Seconds, a double, from the exact difference in nanoseconds. */
function duration(span: Span, tally: Tally): Found {
  const { startTimeUnixNano: start, endTimeUnixNano: end } = span
  if (start === 0n || end === 0n) {
    tally('time-extreme: no duration')
    return ABSENT
  }
  if (end < start) tally('time-extreme: negative')
  return { state: 'value', value: Number(end - start) / 1e9 }
}
