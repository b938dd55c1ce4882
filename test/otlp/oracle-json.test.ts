// The same requests as JSON: what becomes protobuf and takes the pass must be what the policy says
// of the original.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { jsonToProtobuf } from '../../src/otlp/json.ts'
import { Refusal } from '../../src/support/errors.ts'
import { countOf, SEED } from '../support/counts.ts'
import { differenceOf, pass, Tally, worlds } from '../support/oracle-check.ts'
import { requestOf } from '../support/otlp-arbitrary.ts'
import { ExportTraceServiceRequest } from '../support/otlp-generated/opentelemetry/proto/collector/trace/v1/trace_service.ts'
import { jsonForm } from '../support/otlp-json-form.ts'
import { encode } from '../support/otlp-pieces.ts'
import { Rng } from '../support/rng.ts'

const RUNS = countOf('requestsInJson')
const ENOUGH = Math.floor(RUNS / 200)

test('makes of every request in JSON what the policy says of it', (t) => {
  t.diagnostic(`seed ${SEED}`)
  const tally = new Tally()
  const all = worlds()
  for (let seed = SEED; seed < SEED + RUNS; seed++) {
    const world = all[seed % all.length]!
    const { clean } = encode(requestOf(world.policy, world.nowMs, seed))
    if (clean === undefined) continue
    const message = ExportTraceServiceRequest.decode(clean)
    const { text, faults, refused } = jsonForm(message, new Rng(seed))
    const wire = protobufOf(text)
    if (refused) tally.add('repeated list: 400')
    const found = refused
      ? wire === undefined
        ? undefined
        : 'a repeated list must give 400'
      : wire === undefined
        ? 'refused'
        : differenceOf(world, wire, message, faults, tally.add).difference
    if (found !== undefined)
      assert.fail(`${found}\npolicy ${world.name}, USAGE_TEST_SEED=${seed}, request ${text}`)
  }
  const wanted = [
    'repeated list: 400',
    'repeated-key: attribute',
    'repeated-member: attribute',
    'repeated-resource: attribute',
    'repeated-span-field: span',
    'bad-id: span',
    'int-extreme: number',
  ]
  for (const outcome of [
    ...wanted,
    'depth: left out',
    'double-extreme: left out',
    'status: no status',
  ]) {
    const count = tally.counts.get(outcome) ?? 0
    t.diagnostic(`${String(count).padStart(8)} ${outcome}`)
    assert.ok(count >= ENOUGH, `${outcome} only ${count} times`)
  }
})

function protobufOf(text: string): Uint8Array | undefined {
  try {
    return jsonToProtobuf(Buffer.from(text))
  } catch (error) {
    if (error instanceof Refusal && error.status === 400) return undefined
    throw error
  }
}

test('refuses JSON that is cut off at any byte', () => {
  const world = worlds()[0]!
  for (let seed = 1; seed <= 20; seed++) {
    const { clean } = encode(requestOf(world.policy, world.nowMs, seed))
    if (clean === undefined || clean.length > 2048) continue
    const { text } = jsonForm(ExportTraceServiceRequest.decode(clean), new Rng(seed))
    const bytes = Buffer.from(text)
    for (let length = 0; length < bytes.length; length++)
      assert.throws(() => jsonToProtobuf(bytes.subarray(0, length)), Refusal)
  }
  assert.equal(pass(world, new Uint8Array(0)).status, 200)
})
