// Malformed and odd spans by hand, each with its outcome in test/fixtures/malformed.md; the oracle
// meets them by chance.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lenField, varintField } from '../../src/otlp/wire.ts'
import type { Scalar } from '../../src/policy/policy.ts'
import { anonymizer, NOW, outcome, spansOf } from '../support/anonymize.ts'
import {
  attribute,
  bool,
  double,
  fixed64,
  int,
  keyValue,
  policyText,
  request,
  START,
  span,
  text,
} from '../support/spans.ts'

const TRACE_ID = Buffer.alloc(16, 7)
const SPAN_ID = Buffer.alloc(8, 9)
const NAME = lenField(5, Buffer.from('execution'))

test('ids of a wrong length, of zeros or missing reject their span', () => {
  const { pass } = anonymizer(policyText('execution: {}'))
  const ids = (
    traceId: Buffer | undefined,
    spanId: Buffer | undefined,
    parentId?: Buffer,
  ): Buffer =>
    Buffer.concat([
      ...(traceId === undefined ? [] : [lenField(1, traceId)]),
      ...(spanId === undefined ? [] : [lenField(2, spanId)]),
      ...(parentId === undefined ? [] : [lenField(4, parentId)]),
      NAME,
    ])
  for (const bad of [
    ids(Buffer.alloc(15, 7), SPAN_ID),
    ids(Buffer.alloc(17, 7), SPAN_ID),
    ids(Buffer.alloc(16), SPAN_ID),
    ids(Buffer.alloc(0), SPAN_ID),
    ids(undefined, SPAN_ID),
    ids(TRACE_ID, Buffer.alloc(7, 9)),
    ids(TRACE_ID, Buffer.alloc(16, 9)),
    ids(TRACE_ID, Buffer.alloc(8)),
    ids(TRACE_ID, Buffer.alloc(0)),
    ids(TRACE_ID, undefined),
    ids(TRACE_ID, SPAN_ID, Buffer.alloc(7, 1)),
    ids(TRACE_ID, SPAN_ID, Buffer.alloc(9, 1)),
  ]) {
    const { spans, rejected } = pass(request(bad, span()), NOW)
    assert.deepEqual({ spans, rejected }, { spans: 1, rejected: 1 }, bad.toString('hex'))
  }
  for (const parentId of [Buffer.alloc(0), Buffer.alloc(8), Buffer.alloc(8, 1)])
    assert.equal(pass(request(ids(TRACE_ID, SPAN_ID, parentId)), NOW).spans, 1)
})

test('a span has nothing of the one before it, nor a request', () => {
  const policy =
    'execution:\n  ids: linked\n  status: keep\n  attributes:\n    out: {from: in, keep: [a], absent: none, reason: Because.}'
  const { pass } = anonymizer(policyText(policy))
  const status = lenField(15, varintField(3, 2))
  const full = span({ parentId: Buffer.alloc(8, 3), more: [status, attribute('in', text('a'))] })
  const bare = Buffer.concat([lenField(1, TRACE_ID), lenField(2, SPAN_ID), NAME])
  const nameless = Buffer.concat([lenField(1, TRACE_ID), lenField(2, SPAN_ID)])
  const passed = pass(request(full, bare, nameless, NAME), NOW)
  const [, second] = spansOf(passed)
  assert.deepEqual([passed.spans, passed.rejected], [2, 1])
  assert.deepEqual(
    [second!.parentSpanId.length, second!.status, second!.startTimeUnixNano],
    [0, undefined, 0n],
  )
  assert.deepEqual(
    second!.attributes.map(({ value }) => value?.stringValue),
    ['none'],
  )
  const again = pass(request(bare), NOW)
  assert.deepEqual([again.spans, again.rejected], [1, 0])
})

test('a span with more than 4096 attributes is rejected, and one with 4096 has all of them', () => {
  const { pass } = anonymizer(
    policyText('execution:\n  attributes:\n    out: {from: in, keep: [a], reason: Because.}'),
  )
  const many = (count: number): Buffer =>
    span({
      more: [
        attribute('in', text('a')),
        ...Array.from({ length: count - 1 }, () => lenField(9, Buffer.alloc(0))),
      ],
    })
  assert.equal(spansOf(pass(request(many(4096)), NOW))[0]!.attributes[0]?.value?.stringValue, 'a')
  assert.equal(pass(request(many(4097)), NOW).rejected, 1)
})

test('a length of an attribute is read as every decoder reads it', () => {
  const line = 'from: in, keep: [a], absent: gone'
  const head = Buffer.concat([lenField(1, Buffer.from('in')), Buffer.from([0x12])])
  const behind = (first: number, ...bytes: number[]): Buffer =>
    Buffer.concat([head, Buffer.from([first, ...bytes]), Buffer.alloc(first - bytes.length)])
  const long = 'a'.repeat(200)
  const odd: [string, Scalar | undefined, Buffer][] = [
    [
      'two bytes',
      'other',
      Buffer.concat([lenField(1, Buffer.from('in')), lenField(2, text(long))]),
    ],
    [
      'three bytes',
      'other',
      Buffer.concat([lenField(1, Buffer.from('in')), lenField(2, text('a'.repeat(20_000)))]),
    ],
    ['longer than need be', 'a', Buffer.concat([head, Buffer.from([0x83, 0x80, 0x00]), text('a')])],
    ['too short', undefined, Buffer.concat([head, Buffer.from([0x02]), text('a')])],
    ['too long', undefined, Buffer.concat([head, Buffer.from([0x04]), text('a')])],
    // Its first byte alone would fit, and hold a text.
    ['cut off', undefined, behind(0x83, 0x8a, 0x00, 0xff, 0x00)],
    [
      'of a text, cut off',
      undefined,
      Buffer.concat([head, Buffer.from([0x83, 0x01, 0x0a, 0x81, 0x01]), Buffer.alloc(128)]),
    ],
  ]
  for (const [what, wanted, wire] of odd)
    assert.equal(outcome(line, lenField(9, wire)), wanted, what)
})

test('any boolean but zero is true', () => {
  assert.equal(outcome('from: in, keep: [true, false]', attribute('in', varintField(2, 2))), true)
  assert.equal(outcome('from: in, keep: [true, false]', attribute('in', varintField(2, 0))), false)
})

test('a member of a value has its own wire type', () => {
  const line = 'from: in, keep: [a], absent: gone'
  for (const wrong of [
    ...[1, 4, 5, 6, 7].map((field) => varintField(field, 0)),
    ...[2, 3, 4, 8].map((field) => lenField(field, Buffer.alloc(0))),
    ...[1, 2, 3, 5, 6, 7, 8].map((field) => fixed64(field, 0n)),
    varintField(0, 0),
    varintField(9, 0),
  ]) {
    assert.equal(outcome(line, attribute('in', wrong)), undefined, wrong.toString('hex'))
  }
  for (const other of [
    varintField(8, 1),
    lenField(5, Buffer.from([0xff])),
    lenField(6, Buffer.alloc(0)),
    lenField(7, Buffer.alloc(3)),
  ])
    assert.equal(outcome(line, attribute('in', other)), 'other', other.toString('hex'))
})

test('a malformed number gives no value, one of another kind gives the else', () => {
  const of = (value: Uint8Array): Scalar | undefined =>
    outcome('from: in, keep: [1, 2], else: 7', attribute('in', value))
  assert.equal(of(int(1)), 1)
  for (const other of [int(3), bool(true), double(1), text('1'), lenField(7, Buffer.from([1]))])
    assert.equal(of(other), 7)
  for (const malformed of [
    Buffer.concat([int(1), int(1)]),
    Buffer.from([0x18]),
    Buffer.from([0x1a, 0x01]),
    Buffer.from([0x21, 1, 2]),
  ])
    assert.equal(of(malformed), undefined)
  const eleven = [...Array.from({ length: 10 }, () => 0x80), 0x00]
  const above = [...Array.from({ length: 9 }, () => 0x80), 0x02]
  for (const long of [eleven, above]) assert.equal(of(Buffer.from([0x18, ...long])), undefined)
  assert.equal(of(Buffer.from([0x18, 0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00])), 1)
})

test('a malformed status gives no status and no value, not even that of an absent one', () => {
  const line = 'from: "span:status", keep: [unset, ok, error], absent: gone'
  const code = varintField(3, 2)
  for (const bad of [
    varintField(3, 3),
    varintField(3, -1),
    Buffer.concat([code, code]),
    Buffer.from([0x1d, 2, 0, 0, 0]),
    // A code of 2 and an unknown field, if it were a varint.
    Buffer.from([0x1d, 0x02, 0x20, 0x81, 0x00]),
    Buffer.concat([code, Buffer.from([0x10, 0x01])]),
    Buffer.concat([code, Buffer.from([0x12, 0x05])]),
    Buffer.from([0x18]),
  ]) {
    assert.equal(outcome(line, lenField(15, bad)), undefined, bad.toString('hex'))
    const kept = anonymizer(policyText('execution: {status: keep}')).pass(
      request(span({ more: [lenField(15, bad)] })),
      NOW,
    )
    assert.equal(spansOf(kept)[0]!.status, undefined, bad.toString('hex'))
  }
  assert.equal(
    outcome(
      line,
      lenField(15, Buffer.concat([lenField(2, Buffer.from([0xff])), code, varintField(9, 1)])),
    ),
    'error',
  )
})

test('there is no duration where a time is absent or zero', () => {
  const { pass } = anonymizer(
    policyText(
      'execution:\n  attributes:\n    out: {from: "span:duration", buckets: [0, 1, 10], absent: -1, reason: Because.}',
    ),
  )
  const of = (...times: Buffer[]): bigint | undefined =>
    spansOf(
      pass(
        request(Buffer.concat([lenField(1, TRACE_ID), lenField(2, SPAN_ID), NAME, ...times])),
        NOW,
      ),
    )[0]!.attributes[0]?.value?.intValue
  assert.equal(of(fixed64(7, START), fixed64(8, START + 1_000_000_000n)), 1n)
  for (const times of [
    [],
    [fixed64(7, START)],
    [fixed64(8, START)],
    [fixed64(7, 0n), fixed64(8, START)],
    [fixed64(7, START), fixed64(8, 0n)],
  ])
    assert.equal(of(...times), -1n)
})

test('ignores malformed KeyValues of unlisted keys and marks those of listed keys', () => {
  const line = 'from: in, keep: [a], absent: gone'
  const named = (...members: Uint8Array[]): Buffer => lenField(9, Buffer.concat(members))
  const key = lenField(1, Buffer.from('in'))
  const other = lenField(1, Buffer.from('x'))
  const value = lenField(2, text('a'))
  assert.equal(outcome(line, named(value, key)), 'a')
  assert.equal(outcome(line, named(key)), 'other', 'no value is a value of another kind')
  assert.equal(outcome(line, named(other, varintField(7, 1))), 'gone')
  assert.equal(outcome(line, named(value)), 'gone')
  assert.equal(
    outcome(line, named(keyValue('in', text('a')), varintField(3, 5))),
    'a',
    'key_strindex',
  )
  for (const bad of [
    named(key, other, value),
    named(other, key, value),
    named(key, value, value),
    named(key, varintField(2, 1)),
    named(key, value, varintField(1, 1)),
    named(key, value, Buffer.from([0x1d, 0, 0, 0, 0])),
    named(key, value, Buffer.from([0x12])),
    named(key, value, varintField(4, 1)),
  ]) {
    assert.equal(outcome(line, bad), undefined, bad.toString('hex'))
  }
})
