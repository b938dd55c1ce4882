// The Resource before the spans: exactly one, with a new batch id each time and pseudonyms of the
// day. The tests read it back with the generated codec.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { pseudonym, pseudonymKey } from '../../src/anonymize/actions/pseudonym.ts'
import { createAnonymizer } from '../../src/anonymize/anonymize.ts'
import { batchIdOf, Enricher } from '../../src/enrich/enrich.ts'
import { Cursor } from '../../src/otlp/wire.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import type { Scalar } from '../../src/policy/policy.ts'
import { Counters } from '../../src/support/counters.ts'
import { ExportTraceServiceRequest } from '../support/otlp-generated/opentelemetry/proto/collector/trace/v1/trace_service.ts'
import {
  attribute,
  DEFAULT_POLICY_FILE,
  policyText,
  request,
  SECRET,
  span,
  text,
} from '../support/spans.ts'

const NOW = Date.UTC(2026, 9, 5, 14)
const DAY_MS = 86_400_000
const POLICY = policyText(
  'execution:\n  attributes:\n    a: {constant: b}',
  'app.version: {from: fact:app.version, version: core, reason: A test.}\ninstallation: {from: fact:instance.id, pseudonym: day, reason: A test.}',
)
const FACTS: Record<string, Scalar> = {
  'app.version': 'v1.32.0-acme',
  'instance.id': 'orders-api',
  secret: 'CANARY',
}

/** A random source that counts, so that ids are known: 00 01 02 … */
function counting(): (buffer: Uint8Array) => void {
  let next = 0
  return (buffer) => {
    for (let i = 0; i < buffer.length; i++) buffer[i] = next++ & 255
  }
}

function enricherOf(policy = POLICY, facts = FACTS, random?: (buffer: Uint8Array) => void) {
  const parsed = parsePolicy(policy)
  const anonymizer = createAnonymizer({
    policy: parsed,
    facts: new Map(Object.entries(facts)),
    secret: SECRET,
    counters: new Counters(),
    maxBytes: 4 * 1024 * 1024,
  })
  const enricher = new Enricher(
    parsed,
    'custom',
    anonymizer,
    ...(random === undefined ? [] : [random]),
  )
  /** A copy, as the next call overwrites the result. */
  const wrapped = (spans = 1, at = NOW): Buffer =>
    Buffer.from(
      enricher.wrapResourceSpans(
        anonymizer.pass(request(...Array.from({ length: spans }, () => span())), at),
      ),
    )
  return { wrapped }
}

const decoded = (bytes: Uint8Array) => ExportTraceServiceRequest.decode(bytes).resourceSpans

const attributesOf = (bytes: Uint8Array): [string, unknown][] =>
  decoded(bytes)[0]!.resource!.attributes.map(({ key, value }) => [
    key,
    value?.stringValue ?? Number(value?.intValue),
  ])

const attributeOf = (bytes: Uint8Array, name: string): unknown =>
  attributesOf(bytes).find(([key]) => key === name)?.[1]

/** The field numbers of a message in their order, each with its bytes. */
function fieldsOf(bytes: Uint8Array): [number, Uint8Array][] {
  const cursor = new Cursor(bytes)
  const fields: [number, Uint8Array][] = []
  while (cursor.pos < cursor.end) {
    const field = cursor.tag() >>> 3
    const length = cursor.length()
    fields.push([field, bytes.subarray(cursor.pos, cursor.pos + length)])
    cursor.pos += length
  }
  return fields
}
const numbersOf = (bytes: Uint8Array): number[] => fieldsOf(bytes).map(([field]) => field)

test('wraps spans in one ResourceSpans: one Resource, then one ScopeSpans without a scope', () => {
  for (const spans of [1, 2, 500]) {
    const wrapped = enricherOf().wrapped(spans)
    assert.deepEqual(numbersOf(wrapped), [1])
    const inside = fieldsOf(fieldsOf(wrapped)[0]![1])
    assert.deepEqual(
      inside.map(([field]) => field),
      [1, 2],
    )
    assert.ok(numbersOf(inside[0]![1]).every((field) => field === 1))
    assert.deepEqual(new Set(numbersOf(inside[1]![1])), new Set([2]))
    assert.equal(decoded(wrapped)[0]!.scopeSpans[0]!.spans.length, spans)
  }
})

test('gives the same bytes however the input was grouped', () => {
  const group = (...sizes: number[]): Buffer =>
    Buffer.concat(sizes.map((size) => request(...Array.from({ length: size }, () => span()))))
  const parsed = parsePolicy(POLICY)
  const options = {
    policy: parsed,
    facts: new Map<string, Scalar>(),
    counters: new Counters(),
    maxBytes: 1024 * 1024,
  }
  const wrappeds = [[6], [1, 2, 3], [0, 5, 0, 1]].map((sizes) => {
    const anonymizer = createAnonymizer({ ...options, secret: SECRET, random: counting() })
    return new Enricher(parsed, 'custom', anonymizer, counting()).wrapResourceSpans(
      anonymizer.pass(group(...sizes), NOW),
    )
  })
  assert.equal(decoded(wrappeds[0]!)[0]!.scopeSpans[0]!.spans.length, 6)
  for (const wrapped of wrappeds) assert.deepEqual(wrapped, wrappeds[0])
})

test('orders spans by their ids, so that their order of arrival is not visible', () => {
  const parsed = parsePolicy(readFileSync(DEFAULT_POLICY_FILE, 'utf8'))
  const options = {
    policy: parsed,
    facts: new Map<string, Scalar>(),
    counters: new Counters(),
    maxBytes: 16 * 1024 * 1024,
  }
  for (const count of [2, 1024, 1025, 3000]) {
    const spans = Array.from({ length: count }, (_, i) => {
      const spanId = Buffer.alloc(8, 1)
      spanId.writeUInt32BE(i)
      return span({
        name: 'stage',
        spanId,
        more: [attribute('stage.type', text(i % 2 === 0 ? 'bake' : 'deploy'))],
      })
    })
    const [there, back] = [spans, spans.toReversed()].map((some) => {
      const anonymizer = createAnonymizer({ ...options, secret: SECRET, random: counting() })
      return Buffer.from(
        new Enricher(parsed, 'custom', anonymizer, counting()).wrapResourceSpans(
          anonymizer.pass(request(...some), NOW),
        ),
      )
    })
    assert.ok(there!.equals(back!), `${count} spans`)
    const ids = decoded(there!)[0]!.scopeSpans[0]!.spans.map(({ spanId }) =>
      Buffer.from(spanId).toString('hex'),
    )
    assert.deepEqual([new Set(ids).size, ids], [count, ids.toSorted()])
  }
})

test('the Resource names project and policy, the batch id and the facts of the policy, and nothing else', () => {
  const wrapped = enricherOf().wrapped()
  const pseudonymOfDay = pseudonym(
    pseudonymKey(SECRET, 'example.org/demo', 'installation', '2026-10-05'),
    'orders-api',
  )
  assert.deepEqual(attributesOf(wrapped), [
    ['usage.project', 'example.org/demo'],
    ['usage.policy.version', 1],
    ['usage.policy.digest', 'custom'],
    ['usage.batch.id', Buffer.from(batchIdOf(wrapped)).toString()],
    ['app.version', '1.32.0'],
    ['installation', pseudonymOfDay],
  ])
  assert.doesNotMatch(wrapped.toString('latin1'), /CANARY|acme|orders-api/)
})

test('each batch has an id of 16 new random bytes as hex', () => {
  const { wrapped } = enricherOf(POLICY, FACTS, counting())
  const ids = Array.from({ length: 600 }, () => String(attributeOf(wrapped(), 'usage.batch.id')))
  const expected = Array.from({ length: 600 }, (_, batch) =>
    Buffer.from(Array.from({ length: 16 }, (__, i) => (16 * batch + i) & 255)).toString('hex'),
  )
  assert.deepEqual(ids, expected)
  const real = enricherOf()
  const realIds = Array.from({ length: 600 }, () =>
    String(attributeOf(real.wrapped(), 'usage.batch.id')),
  )
  assert.equal(new Set(realIds).size, 600)
  for (const id of realIds) assert.match(id, /^[0-9a-f]{32}$/)
})

test('the Resource of a day differs in the batch id only', () => {
  const { wrapped } = enricherOf()
  const resources = [wrapped(1), wrapped(2), wrapped(1, NOW + 3_600_000)].map((one) => {
    const resource = Buffer.from(fieldsOf(fieldsOf(one)[0]![1])[0]![1])
    const id = Buffer.from(batchIdOf(one)).toString()
    return resource.toString('latin1').replace(id, '')
  })
  assert.equal(new Set(resources).size, 1)
})

test('a new day has new pseudonyms, and a clock that goes back does not repeat old ones', () => {
  const { wrapped } = enricherOf()
  const at = (ms: number): unknown => attributeOf(wrapped(1, ms), 'installation')
  const of = (day: string): string =>
    pseudonym(pseudonymKey(SECRET, 'example.org/demo', 'installation', day), 'orders-api')
  assert.equal(at(NOW), of('2026-10-05'))
  assert.equal(at(Date.UTC(2026, 9, 6) - 1), of('2026-10-05'))
  assert.equal(at(Date.UTC(2026, 9, 6)), of('2026-10-06'))
  assert.equal(at(NOW), of('2026-10-06'))
  assert.equal(at(NOW + 3 * DAY_MS), of('2026-10-08'))
})

test('a missing fact gives no attribute', () => {
  const wrapped = enricherOf(POLICY, {}).wrapped()
  assert.deepEqual(
    attributesOf(wrapped).map(([key]) => key),
    ['usage.project', 'usage.policy.version', 'usage.policy.digest', 'usage.batch.id'],
  )
})

test('finds the batch id in records of all sizes', () => {
  const long = POLICY.replace('example.org/demo', `example.org/${'d'.repeat(60)}`)
  for (const policy of [
    POLICY,
    long,
    policyText('execution:\n  attributes:\n    a: {constant: b}'),
  ]) {
    const { wrapped } = enricherOf(policy)
    for (const spans of [1, 3, 300]) {
      const one = wrapped(spans)
      assert.equal(Buffer.from(batchIdOf(one)).toString(), attributeOf(one, 'usage.batch.id'))
    }
  }
})

test('wraps spans that do not fit into the reused buffer', () => {
  const { wrapped } = enricherOf()
  const large = wrapped(20_000)
  assert.ok(large.length > 256 * 1024)
  assert.equal(decoded(large)[0]!.scopeSpans[0]!.spans.length, 20_000)
  assert.equal(decoded(wrapped(1))[0]!.scopeSpans[0]!.spans.length, 1)
})
