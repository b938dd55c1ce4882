// Where values come from beyond one attribute of the span: the resource that came with it, wherever
// it stands on the wire, and lists that are joined.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { lenField, varintField } from '../../src/otlp/wire.ts'
import type { Scalar } from '../../src/policy/policy.ts'
import { Counters } from '../../src/support/counters.ts'
import { Refusal } from '../../src/support/errors.ts'
import { anonymizer, NOW, outcome, spansOf } from '../support/anonymize.ts'
import { attribute, int, keyValue, policyText, span, text } from '../support/spans.ts'

const POLICY = policyText(
  'execution:\n  attributes:\n    out: {from: "resource:service.name", keep: [web, api], reason: Because.}\n    other: {from: in, keep: [x], reason: Because.}',
)
const resource = (...pairs: Uint8Array[]): Buffer =>
  lenField(1, Buffer.concat(pairs.map((pair) => lenField(1, pair))))
const named = (name: string): Buffer => resource(keyValue('service.name', text(name)))
const scope = (...spans: Uint8Array[]): Buffer =>
  lenField(2, Buffer.concat(spans.map((one) => lenField(2, one))))
const request = (...resourceSpans: Uint8Array[][]): Buffer =>
  Buffer.concat(resourceSpans.map((parts) => lenField(1, Buffer.concat(parts))))

/** `out` of every span that left. */
function outs(body: Uint8Array, counters = new Counters()): (Scalar | undefined)[] {
  const passed = anonymizer(POLICY, {}, undefined, counters).pass(body, NOW)
  return spansOf(passed).map(
    ({ attributes }) => attributes.find(({ key }) => key === 'out')?.value?.stringValue,
  )
}

test('reads the resource at any position, and each only for its own spans', () => {
  assert.deepEqual(outs(request([named('web'), scope(span())])), ['web'])
  assert.deepEqual(outs(request([scope(span()), scope(span()), named('api')])), ['api', 'api'])
  assert.deepEqual(
    outs(request([named('web'), scope(span())], [scope(span())], [scope(span()), named('api')])),
    ['web', undefined, 'api'],
  )
  assert.deepEqual(outs(request([named('secret'), scope(span())])), ['other'])
})

test('an attribute of the span is no attribute of its resource, nor the other way round', () => {
  assert.deepEqual(
    outs(request([resource(), scope(span({ more: [attribute('service.name', text('web'))] }))])),
    [undefined],
  )
  const passed = anonymizer(POLICY).pass(
    request([resource(keyValue('in', text('x'))), scope(span())]),
    NOW,
  )
  assert.deepEqual(spansOf(passed)[0]!.attributes, [])
})

test('two resources, or one that is not sound, are malformed for all that reads them', () => {
  const counters = new Counters()
  const bad = [
    [named('web'), named('web')],
    [named('web'), lenField(1, Buffer.alloc(0))],
    [
      lenField(
        1,
        Buffer.concat([lenField(1, keyValue('service.name', text('web'))), Buffer.from([0x0a, 9])]),
      ),
    ],
    [
      lenField(
        1,
        Buffer.concat([lenField(1, keyValue('service.name', text('web'))), varintField(1, 1)]),
      ),
    ],
    [
      lenField(
        1,
        Buffer.concat([
          lenField(1, keyValue('service.name', text('web'))),
          lenField(2, Buffer.alloc(1)),
        ]),
      ),
    ],
    [resource(keyValue('service.name', text('web')), keyValue('service.name', text('web')))],
  ]
  for (const parts of bad)
    assert.deepEqual(outs(request([...parts, scope(span())]), counters), [undefined])
  assert.equal(counters.get('spans.execution.out.left_out'), bad.length)
  const unknown = lenField(
    1,
    Buffer.concat([
      lenField(1, keyValue('service.name', text('web'))),
      lenField(9, Buffer.from('x')),
    ]),
  )
  assert.deepEqual(outs(request([unknown, scope(span())])), ['web'])
})

test('a resource without a policy that reads it is never looked into, and a frame that is cut off refuses the request', () => {
  const broken = lenField(1, Buffer.from([0x0a, 99]))
  const { pass } = anonymizer(policyText('execution: {}'))
  assert.equal(pass(request([broken, scope(span())]), NOW).spans, 1)
  const cut = request([scope(span()), named('web')]).subarray(0, -2)
  assert.throws(
    () => anonymizer(POLICY).pass(cut, NOW),
    (error) => error instanceof Refusal && error.status === 400,
  )
})

test('a list joins texts with nothing between; the whole is missing where one part is', () => {
  const of = (...more: Uint8Array[]): Scalar | undefined =>
    outcome('from: [a, "text:-", b], absent: none, keep: [x-y, x-, "-"], else: unlisted', ...more)
  assert.equal(of(attribute('a', text('x')), attribute('b', text('y'))), 'x-y')
  assert.equal(of(attribute('b', text('y')), attribute('a', text('x'))), 'x-y')
  assert.equal(of(attribute('a', text('x')), attribute('b', text(''))), 'x-')
  assert.equal(of(attribute('a', text('')), attribute('b', text(''))), '-')
  assert.equal(of(attribute('a', text('x'))), 'none')
  assert.equal(of(), 'none')
  assert.equal(of(attribute('a', text('x')), attribute('b', int(1))), 'unlisted')
  assert.equal(
    of(attribute('a', text('x')), attribute('b', text('y')), attribute('b', text('y'))),
    undefined,
  )
})

test('parts that are UTF-8 only together are malformed', () => {
  const half = (...bytes: number[]): Buffer => lenField(1, Buffer.from(bytes))
  const line = 'from: [a, b], keep: ["é", x]'
  assert.equal(outcome(line, attribute('a', text('é')), attribute('b', text(''))), 'é')
  assert.equal(outcome(line, attribute('a', half(0xc3)), attribute('b', half(0xa9))), undefined)
})

test('or is read where a list is missing or empty', () => {
  const line = 'from: [a, b], or: [c, "text:!"], keep: [xy, z!]'
  assert.equal(
    outcome(line, attribute('a', text('x')), attribute('b', text('y')), attribute('c', text('z'))),
    'xy',
  )
  assert.equal(outcome(line, attribute('a', text('x')), attribute('c', text('z'))), 'z!')
  assert.equal(
    outcome(line, attribute('a', text('')), attribute('b', text('')), attribute('c', text('z'))),
    'z!',
  )
})

test('facts, literals and the status of the span are parts of lists as well', () => {
  assert.equal(
    outcome(
      'from: ["fact:version", "text:/", a], keep: [v1.31.4-gke.100/x]',
      attribute('a', text('x')),
    ),
    'v1.31.4-gke.100/x',
  )
  assert.equal(
    outcome('from: ["fact:nodes", a], keep: [12x, x]', attribute('a', text('x'))),
    'other',
  )
  assert.equal(
    outcome('from: ["span:status", a], keep: [unsetx]', attribute('a', text('x'))),
    'unsetx',
  )
  assert.equal(outcome('from: ["text:a", "text:b"], keep: [ab]'), 'ab')
})

test('the resource of a batch may join facts and literals', () => {
  const policy = policyText(
    'execution: {}',
    'cluster: {from: ["fact:a", "text:-", "fact:b"], keep: [x-y], reason: Because.}',
  )
  const of = (facts: Record<string, Scalar>): string => {
    const { pass, resource: encoded } = anonymizer(policy, facts)
    pass(Buffer.alloc(0), NOW)
    return Buffer.from(encoded()).toString('latin1')
  }
  assert.match(of({ a: 'x', b: 'y' }), /x-y$/)
  assert.match(of({ a: 'x', b: 'z' }), /other$/)
  assert.equal(of({ a: 'x' }), '')
})
