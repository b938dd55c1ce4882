// The protobuf walk and the JSON reader under fuzzing, and every
// input that once broke something. `test/nightly/fuzz.ts` goes on for longer and keeps what it
// finds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { countOf, SEED } from '../support/counts.ts'
import { FORMS, Fuzz, inputOf, kept } from './fuzz.ts'

const COUNTS = { protobuf: countOf('fuzzOfProtobuf'), json: countOf('fuzzOfJson') }

for (const form of FORMS) {
  test(`whatever comes as ${form} is taken or refused with a sentence`, (t) => {
    const fuzz = new Fuzz()
    const count = COUNTS[form]
    for (let i = 0; i < count; i++) {
      const seed = (SEED + i) | 0
      try {
        fuzz.try(form, inputOf(form, seed))
      } catch (error) {
        assert.fail(
          `seed ${seed}: ${String((error as Error).stack)}\n${Buffer.from(inputOf(form, seed)).toString('hex')}`,
        )
      }
    }
    t.diagnostic(
      `seed ${SEED}, ${count} inputs, ${fuzz.taken} times taken, ${fuzz.refused} refused`,
    )
    assert.ok(
      fuzz.taken > count / 20 && fuzz.refused > count / 20,
      `${fuzz.taken} taken, ${fuzz.refused} refused of ${count}`,
    )
  })
}

test('what once broke something does not any more', () => {
  for (const [form, name, body] of kept())
    assert.doesNotThrow(() => new Fuzz().try(form, body), name)
})
