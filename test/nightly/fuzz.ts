// Long fuzzing: `node test/nightly/fuzz.ts [SECONDS]` (600). Every input that breaks something is
// kept in test/fixtures/fuzz, and the tests try it from then on.
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { FIXTURES, FORMS, Fuzz, inputOf } from '../system/fuzz.ts'

const seconds = Number(process.argv[2] ?? 600)
const fuzz = new Fuzz()
const until = performance.now() + seconds * 1000
const first = Date.now() & 0x7fffffff
let count = 0
let broken = 0
for (; performance.now() < until && broken < 10; count++) {
  for (const form of FORMS) {
    const body = inputOf(form, (first + count) | 0)
    try {
      fuzz.try(form, body)
    } catch (error) {
      broken++
      const name = `${createHash('sha256').update(body).digest('hex').slice(0, 16)}.${form}`
      writeFileSync(`${FIXTURES}${name}`, body)
      console.error(`${name}: ${String((error as Error).stack)}`)
    }
  }
}
console.log(
  `${count * FORMS.length} inputs, ${fuzz.taken} times taken, ${fuzz.refused} refused, ${broken} kept in test/fixtures/fuzz`,
)
process.exitCode = broken === 0 ? 0 : 1
