// The admin's overlay can only narrow: whatever else it says is a mistake with its line, and for
// random policies, overlays and spans, what leaves under the overlay is a function of what would
// leave without it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createAnonymizer } from '../../src/anonymize/anonymize.ts'
import { type DecodedSpan, decodeRequest } from '../../src/otlp/decode.ts'
import { lenField } from '../../src/otlp/wire.ts'
import { applyOverlay } from '../../src/policy/overlay.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import type { Policy } from '../../src/policy/policy.ts'
import { Counters } from '../../src/support/counters.ts'
import { ConfigError } from '../../src/support/errors.ts'
import { countOf, SEED } from '../support/counts.ts'
import { attribute, defaultPolicy, int, policyText, request, span, text } from '../support/spans.ts'

const RUNS = countOf('overlays')
const HEAD = 'apiVersion: usage-sidecar.dev/v1\nnarrows: example.org/demo\n'
const overlay = (body: string): Policy => applyOverlay(defaultPolicy(), HEAD + body)

function mistakesOf(body: string): readonly string[] {
  try {
    overlay(body)
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.errors
  }
}

/** What leaves of one request, spans decoded; the same random bytes at every call. */
function leaves(policy: Policy, body: Uint8Array): DecodedSpan[] {
  const random = (buffer: Uint8Array): void => void buffer.fill(7)
  const options = {
    policy,
    facts: new Map([['k8s.nodes', 12]]),
    secret: Buffer.alloc(32, 9),
    counters: new Counters(),
    maxBytes: 1 << 20,
    random,
  }
  const { bytes } = createAnonymizer(options).pass(body, Date.UTC(2026, 9, 5))
  return decodeRequest(lenField(1, lenField(2, bytes))).resourceSpans[0]!.scopeSpans[0]?.spans ?? []
}

const WIDER: readonly [body: string, at: string, sentence: RegExp][] = [
  [
    'spans: {execution: {attributes: {execution.type: {keep: [pipeline, secret]}}}}',
    'secret',
    /`keep` of the policy does not have this value/,
  ],
  ['spans: {execution: {attributes: {execution.type: {keep: []}}}}', '[]', /Drop the attribute/],
  [
    'spans: {execution: {attributes: {execution.duration: {buckets: [1, 10]}}}}',
    '[1, 10]',
    /first bound must stay 0/,
  ],
  [
    'spans: {execution: {attributes: {execution.duration: {buckets: [0, 5]}}}}',
    '5',
    /`buckets` of the policy does not have this value/,
  ],
  [
    'spans: {execution: {attributes: {execution.type: {version: major}}}}',
    'execution.type',
    /narrow its action, which is `keep`/,
  ],
  [
    'spans: {execution: {attributes: {application.id: {pseudonym: month}}}}',
    'month',
    /the policy says `pseudonym: day`/,
  ],
  ['spans: {execution: {attributes: {user.email: drop}}}', 'user.email', /cannot add one/],
  [
    'spans: {execution: {attributes: {execution.type: {from: user.email}}}}',
    'from',
    /cannot change this/,
  ],
  ['spans: {execution: {time: minute}}', 'minute', /the policy says `time: day`/],
  ['spans: {usage.heartbeat: {ids: linked}}', 'linked', /the policy says `ids: random`/],
  ['spans: {stage: {status: keep}}', 'keep', /the policy says `status: drop`/],
  ['spans: {execution: {only: {execution.type: [secret]}}}', 'secret', /never has this value/],
  [
    'spans: {execution: {attributes: {execution.type: drop}, only: {execution.type: [pipeline]}}}',
    'execution.type: [',
    /The overlay drops this attribute/,
  ],
  ['spans: {other: drop}', 'other', /cannot add one/],
  ['resource: {k8s.version: {version: core}}', 'core', /the policy says `version: minor`/],
  ['limits: none', 'limits', /cannot change this/],
]

test('refuses every attempt to widen with its position', () => {
  for (const [body, at, sentence] of WIDER) {
    const place = `3:${body.indexOf(at) + 1}`
    const found = mistakesOf(body)
    assert.ok(
      found.some((mistake) => mistake.startsWith(`${place}: `) && sentence.test(mistake)),
      `${body}\n${found.join('\n')}`,
    )
  }
})

test('a condition has a value of the type that the attribute sends, also where the policy has no list', () => {
  const base = parsePolicy(
    `compat: true\nlimits: none\n${policyText(
      'n: {attributes: {e: {exact: number, reason: Because.}, h: {hash: md5, reason: Because.}, b: {buckets: [0, 5], absent: 3, reason: Because.}}}',
    )}`,
  )
  const head = 'spans: {n: {only: {'
  const condition = (only: string): (() => unknown) => {
    const narrow = (): Policy => applyOverlay(base, `${HEAD}${head}${only}}}}`)
    return () =>
      createAnonymizer({
        policy: narrow(),
        facts: new Map(),
        secret: undefined,
        counters: new Counters(),
        maxBytes: 1024,
      })
  }
  for (const only of [
    'e: [1.5]',
    'e: [.inf]',
    'e: [true]',
    'h: [12]',
    'h: [""]',
    'h: ["\\u0007"]',
    'b: [5.5]',
    'b: [1]',
  ])
    assert.throws(
      condition(only),
      {
        errors: [
          `3:${(head + only).indexOf('[') + 2}: This attribute never has this value. Use a value that it can send.`,
        ],
      },
      only,
    )
  for (const only of ['e: [12]', 'h: [5d41402abc4b2a76b9719d911017c592]', 'b: [3, 5]'])
    assert.doesNotThrow(condition(only), only)
})

test('an overlay names the project that it narrows', () => {
  const wrong = (text: string) =>
    assert.throws(() => applyOverlay(defaultPolicy(), text), ConfigError)
  wrong('apiVersion: usage-sidecar.dev/v1\nspans: {stage: drop}\n')
  wrong('apiVersion: usage-sidecar.dev/v1\nnarrows: example.org/other\n')
  wrong('narrows: example.org/demo\n')
})

const EXECUTION = request(
  span({
    name: 'execution',
    more: [
      attribute('execution.type', text('ORCHESTRATION')),
      attribute('execution.status', text('succeeded')),
      attribute('application.name', text('a')),
    ],
  }),
)
const values = (body: string): Record<string, unknown> =>
  Object.fromEntries(
    leaves(overlay(body), EXECUTION).flatMap(({ attributes }) =>
      attributes.map(({ key, value }) => [key, value.value]),
    ),
  )

test('narrows values, drops attributes and spans, and keeps the conditions of the policy', () => {
  assert.equal(values('')['execution.type'], 'orchestration')
  assert.equal(
    values('spans: {execution: {attributes: {execution.type: {keep: [pipeline]}}}}')[
      'execution.type'
    ],
    'other',
  )
  assert.ok(
    !('application.id' in values('spans: {execution: {attributes: {application.id: drop}}}')),
  )
  assert.deepEqual(leaves(overlay('spans: {execution: drop}'), EXECUTION), [])
  // The policy lets only these statuses out, also where the overlay drops the attribute or narrows
  // it to others.
  assert.ok(
    !('execution.status' in values('spans: {execution: {attributes: {execution.status: drop}}}')),
  )
  const failed = request(
    span({ name: 'execution', more: [attribute('execution.status', text('running'))] }),
  )
  assert.deepEqual(
    leaves(overlay('spans: {execution: {attributes: {execution.status: drop}}}'), failed),
    [],
  )
  assert.deepEqual(
    leaves(overlay('spans: {execution: {only: {execution.type: [pipeline]}}}'), EXECUTION),
    [],
  )
  assert.deepEqual(leaves(overlay('spans: {execution: {skip: [application.name]}}'), EXECUTION), [])
})

test('what the policy skips stays skipped, and a bound becomes the largest of the overlay that is not above it', () => {
  const attributes = '{n: {buckets: [0, 10, 100, 1000], reason: Because.}}'
  const base = parsePolicy(policyText(`execution: {skip: [hidden], attributes: ${attributes}}`))
  const narrowed = applyOverlay(
    base,
    `${HEAD}spans: {execution: {skip: [secret], attributes: {n: {buckets: [0, 100]}}}}`,
  )
  const of = (...more: Uint8Array[]): unknown[] =>
    leaves(narrowed, request(span({ more }))).map((one) =>
      one.attributes.map(({ value }) => value.value),
    )
  assert.deepEqual(
    [-1, 9, 50, 100, 5000].map((n) => of(attribute('n', int(n)))),
    [0n, 0n, 0n, 100n, 100n].map((bound) => [[bound]]),
  )
  for (const key of ['hidden', 'secret']) assert.deepEqual(of(attribute(key, text('x'))), [])
})

const WORDS = ['a', 'b', 'c', 'd']
const BOUNDS = [0, 2, 4, 8]
const some = <T>(all: readonly T[]): fc.Arbitrary<T[]> => fc.subarray([...all], { minLength: 1 })
/** An attribute of the policy, and what the overlay makes of it (`undefined`: nothing). */
const narrowed = fc.oneof(
  some(WORDS)
    .chain((keep) =>
      fc.record({
        base: fc.record({
          keep: fc.constant(keep),
          else: fc.constantFrom('other', 'none', 'a'),
          absent: fc.constantFrom('a', 'e', undefined),
        }),
        narrow: fc.constantFrom(undefined, 'drop', 'keep'),
        subset: some(keep),
      }),
    )
    .map(({ base, narrow, subset }) => ({
      base,
      narrow: narrow === 'keep' ? { keep: subset } : narrow,
    })),
  some(BOUNDS)
    .chain((buckets) =>
      fc.record({
        buckets: fc.constant(buckets),
        narrow: fc.constantFrom(undefined, 'drop', 'buckets'),
        subset: some(buckets),
      }),
    )
    .map(({ buckets, narrow, subset }) => ({
      base: { buckets },
      narrow: narrow === 'buckets' ? { buckets: [...new Set([buckets[0]!, ...subset])] } : narrow,
    })),
  fc
    .record({
      level: fc.nat(2),
      down: fc.nat(2),
      narrow: fc.constantFrom(undefined, 'drop', 'version'),
    })
    .map(({ level, down, narrow }) => {
      const levels = ['major', 'minor', 'core']
      return {
        base: { version: levels[level] },
        narrow: narrow === 'version' ? { version: levels[Math.min(level, down)] } : narrow,
      }
    }),
)
const value = fc.oneof(
  fc.constantFrom(...WORDS, 'z', '', '1.2.3', '1.2', '1.3.4', '2').map(text),
  fc.constantFrom(-1, 0, 1, 3, 5, 9).map(int),
  fc.constant(undefined),
)
const world = fc.record({
  attributes: fc.array(narrowed, { minLength: 1, maxLength: 3 }),
  only: fc.option(some(WORDS), { nil: undefined }),
  onlyNarrowed: fc.option(some(WORDS), { nil: undefined }),
  spans: fc.array(fc.array(value, { minLength: 3, maxLength: 3 }), { minLength: 2, maxLength: 40 }),
})

test('output under an overlay is a function of the output without it', () => {
  let compared = 0
  let different = 0
  const property = fc.property(world, ({ attributes, only, onlyNarrowed, spans }) => {
    const defined = (map: object): object =>
      Object.fromEntries(Object.entries(map).filter(([, entry]) => entry !== undefined))
    const base = Object.fromEntries(
      attributes.map((one, i) => [`k${i}`, { ...defined(one.base), reason: 'Because.' }]),
    )
    const narrow = defined(Object.fromEntries(attributes.map((one, i) => [`k${i}`, one.narrow])))
    const first = attributes[0]!
    const keep = 'keep' in first.base ? first.base.keep : []
    const condition = only?.filter((word) => keep.includes(word)) ?? []
    const left =
      typeof first.narrow === 'object' && 'keep' in first.narrow ? first.narrow.keep : keep
    const more =
      first.narrow === 'drop' ? [] : (onlyNarrowed?.filter((word) => left.includes(word)) ?? [])
    const head = { apiVersion: 'usage-sidecar.dev/v1' }
    const rule = { attributes: base, ...(condition.length > 0 ? { only: { k0: condition } } : {}) }
    const policy = parsePolicy(
      JSON.stringify({
        ...head,
        project: 'example.org/demo',
        version: 1,
        purpose: 'To learn.',
        contact: 'a@b.c',
        retention: '1d',
        expires: '2099-01-01',
        limits: { recordBits: 1000, stableBits: 1000 },
        spans: { s: rule },
      }),
    )
    const overlaid = applyOverlay(
      policy,
      JSON.stringify({
        ...head,
        narrows: 'example.org/demo',
        spans: { s: { attributes: narrow, ...(more.length > 0 ? { only: { k0: more } } : {}) } },
      }),
    )
    const seen = new Map<string, string>()
    const told = (list: DecodedSpan[]): string =>
      JSON.stringify(
        list.map((one) =>
          one.attributes.map(({ key, value: { value } }) => [key, `${value as string | bigint}`]),
        ),
      )
    for (const given of spans) {
      const body = request(
        span({
          name: 's',
          more: given.flatMap((one, i) => (one === undefined ? [] : [attribute(`k${i}`, one)])),
        }),
      )
      const before = told(leaves(policy, body))
      const after = told(leaves(overlaid, body))
      const known = seen.get(before)
      if (known !== undefined) {
        compared++
        assert.equal(after, known, `equal without the overlay: ${before}`)
      }
      if (before !== after) different++
      seen.set(before, after)
    }
  })
  fc.assert(property, { numRuns: RUNS, seed: SEED })
  assert.ok(
    compared > (10 * RUNS) / 3 && different > (4 * RUNS) / 3,
    `${compared} compared, ${different} narrowed`,
  )
})
