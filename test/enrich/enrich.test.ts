// The Resource before the policed spans: one of it, first, with a batch id of its own each time,
// and pseudonyms of the day. Read back with the generated codec.
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

/** A random source of numbers in a row, so that ids are known: 00 01 02 … */
function counting(): (buffer: Uint8Array) => void {
  let next = 0
  return (buffer) => {
    for (let i = 0; i < buffer.length; i++) buffer[i] = next++ & 255
  }
}

function roadOf(policy = POLICY, facts = FACTS, random?: (buffer: Uint8Array) => void) {
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
  /** A copy: what `frame` gives is good until it is called again. */
  const frame = (spans = 1, at = NOW): Buffer =>
    Buffer.from(
      enricher.wrapResourceSpans(
        anonymizer.pass(request(...Array.from({ length: spans }, () => span())), at),
      ),
    )
  return { frame }
}

const decoded = (bytes: Uint8Array) => ExportTraceServiceRequest.decode(bytes).resourceSpans

const attributesOf = (bytes: Uint8Array): [string, unknown][] =>
  decoded(bytes)[0]!.resource!.attributes.map(({ key, value }) => [
    key,
    value?.stringValue ?? Number(value?.intValue),
  ])

const attributeOf = (bytes: Uint8Array, name: string): unknown =>
  attributesOf(bytes).find(([key]) => key === name)?.[1]

/** The numbers of the fields of a message, in their order, and the bytes of each. */
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

test('a frame is one ResourceSpans: one Resource first, then one ScopeSpans without a scope', () => {
  for (const spans of [1, 2, 500]) {
    const frame = roadOf().frame(spans)
    assert.deepEqual(numbersOf(frame), [1])
    const inside = fieldsOf(fieldsOf(frame)[0]![1])
    assert.deepEqual(
      inside.map(([field]) => field),
      [1, 2],
    )
    assert.ok(numbersOf(inside[0]![1]).every((field) => field === 1))
    assert.deepEqual(new Set(numbersOf(inside[1]![1])), new Set([2]))
    assert.equal(decoded(frame)[0]!.scopeSpans[0]!.spans.length, spans)
  }
})

test('however the input was grouped, the frame is the same', () => {
  const group = (...sizes: number[]): Buffer =>
    Buffer.concat(sizes.map((size) => request(...Array.from({ length: size }, () => span()))))
  const parsed = parsePolicy(POLICY)
  const options = {
    policy: parsed,
    facts: new Map<string, Scalar>(),
    counters: new Counters(),
    maxBytes: 1024 * 1024,
  }
  const frames = [[6], [1, 2, 3], [0, 5, 0, 1]].map((sizes) => {
    const anonymizer = createAnonymizer({ ...options, secret: SECRET, random: counting() })
    return new Enricher(parsed, 'custom', anonymizer, counting()).wrapResourceSpans(
      anonymizer.pass(group(...sizes), NOW),
    )
  })
  assert.equal(decoded(frames[0]!)[0]!.scopeSpans[0]!.spans.length, 6)
  for (const frame of frames) assert.deepEqual(frame, frames[0])
})

test('spans leave in the order of their ids: in which order they came is not told', () => {
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

test('the Resource says whose policy it is, then the batch id, then what the policy names, and nothing else', () => {
  const frame = roadOf().frame()
  const pseudonymOfDay = pseudonym(
    pseudonymKey(SECRET, 'example.org/demo', 'installation', '2026-10-05'),
    'orders-api',
  )
  assert.deepEqual(attributesOf(frame), [
    ['usage.project', 'example.org/demo'],
    ['usage.policy.version', 1],
    ['usage.policy.digest', 'custom'],
    ['usage.batch.id', Buffer.from(batchIdOf(frame)).toString()],
    ['app.version', '1.32.0'],
    ['installation', pseudonymOfDay],
  ])
  assert.doesNotMatch(frame.toString('latin1'), /CANARY|acme|orders-api/)
})

test('each frame has a batch id of its own: 16 fresh random bytes as hex', () => {
  const { frame } = roadOf(POLICY, FACTS, counting())
  const ids = Array.from({ length: 600 }, () => String(attributeOf(frame(), 'usage.batch.id')))
  const expected = Array.from({ length: 600 }, (_, batch) =>
    Buffer.from(Array.from({ length: 16 }, (__, i) => (16 * batch + i) & 255)).toString('hex'),
  )
  assert.deepEqual(ids, expected)
  const real = roadOf()
  const realIds = Array.from({ length: 600 }, () =>
    String(attributeOf(real.frame(), 'usage.batch.id')),
  )
  assert.equal(new Set(realIds).size, 600)
  for (const id of realIds) assert.match(id, /^[0-9a-f]{32}$/)
})

test('apart from the batch id the Resource of a day is the same bytes', () => {
  const { frame } = roadOf()
  const resources = [frame(1), frame(2), frame(1, NOW + 3_600_000)].map((one) => {
    const resource = Buffer.from(fieldsOf(fieldsOf(one)[0]![1])[0]![1])
    const id = Buffer.from(batchIdOf(one)).toString()
    return resource.toString('latin1').replace(id, '')
  })
  assert.equal(new Set(resources).size, 1)
})

test('a new day brings new pseudonyms, and a clock that goes back does not bring the old ones', () => {
  const { frame } = roadOf()
  const at = (ms: number): unknown => attributeOf(frame(1, ms), 'installation')
  const of = (day: string): string =>
    pseudonym(pseudonymKey(SECRET, 'example.org/demo', 'installation', day), 'orders-api')
  assert.equal(at(NOW), of('2026-10-05'))
  assert.equal(at(Date.UTC(2026, 9, 6) - 1), of('2026-10-05'))
  assert.equal(at(Date.UTC(2026, 9, 6)), of('2026-10-06'))
  assert.equal(at(NOW), of('2026-10-06'))
  assert.equal(at(NOW + 3 * DAY_MS), of('2026-10-08'))
})

test('a fact that is not there is absent, and so is what its Resource would say', () => {
  const frame = roadOf(POLICY, {}).frame()
  assert.deepEqual(
    attributesOf(frame).map(([key]) => key),
    ['usage.project', 'usage.policy.version', 'usage.policy.digest', 'usage.batch.id'],
  )
})

test('the batch id is found in a record whatever its sizes are', () => {
  const long = POLICY.replace('example.org/demo', `example.org/${'d'.repeat(60)}`)
  for (const policy of [
    POLICY,
    long,
    policyText('execution:\n  attributes:\n    a: {constant: b}'),
  ]) {
    const { frame } = roadOf(policy)
    for (const spans of [1, 3, 300]) {
      const one = frame(spans)
      assert.equal(Buffer.from(batchIdOf(one)).toString(), attributeOf(one, 'usage.batch.id'))
    }
  }
})

test('a frame that is too large for the kept buffer is whole as well', () => {
  const { frame } = roadOf()
  const large = frame(20_000)
  assert.ok(large.length > 256 * 1024)
  assert.equal(decoded(large)[0]!.scopeSpans[0]!.spans.length, 20_000)
  assert.equal(decoded(frame(1))[0]!.scopeSpans[0]!.spans.length, 1)
})
