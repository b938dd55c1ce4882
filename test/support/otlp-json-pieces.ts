// For the tests of OTLP/JSON: requests around the one thing that a test is about, and what the pass
// makes of them.
import assert from 'node:assert/strict'
import { createAnonymizer } from '../../src/anonymize/anonymize.ts'
import { type DecodedSpan, decodeRequest, type Value } from '../../src/otlp/decode.ts'
import { jsonToProtobuf } from '../../src/otlp/json.ts'
import { lenField } from '../../src/otlp/wire.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { Counters } from '../../src/support/counters.ts'
import { Refusal } from '../../src/support/errors.ts'
import { policyText } from './spans.ts'

export const TRACE_ID = '5B8EFFF798038103D269B633813FC60C'
export const SPAN_ID = 'EEE19B7EC3C1B174'
export const IDS = `"traceId":"${TRACE_ID}","spanId":"${SPAN_ID}"`
export const inSpans = (spans: string): string =>
  `{"resourceSpans":[{"scopeSpans":[{"spans":[${spans}]}]}]}`
export const inSpan = (members: string): string =>
  inSpans(`{${IDS},"name":"run"${members === '' ? '' : `,${members}`}}`)
export const inAttribute = (members: string): string => inSpan(`"attributes":[{${members}}]`)
export const inValue = (members: string): string => inAttribute(`"key":"k","value":{${members}}`)

export const convert = (json: string | Uint8Array, maxBytes?: number): Uint8Array =>
  jsonToProtobuf(typeof json === 'string' ? Buffer.from(json) : json, maxBytes)
export const decode = (json: string | Uint8Array): DecodedSpan[] =>
  decodeRequest(convert(json)).resourceSpans.flatMap((resource) =>
    resource.scopeSpans.flatMap((scope) => scope.spans),
  )
export const firstSpan = (json: string): DecodedSpan => decode(json)[0]!
export const firstValue = (members: string): Value =>
  firstSpan(inValue(members)).attributes[0]!.value

export function refuses(json: string | Uint8Array, status = 400): void {
  assert.throws(
    () => convert(json),
    (error) =>
      error instanceof Refusal &&
      error.status === status &&
      /OTLP JSON .*at byte \d+/.test(error.message),
    Buffer.from(json).toString('latin1').slice(0, 200),
  )
}

export const POLICY = parsePolicy(
  policyText(
    'run:\n  status: keep\n  attributes:\n    out: {from: k, keep: [a, ä], else: other, reason: Test.}\n    kept: {from: l, keep: [a], else: other, reason: Test.}',
  ),
)

/**
 * What the pass makes of it: `rejected` spans, and of the first span that leaves the attributes and
 * the status.
 */
export function passed(json: string | Uint8Array): {
  rejected: number
  out?: Value
  kept?: Value
  status?: number
} {
  const anonymizer = createAnonymizer({
    policy: POLICY,
    facts: new Map(),
    secret: undefined,
    counters: new Counters(),
    maxBytes: 2 ** 20,
  })
  const { bytes, rejected } = anonymizer.pass(convert(json), Date.UTC(2026, 9, 5))
  const span = decodeRequest(lenField(1, lenField(2, bytes))).resourceSpans[0]!.scopeSpans[0]!
    .spans[0]
  return span === undefined
    ? { rejected }
    : {
        rejected,
        status: span.statusCode,
        ...Object.fromEntries(span.attributes.map(({ key, value }) => [key, value.value])),
      }
}

export const LEFT_OUT = { rejected: 0, status: 0 }
export const OTHER = { ...LEFT_OUT, out: 'other' }
export const KEPT = { ...LEFT_OUT, out: 'a' }
export const REJECTED = { rejected: 1 }
