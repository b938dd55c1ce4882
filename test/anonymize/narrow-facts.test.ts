// What the facts job publishes: of each fact just what the policy makes of it. For random policies
// and facts, policing the narrowed fact gives the same bytes as policing the fact, narrowing twice
// equals narrowing once, and nothing unlisted is in it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createAnonymizer } from '../../src/anonymize/anonymize.ts'
import { narrowFacts } from '../../src/anonymize/narrow-facts.ts'
import { applyOverlay } from '../../src/policy/overlay.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import type { Policy, Scalar } from '../../src/policy/policy.ts'
import { Counters } from '../../src/support/counters.ts'
import { countOf, SEED } from '../support/counts.ts'
import { defaultPolicy, policyText, request, span } from '../support/spans.ts'

const RUNS = countOf('factPolicies')
const narrowed = (policy: Policy, facts: Record<string, Scalar>): Record<string, Scalar> =>
  Object.fromEntries(narrowFacts(policy, new Map(Object.entries(facts))))

test('facts become what the policy makes of them, and what it does not name is not there', () => {
  const facts = {
    'app.version': '1.32.0-rc.1+acme',
    'k8s.version': 'v1.31.4-gke.1183000',
    'k8s.nodes': 37,
    'host.arch': 'riscv64',
    'k8s.provider': 'gce',
    'k8s.cpus': 96,
  }
  assert.deepEqual(narrowed(defaultPolicy(), facts), {
    'app.version': '1.32.0',
    'k8s.version': '1.31',
    'k8s.nodes': 10,
    'host.arch': 'other',
  })
})

test('a fact that is read twice is as fine as its finest reader', () => {
  const policy = parsePolicy(
    policyText(
      'execution: {attributes: {core: {from: fact:v, version: core, reason: Why.}, few: {from: fact:n, buckets: [1, 100], reason: Why.}}}',
      '{minor: {from: fact:v, version: minor, reason: Why.}, many: {from: fact:n, buckets: [1, 5, 10], reason: Why.}}',
    ),
  )
  assert.deepEqual(narrowed(policy, { v: 'v1.31.4-acme', n: 37 }), { v: '1.31.4', n: 10 })
  assert.deepEqual(narrowed(policy, { v: 'v1.31.4-acme', n: 370 }), { v: '1.31.4', n: 100 })
  assert.deepEqual(narrowed(policy, { v: 'v1.31', n: -4 }), { v: '1.31', n: 1 })
  assert.deepEqual(narrowed(policy, { v: 'acme' }), { v: 'other' })
})

test('what an overlay drops is not published, and what it coarsens is published as the policy alone would send it', () => {
  const head = 'apiVersion: usage-sidecar.dev/v1\nnarrows: example.org/demo\n'
  const overlaid = applyOverlay(
    defaultPolicy(),
    `${head}resource: {k8s.version: {version: major}, k8s.nodes: drop}`,
  )
  assert.deepEqual(narrowed(overlaid, { 'k8s.version': 'v1.31.4', 'k8s.nodes': 37 }), {
    'k8s.version': '1.31',
  })
})

test('publishes facts whole if they are sent unchanged, hashed or joined, and never a hash', () => {
  const text = policyText(
    `execution:
    attributes:
      a: {from: fact:a, exact: text, reason: Why.}
      b: {from: fact:b, hash: sha256, reason: Why.}
      c: {from: [fact:c, text:x], keep: [yx], reason: Why.}
      d: {from: fact:d, pseudonym: day, reason: Why.}
      e: {from: text:m, hmac: sha256, key: fact:e, reason: Why.}
      f: {from: fact:f, split: ",", keep: [x], reason: Why.}`,
  )
  const policy = parsePolicy(text.replace('spans:', 'compat: true\nlimits: none\nspans:'))
  const facts = Object.fromEntries(
    ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => [name, 'whole,value']),
  )
  assert.deepEqual(narrowed(policy, facts), facts)
})

/** Values that hit and miss the words below. */
const scalar = fc.oneof(
  fc.constantFrom(
    'a',
    'b',
    'A',
    'other',
    'unlisted',
    '',
    'v1.31.4-gke.100',
    '1.31',
    '1',
    '2.0.0',
    '99999.1',
    'CANARY',
  ),
  fc.integer({ min: -5, max: 60 }),
  fc.constantFrom(0.5, 9.99, 1e300),
  fc.boolean(),
)
const words = fc.uniqueArray(fc.constantFrom('a', 'b', 'other', 'unlisted', '1.31'), {
  minLength: 1,
  maxLength: 3,
})
const action = fc.oneof(
  fc
    .tuple(
      words,
      fc.constantFrom(
        '',
        ', else: none',
        ', else: a',
        ', else: other',
        ', fold: lower',
        ', absent: zz',
      ),
    )
    .map(([list, more]) => `keep: [${list.map((word) => JSON.stringify(word)).join(', ')}]${more}`),
  fc.constantFrom('keep: [true]', 'keep: [false, true], else: none', 'keep: [1, 5]', 'keep: [3]'),
  fc
    .uniqueArray(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 5 })
    .map((list) => `buckets: [${list.sort((a, b) => a - b).join(', ')}]`),
  fc.constantFrom(
    'version: major',
    'version: minor',
    'version: core',
    'pseudonym: day',
    'keep: [x], before: ":"',
    'keep: ["1"], before: "."',
  ),
)
const field = fc.tuple(fc.constantFrom('', ', or: fact:other', ', or: fact:it'), action)

test('policing what is published gives the bytes that the facts give, and publishing that again changes nothing', () => {
  fc.assert(
    fc.property(
      fc.array(field, { minLength: 1, maxLength: 3 }),
      scalar,
      scalar,
      (fields, it, other) => {
        const rows = fields.map(([or, body], index) => {
          const from = or === ', or: fact:it' ? 'fact:other' : 'fact:it'
          return `f${index}: {from: ${from}${or}, ${body}, reason: Why.}`
        })
        const policy = parsePolicy(
          policyText('execution: {}', `{${rows.join(', ')}}`).replace(/^limits.*$/m, ''),
        )
        const facts = new Map<string, Scalar>([
          ['it', it],
          ['other', other],
          ['instance.id', 'CANARY'],
          ['unnamed', 'CANARY'],
        ])
        const once = narrowFacts(policy, facts)
        assert.deepEqual([...narrowFacts(policy, once)], [...once])
        assert.deepEqual(resourceOf(policy, once), resourceOf(policy, facts))
        const needsWhole = rows.some((row) => /pseudonym|before/.test(row))
        if (!needsWhole)
          assert.ok(![...once.values()].includes('CANARY'), JSON.stringify([...once]))
      },
    ),
    { numRuns: RUNS, seed: SEED },
  )
})

function resourceOf(policy: Policy, facts: ReadonlyMap<string, Scalar>): string {
  const options = {
    policy,
    facts,
    secret: Buffer.alloc(32, 9),
    counters: new Counters(),
    maxBytes: 1 << 16,
  }
  const anonymizer = createAnonymizer(options)
  anonymizer.pass(request(span({ name: 'execution' })), Date.UTC(2026, 9, 5))
  return Buffer.from(anonymizer.resource()).toString('hex')
}
