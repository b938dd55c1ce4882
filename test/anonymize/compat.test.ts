// What only a compat policy may say: the recipes of old reporters with their published vectors,
// values as they are, and times as they are.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { pseudonym, pseudonymKey } from '../../src/anonymize/actions/pseudonym.ts'
import type { Scalar } from '../../src/policy/policy.ts'
import { anonymizer, NOW, spansOf } from '../support/anonymize.ts'
import {
  attribute,
  bool,
  double,
  int,
  policyText,
  request,
  SECRET,
  START,
  span,
  text,
} from '../support/spans.ts'

const compat = (spans: string): string => `compat: true\nlimits: none\n${policyText(spans)}`
const INSTANCE = '01EBF2QYZ8T4QY3YJ4N3V6ZK8M'

/** What a compat line makes of the attributes, with an installation of this id. */
function sent(line: string, attributes: Record<string, Uint8Array>, instance = INSTANCE) {
  const policy = compat(`execution:\n  attributes:\n    out: {${line}, reason: Because.}`)
  const more = Object.entries(attributes).map(([key, value]) => attribute(key, value))
  const passed = anonymizer(policy, { 'instance.id': instance }).pass(request(span({ more })), NOW)
  return spansOf(passed)[0]!.attributes[0]?.value
}
const hex = (line: string, texts: Record<string, string>, instance?: string): string | undefined =>
  sent(
    line,
    Object.fromEntries(Object.entries(texts).map(([key, value]) => [key, text(value)])),
    instance,
  )?.stringValue

test('Spinnaker’s hashes equal the published vectors', () => {
  assert.equal(
    hex('from: "fact:instance.id", hash: sha256', {}),
    'cd47a3a73501643bc306aa72beef403497f413e95047a79490b37d355e76550e',
  )
  const application = 'from: [app, "fact:instance.id"], hash: sha256'
  assert.equal(
    hex(application, { app: 'payments' }),
    'ed5c78810fc598b61d736be438a2ae14ac37fcc4820f0c2f71c85eda43ded744',
  )
  const execution = 'from: id, hash: sha256'
  assert.equal(
    hex(execution, { id: '01EBF3A0S5K7C9W2X4Y6Z8A1B3' }),
    'ca9c614437ff6d7258ca52a6b7fad3e00cd2ca0e1925df2eff88ff0913cd0c3b',
  )
  assert.equal(hex(execution, { id: '' }), undefined)
  assert.equal(hex(execution, {}), undefined)
  const other = '01ARZ3NDEKTSV4RRFFQ69G5FAV'
  assert.equal(
    hex('from: "fact:instance.id", hash: sha256', {}, other),
    '8eac53b3f14d71fe51a63af287b39e9987212e1bf5310a72056379e1f254c0c4',
  )
  assert.equal(
    hex(application, { app: 'orders-api' }, other),
    '0b190ee138da07b9f37df4d41074382f2a2687cd2031dfda18b3bcdf22851624',
  )
  assert.equal(
    hex(execution, { id: '01BX5ZZKBKACTAV9WEVGEMMVRZ' }),
    '1d3580381beb42f88c88ade977da61f25875e7f0bb93d438d7cf9c9ebc31763e',
  )
})

test('Spartakus’s node ids equal the published vectors, with empty parts as well', () => {
  const line = 'from: [node.name, node.machine_id, node.system_uuid], hash: md5'
  const of = (name: string, machine: string, uuid: string) =>
    hex(line, { 'node.name': name, 'node.machine_id': machine, 'node.system_uuid': uuid })
  const uuid = '6F9619FF-8B86-D011-B42D-00C04FC964FF'
  assert.equal(
    of('worker-1', '0123456789abcdef0123456789abcdef', uuid),
    '7c646c3344af8e73d38e85a4ce6455b3',
  )
  assert.equal(of('worker-1', '', ''), 'fd8beb38b0b3b008322ea4ba31a713ac')
  assert.equal(hex(line, { 'node.name': 'worker-1', 'node.machine_id': '' }), undefined)
})

test('Kusk’s keyed hash equals the published vector, and without a key there is none', () => {
  const line = 'from: "text:kusk", hmac: sha256, key: machine'
  const machine = '3f2b1c0d4e5f60718293a4b5c6d7e8f9'
  assert.equal(
    hex(line, { machine }),
    '83b70579d40dc2668510014bff720edaa630319bd395fb049c9253aad9240c8e',
  )
  assert.equal(hex(line, { machine: '' }), undefined)
  assert.equal(hex(line, {}), undefined)
  assert.equal(sent(line, { machine: int(1) }), undefined)
  const joined = line.replace('machine', '[a, b]')
  assert.equal(hex(joined, { a: machine.slice(0, 5), b: machine.slice(5) }), hex(line, { machine }))
})

test('a keyed hash follows its key, also when the text stays the same', () => {
  const policy = compat(
    'execution:\n  attributes:\n    out: {from: who, hmac: sha256, key: key, reason: Because.}',
  )
  const { pass } = anonymizer(policy)
  const of = (key: string): string | undefined =>
    spansOf(
      pass(
        request(span({ more: [attribute('who', text('x')), attribute('key', text(key))] })),
        NOW,
      ),
    )[0]!.attributes[0]!.value!.stringValue
  const [first, second, third] = [of('a'), of('b'), of('a')]
  assert.notEqual(first, second)
  assert.equal(first, third)
})

test('a pseudonym for ever is the same in every period, and only there', () => {
  const policy = compat(
    'execution:\n  attributes:\n    app: {from: in, pseudonym: forever, reason: Because.}',
  )
  const { pass } = anonymizer(policy)
  const body = request(span({ more: [attribute('in', text('orders-api'))] }))
  const of = (nowMs: number): string | undefined =>
    spansOf(pass(body, nowMs))[0]!.attributes[0]!.value!.stringValue
  const value = pseudonym(pseudonymKey(SECRET, 'example.org/demo', 'app', 'forever'), 'orders-api')
  assert.deepEqual([of(NOW), of(NOW + 400 * 86_400_000)], [value, value])
})

test('exact numbers stay what they are, over all 64 bits', () => {
  const of = (value: Uint8Array): Scalar | bigint | undefined => {
    const found = sent('from: in, exact: number', { in: value })
    return found?.intValue ?? found?.doubleValue ?? undefined
  }
  for (const value of [
    0n,
    1n,
    -1n,
    2n ** 53n + 1n,
    -(2n ** 53n) - 1n,
    2n ** 63n - 1n,
    -(2n ** 63n),
  ])
    assert.equal(of(int(value)), value)
  for (const value of [0.5, -0, 1e308, 5])
    assert.ok(Object.is(of(double(value)), value), String(value))
  for (const odd of [
    double(Number.NaN),
    double(Number.POSITIVE_INFINITY),
    text('1'),
    bool(true),
    Buffer.alloc(0),
  ])
    assert.equal(of(odd), undefined)
})

test('exact texts and versions are short, printable and not empty', () => {
  const of = (line: string, value: string): string | undefined =>
    hex(`from: in, exact: ${line}`, { in: value })
  assert.equal(of('text', 'free words é'), 'free words é')
  assert.equal(of('text', 'x'.repeat(64)), 'x'.repeat(64))
  assert.equal(of('text, max: 3', 'é1'), 'é1')
  for (const odd of ['', 'x'.repeat(65), 'a\nb', 'a\u0000', '\u007f', '\u0085'])
    assert.equal(of('text', odd), undefined, JSON.stringify(odd))
  assert.equal(of('text, max: 3', 'éé'), undefined)
  for (const good of ['v1.31.4-gke.100', '1', '1.32', '2.0.0+build.7', '1.2.3_4~5'])
    assert.equal(of('version', good), good)
  for (const odd of ['latest', 'v', '1..2', '1.2.x', 'prod 1.2', '1.2 (acme)', '1.2.'])
    assert.equal(of('version', odd), undefined, odd)
})

test('the id of an EC2 instance is taken out of what surrounds it, or nothing is', () => {
  const line = 'from: id, after: "/", shape: ec2-instance, exact: text'
  assert.equal(hex(line, { id: 'aws:///us-west-2a/i-0123456789abcdef0' }), 'i-0123456789abcdef0')
  for (const id of ['i-0123456789abcdef0', 'aws:///us-west-2a/i-0123', 'gce://p/z/worker-1', ''])
    assert.equal(hex(line, { id }), undefined)
})

test('exact times are start and end as they are, also where there is none', () => {
  const { pass } = anonymizer(compat('execution: {time: exact}'))
  const of = (start: bigint, end: bigint): bigint[] => {
    const [one] = spansOf(pass(request(span({ start, end })), NOW))
    return [BigInt(one!.startTimeUnixNano), BigInt(one!.endTimeUnixNano)]
  }
  for (const [start, end] of [
    [START, START + 1n],
    [START + 1n, START],
    [2n ** 64n - 1n, 0n],
    [0n, 7n],
  ] as const)
    assert.deepEqual(of(start, end), [start, end])
  const bare = Buffer.concat([
    span().subarray(0, 28),
    Buffer.from([0x2a, 9]),
    Buffer.from('execution'),
  ])
  const [without] = spansOf(pass(request(bare), NOW))
  assert.deepEqual([BigInt(without!.startTimeUnixNano), BigInt(without!.endTimeUnixNano)], [0n, 0n])
})
