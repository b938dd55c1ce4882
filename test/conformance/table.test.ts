// The conformance table matches its tests.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { conformanceTable, rows, testsIn } from './table.ts'

test('the conformance table is up to date', () => {
  const table = readFileSync(new URL('../../docs/conformance.md', import.meta.url), 'utf8')
  assert.equal(table, conformanceTable(), 'Run: npm run generate')
  const ids = [...table.matchAll(/^\| ([SC]\d\d) \|/gm)].map((match) => match[1]!)
  const all = [
    ...Array.from({ length: 42 }, (_, i) => `S${i + 1}`),
    ...Array.from({ length: 22 }, (_, i) => `C${i + 1}`),
  ]
  assert.deepEqual(
    ids,
    all.map((id) => `${id[0]}${id.slice(1).padStart(2, '0')}`),
  )
})

test('refuses a point without a test or with two', () => {
  const point = { asks: 'Something.', does: 'something is done' }
  assert.throws(() => rows({ S99: point }, new Map()), /S99 has no test/)
  assert.match(
    rows({ S99: { ...point, why: 'Because.' } }, new Map([['S99', 'a.test.ts']])),
    /^\| S99 .*Deviates:\* Because\. .*a\.test\.ts/,
  )
  assert.throws(() => testsIn(['exporter.test.ts', 'exporter.test.ts']), /C01 has two tests/)
})
