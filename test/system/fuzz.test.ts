// The protobuf walk and the JSON reader under fuzzing, for USAGE_TEST_FUZZ_SECONDS (60), and every
// input that once broke something. `test/nightly/fuzz.ts` goes on for longer and keeps what it
// finds.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FORMS, Fuzz, inputOf, kept } from './fuzz.ts'

const SECONDS = Number(process.env.USAGE_TEST_FUZZ_SECONDS ?? 60)
const SEED = Number(process.env.USAGE_TEST_SEED ?? Date.now() % 0x7fffffff)
/** However slow the machine is. */
const LEAST = 2000

for (const form of FORMS) {
  test(`whatever comes as ${form} is taken or refused with a sentence`, (t) => {
    const fuzz = new Fuzz()
    const until = performance.now() + (SECONDS * 1000) / FORMS.length
    let count = 0
    for (; count < LEAST || performance.now() < until; count++) {
      const seed = (SEED + count) | 0
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
