// The checker of policies: every mistake with its line and column, all at once, and no word that is
// silently ignored.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { summary } from '../../src/datasheet/summary.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { policyDigest } from '../../src/policy/policy.ts'
import { ConfigError } from '../../src/support/errors.ts'
import { defaultPolicy, policyText } from '../support/spans.ts'

function mistakes(text: string): readonly string[] {
  try {
    parsePolicy(text)
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.errors
  }
  return []
}

const oneAttribute = (body: string): string =>
  policyText(`execution:\n  attributes:\n    a.b: {${body}}`)

test('accepts the shipped default policy', () => {
  const policy = defaultPolicy()
  assert.equal(policy.project, 'example.org/demo')
  assert.deepEqual(
    policy.spans.map(({ name }) => name),
    ['execution', 'stage', 'usage.heartbeat'],
  )
  assert.match(summary(policy), /Span "execution": ids linked/)
})

test('reports all errors at once, each with line and column', () => {
  const text =
    'apiVersion: usage-sidecar.dev/v2\nproject: Example\nversion: 0\nspans:\n  execution:\n    ids: fixed\n    attributes:\n      A: {keep: []}\n'
  const found = mistakes(text)
  for (const place of ['1:1:', '1:13:', '2:10:', '3:10:', '6:10:', '8:7:', '8:17:'])
    assert.ok(
      found.some((mistake) => mistake.startsWith(`${place} `)),
      `${place} in\n${found.join('\n')}`,
    )
  for (const word of ['purpose', 'contact', 'retention', 'expires'])
    assert.ok(found.some((mistake) => mistake.includes(`\`${word}\` is missing`)))
})

const WRONG: readonly [string, RegExp][] = [
  ['keep: [a], buckets: [1], reason: Because.', /exactly one action/],
  ['reason: Because.', /exactly one action/],
  ['keep: [a]', /`reason` is missing/],
  ['keep: [a], reason: Because., kepe: 1', /The word `kepe` is unknown/],
  ['keep: [a, 1], reason: Because.', /one type/],
  ['keep: [a, a], reason: Because.', /listed twice/],
  ['keep: [A], fold: lower, reason: Because.', /never matches/],
  ['keep: [a], else: 1, reason: Because.', /same type/],
  ['buckets: [2, 1], reason: Because.', /ascend/],
  ['buckets: [1.5], reason: Because.', /whole number/],
  ['buckets: [], reason: Because.', /1 to 64 bounds/],
  ['version: patch, reason: Because.', /one of: major, minor, core/],
  ['pseudonym: forever, reason: Because.', /Only a policy with `compat: true`/],
  ['hash: sha256, reason: Because.', /Only a policy with `compat: true`/],
  ['constant: x, from: y', /cannot have `from`/],
  [
    'from: "fact:instance.id", keep: [a], reason: Because.',
    /Only pseudonym, hash and hmac can read fact:instance\.id/,
  ],
  ['from: "resource:", keep: [a], reason: Because.', /exact key of an incoming resource attribute/],
  ['from: "span:name", keep: [a], reason: Because.', /must be one of: span:duration, span:status/],
  ['buckets: [1], split: ",", reason: Because.', /`split` needs text/],
  ['keep: [a], absent: 1, reason: Because.', /`absent` must have the type/],
  ['keep: [a], split: "", reason: Because.', /separator/],
]
for (const [body, sentence] of WRONG) {
  test(`refuses {${body}}`, () => {
    assert.ok(
      mistakes(oneAttribute(body)).some((mistake) => sentence.test(mistake)),
      mistakes(oneAttribute(body)).join('\n'),
    )
  })
}

test('refuses what makes YAML surprising', () => {
  const base = policyText('execution: {}')
  assert.ok(mistakes(`${base}purpose: Twice.\n`).some((mistake) => /given twice/.test(mistake)))
  assert.ok(
    mistakes(base.replace('A test.', '&a A test.')).some((mistake) => /Anchors/.test(mistake)),
  )
  assert.ok(
    mistakes(base.replace('a@example.org', '!!str a@example.org')).some((mistake) =>
      /Tags/.test(mistake),
    ),
  )
  assert.ok(mistakes(`${base}---\n${base}`).some((mistake) => /second document/.test(mistake)))
  assert.ok(mistakes('').some((mistake) => /empty/.test(mistake)))
  assert.ok(mistakes('- a\n- b\n').some((mistake) => /map/.test(mistake)))
  assert.ok(mistakes('a: [').length > 0)
  assert.ok(mistakes(`# ${'x'.repeat(1_100_000)}`).some((mistake) => /1 MiB/.test(mistake)))
  assert.match(
    mistakes(`${base}# fine: "[[["\n${'# \n'.repeat(60_000)}`).join(),
    /^1:1: The file has more than 100000 tokens/,
  )
  assert.match(mistakes(`${base}review: ${'['.repeat(33)}${']'.repeat(33)}\n`).join(), /brackets/i)
})

test('errors repeat nothing of the file except short printable keys', () => {
  const found = mistakes(
    oneAttribute('keep: ["CANARY\\u0007SECRET"], "CANARY\\u0007KEY": 1, reason: Because.'),
  )
  assert.ok(found.length > 0)
  for (const mistake of found) assert.doesNotMatch(mistake, /CANARY/)
})

test('only names an outgoing attribute and values that it can have', () => {
  const policy = (only: string): string =>
    policyText(`execution:\n  only: ${only}\n  attributes:\n    a: {keep: [x], reason: Because.}`)
  assert.deepEqual(mistakes(policy('{a: [x]}')), [])
  assert.deepEqual(mistakes(policy('{a: [other]}')), [])
  assert.ok(mistakes(policy('{b: [x]}')).some((mistake) => /outgoing attribute/.test(mistake)))
  assert.ok(mistakes(policy('{a: [y]}')).some((mistake) => /never has this value/.test(mistake)))
  assert.ok(mistakes(policy('{a: []}')).some((mistake) => /excludes every span/.test(mistake)))
})

test('the digest follows what the policy does and not the words around it', () => {
  const base = oneAttribute('keep: [a], reason: Because.')
  const digest = policyDigest(parsePolicy(base))
  assert.equal(
    policyDigest(
      parsePolicy(
        base.replace('A test.', 'Another purpose.').replace('Because.', 'For another reason.'),
      ),
    ),
    digest,
  )
  assert.notEqual(policyDigest(parsePolicy(base.replace('[a]', '[a, b]'))), digest)
  assert.notEqual(policyDigest(parsePolicy(base.replace('version: 1', 'version: 2'))), digest)
})
