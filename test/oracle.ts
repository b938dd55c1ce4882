// What a request must become under a policy, in plain TypeScript and without regard for speed: written from the
// policy language and test/fixtures/malformed.md, never from src/anonymize. It reads messages of the generated codec;
// what that codec cannot read as the table wants is told to it as faults.
import { createCipheriv, createHmac, hkdfSync } from 'node:crypto'
import type { ExportTraceServiceRequest } from './otlp-generated/opentelemetry/proto/collector/trace/v1/trace_service.ts'
import type { AnyValue } from './otlp-generated/opentelemetry/proto/common/v1/common.ts'
import type { Span } from './otlp-generated/opentelemetry/proto/trace/v1/trace.ts'

export type Plain = string | number | boolean
/** The words of a policy file that the oracle knows, as the `yaml` package gives them. */
export interface AttributeRule {
  from?: string
  or?: string
  absent?: Plain
  split?: string
  fold?: 'upper' | 'lower'
  keep?: Plain[]
  else?: Plain
  buckets?: number[]
  version?: 'major' | 'minor' | 'core'
  pseudonym?: 'day' | 'month'
  constant?: Plain
}
export interface SpanRule {
  ids?: 'random' | 'linked'
  time?: 'day' | 'hour' | 'minute'
  status?: 'keep' | 'drop'
  only?: Record<string, Plain[]>
  skip?: string[]
  attributes?: Record<string, AttributeRule>
}
export interface PolicyFile {
  project: string
  spans: Record<string, SpanRule>
}

/** What the encoder put in that the codec does not show; each is the name of a class in malformed.md. */
export interface SpanFaults {
  rejected?: string
  status?: string
  /** Keys whose attribute is malformed. */
  attributes: Map<string, string>
}

export interface Surroundings {
  policy: PolicyFile
  facts: ReadonlyMap<string, Plain>
  secret: Buffer | undefined
  nowMs: number
  /** Called with every outcome that takes place. */
  tally: (outcome: string) => void
}

export interface OutgoingSpan {
  name: string
  /** Lower-case hex; `random` stands for fresh ones. */
  traceId: string
  spanId: string
  parentId: string
  start: bigint
  end: bigint
  status: number
  attributes: [key: string, value: string | boolean | bigint][]
}
export interface Expected {
  rejected: number
  unlisted: number
  spans: OutgoingSpan[]
}

const UNITS = { day: 86_400_000_000_000n, hour: 3_600_000_000_000n, minute: 60_000_000_000n }
const MAX_PARTS = 16
const MAX_ATTRIBUTES = 4096
const MAX_SAFE = 2n ** 53n - 1n

export function expect(request: ExportTraceServiceRequest, faults: ReadonlyMap<number, SpanFaults>, around: Surroundings): Expected {
  const expected: Expected = { rejected: 0, unlisted: 0, spans: [] }
  const spans = request.resourceSpans.flatMap((resource) => resource.scopeSpans.flatMap((scope) => scope.spans))
  spans.forEach((span, index) => {
    const faultsHere = faults.get(index) ?? { attributes: new Map<string, string>() }
    const rejection = faultsHere.rejected ?? whyRejected(span)
    const rule = Object.hasOwn(around.policy.spans, span.name) ? around.policy.spans[span.name] : undefined
    if (rejection !== undefined) {
      expected.rejected++
      around.tally(`${rejection}: span`)
    } else if (rule === undefined) {
      expected.unlisted++
      around.tally('span: unlisted')
    } else {
      expected.spans.push(...outgoing(span, rule, faultsHere, around))
    }
  })
  return expected
}

function whyRejected(span: Span): string | undefined {
  const zero = (id: Uint8Array): boolean => id.every((byte) => byte === 0)
  if (span.traceId.length !== 16 || zero(span.traceId) || span.spanId.length !== 8 || zero(span.spanId)) return 'bad-id'
  if (span.parentSpanId.length !== 0 && span.parentSpanId.length !== 8) return 'bad-id'
  return span.attributes.length > MAX_ATTRIBUTES ? 'too-many-attributes' : undefined
}

type Scalar = string | bigint | number | boolean
type Source =
  | { state: 'absent' }
  | { state: 'malformed'; fault: string }
  | { state: 'other'; why: string }
  | { state: 'value'; value: Scalar }
const ABSENT: Source = { state: 'absent' }

function outgoing(span: Span, rule: SpanRule, faults: SpanFaults, around: Surroundings): OutgoingSpan[] {
  const { tally } = around
  const code = span.status?.code ?? 0
  const statusFault = faults.status ?? (code < 0 || code > 2 ? 'status' : undefined)
  const read = (source: string): Source => {
    if (source.startsWith('text:')) return { state: 'value', value: source.slice(5) }
    if (source.startsWith('fact:')) return fact(around.facts.get(source.slice(5)))
    if (source === 'span:duration') return duration(span, tally)
    if (source !== 'span:status') return attribute(span, source, faults)
    return statusFault === undefined
      ? { state: 'value', value: ['unset', 'ok', 'error'][code]! }
      : { state: 'malformed', fault: statusFault }
  }
  for (const key of rule.skip ?? []) {
    const source = attribute(span, key, faults)
    if (source.state === 'absent' || (source.state === 'value' && source.value === '')) continue
    tally(source.state === 'malformed' ? 'skip: malformed' : 'skip: left out')
    return []
  }
  const results = Object.entries(rule.attributes ?? {}).map(([name, attributeRule]) => ({
    name,
    outcomes: apply(name, attributeRule, read, around),
  }))
  const copies = Math.max(1, ...results.map(({ outcomes }) => outcomes.length))
  if (copies > 1) tally('split: copies')
  if (span.startTimeUnixNano > MAX_SAFE * 1000n || span.endTimeUnixNano < span.startTimeUnixNano) tally('time-extreme: number')
  const spans: OutgoingSpan[] = []
  for (let copy = 0; copy < copies; copy++) {
    const attributes: OutgoingSpan['attributes'] = []
    for (const { name, outcomes } of results) {
      const value = outcomes.length > 1 ? outcomes[copy] : outcomes[0]
      if (value !== undefined) attributes.push([name, value])
    }
    if (!passesOnly(rule.only, attributes, tally)) continue
    if (rule.status === 'keep') tally(statusFault === undefined ? `status: ${code}` : 'status: no status')
    tally(`time: ${rule.time ?? 'day'}`)
    const start = span.startTimeUnixNano - (span.startTimeUnixNano % UNITS[rule.time ?? 'day'])
    const status = rule.status === 'keep' && statusFault === undefined ? code : 0
    spans.push({ name: span.name, ...ids(span, rule, copy, around), start, end: start, status, attributes })
  }
  return spans
}

function passesOnly(only: SpanRule['only'], attributes: OutgoingSpan['attributes'], tally: (outcome: string) => void): boolean {
  for (const [name, values] of Object.entries(only ?? {})) {
    const value = attributes.find(([key]) => key === name)?.[1]
    if (value !== undefined && values.some((allowed) => (typeof allowed === 'number' ? BigInt(allowed) : allowed) === value)) continue
    tally('only: left out')
    return false
  }
  if (only !== undefined) tally('only: passed')
  return true
}

function attribute(span: Span, key: string, faults: SpanFaults): Source {
  const fault = faults.attributes.get(key)
  if (fault !== undefined) return { state: 'malformed', fault }
  const found = span.attributes.filter((keyValue) => keyValue.key === key)
  if (found.length === 0) return ABSENT
  return found.length > 1 ? { state: 'malformed', fault: 'repeated-key' } : anyValue(found[0]?.value)
}

function anyValue(value: AnyValue | undefined): Source {
  if (value?.stringValue !== undefined) return { state: 'value', value: value.stringValue }
  if (value?.boolValue !== undefined) return { state: 'value', value: value.boolValue }
  if (value?.intValue !== undefined) return { state: 'value', value: value.intValue }
  if (value?.doubleValue !== undefined) {
    return Number.isFinite(value.doubleValue) ? { state: 'value', value: value.doubleValue } : { state: 'other', why: 'double-extreme' }
  }
  if (value?.stringValueStrindex !== undefined) return { state: 'other', why: 'strindex-value' }
  return { state: 'other', why: value?.arrayValue !== undefined || value?.kvlistValue !== undefined ? 'depth' : 'other-kind' }
}

function fact(value: Plain | undefined): Source {
  if (value === undefined) return ABSENT
  return { state: 'value', value: typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : value }
}

/** Seconds, a double, from the exact difference in nanoseconds. */
function duration(span: Span, tally: (outcome: string) => void): Source {
  const { startTimeUnixNano: start, endTimeUnixNano: end } = span
  if (start === 0n || end === 0n) {
    tally('time-extreme: no duration')
    return ABSENT
  }
  if (end < start) tally('time-extreme: negative')
  return { state: 'value', value: Number(end - start) / 1e9 }
}

type Outcome = string | boolean | bigint | undefined

/** One outcome for each copy of the span; `undefined` leaves the attribute out. */
function apply(name: string, rule: AttributeRule, read: (source: string) => Source, around: Surroundings): Outcome[] {
  const { tally } = around
  if (rule.constant !== undefined) {
    tally('constant')
    return [sent(rule.constant)]
  }
  let source = read(rule.from ?? name)
  const empty = source.state === 'value' && source.value === ''
  if (rule.or !== undefined && (source.state === 'absent' || empty)) {
    const second = read(rule.or)
    if (second.state !== 'absent') source = second
    tally(second.state === 'absent' ? 'or: absent as well' : empty ? 'or: for the empty text' : 'or: for an absent one')
  }
  if (source.state === 'malformed') {
    tally(`${source.fault}: attribute`)
    return [undefined]
  }
  if (source.state === 'absent') {
    tally(rule.absent === undefined ? 'no value: left out' : 'absent')
    return [rule.absent === undefined ? undefined : sent(rule.absent)]
  }
  const failed = (why: string): Outcome => {
    const outcome = otherwise(rule)
    tally(`${why}: ${outcome === undefined ? 'left out' : 'else'}`)
    return outcome
  }
  if (source.state === 'other') return [failed(source.why)]
  if (rule.split === undefined) return [step(name, rule, source.value, failed, around)]
  if (typeof source.value !== 'string') return [failed('split of another kind')]
  const parts = source.value
    .split(rule.split)
    .map((part) => part.trim())
    .filter((part) => part !== '')
  if (parts.length > MAX_PARTS) {
    tally('split: too many parts')
    return [undefined]
  }
  if (parts.length === MAX_PARTS) tally('split: 16 parts')
  if (parts.length === 0) {
    tally('split: no part')
    return [undefined]
  }
  return parts.map((part) => step(name, rule, part, failed, around))
}

function step(name: string, rule: AttributeRule, value: Scalar, failed: (why: string) => Outcome, around: Surroundings): Outcome {
  if (rule.fold === undefined) return act(name, rule, value, failed, around)
  if (typeof value !== 'string') return failed('fold of another kind')
  const folded = rule.fold === 'upper' ? value.toUpperCase() : value.toLowerCase()
  if (folded !== value) around.tally(/^[\0-\x7f]*$/.test(value) ? 'fold: ascii' : 'fold: beyond ascii')
  return act(name, rule, folded, failed, around)
}

function act(name: string, rule: AttributeRule, value: Scalar, failed: (why: string) => Outcome, around: Surroundings): Outcome {
  const { tally } = around
  if (typeof value === 'bigint' && (value > MAX_SAFE || value < -MAX_SAFE)) tally('int-extreme: number')
  if (value === '') return failed('empty text')
  if (rule.keep !== undefined) return keep(rule.keep, value, failed, tally)
  if (rule.buckets !== undefined) {
    if (typeof value !== 'number' && typeof value !== 'bigint') return failed('buckets of another kind')
    // JavaScript compares a bigint and a number by their exact values.
    const place = rule.buckets.findLastIndex((bound) => bound <= value)
    tally(`buckets: ${place < 0 ? 'below the first' : place === 0 ? 'first' : place === rule.buckets.length - 1 ? 'last' : 'middle'}`)
    return BigInt(rule.buckets[Math.max(place, 0)]!)
  }
  if (typeof value !== 'string') return failed('word expected')
  if (rule.version !== undefined) {
    const version = cutVersion(value, rule.version)
    tally(`version: ${version === 'other' ? 'other' : 'parsed'}`)
    return version
  }
  const { policy, secret, nowMs } = around
  if (secret === undefined) return failed('pseudonym without a secret')
  tally(`pseudonym: ${rule.pseudonym}`)
  const period = new Date(nowMs).toISOString().slice(0, rule.pseudonym === 'day' ? 10 : 7)
  const key = hkdf(secret, 'usage-sidecar/pseudonym/v1', [policy.project, name, period], 32)
  return createHmac('sha256', key)
    .update(lp(value.normalize('NFC')))
    .digest('hex')
    .slice(0, 32)
}

function keep(values: readonly Plain[], value: Scalar, failed: (why: string) => Outcome, tally: (outcome: string) => void): Outcome {
  const listed = values.map(sent).includes(value as string | bigint | boolean)
  if (!listed) return failed(typeof value === typeof sent(values[0]!) ? 'keep: unlisted' : 'keep of another kind')
  tally(`keep: ${typeof value}`)
  return value as string | bigint | boolean
}

const otherwise = ({ keep: values, else: word }: AttributeRule): Outcome =>
  values === undefined || word === 'none' || (word === undefined && typeof values[0] !== 'string') ? undefined : sent(word ?? 'other')

const sent = (value: Plain): string | boolean | bigint => (typeof value === 'number' ? BigInt(value) : value)

function cutVersion(text: string, depth: 'major' | 'minor' | 'core'): string {
  const count = { major: 1, minor: 2, core: 3 }[depth]
  const parts = text
    .replace(/^v/, '')
    .replace(/[-+].*$/s, '')
    .split('.')
    .slice(0, count)
  return parts.length === count && parts.every((part) => /^(0|[1-9][0-9]{0,3})$/.test(part)) ? parts.join('.') : 'other'
}

function ids(span: Span, rule: SpanRule, copy: number, around: Surroundings): Pick<OutgoingSpan, 'traceId' | 'spanId' | 'parentId'> {
  around.tally(`ids: ${rule.ids ?? 'random'}`)
  if (rule.ids !== 'linked') return { traceId: 'random', spanId: 'random', parentId: '' }
  const { secret, policy, nowMs } = around
  if (secret === undefined) throw new Error('Without a secret linked ids are made from a key that nobody knows.')
  const day = new Date(nowMs).toISOString().slice(0, 10)
  const prf = (field: string, block: Uint8Array): Buffer => {
    const cipher = createCipheriv('aes-128-ecb', hkdf(secret, 'usage-sidecar/ids/v1', [policy.project, field, day], 16), null)
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
  return { traceId: prf('trace', span.traceId).toString('hex'), spanId: spanId(span.spanId, copy), parentId }
}

const lp = (...texts: string[]): Buffer =>
  Buffer.concat(
    texts.flatMap((text) => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(Buffer.byteLength(text))
      return [length, Buffer.from(text)]
    }),
  )

const derived = new Map<string, Buffer>()
function hkdf(secret: Buffer, salt: string, info: string[], length: number): Buffer {
  const name = [secret.toString('hex'), salt, ...info].join('\0')
  const key = derived.get(name) ?? Buffer.from(hkdfSync('sha256', secret, salt, lp(...info), length))
  derived.set(name, key)
  return key
}
