// Requests that agree on what the policy names leave as the same bytes, whatever else is in them:
// with clock and randomness fixed, nothing that no rule reads has an influence on a single byte of
// the batch. Every shipped policy and those of the oracle.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { parse } from 'yaml'
import { createAnonymizer } from '../../src/anonymize/anonymize.ts'
import { Enricher } from '../../src/enrich/enrich.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import type { Policy, Scalar } from '../../src/policy/policy.ts'
import { Counters } from '../../src/support/counters.ts'
import { countOf, SEED } from '../support/counts.ts'
import type { PolicyFile } from '../support/oracle-policy.ts'
import { Rng } from '../support/rng.ts'
import { SECRET } from '../support/spans.ts'
import { twinsOf } from './twin-requests.ts'
import type { Twins } from './twin-writer.ts'

const RUNS = countOf('requestPairs')
const NOW = Date.UTC(2026, 9, 5, 14)
const FOLDERS = ['../../deploy/policies/', '../fixtures/policies/'].map(
  (folder) => new URL(folder, import.meta.url).pathname,
)
const FILES = FOLDERS.flatMap((folder) =>
  readdirSync(folder).flatMap((name) => (name.endsWith('.yaml') ? [`${folder}${name}`] : [])),
)
const FACTS = new Map<string, Scalar>([
  ['instance.id', '01ARZ3NDEKTSV4RRFFQ69G5FAV'],
  ['app.version', 'v1.32.0-rc.1'],
  ['k8s.distribution', 'gke'],
  ['k8s.nodes', 12],
])

interface Sidecar {
  /** The batch that leaves and how many spans are in it. */
  batch(wire: Uint8Array): { bytes: Buffer; spans: number }
}

/** Of two with the same policy the randomness is the same, byte for byte. */
function sidecar(policy: Policy): Sidecar {
  const rng = new Rng(SEED)
  const random = (buffer: Uint8Array): void => {
    for (let i = 0; i < buffer.length; i++) buffer[i] = rng.below(256)
  }
  const anonymizer = createAnonymizer({
    policy,
    facts: FACTS,
    secret: SECRET,
    counters: new Counters(),
    maxBytes: 2 ** 24,
    random,
  })
  const enricher = new Enricher(policy, 'custom', anonymizer, random)
  return {
    batch(wire) {
      const passed = anonymizer.pass(wire, NOW)
      return { spans: passed.spans, bytes: Buffer.from(enricher.wrapResourceSpans(passed)) }
    },
  }
}

let pairs = 0
let different = 0
let kept = 0

for (const file of FILES) {
  const text = readFileSync(file, 'utf8')
  const name = file.split('/').slice(-2).join('/')
  test(`what no rule reads has no influence on a byte: ${name}`, (t) => {
    t.diagnostic(`seed ${SEED}`)
    const policy = parsePolicy(text)
    const { twins, wire } = twinsOf(parse(text) as PolicyFile, NOW)
    let both = [sidecar(policy), sidecar(policy)] as const
    const agree = fc.property(twins, (pair: Twins) => {
      const [first, second] = [wire(pair, 0), wire(pair, 1)]
      pairs++
      if (Buffer.compare(first, second) !== 0) different++
      const [a, b] = [both[0].batch(first), both[1].batch(second)]
      kept += a.spans
      if (a.bytes.equals(b.bytes)) return
      // The two are no longer at the same point of their randomness.
      both = [sidecar(policy), sidecar(policy)]
      throw new Error(`${a.bytes.toString('hex')}\nis not\n${b.bytes.toString('hex')}`)
    })
    const run = fc.check(agree, { numRuns: Math.ceil(RUNS / FILES.length), seed: SEED })
    if (!run.failed) return
    const [first, second] = ([0, 1] as const).map((which) =>
      Buffer.from(wire(run.counterexample![0], which)).toString('hex'),
    )
    assert.fail(
      `${String(run.errorInstance)}\nfor the requests\n${first}\nand\n${second}\ndiffering in ${run.counterexample![0].differ}, seed ${SEED}`,
    )
  })
}

test('the pairs were many, they did differ, and most had something to leave', (t) => {
  t.diagnostic(`${pairs} pairs, ${different} of different bytes, ${kept} spans left`)
  assert.ok(pairs >= RUNS)
  assert.ok(different > 0.9 * pairs, `${different} of ${pairs} differed`)
  assert.ok(kept > 0.5 * pairs, `${kept} spans left of ${pairs} pairs`)
})
