// The pipeline of a shipped policy in a test: events of an application in, through the anonymizer
// and the enricher, and the request that would leave out of it, decoded by the generated codec.
import { readdirSync, readFileSync } from 'node:fs'
import { createAnonymizer, type Passed } from '../../src/anonymize/anonymize.ts'
import { Enricher } from '../../src/enrich/enrich.ts'
import { allFacts, parseFacts } from '../../src/enrich/facts.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { type Policy, policyDigest } from '../../src/policy/policy.ts'
import { Counters } from '../../src/support/counters.ts'
import { ExportTraceServiceRequest } from './otlp-generated/opentelemetry/proto/collector/trace/v1/trace_service.ts'
import type { KeyValue } from './otlp-generated/opentelemetry/proto/common/v1/common.ts'
import { ScopeSpans } from './otlp-generated/opentelemetry/proto/trace/v1/trace.ts'
import { attribute, bool, double, int, request, SECRET, START, span, text } from './spans.ts'

const FOLDER = new URL('../../deploy/policies/', import.meta.url).pathname
export const NOW = Date.UTC(2026, 9, 5, 14)
export const INSTANCE = '01EBF2QYZ8T4QY3YJ4N3V6ZK8M'

/** Names of the files without `.yaml`. */
export const SHIPPED: readonly string[] = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => name.replace('.yaml', ''))
export const HARDENED = SHIPPED.filter((name) => !name.endsWith('-compat'))
const read = new Map<string, Policy>()

export function policyOf(name: string): Policy {
  const policy = read.get(name) ?? parsePolicy(readFileSync(`${FOLDER}${name}.yaml`, 'utf8'))
  read.set(name, policy)
  return policy
}

export type Plain = string | number | boolean | bigint

/** A span as an application sends it; words, whole numbers, other numbers and booleans. */
export interface Event {
  name: string
  attributes: Record<string, Plain>
  traceId?: Uint8Array
  spanId?: Uint8Array
  parentId?: Uint8Array
  end?: bigint
}

export interface Sent {
  name: string
  attributes: Record<string, Plain>
  traceId: string
  spanId: string
  parentSpanId: string
  start: bigint
  end: bigint
  status: number
}

export interface Left {
  resource: Record<string, Plain>
  spans: Sent[]
  /** The request as it would be posted. */
  bytes: Buffer
}

export interface PolicyPipeline {
  send(...events: readonly Event[]): Left
  sendAt(nowMs: number, ...events: readonly Event[]): Left
  heartbeat(): Left
}

export interface Installation {
  instance?: string
  secret?: Buffer
  facts?: Record<string, string | number | boolean>
}

export function startPipeline(
  name: string,
  { instance = INSTANCE, secret = SECRET, facts = {} }: Installation = {},
): PolicyPipeline {
  const policy = policyOf(name)
  const all = allFacts(parseFacts(JSON.stringify(facts), 'facts'), 'x64', 'linux', instance)
  const anonymizer = createAnonymizer({
    policy,
    facts: all,
    secret,
    counters: new Counters(),
    maxBytes: 16 * 1024 * 1024,
  })
  const enricher = new Enricher(policy, policyDigest(policy), anonymizer)
  /** Spans in the order in which they were made, whatever the order in which they leave. */
  const leave = (passed: Passed): Left => {
    const made = ScopeSpans.decode(passed.bytes).spans.map((one) =>
      Buffer.from(one.spanId).toString('hex'),
    )
    const left = decoded(Buffer.from(enricher.wrapResourceSpans(passed)))
    const spans = made.map(
      (id) =>
        left.spans.splice(
          left.spans.findIndex(({ spanId }) => spanId === id),
          1,
        )[0]!,
    )
    return { ...left, spans }
  }
  const sendAt = (nowMs: number, ...events: readonly Event[]): Left =>
    leave(anonymizer.pass(request(...events.map(encoded)), nowMs))
  return {
    sendAt,
    send: (...events) => sendAt(NOW, ...events),
    heartbeat: () => leave(anonymizer.heartbeat(NOW)),
  }
}

function encoded({ attributes, ...parts }: Event): Buffer {
  const more = Object.entries(attributes).map(([key, value]) => attribute(key, anyValue(value)))
  return span({ start: START, ...parts, more })
}

function anyValue(value: Plain): Buffer {
  if (typeof value === 'string') return text(value)
  if (typeof value === 'boolean') return bool(value)
  return typeof value === 'bigint' || Number.isSafeInteger(value) ? int(value) : double(value)
}

function decoded(bytes: Buffer): Left {
  const [batch, ...others] = ExportTraceServiceRequest.decode(bytes).resourceSpans
  if (batch === undefined || others.length > 0) throw new Error('not exactly one ResourceSpans')
  return {
    bytes,
    resource: plainOf(batch.resource!.attributes),
    spans: batch.scopeSpans.flatMap(({ spans }) =>
      spans.map((one) => ({
        name: one.name,
        attributes: plainOf(one.attributes),
        traceId: Buffer.from(one.traceId).toString('hex'),
        spanId: Buffer.from(one.spanId).toString('hex'),
        parentSpanId: Buffer.from(one.parentSpanId).toString('hex'),
        start: BigInt(one.startTimeUnixNano),
        end: BigInt(one.endTimeUnixNano),
        status: one.status?.code ?? 0,
      })),
    ),
  }
}

function plainOf(attributes: readonly KeyValue[]): Record<string, Plain> {
  const pairs = attributes.map(({ key, value }): [string, Plain] => {
    const plain = value?.stringValue ?? value?.boolValue ?? value?.doubleValue ?? value?.intValue
    if (plain === undefined) throw new Error(`${key} is neither a word, a number nor a boolean`)
    return [
      key,
      typeof plain === 'bigint' && Number.isSafeInteger(Number(plain)) ? Number(plain) : plain,
    ]
  })
  if (new Set(pairs.map(([key]) => key)).size !== pairs.length) throw new Error('a key twice')
  return Object.fromEntries(pairs)
}
