// The steps between source and action, in the policy language's order, and what is counted where
// one fails.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lenField } from '../../src/otlp/wire.ts'
import type { Scalar } from '../../src/policy/policy.ts'
import { Counters } from '../../src/support/counters.ts'
import { anonymizer, NOW, outcome, spansOf } from '../support/anonymize.ts'
import { attribute, int, policyText, request, SECRET, span, text } from '../support/spans.ts'

const of = (line: string, value: string): Scalar | undefined =>
  outcome(`from: in, ${line}`, attribute('in', text(value)))

test('before takes the text before the separator, of which there is exactly one', () => {
  const line = 'before: "://", keep: [aws], else: unknown'
  assert.equal(of(line, 'aws://foo'), 'aws')
  for (const other of ['aws', 'awsx', '', 'foo://bar', 'aws://a://b', '://'])
    assert.equal(of(line, other), 'unknown', other)
})

test('after takes the text after the last separator, which must occur', () => {
  const line = 'after: "/", keep: [c]'
  assert.deepEqual(
    ['c', 'b/c', 'a/b/c', '/c', 'c/', 'b/c/d'].map((value) => of(line, value)),
    ['other', 'c', 'c', 'c', 'other', 'other'],
  )
})

test('runs steps in the order of the language, not of the file', () => {
  const line = 'shape: dns-label, fold: lower, after: "/", before: ":", keep: [nginx]'
  assert.equal(of(line, 'Registry/NGINX:1.2'), 'nginx')
  // After its last slash comes 1.2, so `after` before `before` would find no colon.
  assert.equal(of(line, 'Registry/NGINX:1.2/3'), 'nginx')
  assert.equal(of(line, 'NGINX:1.2'), 'other')
  assert.equal(of(line, 'a/NG INX:1.2'), 'other')
})

const SHAPED: Record<string, { is: string[]; not: string[] }> = {
  ulid: {
    is: ['01ARZ3NDEKTSV4RRFFQ69G5FAV', '7ZZZZZZZZZZZZZZZZZZZZZZZZZ'],
    not: [
      '01arz3ndektsv4rrffq69g5fav',
      '8ZZZZZZZZZZZZZZZZZZZZZZZZZ',
      '01ARZ3NDEKTSV4RRFFQ69G5FA',
      '01ARZ3NDEKTSV4RRFFQ69G5FAU',
      '01ARZ3NDEKTSV4RRFFQ69G5FAV\n',
    ],
  },
  uuid: {
    is: ['6F9619FF-8B86-D011-B42D-00C04FC964FF', '00000000-0000-0000-0000-000000000000'],
    not: [
      '6F9619FF8B86D011B42D00C04FC964FF',
      '6F9619FG-8B86-D011-B42D-00C04FC964FF',
      '{6F9619FF-8B86-D011-B42D-00C04FC964FF}',
    ],
  },
  'ec2-instance': {
    is: ['i-0123456789abcdef0'],
    not: [
      'i-0123456789ABCDEF0',
      'i-0123456789abcdef',
      'i-0123456789abcdef01',
      'x-0123456789abcdef0',
    ],
  },
  semver: {
    is: ['1.2.3', '0.0.0', '1.2.3-rc.1+b.01', '1.2.3--'],
    not: ['v1.2.3', '1.2', '01.2.3', '1.2.3-01', '1.2.3-', '1.2.3+', `1.2.3-${'a'.repeat(251)}`],
  },
  'dns-label': {
    is: ['a', 'a-b', '0', 'a'.repeat(63)],
    not: ['A', '-a', 'a-', 'a.b', 'a_b', 'a'.repeat(64)],
  },
}
for (const [shape, { is, not }] of Object.entries(SHAPED)) {
  test(`shape ${shape} lets through what has it and nothing else`, () => {
    for (const value of is)
      assert.match(String(of(`shape: ${shape}, pseudonym: day`, value)), /^[0-9a-f]{32}$/, value)
    for (const value of not)
      assert.equal(of(`shape: ${shape}, pseudonym: day`, value), undefined, value)
  })
}

test('of several shapes one will do', () => {
  const line = 'shape: [ec2-instance, dns-label], pseudonym: day'
  assert.notEqual(of(line, 'i-0123456789abcdef0'), undefined)
  assert.notEqual(of(line, 'worker-1'), undefined)
  assert.equal(of(line, '01ARZ3NDEKTSV4RRFFQ69G5FAV'), undefined)
})

test('a version that a step refuses is left out, it does not become other', () => {
  assert.equal(of('after: ":", version: minor', 'nginx:1.25.3'), '1.25')
  assert.equal(of('after: ":", version: minor', 'nginx:latest'), 'other')
  assert.equal(of('after: ":", version: minor', 'nginx'), undefined)
  assert.equal(of('fold: lower, version: core', 'V1.2.3'), '1.2.3')
})

test('what is no text passes no step', () => {
  for (const line of ['shape: dns-label, keep: [a]', 'fold: lower, shape: dns-label, keep: [a]'])
    assert.equal(outcome(`from: in, ${line}`, attribute('in', int(0x61))), 'other', line)
})

test('each part of a split goes through the other steps by itself', () => {
  const policy = policyText(
    'execution:\n  attributes:\n    out: {from: in, split: ",", after: "@", fold: lower, keep: [core], reason: Because.}',
  )
  const passed = anonymizer(policy).pass(
    request(span({ more: [attribute('in', text('x@Core, core ,y@z@CORE'))] })),
    NOW,
  )
  assert.deepEqual(
    spansOf(passed).map(({ attributes }) => attributes[0]?.value?.stringValue),
    ['core', 'other', 'core'],
  )
})

test('what is not sent is counted once, by attribute and reason', () => {
  const counters = new Counters()
  const policy = policyText(
    'execution:\n  attributes:\n    a: {from: in, split: ",", before: "-", after: "/", fold: lower, shape: dns-label, pseudonym: day, reason: Because.}\n    b: {from: in, keep: [x], reason: Because.}',
  )
  const { pass } = anonymizer(policy, {}, SECRET, counters)
  const send = (anyValue: Uint8Array): number =>
    pass(request(span({ more: [attribute('in', anyValue)] })), NOW).spans
  send(text('a/b-c'))
  send(text('none'))
  send(text('none-x'))
  send(text('a/B C-x'))
  send(int(1))
  send(text(Array.from({ length: 17 }, () => 'x').join(',')))
  send(lenField(1, Buffer.from([0xff])))
  assert.deepEqual(
    Object.fromEntries(
      Object.entries(counters.snapshot()).filter(([name]) => name.startsWith('spans.execution.')),
    ),
    {
      'spans.execution.a.after': 1,
      'spans.execution.a.before': 2,
      'spans.execution.a.shape': 1,
      'spans.execution.a.split': 2,
      'spans.execution.b.left_out': 1,
      'spans.execution.b.other': 6,
    },
  )
})
