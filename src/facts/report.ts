// Sends the cluster report as an application would, by the OpenTelemetry SDK, to the sidecar in the
// same pod. The sidecar applies the policy to it. No resource is detected, nothing but spans is
// sent, and OTEL_* variables of the pod have no effect.
import { type Attributes, ROOT_CONTEXT, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { NodeSDK, type NodeSDKConfiguration } from '@opentelemetry/sdk-node'
import type { Scalar } from '../policy/policy.ts'
import { CLUSTER_SPAN, type Needs, NODE_SPAN } from './needs.ts'
import { type Node, nodeAttribute } from './nodes.ts'

type SpanProcessor = NonNullable<NodeSDKConfiguration['spanProcessors']>[number]
type EndedSpan = Parameters<SpanProcessor['onEnd']>[0]

export interface ReportSpan {
  name: string
  attributes: Attributes
}

/** Spans in one request, far below the sidecar's limit. */
const CHUNK = 100
const TIMEOUT_MS = 30_000

/** Attributes of each span, limited to keys that the policy reads. */
export function reportSpans(
  needs: Needs,
  facts: ReadonlyMap<string, Scalar>,
  nodes: readonly Node[],
): ReportSpan[] {
  const known = (keys: readonly string[], value: (key: string) => Scalar | undefined): Attributes =>
    Object.fromEntries(
      keys
        .map((key): [string, Scalar | undefined] => [key, value(key)])
        .filter(([, it]) => it !== undefined),
    ) as Attributes
  const { cluster, node } = needs
  return [
    ...(cluster === undefined
      ? []
      : [{ name: CLUSTER_SPAN, attributes: known(cluster, (key) => facts.get(key)) }]),
    ...(node === undefined
      ? []
      : nodes.map((one) => ({
          name: NODE_SPAN,
          attributes: known(node, (key) => nodeAttribute(one, key)),
        }))),
  ]
}

/** `endpoint` is the base URL of the sidecar. Returns false if it did not accept all spans. */
export async function sendReport(
  endpoint: string,
  spans: readonly ReportSpan[],
  now: number,
): Promise<boolean> {
  const exporter = new OTLPTraceExporter({
    url: `${endpoint}/v1/traces`,
    headers: {},
    timeoutMillis: TIMEOUT_MS,
  })
  const ended: EndedSpan[] = []
  // Exports after all spans are made, each request after the answer to the previous one.
  const collect: SpanProcessor = {
    onStart: () => undefined,
    onEnd: (span) => void ended.push(span),
    forceFlush: () => Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  }
  const sdk = new NodeSDK({
    autoDetectResources: false,
    serviceName: 'usage-sidecar-facts',
    spanProcessors: [collect],
    spanLimits: { attributeCountLimit: 1_000 },
    metricReaders: [],
    logRecordProcessors: [],
    instrumentations: [],
    textMapPropagator: null,
  })
  sdk.start()
  try {
    const tracer = trace.getTracer('usage-sidecar-facts')
    for (let at = 0; at < spans.length; at += CHUNK) {
      for (const { name, attributes } of spans.slice(at, at + CHUNK))
        tracer.startSpan(name, { root: true, startTime: now, attributes }, ROOT_CONTEXT).end(now)
      const chunk = ended.splice(0)
      const { code } = await new Promise<{ code: number }>((resolve) =>
        exporter.export(chunk, resolve),
      )
      if (code !== 0) return false
    }
    return true
  } finally {
    await sdk.shutdown()
  }
}
