// Sends many requests with new secrets everywhere through the pass in this process. No batch and no
// error message holds one. `canary.test.ts` tests the whole process.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Anonymizer, createAnonymizer } from '../../src/anonymize/anonymize.ts'
import { Enricher } from '../../src/enrich/enrich.ts'
import { jsonToProtobuf } from '../../src/otlp/json.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { Counters } from '../../src/support/counters.ts'
import { Refusal } from '../../src/support/errors.ts'
import { countOf } from '../support/counts.ts'
import { Rng } from '../support/rng.ts'
import { SECRET } from '../support/spans.ts'
import { toJson, toProtobuf } from './canary-message.ts'
import { CanaryRequests } from './canary-request.ts'
import { Secrets } from './canary-search.ts'
import { CANARY_COMPAT_POLICY, CANARY_POLICY, wholeRequest } from './canary-whole.ts'

const WANTED = countOf('secrets')
const NOW = Date.UTC(2026, 9, 5, 14)
/** Requests of a round that are cut off or have one byte changed. */
const DAMAGED = 40
const FACTS = new Map([['instance.id', '01ARZ3NDEKTSV4RRFFQ69G5FAV']])

interface Pass {
  anonymizer: Anonymizer
  enricher: Enricher
}

function passOf(text: string): Pass {
  const policy = parsePolicy(text)
  const anonymizer = createAnonymizer({
    policy,
    facts: FACTS,
    secret: SECRET,
    counters: new Counters(),
    maxBytes: 2 ** 24,
  })
  return { anonymizer, enricher: new Enricher(policy, 'custom', anonymizer) }
}

/** The batch or the error message. */
function through(
  { anonymizer, enricher }: Pass,
  body: Buffer,
  isJson: boolean,
): { left: Buffer; spans: number } {
  try {
    const passed = anonymizer.pass(isJson ? jsonToProtobuf(body) : body, NOW)
    return { left: Buffer.from(enricher.wrapResourceSpans(passed)), spans: passed.spans }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    return { left: Buffer.from(error.message), spans: 0 }
  }
}

test('no secret is in a batch or in an error message', (t) => {
  const passes = [passOf(CANARY_POLICY), passOf(CANARY_COMPAT_POLICY)]
  let count = 0
  let searched = 0
  for (let round = 0; count < WANTED; round++) {
    const secrets = new Secrets()
    const protobuf = wholeRequest(new CanaryRequests(secrets, 'protobuf'))
    const json = wholeRequest(new CanaryRequests(secrets, 'json'))
    const bodies = [
      { body: toProtobuf(protobuf.message), isJson: false, spans: protobuf.spans },
      { body: Buffer.from(toJson(json.message)), isJson: true, spans: json.spans },
    ]
    const rng = new Rng(round)
    for (const one of passes) {
      for (const { body, isJson, spans } of bodies) {
        const whole = through(one, body, isJson)
        assert.equal(whole.spans, spans)
        assert.deepEqual(secrets.search('the batch', whole.left), [])
        searched += whole.left.length
        for (let i = 0; i < DAMAGED / 4; i++) {
          const at = rng.below(body.length)
          const damaged = rng.chance(50)
            ? body.subarray(0, at)
            : Buffer.from(body).fill(rng.below(256), at, at + 1)
          const { left } = through(one, damaged, isJson)
          searched += left.length
          assert.deepEqual(secrets.search('what a damaged request gave', left), [])
        }
      }
    }
    count += secrets.places.size
  }
  t.diagnostic(`${count} secrets, ${searched} bytes searched`)
})
