// The pass against the oracle: random requests, requests that are cut off, days that change. Every
// outcome of malformed.md and of the policy language must have taken place often enough, or the run
// fails.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { SHAPES } from '../../src/policy/policy.ts'
import { countOf, IS_SHORT, SEED } from '../support/counts.ts'
import { expect } from '../support/oracle.ts'
import {
  difference,
  differenceOf,
  pass,
  Tally,
  type World,
  worlds,
} from '../support/oracle-check.ts'
import { requestOf, requests } from '../support/otlp-arbitrary.ts'
import { ExportTraceServiceRequest } from '../support/otlp-generated/opentelemetry/proto/collector/trace/v1/trace_service.ts'
import { type Encoded, encode, isTree, type Tree } from '../support/otlp-pieces.ts'

const RUNS = countOf('requestsOfOracle')
/** Of 100 000 requests; fewer requests vary more. */
const ENOUGH = IS_SHORT ? RUNS / 200 : 1000
const CUT_REQUESTS = countOf('requestsCutOff')
const tally = new Tally()
const all = worlds()

for (const world of all) {
  test(`makes of every request what the policy says: ${world.name}`, (t) => {
    t.diagnostic(`seed ${SEED}`)
    const agrees = fc.property(requests(world.policy, world.nowMs), (tree: Tree) => {
      const found = difference(world, tree, tally.add)
      if (found !== undefined) throw new Error(found)
    })
    const run = fc.check(agrees, { numRuns: Math.ceil(RUNS / all.length), seed: SEED })
    if (!run.failed) return
    const request = Buffer.from(encode(run.counterexample![0]).wire).toString('hex')
    assert.fail(
      `${String(run.errorInstance)}\npolicy ${world.name}, seed ${run.seed}, request ${request}`,
    )
  })
}

test('every outcome of malformed.md and of the policy language took place often enough', (t) => {
  const wanted = [...malformedOutcomes(), ...POLICY_OUTCOMES]
  for (const outcome of wanted)
    t.diagnostic(`${String(tally.counts.get(outcome) ?? 0).padStart(8)} ${outcome}`)
  assert.deepEqual(
    wanted.filter((outcome) => (tally.counts.get(outcome) ?? 0) < ENOUGH),
    [],
    `less than ${ENOUGH} times`,
  )
})

const POLICY_OUTCOMES = [
  ...['string', 'boolean', 'bigint', 'unlisted: else', 'unlisted: left out'].map(
    (how) => `keep: ${how}`,
  ),
  ...['else', 'left out'].flatMap((how) => [`keep of another kind: ${how}`, `empty text: ${how}`]),
  ...['below the first', 'first', 'middle', 'last'].map((place) => `buckets: ${place}`),
  ...[
    'buckets of another kind: left out',
    'word expected: left out',
    'no value: left out',
    'pseudonym without a secret: left out',
  ],
  ...[
    'version: parsed',
    'version: other',
    'pseudonym: day',
    'pseudonym: month',
    'pseudonym: forever',
    'constant',
    'absent',
  ],
  ...['for an absent one', 'for the empty text', 'absent as well'].map((why) => `or: ${why}`),
  ...['value', 'absent', 'malformed', 'other'].map((state) => `resource: ${state}`),
  ...[
    'list: joined',
    'list: one empty',
    'list: one missing',
    'list with another kind: else',
    'list with another kind: left out',
  ],
  ...['copies', '16 parts', 'too many parts', 'no part'].map((how) => `split: ${how}`),
  ...[
    'before: two parts',
    'before: one part: else',
    'before: more parts: else',
    'before: one part: left out',
    'before: more parts: left out',
  ],
  ...[
    'after: the only',
    'after: the last',
    'after: no separator: else',
    'after: no separator: left out',
    'fold: ascii',
    'fold: beyond ascii',
  ],
  ...[...SHAPES, 'none: left out'].map((shape) => `shape: ${shape}`),
  ...['split', 'before', 'fold'].flatMap((step) => [
    `${step} of another kind: else`,
    `${step} of another kind: left out`,
  ]),
  ...['after of another kind: left out', 'shape of another kind: left out'],
  ...['hash: sha256', 'hash: md5', 'hmac: sha256', 'hmac without a key: left out'],
  ...['double', 'integer', 'version', 'text'].map((what) => `exact: ${what}`),
  ...['of another kind', 'too long', 'with control characters', 'without a version'].map(
    (why) => `exact ${why}: left out`,
  ),
  ...['expires: over', 'expires: not yet', 'heartbeat: foreign', 'span: unlisted'],
  ...['only: passed', 'only: left out', 'skip: left out', 'skip: malformed'],
  ...['random', 'linked', 'parent', 'no parent'].map((kind) => `ids: ${kind}`),
  ...['day', 'hour', 'minute', 'exact'].map((unit) => `time: ${unit}`),
  ...['status: 0', 'status: 1', 'status: 2'],
]

/** From the table itself, so that a class that is added there must take place here. */
function malformedOutcomes(): string[] {
  const table = readFileSync(join(import.meta.dirname, '../fixtures/malformed.md'), 'utf8')
  const rows = [...table.matchAll(/^\| `([a-z0-9-]+)` \|.*\| ([^|]+) \|$/gm)]
  assert.equal(rows.length, table.match(/^\| `/gm)?.length)
  return rows.flatMap(([, name, outcome]) => {
    if (outcome!.startsWith('`else`')) return [`${name}: else`, `${name}: left out`]
    if (outcome === 'as a number')
      return [
        `${name}: number`,
        ...(name === 'time-extreme' ? [`${name}: no duration`, `${name}: negative`] : []),
      ]
    if (outcome!.startsWith('no status')) return [`${name}: no status`, `${name}: attribute`]
    assert.match(outcome!, /^(400|span|attribute|ignored)$/)
    return [`${name}: ${outcome}`]
  })
}

/** Requests without a fault and without thousands of attributes. */
function corpus(): { world: World; tree: Tree }[] {
  const found: { world: World; tree: Tree }[] = []
  for (let seed = 1; found.length < CUT_REQUESTS; seed++) {
    const world = all[seed % all.length]!
    const tree = requestOf(world.policy, world.nowMs, seed)
    const { wire, clean, faults } = encode(tree)
    if (clean !== undefined && faults.size === 0 && wire.length > 0 && wire.length < 4096)
      found.push({ world, tree })
  }
  return found
}

test('refuses a request cut off at any byte, and takes what remains of one cut between its fields', () => {
  let refused = 0
  let taken = 0
  for (const { world, tree } of corpus()) {
    const { wire } = encode(tree)
    const whole = new Map(
      tree.parts.map((_, count) => [
        encode({ ...tree, parts: tree.parts.slice(0, count) }).wire.length,
        count,
      ]),
    )
    for (let length = 0; length < wire.length; length++) {
      const count = whole.get(length)
      const got = pass(world, wire.subarray(0, length))
      if (count === undefined) {
        assert.equal(
          got.status,
          400,
          `${world.name}: ${Buffer.from(wire.subarray(0, length)).toString('hex')}`,
        )
        refused++
        continue
      }
      assert.equal(
        difference(world, { ...tree, parts: tree.parts.slice(0, count) }, () => {}),
        undefined,
      )
      taken++
    }
  }
  assert.ok(
    refused > 250 * CUT_REQUESTS && taken >= CUT_REQUESTS,
    `${refused} refused, ${taken} taken`,
  )
})

test('refuses a request in which the first span is cut off at any byte but between its fields', () => {
  let refused = 0
  let taken = 0
  for (const { world, tree } of corpus()) {
    for (const { cut, count } of cutSpans(tree)) {
      if (count !== undefined) {
        assert.equal(
          difference(world, cut, () => {}),
          undefined,
        )
        taken++
        continue
      }
      const { wire } = encode(cut)
      assert.equal(
        pass(world, wire).status,
        400,
        `${world.name}: ${Buffer.from(wire).toString('hex')}`,
      )
      refused++
    }
  }
  assert.ok(
    refused > 100 * CUT_REQUESTS && taken > 5 * CUT_REQUESTS,
    `${refused} refused, ${taken} taken`,
  )
})

/**
 * The tree with its first span cut at every byte; `count` of its fields are whole where the cut
 * falls between two.
 */
function* cutSpans(tree: Tree): IterableIterator<{ cut: Tree; count: number | undefined }> {
  const index = tree.parts.findIndex((part) => isTree(part) && part.kind !== 'resource')
  const part = tree.parts[index]
  if (part === undefined || !isTree(part)) return
  if (part.kind !== 'span') {
    for (const { cut, count } of cutSpans(part))
      yield { cut: { ...tree, parts: tree.parts.with(index, cut) }, count }
    return
  }
  const content = encode(part).wire
  const whole = new Map(
    part.parts.map((_, count) => [
      encode({ ...part, parts: part.parts.slice(0, count) }).wire.length,
      count,
    ]),
  )
  for (let length = 0; length < content.length; length++) {
    const count = whole.get(length)
    const bytes = [...content.subarray(0, length)]
    const parts = count === undefined ? [{ wire: bytes, clean: bytes }] : part.parts.slice(0, count)
    yield { cut: { ...tree, parts: tree.parts.with(index, { ...part, parts }) }, count }
  }
}

/** The first request of which a span with linked ids goes out. */
function linkedRequest(world: World): {
  wire: Uint8Array
  message: ExportTraceServiceRequest
  faults: Encoded['faults']
} {
  for (let seed = 1; ; seed++) {
    const { wire, clean, faults } = encode(requestOf(world.policy, world.nowMs, seed))
    const message = clean === undefined ? undefined : ExportTraceServiceRequest.decode(clean)
    const spans =
      message === undefined ? [] : expect(message, faults, { ...world, tally: () => {} }).spans
    if (message !== undefined && spans.some(({ spanId }) => spanId !== 'random'))
      return { wire, message, faults }
  }
}

test('makes ids and pseudonyms of the day of acceptance, and never goes back to an earlier one', () => {
  const midnight = Date.UTC(2028, 1, 29)
  for (const world of all.filter(({ name }) => name === 'copies' || name === 'sources')) {
    const { wire, message, faults } = linkedRequest(world)
    const differs = (acceptedMs: number, meantMs: number): string | undefined => {
      pass({ ...world, nowMs: acceptedMs }, new Uint8Array(0))
      const { anonymizer } = world
      const accepted = {
        ...world,
        nowMs: meantMs,
        anonymizer: {
          ...anonymizer,
          pass: (body: Uint8Array) => anonymizer.pass(body, acceptedMs),
        },
      }
      return differenceOf(accepted, wire, message, faults, () => {}).difference
    }
    assert.equal(differs(midnight - 1, midnight - 1), undefined)
    assert.equal(differs(midnight, midnight), undefined)
    assert.equal(differs(midnight - 1, midnight), undefined)
    assert.notEqual(differs(midnight + 86_400_000, midnight), undefined)
  }
})
