// The pass with a policy of a few lines, and what it makes of one span or one value, for the tests
// of its rules.
import assert from 'node:assert/strict'
import { createAnonymizer, type Passed } from '../../src/anonymize/anonymize.ts'
import { lenField } from '../../src/otlp/wire.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import type { Scalar } from '../../src/policy/policy.ts'
import { Counters } from '../../src/support/counters.ts'
import { ExportTraceServiceRequest } from './otlp-generated/opentelemetry/proto/collector/trace/v1/trace_service.ts'
import { policyText, request, SECRET, span } from './spans.ts'

export const NOW = Date.UTC(2026, 9, 5, 14)

export function anonymizer(
  policy: string,
  facts: Record<string, Scalar> = {},
  secret: Buffer | 'none' = SECRET,
  counters = new Counters(),
) {
  return createAnonymizer({
    policy: parsePolicy(policy),
    facts: new Map(Object.entries(facts)),
    secret: secret === 'none' ? undefined : secret,
    counters,
    maxBytes: 1024 * 1024,
  })
}

/** The spans that left, decoded by the generated codec. */
export function spansOf(passed: Passed) {
  return ExportTraceServiceRequest.decode(lenField(1, lenField(2, passed.bytes))).resourceSpans[0]!
    .scopeSpans[0]!.spans
}

/** What one attribute line makes of one incoming value of `in`. */
export function outcome(line: string, ...more: Uint8Array[]): Scalar | undefined {
  const passed = anonymizer(
    policyText(`execution:\n  attributes:\n    out: {${line}, reason: Because.}`),
    {
      version: 'v1.31.4-gke.100',
      nodes: 12,
    },
  ).pass(request(span({ more })), NOW)
  const [sent, ...rest] = spansOf(passed)[0]!.attributes
  assert.equal(rest.length, 0)
  if (sent === undefined) return undefined
  assert.equal(sent.key, 'out')
  const { stringValue, intValue, boolValue } = sent.value!
  return stringValue ?? boolValue ?? (intValue === undefined ? undefined : Number(intValue))
}
