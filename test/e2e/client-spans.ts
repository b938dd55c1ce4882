// The spans that the applications of test/clients report, and what the default policy keeps of
// them. The expectations are written by hand from the policy, without the sidecar's code.
import assert from 'node:assert/strict'
import { gunzipSync } from 'node:zlib'
import type { Collector } from '../support/collector.ts'
import { ExportTraceServiceRequest } from '../support/otlp-generated/opentelemetry/proto/collector/trace/v1/trace_service.ts'
import type { KeyValue } from '../support/otlp-generated/opentelemetry/proto/common/v1/common.ts'
import type { Span } from '../support/otlp-generated/opentelemetry/proto/trace/v1/trace.ts'

const ERROR = 2
const DAY_NANO = 86_400_000_000_000n
/** The applications send it, and the policy does not list it. */
const SECRETS =
  /acme|maria|payments|nightly|retries|telemetry|opentelemetry|service\.name|host\.name|process\./i

/** One line a span, with everything but ids and pseudonyms; sorted. */
export function wanted(executions: number): string[] {
  const lines: string[] = []
  for (let number = 0; number < executions; number++) {
    const failed = number % 4 === 3
    const type = ['pipeline', 'orchestration', 'other'][number % 3]
    lines.push(
      `execution type=${type} status=${failed ? 'terminal' : 'succeeded'} duration=0 code=${failed ? ERROR : 0}`,
    )
    for (const provider of ['aws', 'gce'])
      lines.push(`stage type=${number % 2 === 0 ? 'deploy' : 'other'} provider=${provider} code=0`)
  }
  return lines.sort()
}

const text = (attributes: readonly KeyValue[]): Map<string, string> =>
  new Map(
    attributes.map(({ key, value }) => [
      key,
      String(value?.stringValue ?? value?.intValue ?? 'of another kind'),
    ]),
  )

const hex = (id: Uint8Array): string => Buffer.from(id).toString('hex')

function line({ name, attributes, status }: Span): string {
  const values = text(attributes)
  const get = (key: string): string => values.get(key) ?? 'none'
  const code = status?.code ?? 0
  if (name !== 'execution')
    return `${name} type=${get('stage.type')} provider=${get('stage.provider')} code=${code}`
  return `${name} type=${get('execution.type')} status=${get('execution.status')} duration=${get('execution.duration')} code=${code}`
}

const NAMES: Record<string, readonly string[]> = {
  execution: ['execution.type', 'execution.status', 'execution.duration', 'application.id'],
  stage: ['stage.type', 'stage.provider'],
}
const RESOURCE = [
  'usage.project',
  'usage.policy.version',
  'usage.policy.digest',
  'usage.batch.id',
  'host.arch',
]

/**
 * Returns the lines of all spans that the collector received, sorted. Fails if a body holds
 * anything that the policy does not name. The sidecar's heartbeat is left out.
 */
export function arrived(collector: Collector): string[] {
  const spans: Span[] = []
  for (const { verdict, body } of collector.requests) {
    if (verdict !== 200) continue
    const plain = gunzipSync(body)
    assert.doesNotMatch(plain.toString('latin1'), SECRETS)
    const decoded = ExportTraceServiceRequest.decode(plain)
    for (const { resource, scopeSpans, schemaUrl } of decoded.resourceSpans) {
      assert.deepEqual([...text(resource?.attributes ?? []).keys()], RESOURCE)
      assert.deepEqual(
        [schemaUrl, scopeSpans.length, scopeSpans[0]?.scope, scopeSpans[0]?.schemaUrl],
        ['', 1, undefined, ''],
      )
      spans.push(...scopeSpans[0]!.spans.filter(({ name }) => name !== 'usage.heartbeat'))
    }
  }
  checkSpans(spans)
  return spans.map(line).sort()
}

function checkSpans(spans: readonly Span[]): void {
  const executions = new Map(
    spans.filter(({ name }) => name === 'execution').map((one) => [hex(one.spanId), one]),
  )
  for (const { name, attributes, traceId, parentSpanId, ...span } of spans) {
    const keys = attributes.map(({ key }) => key)
    assert.deepEqual(keys, NAMES[name], name)
    const {
      traceState,
      flags,
      events,
      links,
      droppedAttributesCount,
      droppedEventsCount,
      droppedLinksCount,
      status,
    } = span
    assert.deepEqual([traceState, flags, events, links, status?.message ?? ''], ['', 0, [], [], ''])
    assert.deepEqual([droppedAttributesCount, droppedEventsCount, droppedLinksCount], [0, 0, 0])
    assert.equal(span.startTimeUnixNano % DAY_NANO, 0n)
    // A stage still points at its execution.
    if (name === 'stage') assert.deepEqual(executions.get(hex(parentSpanId))?.traceId, traceId)
    else assert.equal(parentSpanId.length, 0)
  }
  const applications = new Set(
    spans
      .filter(({ name }) => name === 'execution')
      .map((one) => text(one.attributes).get('application.id')),
  )
  assert.ok(applications.size <= 2, 'one application, one pseudonym')
}
