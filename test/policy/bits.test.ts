// How many bits a policy tells: the words of the policy language on a corpus whose counts are
// known, and what is stable, assumed, linkable or without bound.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ASSUMED_NODES, type BitShare, budgetOf, type LeakBudget } from '../../src/policy/bits.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { defaultPolicy, policyText } from '../support/spans.ts'

const WIDE = 'limits: {recordBits: 1000, stableBits: 1000}\n'
const budget = (spans: string, resource = ''): LeakBudget =>
  budgetOf(parsePolicy(WIDE + policyText(spans, resource)))
const compat = (spans: string): LeakBudget =>
  budgetOf(parsePolicy(`compat: true\nlimits: none\n${policyText(spans)}`))
const attribute = (line: string): string =>
  `execution:\n  attributes:\n    out: {${line}, reason: Because.}`
const share = (line: string): BitShare => budget(attribute(line)).records[0]!.shares[0]!

/** Outcomes of one attribute; a set of n is 2^n. */
const OUTCOMES: readonly [line: string, outcomes: number][] = [
  // Two values, other, and none at all.
  ['from: in, keep: [a, b]', 4],
  ['from: in, keep: [a, b], else: none', 3],
  ['from: in, keep: [a, b], else: a', 3],
  // Malformed input leaves it out even where a missing one is sent as something.
  ['from: in, keep: [a, b], absent: nobody', 5],
  ['from: in, keep: [a, b], absent: other', 4],
  ['from: "fact:f", keep: [a, b]', 4],
  ['from: "fact:f", keep: [a, b], absent: other', 3],
  ['from: "fact:f", or: "text:a", keep: [a, b]', 3],
  ['from: ["fact:f", in], keep: [a], absent: other', 3],
  ['from: "text:a", keep: [a]', 2],
  ['from: "span:status", keep: [ok, error]', 4],
  ['from: in, keep: [true, false], else: none', 3],
  ['from: in, buckets: [1, 2, 5]', 4],
  ['from: in, buckets: [1, 2, 5], absent: 1', 4],
  ['from: in, buckets: [1, 2, 5], absent: 0', 5],
  ['from: in, version: major', 4],
  ['from: in, version: minor', 16],
  ['from: in, version: core', 64],
  ['from: in, version: core, releases: 10', 10],
  ['from: in, pseudonym: day', 1],
  ['from: in, split: ",", keep: [a, b, c]', 2 ** 4],
  ['from: in, split: ",", version: major', 2 ** 5],
  ['from: in, split: ",", pseudonym: day', 1],
]
for (const [line, outcomes] of OUTCOMES) {
  test(`{${line}} reveals ${Math.log2(outcomes).toFixed(2)} bits`, () => {
    assert.ok(Math.abs(share(line).bits - Math.log2(outcomes)) < 1e-9, String(share(line).bits))
  })
}

test('a constant reveals no bits', () => {
  assert.equal(budget('execution:\n  attributes:\n    out: {constant: x}').records[0]!.bits, 0)
})

test('time and status add to a record, and so does the resource that it comes with', () => {
  const of = (rule: string, resource = ''): number =>
    budget(`execution: {${rule}}`, resource).records[0]!.bits
  assert.equal(of('time: day'), 0)
  assert.equal(of('time: hour').toFixed(1), '4.6')
  assert.equal(of('time: minute').toFixed(1), '10.5')
  assert.equal(of('status: keep').toFixed(1), '1.6')
  assert.equal(
    of('time: hour, status: keep', 'a: {from: "fact:a", version: minor, reason: Because.}').toFixed(
      1,
    ),
    '10.2',
  )
})

test('actions of compat policies have no bound', () => {
  for (const line of ['hash: md5', 'hmac: sha256, key: k', 'exact: text', 'exact: number'])
    assert.equal(compat(attribute(`from: in, ${line}`)).records[0]!.bits, Number.POSITIVE_INFINITY)
  assert.equal(compat('execution: {time: exact}').records[0]!.bits, Number.POSITIVE_INFINITY)
  assert.equal(compat(attribute('from: in, pseudonym: forever')).records[0]!.bits, 0)
})

test('pseudonyms and linked ids are listed with the period for which they link', () => {
  const links = (shares: readonly BitShare[]) =>
    shares.flatMap(({ name, links: period }) => (period === undefined ? [] : [`${name} ${period}`]))
  const { records, resource } = budget(
    `${attribute('from: in, pseudonym: month')}\nstage: {ids: linked}`,
    'id: {from: "fact:instance.id", pseudonym: day, reason: Because.}',
  )
  assert.deepEqual(
    records.map(({ shares }) => links(shares)),
    [['out month'], ['ids day']],
  )
  assert.deepEqual(links(resource), ['id day'])
})

test('versions rest on an assumption and say so', () => {
  assert.deepEqual(
    [share('from: in, version: core').assumed, share('from: in, keep: [a]').assumed],
    [true, false],
  )
})

test('facts and resources are stable wherever they are used, events are not', () => {
  const stable = (line: string): boolean => share(line).stable
  for (const line of [
    'from: "fact:f", keep: [a]',
    'from: in, or: "fact:f", keep: [a]',
    'from: [in, "fact:f"], keep: [a]',
    'from: "resource:r", keep: [a]',
  ])
    assert.ok(stable(line), line)
  for (const line of [
    'from: in, keep: [a]',
    'from: "span:status", keep: [ok]',
    'from: "text:a", keep: [a]',
  ])
    assert.ok(!stable(line), line)
})

test('stable bits count each fact once, however often it is sent', () => {
  const line = '{from: "fact:f", version: minor, reason: Because.}'
  const { stableBits, stable } = budget(
    `a:\n  attributes:\n    x: ${line}\nb:\n  attributes:\n    y: ${line}`,
    `z: ${line}`,
  )
  assert.equal(stableBits, 4)
  assert.deepEqual(
    stable.map(({ name }) => name),
    ['z'],
  )
  const finer = budget(
    `a:\n  attributes:\n    x: {from: "fact:f", version: core, reason: Because.}`,
    `z: ${line}`,
  )
  assert.equal(finer.stableBits, 10)
})

test('the cluster report is as stable as the facts that it carries, and the rows of its nodes add up', () => {
  const of = (name: string): number =>
    budget(`${name}:\n  attributes:\n    out: {from: in, version: major, reason: Because.}`)
      .stableBits
  assert.equal(of('execution'), 0)
  assert.equal(of('k8s.cluster'), 2)
  assert.equal(of('k8s.node'), 2 * ASSUMED_NODES)
})

test('the shipped default policy is within the default limits', () => {
  const { records, stableBits } = budgetOf(defaultPolicy())
  for (const { name, bits } of records) assert.ok(bits <= 40, `${name} ${bits}`)
  assert.ok(stableBits <= 16 && stableBits > 10, String(stableBits))
})
