// The checker of policies, rule by rule: each line here is a policy that would do something else
// than it seems to say.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parsePolicy } from '../../src/policy/parse.ts'
import { policyDigest } from '../../src/policy/policy.ts'
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

const inSpan = (rule: string): string => policyText(`execution:\n  ${rule}`)
const attribute = (body: string, name = 'a'): string =>
  policyText(`execution:\n  attributes:\n    ${name}: {${body}, reason: Because.}`)
const resource = (body: string): string =>
  policyText('execution: {}', `a: {${body}, reason: Because.}`)

/** Each policy has one mistake, with this sentence. */
function refused(policies: readonly (readonly [string, RegExp])[]): void {
  for (const [policy, sentence] of policies) {
    const found = mistakes(policy)
    assert.ok(
      found.some((mistake) => sentence.test(mistake)),
      `${policy.slice(-300)}\n${found.join('\n')}`,
    )
  }
}

const accepted = (...policies: readonly string[]): void => {
  for (const policy of policies) assert.deepEqual(mistakes(policy), [], policy.slice(-300))
}

test('an alias, a merge key and a reference by them are refused', () => {
  const aliased = policyText('execution: &a {}\nstage: *a')
  refused([
    [aliased, /Aliases are not allowed/],
    [aliased, /Anchors are not allowed/],
    [policyText('execution:\n  <<: {ids: linked}'), /This word is unknown/],
  ])
})

test('never repeats the text of a file that is not YAML', () => {
  const base = policyText('execution: {}')
  for (const bad of [
    'SECRET: [',
    '\tSECRET: 1',
    'a: "SECRET',
    '%SECRET x\n---\na: 1',
    '? SECRET\n: : b',
    'a: b: SECRET',
    '@SECRET',
  ]) {
    const found = mistakes(`${base}${bad}\n`).concat(mistakes(`${bad}\n`))
    assert.ok(found.length > 1, bad)
    for (const mistake of found) assert.doesNotMatch(mistake, /SECRET/)
  }
  assert.deepEqual(mistakes(`%SECRET x\n---\n${base}`), [
    '1:1: This is not YAML. Correct the syntax here.',
  ])
})

test('reports each error once, in the order of their positions', () => {
  const found = mistakes(`${attribute('keep: [a, 1, 2, b, b]')}zzz: 1\naaa: 1\n`)
  assert.equal(new Set(found).size, found.length)
  const places = found.map((mistake) => mistake.split(':').slice(0, 2).map(Number))
  assert.deepEqual(
    places,
    places.toSorted(([a, b], [c, d]) => a! - c! || b! - d!),
  )
  assert.ok(places.length >= 5)
  const unended = mistakes(`${policyText('execution: {}')}review: [[[`)
  assert.equal(new Set(unended).size, unended.length)
  assert.equal(
    mistakes(attribute('from: "fact:instance.id", or: "fact:instance.id", keep: [a]')).length,
    1,
  )
})

test('names and values are there, and are what they must be', () => {
  refused([
    [policyText('1: {}'), /A name must be text/],
    [policyText('[a]: {}'), /A name must be text/],
    [policyText('execution:'), /A span must be a map/],
    [policyText('execution: {ids}'), /`ids` has no value/],
    [attribute('keep: a'), /`keep` must be a list/],
    [attribute('buckets: 1'), /`buckets` must be a list/],
    [inSpan('skip: a'), /`skip` must be a list/],
    [inSpan('attributes: [a]'), /`attributes` must be a map/],
  ])
})

test('the head of a policy is complete, known and in its form', () => {
  const base = policyText('execution: {}')
  const with_ = (from: string, to: string): string => base.replace(from, to)
  refused([
    [`${base}zzz: 1\n`, /This word is unknown/],
    [`${base}compat: yes\n`, /`compat` must be true/],
    [
      `${base}limits: {recordBits: 1, bits: 2}\n`,
      /`limits` can only have recordBits and stableBits/,
    ],
    [`${base}limits: {recordBits: -1}\n`, /`recordBits` must be a whole number/],
    [`${base}review: http://example.org\n`, /`review` must be an https address/],
    [with_('2999-12-31', '2999-02-30'), /This day does not exist/],
    [with_('2999-12-31', '2999-1-1'), /`expires` must be a UTC day/],
    [with_('version: 1', 'version: 1.5'), /`version` must be a whole number/],
    [with_('version: 1', 'version: 10000'), /`version` must be a whole number/],
    [with_('version: 1', 'version: "1"'), /`version` must be a whole number/],
    [with_('1d', '1 day'), /`retention` must be a number of days/],
    [with_('1d', '0d'), /`retention` must be a number of days/],
    [with_('example.org/demo', 'Example.org/demo'), /`project` must be a domain/],
    [with_('example.org/demo', 'example.org/'), /`project` must be a domain/],
    [with_('A test.', '"A\\u0007test."'), /`purpose` must be one line/],
    [with_('a@example.org', 'x'), /`contact` must be one line/],
  ])
  accepted(`${base}limits: {recordBits: 1, stableBits: 2}\nreview: https://example.org/1\n`)
})

test('what surrounds the attributes of a span is known and in its form', () => {
  refused([
    [policyText(`${'x'.repeat(65)}: {}`), /1 to 64 printable/],
    [policyText('"": {}'), /1 to 64 printable/],
    [policyText('é: {}'), /1 to 64 printable/],
    [policyText('" a": {}'), /1 to 64 printable/],
    [inSpan('zzz: 1'), /This word is unknown/],
    [inSpan('ids: fixed'), /`ids` must be one of/],
    [inSpan('time: second'), /`time` must be one of/],
    [inSpan('status: message'), /`status` must be one of/],
    [inSpan('skip: []'), /`skip` must list one or more/],
    [inSpan('skip: [1]'), /A key must be the exact key/],
    [
      inSpan(
        'attributes:\n    a: {from: x, split: ",", keep: [a], reason: Why.}\n    b: {from: x, split: ",", keep: [a], reason: Why.}',
      ),
      /can have `split`/,
    ],
  ])
})

test('defaults to what reveals least', () => {
  const [rule] = parsePolicy(policyText('execution: {}')).spans
  assert.deepEqual(rule, {
    name: 'execution',
    ids: 'random',
    time: 'day',
    status: 'drop',
    only: [],
    skip: [],
    fields: [],
  })
})

test('outgoing names are plain, short and not ours', () => {
  const keep = 'from: x, keep: [a]'
  for (const name of [
    'A',
    'é',
    'a b',
    'a..b',
    '.a',
    'a.',
    '1a',
    'a-b',
    'x'.repeat(97),
    `${'x.'.repeat(48)}x`,
  ])
    refused([[attribute(keep, name), /lower-case words joined by dots/]])
  for (const name of ['usage', 'usage.batch.id', 'usage.x'])
    refused([[attribute(keep, name), /belong to the sidecar/]])
  accepted(attribute(keep, 'usages.x'), attribute(keep, 'a_1.2.b'), attribute(keep, 'x'.repeat(96)))
})

test('sources are keys, facts, literals or parts of the span', () => {
  refused([
    [attribute('from: "", keep: [a]'), /A source must be/],
    [attribute('from: 1, keep: [a]'), /A source must be/],
    [attribute(`from: ${'x'.repeat(257)}, keep: [a]`), /A source must be/],
    [attribute(`from: ${'é'.repeat(129)}, keep: [a]`), /A source must be/],
    [attribute('from: "fact:", keep: [a]'), /The name of a fact/],
    [attribute('from: "fact:a b", keep: [a]'), /The name of a fact/],
    [
      attribute('from: x, or: "resource:", keep: [a]'),
      /exact key of an incoming resource attribute/,
    ],
    [resource('from: "resource:a", keep: [a]'), /a source must be fact:NAME or text:WORDS/],
    [resource('from: ["fact:a", x], keep: [a]'), /a source must be fact:NAME or text:WORDS/],
    [resource('keep: [a]'), /`from` is missing/],
    [resource('from: x, keep: [a]'), /a source must be fact:NAME or text:WORDS/],
    [resource('from: "span:status", keep: [ok]'), /a source must be fact:NAME or text:WORDS/],
  ])
  accepted(
    attribute(`from: ${'x'.repeat(256)}, keep: [a]`),
    resource('from: "fact:app.version", version: minor'),
  )
})

test('values that are sent are short, printable and exact', () => {
  const sentence = /must be text of at most 64 bytes/
  for (const value of [
    '""',
    'x'.repeat(65),
    'é'.repeat(33),
    '"a\\u0007"',
    '"\\ud800"',
    '1.5',
    '9007199254740992',
    '-0',
    '[a]',
    'null',
    '.nan',
  ]) {
    refused([
      [attribute(`from: x, keep: [${value}]`), sentence],
      [
        policyText(`execution:\n  attributes:\n    a: {constant: ${value}}`),
        value === 'null' ? /has no value|must be text/ : sentence,
      ],
    ])
  }
  accepted(
    attribute(`from: x, keep: [${'x'.repeat(64)}, é]`),
    attribute('from: x, keep: [9007199254740991, -1]'),
  )
})

test('words that do not go together are refused', () => {
  refused([
    [attribute('from: x, buckets: [1], else: 1'), /`else` can only be used with `keep`/],
    [attribute('from: x, keep: [a], releases: 3'), /`releases` can only be used with `version`/],
    [attribute('from: x, keep: [1], fold: lower'), /`fold` needs text/],
    [
      attribute('from: x, or: "fact:instance.id", keep: [a]'),
      /Only pseudonym, hash and hmac can read fact:instance\.id/,
    ],
    [resource('from: "fact:x", split: ",", keep: [a]'), /cannot be used under `resource`/],
    [attribute('from: x, keep: [a], else: ""'), /`else` must be none/],
  ])
  accepted(
    attribute('from: "fact:instance.id", pseudonym: month'),
    attribute('from: x, version: minor, releases: 3'),
  )
})

test('only has values that the attribute can have', () => {
  const only = (values: string, action: string): string =>
    policyText(
      `execution:\n  only: {a: ${values}}\n  attributes:\n    a: {from: x, ${action}, reason: Because.}`,
    )
  const never = /never has this value/
  refused([
    [only('[5]', 'buckets: [1, 10]'), never],
    [only('["1"]', 'buckets: [1, 10]'), never],
    [only('[true]', 'keep: [1, 2], else: none'), never],
    [only('[other]', 'keep: [a], else: none'), never],
    [only('[1]', 'version: minor'), never],
    [only('a', 'keep: [a]'), /must be a list/],
  ])
  accepted(
    only('[1]', 'buckets: [1, 10]'),
    only('[gone]', 'keep: [a], absent: gone'),
    only('["1.31"]', 'version: minor'),
    only('[other]', 'keep: [a]'),
  )
})

test('a policy is bounded', () => {
  const list = (count: number, make: (i: number) => string): string =>
    Array.from({ length: count }, (_, i) => make(i)).join(', ')
  const attributes = (count: number): string =>
    inSpan(`attributes: {${list(count, (i) => `a${i}: {constant: 1}`)}}`)
  refused([
    [attribute(`from: x, keep: [${list(1001, (i) => `v${i}`)}]`), /`keep` must list 1 to 1000/],
    [attribute('from: x, keep: []'), /`keep` must list 1 to 1000/],
    [attribute(`from: x, buckets: [${list(65, String)}]`), /1 to 64 bounds/],
    [attributes(2001), /more than 2000 attributes/],
    [policyText(list(101, (i) => `s${i}: {}`).replaceAll(', ', '\n')), /more than 100 spans/],
  ])
  accepted(
    attribute(`from: x, keep: [${list(1000, (i) => `v${i}`)}]`),
    attribute(`from: x, buckets: [${list(64, String)}]`),
    attributes(2000),
  )
  assert.equal(
    mistakes(policyText(list(100, (i) => `s${i}: {zzz: 1, yyy: 2}`).replaceAll('}, ', '}\n')))
      .length,
    100,
  )
})

test('the digest depends on the meaning and not on the order of words', () => {
  const digest = (text: string): string => policyDigest(parsePolicy(text))
  const base = inSpan(
    '{ids: linked, time: hour, status: keep, skip: [x], attributes: {a: {keep: [a], fold: lower, reason: Why.}}}',
  ).replace('execution:\n    {', 'execution: {')
  assert.equal(
    digest(base),
    digest(
      base
        .replace('ids: linked, time: hour', 'time: hour, ids: linked')
        .replace('keep: [a], fold: lower', 'fold: lower, keep: [a]'),
    ),
  )
  const policy = parsePolicy(base)
  const backwards = <T extends object>(of: T): T =>
    Object.fromEntries(Object.entries(of).toReversed()) as T
  assert.equal(policyDigest({ ...policy, spans: policy.spans.map(backwards) }), digest(base))
  for (const [from, to] of [
    ['linked', 'random'],
    ['hour', 'day'],
    ['status: keep', 'status: drop'],
    ['[x]', '[y]'],
    ['fold: lower, ', ''],
    ['lower', 'upper'],
    ['2999-12-31', '2998-12-31'],
    ['example.org/demo', 'example.org/other'],
  ] as const) {
    const other = base.replace(from, to).replace('keep: [a], fold: upper', 'keep: [A], fold: upper')
    if (base.includes(from)) assert.notEqual(digest(other), digest(base), to)
  }
})
