// What a new version of a policy would newly send: whatever lets a collector learn more, or learn
// it from something else, is new and needs a review of its own; whatever tells less is not.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { diffPolicies, type PolicyDiff } from '../../src/policy/diff.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { policyText } from '../support/spans.ts'

const WIDE = 'limits: {recordBits: 1000, stableBits: 1000}\n'
const COMPAT = 'compat: true\nlimits: none\n'

interface Texts {
  spans: string
  resource?: string
  head?: string
}

const policy = ({ spans, resource = '', head = WIDE }: Texts) =>
  parsePolicy(head + policyText(spans, resource))
const diff = (old: Texts, next: Texts): PolicyDiff => diffPolicies(policy(old), policy(next))

/** A span with one attribute, in three pieces that a case may change. */
const one = (line: string, rule = ''): Texts => ({
  spans: `execution:\n${rule}  attributes:\n    out: {${line}, reason: Because.}`,
})

/**
 * The first tells less than the second; from the first to the second something is new, and back
 * nothing is.
 */
const MORE: readonly [what: string, less: Texts, more: Texts, says: RegExp][] = [
  [
    'a span',
    { spans: 'a: {}' },
    { spans: 'a: {}\nb: {}' },
    /^span b: the whole span, with no attributes$/,
  ],
  [
    'an attribute',
    { spans: 'execution: {}' },
    one('keep: [a]'),
    /^span execution: out, from the span’s attribute out \(Because\.\)$/,
  ],
  [
    'an attribute of the resource',
    { spans: 'execution: {}' },
    { spans: 'execution: {}', resource: 'x: {from: "fact:app.x", keep: [a], reason: Because.}' },
    /^resource: x, from the fact app\.x/,
  ],
  ['a kept value', one('keep: [a]'), one('keep: [a, b]'), /^span execution: out: b$/],
  [
    'the else of a keep',
    one('keep: [a], else: none'),
    one('keep: [a]'),
    /^span execution: out: other$/,
  ],
  [
    'a listed value as the else',
    one('keep: [a], else: none'),
    one('keep: [a], else: a'),
    /^span execution: out: a for any other value$/,
  ],
  [
    'a bound',
    one('buckets: [0, 10]'),
    one('buckets: [0, 5, 10]'),
    /^span execution: out: the bounds 5$/,
  ],
  ['a finer version', one('version: minor'), one('version: core'), /version core instead of minor/],
  [
    'a longer pseudonym',
    one('pseudonym: day'),
    one('pseudonym: month'),
    /pseudonym month instead of day/,
  ],
  [
    'a word where there is no value',
    one('keep: [a]'),
    one('keep: [a], absent: none'),
    /none where there is no value/,
  ],
  [
    'linked ids',
    { spans: 'execution: {}' },
    { spans: 'execution: {ids: linked}' },
    /ids linked instead of random/,
  ],
  [
    'a finer time',
    { spans: 'execution: {time: hour}' },
    { spans: 'execution: {time: minute}' },
    /time minute instead of hour/,
  ],
  [
    'the status',
    { spans: 'execution: {}' },
    { spans: 'execution: {status: keep}' },
    /status keep instead of drop/,
  ],
  [
    'a condition less',
    one('keep: [a]', '  only: {out: [a]}\n'),
    one('keep: [a]'),
    /spans with any out/,
  ],
  [
    'a value in a condition',
    one('keep: [a, b]', '  only: {out: [a]}\n'),
    one('keep: [a, b]', '  only: {out: [a, b]}\n'),
    /whose out is b/,
  ],
  [
    'a skip less',
    { spans: 'execution: {skip: [x, y]}' },
    { spans: 'execution: {skip: [x]}' },
    /spans that have y/,
  ],
]

for (const [what, less, more, says] of MORE) {
  test(`${what} is new, and to take it away is not`, () => {
    const there = diff(less, more)
    assert.ok(
      there.added.some((sentence) => says.test(sentence)),
      there.added.join('\n'),
    )
    assert.deepEqual(there.removed, [])
    assert.equal(there.unreviewed, true)
    const back = diff(more, less)
    assert.deepEqual(back.added, [])
    assert.equal(back.removed.length, 1)
    assert.equal(back.unreviewed, false)
  })
}

/** New whichever way round: the collector learns something else. */
const OTHER: readonly [what: string, a: Texts, b: Texts][] = [
  ['another source', one('from: a, keep: [x]'), one('from: b, keep: [x]')],
  ['another second source', one('or: a, keep: [x]'), one('keep: [x]')],
  ['another step', one('fold: lower, keep: [x]'), one('keep: [x]')],
  ['another separator', one('split: ",", keep: [x]'), one('split: ";", keep: [x]')],
  ['another shape', one('shape: uuid, pseudonym: day'), one('shape: [uuid, ulid], pseudonym: day')],
  ['another action', one('version: minor'), one('pseudonym: day')],
  [
    'another constant',
    { spans: 'execution:\n  attributes:\n    out: {constant: a}' },
    { spans: 'execution:\n  attributes:\n    out: {constant: b}' },
  ],
  ['words for other words', one('keep: [a]'), one('keep: [b]')],
  ['a number for a word', one('keep: ["1"], else: none'), one('keep: [1], else: none')],
  [
    'an attribute that moves',
    { spans: 'a: {attributes: {x: {keep: [y], reason: Because.}}}\nb: {}' },
    { spans: 'b: {attributes: {x: {keep: [y], reason: Because.}}}\na: {}' },
  ],
]

for (const [what, a, b] of OTHER) {
  test(`${what} is new in both directions`, () => {
    for (const { added, unreviewed } of [diff(a, b), diff(b, a)]) {
      assert.ok(added.length > 0)
      assert.equal(unreviewed, true)
    }
  })
}

test('a value that a condition newly lets through is new, even if it is no longer sent', () => {
  const cases: [string, string, string][] = [
    ['keep: [a, b]', 'keep: [a]', 'other'],
    ['keep: [a, b, c], else: none', 'keep: [a, c], else: c', 'c'],
    ['buckets: [0, 10, 20]', 'buckets: [0, 20]', '0'],
  ]
  for (const [more, less, wanted] of cases) {
    const only = `  only: {out: [${wanted}]}\n`
    const { added, unreviewed } = diff(one(more, only), one(less, only))
    assert.ok(
      added.includes(`span execution: spans whose out was ${more.startsWith('keep') ? 'b' : '10'}`),
      added.join('\n'),
    )
    assert.equal(unreviewed, true)
  }
  const both = '  only: {out: [a, b, other]}\n'
  assert.deepEqual(
    diff(one('keep: [a, b]', both), one('keep: [a]', both.replace(' b,', ''))).added,
    [],
  )
})

test('compat, a hash, a key and a longer exact text are new', () => {
  const compat = (line: string): Texts => ({ ...one(line), head: COMPAT })
  for (const [a, b] of [
    [{ ...one('keep: [a]') }, compat('keep: [a]')],
    [compat('hash: sha256'), compat('hash: md5')],
    [compat('pseudonym: month'), compat('pseudonym: forever')],
    [compat('hmac: sha256, key: a'), compat('hmac: sha256, key: b')],
    [compat('exact: text, max: 10'), compat('exact: text, max: 20')],
    [
      { spans: 'execution: {time: minute}', head: COMPAT },
      { spans: 'execution: {time: exact}', head: COMPAT },
    ],
  ] as const)
    assert.equal(diff(a, b).unreviewed, true)
})

test('nothing is new where only words for people, numbers of versions and the order change', () => {
  const text =
    WIDE +
    policyText(
      'a: {}\nb:\n  attributes:\n    x: {keep: [p, q], reason: Because.}\n    y: {buckets: [1, 2], reason: Because.}',
    )
  const turned =
    WIDE +
    policyText(
      'b:\n  attributes:\n    y: {buckets: [1, 2], reason: Otherwise.}\n    x: {keep: [q, p], reason: Because.}\na: {}',
    )
  const next = turned
    .replace('A test.', 'Another purpose.')
    .replace('version: 1', 'version: 2')
    .replace('a@example.org', 'b@example.org')
  const { added, removed, unreviewed } = diffPolicies(parsePolicy(text), parsePolicy(next))
  assert.deepEqual([added, removed, unreviewed], [[], [], false])
})

test('a later expiry is shown and needs no new review', () => {
  const short = policyText(
    'a:\n  attributes:\n    x: {keep: [p], reason: Because., expires: 2030-01-01}',
  )
  const cases: [string, string, RegExp][] = [
    [
      short,
      short.replace(', expires: 2030-01-01', ''),
      /x for longer: until the policy ends instead of 2030-01-01/,
    ],
    [short, short.replace('2030-01-01', '2031-01-01'), /x for longer: until 2031-01-01/],
    [
      short.replace('2999-12-31', '2030-12-31'),
      short,
      /all of it for longer: until 2999-12-31 instead of 2030-12-31/,
    ],
  ]
  for (const [old, next, says] of cases) {
    const { added, unreviewed } = diffPolicies(parsePolicy(old), parsePolicy(next))
    assert.match(added.join('\n'), says)
    assert.equal(unreviewed, false)
    assert.deepEqual(diffPolicies(parsePolicy(next), parsePolicy(old)).added, [])
    // Beside something new it hides nothing.
    assert.equal(
      diffPolicies(parsePolicy(old), parsePolicy(next.replace('[p]', '[p, q]'))).unreviewed,
      true,
    )
  }
})

test('what is new asks for a review that is there and is another one than before', () => {
  const at = (review: string, spans: string): Texts => ({
    spans,
    head: review === '' ? WIDE : `${WIDE}review: https://example.org/${review}\n`,
  })
  const unreviewed = (old: string, next: string, spans = 'a: {}\nb: {}'): boolean =>
    diff(at(old, 'a: {}'), at(next, spans)).unreviewed
  assert.equal(unreviewed('reviews/1', 'reviews/1'), true)
  assert.equal(unreviewed('reviews/1', 'reviews/2'), false)
  assert.equal(unreviewed('', 'reviews/1'), false)
  assert.equal(unreviewed('', ''), true)
  assert.equal(unreviewed('reviews/1', ''), true, 'taking the review away is no review')
  assert.equal(unreviewed('reviews/1', 'reviews/1', 'a: {}'), false, 'nothing is new')
})

test('another project is all new', () => {
  const text = policyText('a: {}')
  const { added, unreviewed } = diffPolicies(
    parsePolicy(text),
    parsePolicy(text.replace('example.org/demo', 'example.org/other')),
  )
  assert.match(added.join('\n'), /everything, for another project \(example\.org\/other\)/)
  assert.equal(unreviewed, true)
})

test('shows the bits of each record and of stable values before and after', () => {
  const old = one('keep: [a], else: none')
  const next = {
    ...one('keep: [a, b, c], else: none'),
    resource: 'n: {from: "fact:k8s.nodes", buckets: [1, 2, 3], reason: Because.}',
  }
  assert.deepEqual(diff(old, next).bits, [
    'One record of execution: 1 bit before, 4 bits now.',
    'What stays the same from day to day: 0 bits before, 2 bits now.',
  ])
  assert.deepEqual(diff({ spans: 'a: {}' }, { spans: 'b: {}' }).bits.slice(0, 2), [
    'One record of a: 0 bits before, not sent now.',
    'One record of b: not sent before, 0 bits now.',
  ])
})
