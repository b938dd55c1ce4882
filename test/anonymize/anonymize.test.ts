// The pass, rule by rule: what the policy names comes out as it says, and nothing else does.
import assert from 'node:assert/strict'
import { createCipheriv, hkdfSync } from 'node:crypto'
import { test } from 'node:test'
import { lengthPrefixed, pseudonym, pseudonymKey } from '../../src/anonymize/actions/pseudonym.ts'
import { createAnonymizer } from '../../src/anonymize/anonymize.ts'
import { lenField, varintField } from '../../src/otlp/wire.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import type { Scalar } from '../../src/policy/policy.ts'
import { Counters } from '../../src/support/counters.ts'
import { Refusal } from '../../src/support/errors.ts'
import { anonymizer, NOW, outcome, spansOf } from '../support/anonymize.ts'
import {
  attribute,
  bool,
  defaultPolicy,
  double,
  int,
  keyValue,
  policyText,
  request,
  SECRET,
  START,
  span,
  text,
} from '../support/spans.ts'

test('strong pseudonyms equal the published vectors', () => {
  const of = (project: string, field: string, period: string, input: string): string =>
    pseudonym(pseudonymKey(SECRET, project, field, period), input)
  assert.equal(
    of('example.org/demo', 'app', '2026-10-05', 'orders-api'),
    '8a9327385ac095ed67154f66562f3753',
  )
  assert.equal(
    of('example.org/demo', 'app', '2026-10-06', 'orders-api'),
    'f671db1bab73b39dd7cd911a994e3a16',
  )
  assert.equal(
    of('example.org/demo', 'installation', '2026-10', ''),
    '8e27cda2773f25c39a52354c1c7b0ea2',
  )
  assert.equal(
    of('example.org/other', 'app', '2026-10-05', 'orders-api'),
    '5e87efcbd8cd0c486f7356b48e04d3a8',
  )
})

test('keep sends what is listed and folds the rest to other', () => {
  assert.equal(outcome('from: in, keep: [a, b]', attribute('in', text('a'))), 'a')
  assert.equal(outcome('from: in, keep: [a, b]', attribute('in', text('c'))), 'other')
  assert.equal(outcome('from: in, keep: [a], else: rest', attribute('in', text('c'))), 'rest')
  assert.equal(outcome('from: in, keep: [a], else: none', attribute('in', text('c'))), undefined)
  for (const odd of [int(1), bool(true), double(Number.NaN), Buffer.alloc(0), text('')])
    assert.equal(outcome('from: in, keep: [a]', attribute('in', odd)), 'other')
  assert.equal(outcome('from: in, keep: [a]'), undefined)
  assert.equal(outcome('from: in, keep: [1, 2]', attribute('in', int(2))), 2)
  assert.equal(outcome('from: in, keep: [1, 2]', attribute('in', int(2n ** 53n + 1n))), undefined)
  assert.equal(outcome('from: in, keep: [true]', attribute('in', bool(true))), true)
  assert.equal(outcome('from: in, keep: [true]', attribute('in', bool(false))), undefined)
})

test('fold ignores letters’ case without a locale', () => {
  assert.equal(
    outcome('from: in, fold: lower, keep: [pipeline]', attribute('in', text('PipeLine'))),
    'pipeline',
  )
  assert.equal(
    outcome('from: in, fold: upper, keep: [TITLE]', attribute('in', text('title'))),
    'TITLE',
  )
  assert.equal(
    outcome('from: in, fold: upper, keep: [STRASSE]', attribute('in', text('straße'))),
    'STRASSE',
  )
  assert.equal(outcome('from: in, fold: lower, keep: [k]', attribute('in', text('\u212a'))), 'k')
})

test('buckets send the largest bound not above the number', () => {
  const of = (value: Uint8Array): Scalar | undefined =>
    outcome('from: in, buckets: [0, 10, 100]', attribute('in', value))
  assert.deepEqual(
    [-5, 0, 9, 10, 99, 100, 1e6].map((n) => of(int(n))),
    [0, 0, 0, 10, 10, 100, 100],
  )
  assert.equal(of(double(9.99)), 0)
  assert.equal(of(int(2n ** 63n - 1n)), 100)
  assert.equal(of(int(-(2n ** 63n))), 0)
  for (const odd of [double(Number.NaN), double(Number.POSITIVE_INFINITY), text('10'), bool(true)])
    assert.equal(of(odd), undefined)
})

test('version keeps what its level says', () => {
  const of = (level: string, value: string): Scalar | undefined =>
    outcome(`from: in, version: ${level}`, attribute('in', text(value)))
  assert.deepEqual(
    ['major', 'minor', 'core'].map((level) => of(level, 'v1.31.4-gke.100')),
    ['1', '1.31', '1.31.4'],
  )
  assert.equal(of('core', `1.2.3+${'x'.repeat(300)}`), '1.2.3')
  for (const odd of ['1.31', 'latest', '1.2.x', '10000.1.1', '1.02.3', '1..2', ' 1.2.3'])
    assert.equal(of('core', odd), 'other', odd)
  assert.equal(of('core', ''), undefined)
  assert.equal(
    outcome(
      'from: in, version: core',
      attribute('in', lenField(1, Buffer.from('1.2.3+\xff', 'latin1'))),
    ),
    undefined,
  )
})

test('facts, literals, durations and the status are sources', () => {
  assert.equal(outcome('from: "fact:version", version: minor'), '1.31')
  assert.equal(outcome('from: "fact:nodes", buckets: [1, 10, 50]'), 10)
  assert.equal(outcome('from: "fact:missing", keep: [a]'), undefined)
  assert.equal(outcome('from: "text:x", keep: [x]'), 'x')
  assert.equal(outcome('constant: fixed'), 'fixed')
  const duration = (start: bigint, end: bigint): Scalar | undefined => {
    const passed = anonymizer(
      policyText(
        'execution:\n  attributes:\n    out: {from: "span:duration", buckets: [0, 1, 10], reason: Because.}',
      ),
    ).pass(request(span({ start, end })), NOW)
    return Number(spansOf(passed)[0]!.attributes[0]?.value?.intValue ?? -1)
  }
  assert.equal(duration(START, START + 999_999_999n), 0)
  assert.equal(duration(START, START + 1_000_000_000n), 1)
  assert.equal(duration(START, START - 5n), 0)
  assert.equal(duration(START, 0n), -1)
  const status = (code: number): Scalar | undefined =>
    outcome('from: "span:status", keep: [unset, ok, error]', lenField(15, varintField(3, code)))
  assert.deepEqual([0, 1, 2, 3].map(status), ['unset', 'ok', 'error', undefined])
})

test('or is read where from is absent or empty, absent where neither is there', () => {
  const line = 'from: in, or: in2, keep: [a, b], absent: gone'
  assert.equal(outcome(line, attribute('in', text('a')), attribute('in2', text('b'))), 'a')
  assert.equal(outcome(line, attribute('in2', text('b'))), 'b')
  assert.equal(outcome(line, attribute('in', text('')), attribute('in2', text('b'))), 'b')
  assert.equal(outcome(line), 'gone')
  assert.equal(outcome(line, attribute('in', text(''))), 'other')
})

test('a value that decoders could read in two ways is left out, with no else and no absent', () => {
  const line = 'from: in, keep: [a], absent: gone'
  const two = Buffer.concat([keyValue('in', text('a')), lenField(1, Buffer.from('secret'))])
  const odd: [string, Uint8Array[]][] = [
    ['key twice on the span', [attribute('in', text('a')), attribute('in', text('a'))]],
    ['key twice in one KeyValue', [lenField(9, two)]],
    [
      'value twice',
      [lenField(9, Buffer.concat([keyValue('in', text('a')), lenField(2, text('b'))]))],
    ],
    ['two members of AnyValue', [attribute('in', Buffer.concat([text('a'), int(1)]))]],
    [
      'unknown member of AnyValue',
      [attribute('in', Buffer.concat([text('a'), lenField(9, Buffer.from('x'))]))],
    ],
    [
      'unknown member of KeyValue',
      [lenField(9, Buffer.concat([keyValue('in', text('a')), lenField(4, Buffer.from('x'))]))],
    ],
    ['not UTF-8', [attribute('in', lenField(1, Buffer.from([0xff, 0xfe])))]],
    ['cut off', [lenField(9, keyValue('in', text('a')).subarray(0, -1))]],
  ]
  for (const [what, more] of odd) assert.equal(outcome(line, ...more), undefined, what)
  // An unlisted key may be as odd as it likes.
  assert.equal(
    outcome(line, attribute('in', text('a')), attribute('x', text('1')), attribute('x', text('2'))),
    'a',
  )
})

test('pseudonyms need the secret, are new every day, and never carry the text', () => {
  const policy = policyText(
    'execution:\n  attributes:\n    app: {from: in, pseudonym: day, reason: Because.}',
  )
  const of = (secret: Buffer | 'none', now: number, value: Uint8Array): string | undefined =>
    spansOf(
      anonymizer(policy, {}, secret).pass(request(span({ more: [attribute('in', value)] })), now),
    )[0]!.attributes[0]?.value?.stringValue
  assert.equal(of(SECRET, NOW, text('orders-api')), '8a9327385ac095ed67154f66562f3753')
  assert.equal(of(SECRET, NOW + 86_400_000, text('orders-api')), 'f671db1bab73b39dd7cd911a994e3a16')
  assert.equal(of('none', NOW, text('orders-api')), undefined)
  assert.equal(of(SECRET, NOW, text('')), undefined)
  assert.equal(of(SECRET, NOW, int(1)), undefined)
  assert.equal(of(SECRET, NOW, text('e\u0301')), of(SECRET, NOW, text('\u00e9')))
})

test('the day never goes back while the process lives', () => {
  const { pass } = anonymizer(
    policyText('execution:\n  attributes:\n    app: {from: in, pseudonym: day, reason: Because.}'),
  )
  const body = request(span({ more: [attribute('in', text('orders-api'))] }))
  pass(body, NOW + 86_400_000)
  assert.equal(
    spansOf(pass(body, NOW))[0]!.attributes[0]!.value!.stringValue,
    'f671db1bab73b39dd7cd911a994e3a16',
  )
})

test('linked ids are the keyed permutation of the day, random ids are fresh and have no parent', () => {
  const traceId = Buffer.from('00112233445566778899aabbccddeeff', 'hex')
  const spanId = Buffer.from('0011223344556677', 'hex')
  const parentId = Buffer.from('8899aabbccddeeff', 'hex')
  const body = request(span({ traceId, spanId, parentId }))
  const aes = (which: string, block: Buffer): Buffer => {
    const key = Buffer.from(
      hkdfSync(
        'sha256',
        SECRET,
        'usage-sidecar/ids/v1',
        lengthPrefixed('example.org/demo', which, '2026-10-05'),
        16,
      ),
    )
    return createCipheriv('aes-128-ecb', key, null).setAutoPadding(false).update(block)
  }
  const padded = (id: Buffer): Buffer => Buffer.concat([id, Buffer.alloc(8)])
  const [linked] = spansOf(anonymizer(policyText('execution: {ids: linked}')).pass(body, NOW))
  assert.deepEqual(Buffer.from(linked!.traceId), aes('trace', traceId))
  assert.deepEqual(Buffer.from(linked!.spanId), aes('span', padded(spanId)).subarray(0, 8))
  assert.deepEqual(Buffer.from(linked!.parentSpanId), aes('span', padded(parentId)).subarray(0, 8))
  const random = anonymizer(policyText('execution: {}'))
  const [first] = spansOf(random.pass(body, NOW))
  const [second] = spansOf(random.pass(body, NOW))
  assert.equal(first!.parentSpanId.length, 0)
  assert.notDeepEqual(first!.traceId, second!.traceId)
  assert.notDeepEqual(first!.spanId, second!.spanId)
})

test('times are cut down and end equals start', () => {
  const of = (unit: string): bigint[] => {
    const [sent] = spansOf(
      anonymizer(policyText(`execution: {time: ${unit}}`)).pass(
        request(span({ end: START + 5_000_000_000n })),
        NOW,
      ),
    )
    return [BigInt(sent!.startTimeUnixNano), BigInt(sent!.endTimeUnixNano)]
  }
  const ns = (ms: number): bigint => BigInt(ms) * 1_000_000n
  assert.deepEqual(of('day'), [ns(Date.UTC(2026, 9, 5)), ns(Date.UTC(2026, 9, 5))])
  assert.deepEqual(of('hour'), [ns(Date.UTC(2026, 9, 5, 13)), ns(Date.UTC(2026, 9, 5, 13))])
  assert.deepEqual(of('minute'), [
    ns(Date.UTC(2026, 9, 5, 13, 47)),
    ns(Date.UTC(2026, 9, 5, 13, 47)),
  ])
})

test('split makes one copy for each part', () => {
  const policy = policyText(
    'execution:\n  ids: linked\n  attributes:\n    out: {from: in, split: ",", keep: [aws, gce], reason: Because.}',
  )
  const of = (value: string): (string | undefined)[] =>
    spansOf(
      anonymizer(policy).pass(request(span({ more: [attribute('in', text(value))] })), NOW),
    ).map((one) => one.attributes[0]?.value?.stringValue)
  assert.deepEqual(of('aws, gce ,x'), ['aws', 'gce', 'other'])
  assert.deepEqual(of('aws'), ['aws'])
  assert.deepEqual(of(' , '), [undefined])
  assert.deepEqual(of(Array.from({ length: 17 }, () => 'aws').join(',')), [undefined])
  const ids = spansOf(
    anonymizer(policy).pass(request(span({ more: [attribute('in', text('aws,gce'))] })), NOW),
  )
  assert.deepEqual(ids[0]!.traceId, ids[1]!.traceId)
  assert.notDeepEqual(ids[0]!.spanId, ids[1]!.spanId)
})

test('only and skip leave whole spans out, and count them', () => {
  const counters = new Counters()
  const policy = policyText(
    'execution:\n  only: {out: [a]}\n  skip: [internal]\n  attributes:\n    out: {from: in, keep: [a], reason: Because.}',
  )
  const { pass } = anonymizer(policy, {}, SECRET, counters)
  const kept = (...more: Uint8Array[]): number => pass(request(span({ more })), NOW).spans
  assert.equal(kept(attribute('in', text('a'))), 1)
  assert.equal(kept(attribute('in', text('b'))), 0)
  assert.equal(kept(), 0)
  assert.equal(kept(attribute('in', text('a')), attribute('internal', text('x'))), 0)
  assert.equal(kept(attribute('in', text('a')), attribute('internal', text(''))), 1)
  assert.equal(kept(attribute('in', text('a')), attribute('internal', int(0))), 0)
  assert.equal(counters.get('spans.execution.skipped'), 4)
})

test('sends the status code only if the policy keeps it, and never the message', () => {
  const status = lenField(
    15,
    Buffer.concat([lenField(2, Buffer.from('secret message')), varintField(3, 2)]),
  )
  const of = (rule: string) =>
    spansOf(
      anonymizer(policyText(`execution: {status: ${rule}}`)).pass(
        request(span({ more: [status] })),
        NOW,
      ),
    )[0]!.status
  assert.equal(of('drop'), undefined)
  assert.deepEqual([of('keep')!.code, of('keep')!.message], [2, ''])
})

test('spans with bad ids are rejected, unlisted spans are counted, the rest is kept', () => {
  const counters = new Counters()
  const { pass } = anonymizer(policyText('execution: {}'), {}, SECRET, counters)
  const passed = pass(
    request(
      span({ traceId: Buffer.alloc(16) }),
      span({ spanId: Buffer.alloc(7, 1) }),
      span({ parentId: Buffer.alloc(3, 1) }),
      span({ more: [lenField(5, Buffer.from('execution'))] }),
      span({ name: 'x' }),
      span(),
    ),
    NOW,
  )
  assert.deepEqual([passed.spans, passed.rejected], [1, 4])
  assert.deepEqual(counters.snapshot(), {
    'spans.received': 6,
    'spans.rejected': 4,
    'spans.unlisted': 1,
  })
})

test('a request that is cut off is refused whole, with the place and none of its bytes', () => {
  const { pass } = anonymizer(policyText('execution: {}'))
  const body = request(span({ name: 'CANARY' }))
  assert.throws(
    () => pass(body.subarray(0, -3), NOW),
    (error) =>
      error instanceof Refusal &&
      error.status === 400 &&
      /at byte \d+/.test(error.message) &&
      !/CANARY/.test(error.message),
  )
  assert.equal(pass(Buffer.alloc(0), NOW).spans, 0)
})

test('what one request may become is bounded', () => {
  const policy = parsePolicy(
    policyText(
      'execution:\n  attributes:\n    out: {from: in, split: ",", keep: [a], reason: Because.}',
    ),
  )
  const { pass } = createAnonymizer({
    policy,
    facts: new Map(),
    secret: SECRET,
    counters: new Counters(),
    maxBytes: 65_536,
  })
  const many = request(
    ...Array.from({ length: 100 }, () =>
      span({ more: [attribute('in', text('a,b,c,d,e,f,g,h,i,j'))] }),
    ),
  )
  assert.throws(
    () => pass(many, NOW),
    (error) => error instanceof Refusal && error.status === 413,
  )
  assert.equal(pass(request(span()), NOW).spans, 1)
})

test('sends attributes in the order of the policy', () => {
  const { pass } = createAnonymizer({
    policy: defaultPolicy(),
    facts: new Map(),
    secret: SECRET,
    counters: new Counters(),
    maxBytes: 65_536,
  })
  const more = [
    attribute('application.name', text('x')),
    attribute('execution.status', text('SUCCEEDED')),
    attribute('execution.type', text('pipeline')),
  ]
  const keys = spansOf(pass(request(span({ more, end: START + 1n })), NOW))[0]!.attributes.map(
    ({ key }) => key,
  )
  assert.deepEqual(keys, [
    'execution.type',
    'execution.status',
    'execution.duration',
    'application.id',
  ])
})
