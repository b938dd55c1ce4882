// The pass, the rules of what leaves that no single attribute shows: ids, copies, counts, many
// spans and many fields.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAnonymizer } from '../../src/anonymize/anonymize.ts'
import { ByteTable, MISS } from '../../src/anonymize/byte-table.ts'
import { FieldSet } from '../../src/anonymize/field-set.ts'
import { lenField, varintField } from '../../src/otlp/wire.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { Counters } from '../../src/support/counters.ts'
import { anonymizer, NOW, spansOf } from '../support/anonymize.ts'
import { Resource } from '../support/otlp-generated/opentelemetry/proto/resource/v1/resource.ts'
import { attribute, int, policyText, request, SECRET, span, text } from '../support/spans.ts'

test('without a secret the keys of ids are random and stay in memory', () => {
  const of = (): Uint8Array =>
    spansOf(
      anonymizer(policyText('execution: {ids: linked}'), {}, 'none').pass(request(span()), NOW),
    )[0]!.traceId
  assert.notDeepEqual(of(), of())
  const { pass } = anonymizer(policyText('execution: {ids: linked}'), {}, 'none')
  const [first, second] = spansOf(pass(request(span(), span()), NOW))
  assert.deepEqual(first!.traceId, second!.traceId)
})

test('fresh ids are never zero', () => {
  const zeros = (buffer: Uint8Array): void => void buffer.fill(0)
  const policy = parsePolicy(policyText('execution: {}'))
  const { pass } = createAnonymizer({
    policy,
    facts: new Map(),
    secret: SECRET,
    counters: new Counters(),
    maxBytes: 65_536,
    random: zeros,
  })
  const [sent] = spansOf(pass(request(span()), NOW))
  for (const id of [sent!.traceId, sent!.spanId]) assert.ok(id.some((byte) => byte !== 0))
})

test('many spans leave as each alone', () => {
  const attributes = 'attributes:\n    out: {from: in, pseudonym: day, reason: Because.}'
  const policy = policyText(`execution:\n  ids: linked\n  ${attributes}\nstage:\n  ${attributes}`)
  const { pass } = anonymizer(policy)
  const bodies = Array.from({ length: 1500 }, (_, i) => {
    const id = Buffer.alloc(16, i)
    id.writeUInt32BE(i + 1)
    const name = i % 5 === 0 ? 'stage' : 'execution'
    const parent = i % 3 === 0 ? {} : { parentId: id.subarray(0, 8) }
    return span({
      traceId: id,
      spanId: id.subarray(0, 8),
      ...parent,
      name,
      more: [attribute('in', text(`value ${i}`))],
    })
  })
  const together = spansOf(pass(request(...bodies), NOW))
  const alone = bodies.flatMap((body) => spansOf(pass(request(body), NOW)))
  assert.equal(together.length, alone.length)
  const linked = ({ name }: { name: string }): boolean => name === 'execution'
  const words = (one: (typeof alone)[number]): string =>
    [one.traceId, one.spanId, one.parentSpanId]
      .map((id) => Buffer.from(id).toString('hex'))
      .join() + one.attributes[0]?.value?.stringValue
  for (const [i, one] of together.entries())
    if (linked(one)) assert.equal(words(one), words(alone[i]!))
  const fresh = together
    .filter((one) => !linked(one))
    .map(({ traceId }) => Buffer.from(traceId).toString('hex'))
  assert.deepEqual([fresh.length, new Set(fresh).size], [300, 300])
})

test('a text to split is split whole, or not at all', () => {
  const counters = new Counters()
  const policy = policyText(
    'execution:\n  attributes:\n    out: {from: in, split: ",", keep: [aws, é], absent: none, reason: Because.}',
  )
  const { pass } = anonymizer(policy, {}, SECRET, counters)
  const of = (value: Uint8Array): (string | undefined)[] =>
    spansOf(pass(request(span({ more: [attribute('in', value)] })), NOW)).map(
      (one) => one.attributes[0]?.value?.stringValue,
    )
  assert.deepEqual(of(text(' aws')), ['aws'])
  assert.deepEqual(of(text('é,aws\u00a0')), ['é', 'aws'])
  assert.deepEqual(of(int(1)), ['other'])
  assert.deepEqual(of(Buffer.concat([text('aws'), text('aws')])), [undefined])
  assert.equal(counters.get('spans.execution.out.left_out'), 1)
  for (const none of [
    text(''),
    text(','),
    lenField(1, Buffer.from([0xff])),
    lenField(1, Buffer.from([0x61, 0x2c, 0xff])),
  ])
    assert.deepEqual(of(none), [undefined])
  assert.equal(counters.get('spans.execution.out.split'), 4)
})

test('only looks at the attribute that it names', () => {
  const lines =
    'a: {keep: [x], reason: Because.}\n    b: {keep: [x, y], reason: Because.}\n    c: {keep: [x], reason: Because.}'
  const { pass } = anonymizer(
    policyText(`execution:\n  only: {b: [x]}\n  attributes:\n    ${lines}`),
  )
  const of = (a: string, b: string): number =>
    pass(
      request(
        span({
          more: [attribute('a', text(a)), attribute('b', text(b)), attribute('c', text('x'))],
        }),
      ),
      NOW,
    ).spans
  assert.deepEqual([of('x', 'x'), of('z', 'x'), of('x', 'y')], [1, 1, 0])
})

test('a status that is an attribute is sent only as an attribute', () => {
  const { pass } = anonymizer(
    policyText(
      'execution:\n  attributes:\n    out: {from: "span:status", keep: [ok, error], reason: Because.}',
    ),
  )
  const [sent] = spansOf(pass(request(span({ more: [lenField(15, varintField(3, 2))] })), NOW))
  assert.deepEqual([sent!.attributes[0]!.value!.stringValue, sent!.status], ['error', undefined])
})

test('counts what a field drops or folds', () => {
  const counters = new Counters()
  const { pass } = anonymizer(
    policyText(
      'execution:\n  attributes:\n    a: {keep: [x], reason: Because.}\n    b: {buckets: [1], reason: Because.}',
    ),
    {},
    SECRET,
    counters,
  )
  pass(
    request(
      span({ more: [attribute('a', text('y')), attribute('b', text('1'))] }),
      span({ more: [attribute('a', text('x'))] }),
    ),
    NOW,
  )
  assert.deepEqual(counters.snapshot(), {
    'spans.execution.a.other': 1,
    'spans.execution.b.left_out': 1,
    'spans.received': 2,
  })
})

test('the resource has what the policy names, in its order', () => {
  const lines =
    'b: {from: "fact:b", keep: [x], reason: Because.}\na: {from: "fact:a", buckets: [1, 5], reason: Because.}\nc: {from: "fact:c", keep: [x], reason: Because.}\nd: {constant: fixed}'
  const resource = Resource.decode(
    anonymizer(policyText('execution: {}', lines), { a: 7, b: 'x' }).resource(),
  )
  assert.deepEqual(
    resource.attributes.map(({ key, value }) => [key, value?.stringValue ?? value?.intValue]),
    [
      ['b', 'x'],
      ['a', 5n],
      ['d', 'fixed'],
    ],
  )
})

test('fields are given back once, in the order of the policy, and those that are always evaluated each time', () => {
  const fields = new FieldSet(2500, [40, 2400])
  const taken = (...added: number[]): number[] => {
    for (const field of added) fields.add(field)
    const list: number[] = []
    const count = fields.take(list)
    return list.slice(0, count)
  }
  assert.deepEqual(taken(2000, 0, 31, 32, 0), [0, 31, 32, 40, 2000, 2400])
  assert.deepEqual(taken(), [40, 2400])
  assert.deepEqual(taken(41, 2401), [40, 41, 2400, 2401])
})

test('texts are compared whole', () => {
  const words = ['pipeline', 'orchestration', 'a', '']
  for (const fold of [undefined, 'lower'] as const) {
    const table = new ByteTable(
      words.map((word) => Buffer.from(word)),
      fold,
    )
    const find = (text: string): number => table.find(Buffer.from(`<${text}>`), 1, 1 + text.length)
    for (const [index, word] of words.entries()) assert.equal(find(word), index)
    for (let i = 0; i < 2000; i++)
      for (const text of [
        `pipeline${i}`,
        `${i}pipeline`,
        `pipelin${i}`,
        'pipeline'.slice(0, 1 + (i % 7)),
        `orchestratio${String(i).slice(-1)}`,
      ])
        assert.equal(find(text), MISS, text)
  }
})
