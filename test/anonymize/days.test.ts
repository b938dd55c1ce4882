// What changes with the day: attributes that expire, the sidecar's own span, and a clock that never
// goes back, whichever policy is in force.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAnonymizer } from '../../src/anonymize/anonymize.ts'
import { Clock } from '../../src/anonymize/clock.ts'
import { lenField } from '../../src/otlp/wire.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { Counters } from '../../src/support/counters.ts'
import { anonymizer, NOW, spansOf } from '../support/anonymize.ts'
import { attribute, keyValue, policyText, request, SECRET, span, text } from '../support/spans.ts'

const DAY = 86_400_000
const body = request(span({ more: [attribute('in', text('x'))] }))

test('an attribute is gone on the day after its last, and stays gone when the clock is put back', () => {
  const policy = policyText(
    'execution:\n  attributes:\n    z: {from: in, keep: [x], expires: 2026-10-06, reason: Because.}\n    a: {from: in, keep: [x], expires: 2026-10-05, reason: Because.}\n    b: {from: in, keep: [x], expires: 2026-10-06, reason: Because.}\n    c: {from: in, keep: [x], reason: Because.}',
  )
  const { pass } = anonymizer(policy)
  const of = (nowMs: number): string[] =>
    spansOf(pass(body, nowMs))[0]!.attributes.map(({ key }) => key)
  assert.deepEqual(
    [of(NOW), of(NOW + DAY), of(NOW + 2 * DAY), of(NOW)],
    [['z', 'a', 'b', 'c'], ['z', 'b', 'c'], ['c'], ['c']],
  )
  assert.deepEqual(
    spansOf(anonymizer(policy).pass(body, NOW + DAY))[0]!.attributes.map(({ key }) => key),
    ['z', 'b', 'c'],
  )
})

test('an attribute of the resource expires alike', () => {
  const policy = policyText(
    'execution: {}',
    'a: {from: "text:x", keep: [x], expires: 2026-10-05, reason: Because.}',
  )
  const { pass, resource } = anonymizer(policy)
  pass(body, NOW)
  assert.notEqual(resource().length, 0)
  pass(body, NOW + DAY)
  assert.equal(resource().length, 0)
})

test('a span whose only names an attribute that has expired is left out', () => {
  const policy = policyText(
    'execution:\n  only: {a: [x]}\n  attributes:\n    a: {from: in, keep: [x], expires: 2026-10-05, reason: Because.}',
  )
  const { pass } = anonymizer(policy)
  assert.deepEqual([pass(body, NOW).spans, pass(body, NOW + DAY).spans], [1, 0])
})

test('no day comes back with a new policy that has the same clock', () => {
  const policy = parsePolicy(
    policyText('execution:\n  attributes:\n    app: {from: in, pseudonym: day, reason: Because.}'),
  )
  const clock = new Clock()
  const make = () =>
    createAnonymizer({
      policy,
      facts: new Map(),
      secret: SECRET,
      counters: new Counters(),
      maxBytes: 65_536,
      clock,
    })
  const of = (nowMs: number): string =>
    spansOf(make().pass(body, nowMs))[0]!.attributes[0]!.value!.stringValue!
  const today = of(NOW)
  const tomorrow = of(NOW + DAY)
  assert.notEqual(today, tomorrow)
  assert.equal(of(NOW), tomorrow)
})

const HEARTBEAT = policyText(
  'usage.heartbeat:\n  time: hour\n  attributes:\n    id: {from: "fact:instance.id", pseudonym: month, reason: Because.}\n    name: {from: "resource:service.name", keep: [web], reason: Because.}\n    in: {keep: [x], reason: Because.}\nexecution: {}',
)
const FACTS = { 'instance.id': '01ARZ3NDEKTSV4RRFFQ69G5FAV' }

test('the sidecar’s own span has what the policy names of facts, and nothing of any request', () => {
  const { pass, heartbeat } = anonymizer(HEARTBEAT, FACTS)
  const resource = lenField(1, lenField(1, keyValue('service.name', text('web'))))
  pass(
    lenField(
      1,
      Buffer.concat([
        resource,
        lenField(2, lenField(2, span({ more: [attribute('in', text('x'))] }))),
      ]),
    ),
    NOW,
  )
  const [own, ...rest] = spansOf(heartbeat(NOW))
  assert.equal(rest.length, 0)
  assert.equal(own!.name, 'usage.heartbeat')
  assert.deepEqual(
    own!.attributes.map(({ key }) => key),
    ['id'],
  )
  assert.match(own!.attributes[0]!.value!.stringValue!, /^[0-9a-f]{32}$/)
  assert.equal(BigInt(own!.startTimeUnixNano), BigInt(Date.UTC(2026, 9, 5, 14)) * 1_000_000n)
  assert.equal(own!.parentSpanId.length, 0)
})

test('the ids of the sidecar’s own span are fresh, linked or not', () => {
  for (const ids of ['random', 'linked']) {
    const { heartbeat } = anonymizer(policyText(`usage.heartbeat: {ids: ${ids}}`))
    const [first] = spansOf(heartbeat(NOW))
    const [second] = spansOf(heartbeat(NOW))
    assert.notDeepEqual(first!.traceId, second!.traceId)
    assert.notDeepEqual(first!.spanId, second!.spanId)
  }
})

test('a span of its name from the application is left out and counted, and is unlisted where the policy does not name it', () => {
  const counters = new Counters()
  const foreign = request(span({ name: 'usage.heartbeat' }), span())
  assert.equal(anonymizer(HEARTBEAT, FACTS, SECRET, counters).pass(foreign, NOW).spans, 1)
  assert.equal(counters.get('heartbeats.foreign'), 1)
  const without = anonymizer(policyText('execution: {}'), {}, SECRET, counters)
  assert.equal(without.pass(foreign, NOW).spans, 1)
  assert.equal(counters.get('spans.unlisted'), 1)
  assert.equal(without.heartbeat(NOW).spans, 0)
})

test('the sidecar’s own span moves the day on like any request', () => {
  const { pass, heartbeat, day } = anonymizer(HEARTBEAT, FACTS)
  pass(body, NOW)
  const id = (nowMs: number): string =>
    spansOf(heartbeat(nowMs))[0]!.attributes[0]!.value!.stringValue!
  const october = id(NOW)
  assert.equal(id(NOW + DAY), october)
  assert.equal(day(), '2026-10-06')
  assert.notEqual(id(Date.UTC(2026, 10, 1)), october)
})
