// The words of the policy language that go beyond one value and one action: lists of sources,
// steps, compat policies and what they alone may say, days of expiry, periods that must not join,
// and limits on bits.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkPolicy, parsePolicy } from '../../src/policy/parse.ts'
import { ConfigError } from '../../src/support/errors.ts'
import { policyText } from '../support/spans.ts'

function mistakes(text: string): readonly string[] {
  try {
    parsePolicy(text)
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.errors
  }
  return []
}

const field = (body: string): string =>
  policyText(`execution:\n  attributes:\n    a.b: {${body}, reason: Because.}`)
const compat = (text: string): string => `compat: true\nlimits: none\n${text}`

function refuses(text: string, sentence: RegExp): void {
  const found = mistakes(text)
  assert.ok(
    found.some((mistake) => sentence.test(mistake)),
    found.join('\n') || 'no mistake',
  )
}

const WRONG: readonly [string, RegExp][] = [
  ['from: [], keep: [x]', /1 to 8/],
  ['from: [a, b, c, d, e, f, g, h, i], keep: [x]', /1 to 8/],
  ['from: [a, [b]], keep: [x]', /A source must be/],
  ['from: [a, "span:duration"], keep: [x]', /joins texts/],
  [
    'from: [a, "fact:instance.id"], keep: [x]',
    /Only pseudonym, hash and hmac can read fact:instance\.id/,
  ],
  [
    'or: "fact:instance.id", version: core',
    /Only pseudonym, hash and hmac can read fact:instance\.id/,
  ],
  ['before: "", keep: [x]', /`before` must be a separator/],
  ['after: 123456789, keep: [x]', /`after` must be a separator/],
  ['after: "/", buckets: [1]', /`after` needs text/],
  ['before: "/", keep: [1]', /`before` needs text/],
  ['shape: word, keep: [x]', /`shape` must be one of: ulid, uuid, ec2-instance, semver, dns-label/],
  ['shape: [], keep: [x]', /`shape` must be one or more of/],
  ['shape: uuid, keep: [true]', /`shape` needs text/],
  ['keep: [x], max: 3', /`max` can only be used with `exact`/],
  ['keep: [x], key: y', /`key` can only be used with `hmac`/],
  ['keep: [x], expires: 2027-02-30', /This day does not exist/],
  ['keep: [x], expires: soon', /`expires` must be a UTC day/],
  ['hash: sha256', /^\d+:\d+: `hash` is not anonymous\. Only a policy with `compat: true`/],
  ['hmac: sha256, key: k', /Only a policy with `compat: true`/],
  ['exact: number', /Only a policy with `compat: true`/],
  [
    'pseudonym: forever',
    /`pseudonym: forever` is not anonymous\. Only a policy with `compat: true`/,
  ],
]
for (const [body, sentence] of WRONG)
  test(`refuses {${body}}`, () => refuses(field(body), sentence))

const WRONG_COMPAT: readonly [string, RegExp][] = [
  ['hash: sha1', /`hash` must be one of: sha256, md5/],
  ['hmac: md5, key: k', /`hmac` must be sha256/],
  ['hmac: sha256', /`hmac` needs a key/],
  ['exact: word', /`exact` must be one of: number, version, text/],
  ['exact: number, max: 4', /`max` limits the bytes of text/],
  ['exact: text, max: 0', /`max` must be a whole number from 1 to 1024/],
  ['exact: number, fold: upper', /`fold` needs text/],
  ['exact: text, absent: 1', /`absent` must have the type/],
  [
    'from: "fact:instance.id", exact: text',
    /Only pseudonym, hash and hmac can read fact:instance\.id/,
  ],
]
for (const [body, sentence] of WRONG_COMPAT)
  test(`refuses {${body}} in a compat policy`, () => refuses(compat(field(body)), sentence))

test('what only a compat policy may say is taken there and refused elsewhere', () => {
  const actions = [
    'hash: md5',
    'hmac: sha256, key: k',
    'exact: version, max: 9',
    'pseudonym: forever',
  ]
  for (const action of actions) assert.deepEqual(mistakes(compat(field(action))), [], action)
  const exactTime = policyText('execution: {time: exact}')
  assert.deepEqual(mistakes(compat(exactTime)), [])
  refuses(exactTime, /`time: exact` is not anonymous\. Only a policy with `compat: true`/)
  refuses(
    `limits: none\n${policyText('execution: {}')}`,
    /^1:9: `limits: none` is not anonymous\. Only a policy with `compat: true`/,
  )
  refuses(`compat: false\n${policyText('execution: {}')}`, /`compat` must be true/)
})

test('a compat policy with an unbounded record must have limits: none', () => {
  for (const action of ['hash: md5', 'hmac: sha256, key: k', 'exact: text'])
    refuses(
      `compat: true\n${field(action)}`,
      /One record of "execution" reveals an unlimited number of bits \(a\.b\)\. .* `limits: none`/,
    )
  refuses(
    `compat: true\n${policyText('execution: {time: exact}')}`,
    /unlimited number of bits \(time\)/,
  )
  assert.deepEqual(mistakes(`compat: true\n${field('pseudonym: forever')}`), [])
})

test('a record over its limit is an error with the span and its largest shares', () => {
  const bounds = Array.from({ length: 63 }, (_, i) => i).join(', ')
  const attribute = (name: string, values: string): string =>
    `    ${name}: {buckets: [${values}], reason: Because.}`
  const spans = (count: number): string =>
    `execution:\n  attributes:\n${Array.from({ length: count }, (_, i) => attribute(`a${i}`, bounds)).join('\n')}\n${attribute('small', '1')}`
  assert.deepEqual(mistakes(policyText(spans(6))), [])
  const over = mistakes(policyText(spans(7)))
  assert.deepEqual(over, [
    '9:3: One record of "execution" reveals 43.0 bits, more than `limits.recordBits` (40). The largest shares, 18.0 bits together: a0 6.0, a1 6.0, a2 6.0. Send less or raise the limit.',
  ])
  assert.deepEqual(checkPolicy(policyText(spans(7))).over, over)
  assert.deepEqual(mistakes(`limits: {recordBits: 43}\n${policyText(spans(7))}`), [])
})

test('what stays the same from day to day has a limit of its own', () => {
  const resource = (more: string): string =>
    `a: {from: "fact:a", version: core, reason: Because.}\nb: {from: "fact:b", version: core, reason: Because.}${more}`
  assert.deepEqual(mistakes(policyText('execution: {}', resource(''))), [])
  const more = '\nc: {from: "fact:c", version: core, reason: Because.}'
  refuses(
    policyText('execution: {}', resource(more)),
    /The values that stay the same from day to day reveal 18\.0 bits, more than `limits\.stableBits` \(16\)/,
  )
})

test('a pseudonym of the resource may not outlive the shortest period under spans', () => {
  const policy = (resource: string, spans: string): string =>
    policyText(
      spans,
      `installation: {from: "fact:instance.id", pseudonym: ${resource}, reason: Because.}`,
    )
  const span = (period: string): string =>
    `execution:\n  attributes:\n    app: {pseudonym: ${period}, reason: Because.}`
  refuses(
    policy('month', span('day')),
    /^9:3: This pseudonym \(month\) outlives .* \(day\) .*Write `pseudonym: day`/,
  )
  refuses(policy('month', 'execution: {ids: linked}'), /outlives/)
  refuses(compat(policy('forever', span('month'))), /This pseudonym \(forever\) outlives/)
  for (const fine of [
    policy('day', 'execution: {ids: linked}'),
    policy('month', 'execution: {}'),
    policy('month', span('month')),
    policy('day', span('month')),
  ])
    assert.deepEqual(mistakes(fine), [])
})
