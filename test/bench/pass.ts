// The pass against what a library does: decode with the best generated codec (ts-proto), apply the
// default policy, encode. Both sides use the same crypto, the same memo of pseudonyms, one native
// call per batch for ids, and the same bytes.
import { createCipheriv } from 'node:crypto'
import {
  deriveKey,
  lengthPrefixed,
  pseudonym,
  pseudonymKey,
} from '../../src/anonymize/actions/pseudonym.ts'
import { createAnonymizer } from '../../src/anonymize/anonymize.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { Counters } from '../../src/support/counters.ts'
import { ExportTraceServiceRequest } from '../support/otlp-generated/opentelemetry/proto/collector/trace/v1/trace_service.ts'
import type { KeyValue } from '../support/otlp-generated/opentelemetry/proto/common/v1/common.ts'
import { Span } from '../support/otlp-generated/opentelemetry/proto/trace/v1/trace.ts'
import { defaultPolicy, policyText, SECRET } from '../support/spans.ts'
import { bodies, median, range } from './load.ts'

const SPANS = 512
const ROUNDS = 5
const BODIES = 40
/**
 * Targets: times as fast as the library, and the part of the speed that is left with a hundred
 * times the attributes.
 */
const MIN_TIMES = 3
const MIN_KEPT = 0.8
const DAY_NS = 86_400_000_000_000n
const EMPTY = Span.decode(new Uint8Array(0))
const BUCKETS = [3600, 600, 60, 10, 1, 0]

/** The default policy, written by hand over the generated codec. */
function librarySide(): (body: Uint8Array) => number {
  const day = new Date().toISOString().slice(0, 10)
  const key = pseudonymKey(SECRET, 'example.org/demo', 'application.id', day)
  const cipher = (which: string) =>
    createCipheriv(
      'aes-128-ecb',
      deriveKey(SECRET, 'usage-sidecar/ids/v1', lengthPrefixed('example.org/demo', which, day), 16),
      null,
    ).setAutoPadding(false)
  const traceCipher = cipher('trace')
  const spanCipher = cipher('span')
  const memo = new Map<string, string>()
  const types = new Set(['pipeline', 'orchestration'])
  const statuses = new Set(['succeeded', 'terminal', 'canceled'])
  const stages = new Set(['bake', 'deploy', 'wait', 'manualJudgment'])
  const clouds = new Set(['aws', 'gce', 'kubernetes'])
  const keyValue = (name: string, stringValue: string): KeyValue =>
    ({ key: name, value: { stringValue }, keyStrindex: 0 }) as KeyValue
  return (body) => {
    const out: Span[] = []
    for (const resourceSpans of ExportTraceServiceRequest.decode(body).resourceSpans)
      for (const scopeSpans of resourceSpans.scopeSpans)
        for (const span of scopeSpans.spans) {
          const of = new Map(
            span.attributes.map((attribute) => [attribute.key, attribute.value?.stringValue]),
          )
          const time = (BigInt(span.startTimeUnixNano) / DAY_NS) * DAY_NS
          const { name, traceId, spanId, parentSpanId } = span
          const made: Span = {
            ...EMPTY,
            name,
            traceId,
            spanId,
            parentSpanId,
            startTimeUnixNano: time,
            endTimeUnixNano: time,
            attributes: [],
          }
          const fold = (value: string | undefined, kept: Set<string>): string =>
            value !== undefined && kept.has(value) ? value : 'other'
          if (span.name === 'execution') {
            const status = fold(of.get('execution.status')?.toLowerCase(), statuses)
            if (status === 'other') continue
            const seconds =
              Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)) / 1e9
            const application = of.get('application.name') ?? ''
            let id = memo.get(application)
            if (id === undefined) {
              id = pseudonym(key, application)
              memo.set(application, id)
            }
            const duration = BUCKETS.find((bound) => seconds >= bound) ?? 0
            made.attributes = [
              keyValue('execution.type', fold(of.get('execution.type')?.toLowerCase(), types)),
              keyValue('execution.status', status),
              {
                key: 'execution.duration',
                value: { intValue: BigInt(duration) },
                keyStrindex: 0,
              } as KeyValue,
              keyValue('application.id', id),
            ]
            if (span.status !== undefined) made.status = { ...span.status, message: '' }
            out.push(made)
          } else if (span.name === 'stage' && !of.get('stage.synthetic_owner')) {
            for (const provider of (of.get('stage.cloud_provider') ?? '').split(',')) {
              out.push({
                ...made,
                attributes: [
                  keyValue('stage.type', fold(of.get('stage.type'), stages)),
                  keyValue('stage.provider', fold(provider.trim(), clouds)),
                ],
              })
            }
          }
        }
    const traces = traceCipher.update(Buffer.concat(out.map((span) => span.traceId)))
    const blocks = Buffer.alloc(out.length * 32)
    out.forEach((span, i) => {
      blocks.set(span.spanId, i * 32)
      blocks.set(span.parentSpanId, i * 32 + 16)
    })
    const ids = spanCipher.update(blocks)
    out.forEach((span, i) => {
      span.traceId = traces.subarray(i * 16, i * 16 + 16)
      span.spanId = ids.subarray(i * 32, i * 32 + 8)
      if (span.parentSpanId.length > 0) span.parentSpanId = ids.subarray(i * 32 + 16, i * 32 + 24)
    })
    return ExportTraceServiceRequest.encode({
      resourceSpans: [
        {
          resource: undefined,
          schemaUrl: '',
          scopeSpans: [{ scope: undefined, schemaUrl: '', spans: out }],
        },
      ],
    }).finish().length
  }
}

function ourSide(policy = defaultPolicy()): (body: Uint8Array) => number {
  const { pass } = createAnonymizer({
    policy,
    facts: new Map(),
    secret: SECRET,
    counters: new Counters(),
    maxBytes: 64 * 1024 * 1024,
  })
  return (body) => pass(body, Date.now()).bytes.length
}

/**
 * A policy that names this many attributes, half of them on each kind of span; of most of them the
 * load has none.
 */
function namedPolicy(named: number) {
  const flags = (of: string, count: number): string =>
    Array.from(
      { length: count },
      (_, i) => `    ${of}.flag_${i}: {keep: [true], reason: Only for the benchmark.}\n`,
    ).join('')
  const rules = [
    'execution:\n  ids: linked\n  attributes:\n    execution.type: {keep: [pipeline], fold: lower, reason: Only for the benchmark.}\n',
    flags('execution', named / 2 - 1),
    'stage:\n  ids: linked\n  attributes:\n    stage.type: {keep: [bake, deploy], reason: Only for the benchmark.}\n',
    '    stage.provider: {from: stage.cloud_provider, keep: [aws], reason: Only for the benchmark.}\n',
    flags('stage', named / 2 - 2),
  ]
  return parsePolicy(
    `limits: {recordBits: 1000, stableBits: 1000}\n${policyText(rules.join('').trimEnd())}`,
  )
}

/**
 * Spans per CPU-second of each side, in turns, so that both meet the same moments of a noisy
 * machine.
 */
function compare(
  a: (body: Uint8Array) => number,
  b: (body: Uint8Array) => number,
): { a: number[]; b: number[]; ratio: number[] } {
  const load = bodies(BODIES, SPANS)
  const once = (side: (body: Uint8Array) => number): number => {
    const before = process.cpuUsage()
    for (const body of load) side(body)
    const { user, system } = process.cpuUsage(before)
    return (BODIES * SPANS * 1e6) / (user + system)
  }
  once(a)
  once(b)
  const result: { a: number[]; b: number[]; ratio: number[] } = { a: [], b: [], ratio: [] }
  for (let i = 0; i < ROUNDS; i++) {
    const [x, y] = [once(a), once(b)]
    result.a.push(x)
    result.b.push(y)
    result.ratio.push(x / y)
  }
  return result
}

export function benchPass(): { table: string; missed: string[] } {
  const library = compare(ourSide(), librarySide())
  const named = compare(ourSide(namedPolicy(1000)), ourSide(namedPolicy(10)))
  const thousands = (values: readonly number[]): string => `${Math.round(median(values) / 1000)} k`
  const [times, kept] = [median(library.ratio), median(named.ratio)]
  const missed: string[] = []
  if (times < MIN_TIMES)
    missed.push(`the pass: ${times.toFixed(1)} times the library, not ${MIN_TIMES}`)
  if (kept < MIN_KEPT)
    missed.push(
      `the pass: ${kept.toFixed(2)} of its speed with 1 000 attributes named, not ${MIN_KEPT}`,
    )
  const table = [
    '| the pass, one thread, 512 spans a request | spans per CPU-second (median of 5) | ratio (range) | target |',
    '|---|---|---|---|',
    `| usage-sidecar, default policy | ${thousands(library.a)} | **${times.toFixed(1)}** (${range(library.ratio, 1)}) | ${MIN_TIMES} |`,
    `| ts-proto decode, policy by hand, encode | ${thousands(library.b)} | 1 | |`,
    `| 1 000 attributes named | ${thousands(named.a)} | **${kept.toFixed(2)}** (${range(named.ratio, 2)}) | ${MIN_KEPT} |`,
    `| 10 attributes named | ${thousands(named.b)} | 1 | |`,
  ].join('\n')
  return { table, missed }
}

if (import.meta.main) process.stdout.write(`${benchPass().table}\n`)
