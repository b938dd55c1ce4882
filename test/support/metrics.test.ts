// The table of counters is the whole truth about what is counted, and /metrics shows it in a format
// that a strict reader accepts.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { COUNTERS, type CounterRow, Counters, rowOf } from '../../src/support/counters.ts'
import { counterMetric, GAUGES, metricsText } from '../../src/support/metrics.ts'
import { parseMetrics } from './prometheus.ts'

const ROWS: readonly CounterRow[] = COUNTERS
const SRC = new URL('../../src', import.meta.url).pathname

test('every counter of the table is used in the code', () => {
  const sources = globSync(`${SRC}/**/*.ts`)
    .filter((file) => !file.includes('/support/'))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n')
  const used = new Set(
    [...sources.matchAll(/\.(?:add|cell|policyCell)\(\s*['`]([a-z.]+?)\.?['`$]/g)].map(
      ([, name]) => name!,
    ),
  )
  const rowNames = new Set([...used].flatMap((name) => rowNamed(name) ?? []))
  assert.deepEqual([...rowNames].toSorted(), ROWS.map(({ name }) => name).toSorted())
})

/**
 * The row of a name that may end with a word of its label. The compiler refuses other names of
 * counters; sets have an `add` too.
 */
const rowNamed = (name: string): string | undefined =>
  (ROWS.find((each) => each.name === name) ?? rowOf(name))?.name

test('names are unique, and every row has a meaning that ends with a full stop', () => {
  const names = [...ROWS, ...GAUGES].map(({ name }) => name)
  assert.equal(new Set(names).size, names.length)
  for (const { name, meaning } of [...ROWS, ...GAUGES]) assert.match(meaning, /^[A-Z].*\.$/, name)
})

test('writes every counter and gauge of a program, also at zero', () => {
  for (const program of ['sidecar', 'collector'] as const) {
    const families = parseMetrics(metricsText(program, new Counters(), {}))
    const rows = [...ROWS, ...GAUGES].filter(({ programs }) =>
      (programs as readonly string[]).includes(program),
    )
    assert.equal(families.size, rows.length)
    const dropped = families.get(`usage_${program}_queue_dropped_total`)
    assert.deepEqual(
      dropped?.samples.map(({ labels, value }) => [labels.reason, value]),
      program === 'collector'
        ? undefined
        : ['age', 'consent', 'corrupt', 'format', 'full', 'policy'].map((reason) => [reason, 0]),
    )
  }
})

test('writes counts, labels and gauges', () => {
  const counters = new Counters()
  counters.add('queue.dropped.age', 7)
  counters.policyCell('spans.skipped', { span: 'build' }).count = 2
  counters.policyCell('values.other', { span: 'build', attribute: 'a"\\\nb' }).count = 3
  counters.policyCell('values.failed', { span: '', attribute: 'x', reason: 'shape' }).count = 4
  counters.policyCell('values.failed', { span: 's', attribute: 'y', reason: 'fold' })
  const families = parseMetrics(
    metricsText('sidecar', counters, {
      queue_bytes: [{ value: 12.5 }],
      reporting_mode: [{ labels: { mode: 'on' }, value: 1 }],
    }),
  )
  const samplesOf = (name: string) => families.get(`usage_sidecar_${name}`)?.samples
  assert.deepEqual(samplesOf('queue_dropped_total')?.[0], { labels: { reason: 'age' }, value: 7 })
  assert.deepEqual(samplesOf('spans_skipped_total'), [{ labels: { span: 'build' }, value: 2 }])
  assert.deepEqual(samplesOf('values_other_total'), [
    { labels: { span: 'build', attribute: 'a"\\\nb' }, value: 3 },
  ])
  assert.deepEqual(samplesOf('values_failed_total'), [
    { labels: { span: '', attribute: 'x', reason: 'shape' }, value: 4 },
  ])
  assert.deepEqual(samplesOf('queue_bytes'), [{ labels: {}, value: 12.5 }])
  assert.equal(families.get('usage_sidecar_queue_bytes')?.type, 'gauge')
  assert.equal(families.get('usage_sidecar_queue_dropped_total')?.type, 'counter')
})

test('the names from policies cannot make more than 8 200 series, and nothing is lost', () => {
  const counters = new Counters()
  for (let i = 0; i < 20_000; i++) {
    counters.policyCell('values.other', { span: 's', attribute: `a${i}` }).count++
    counters.policyCell('spans.skipped', { span: `s${i}` }).count++
  }
  const series = counters.series('sidecar').filter(({ row }) => 'span' in row.labels)
  assert.ok(series.length <= 8_200, `${series.length} series`)
  for (const name of ['values.other', 'spans.skipped']) {
    const mine = series.filter(({ row }) => row.name === name)
    assert.equal(
      mine.reduce((sum, { count }) => sum + count, 0),
      20_000,
    )
  }
})

test('an attribute of one span is not counted as one of another', () => {
  const counters = new Counters()
  counters.policyCell('values.other', { span: 'a', attribute: 'b.c' }).count = 1
  counters.policyCell('values.other', { span: 'a.b', attribute: 'c' }).count = 2
  assert.deepEqual(counters.snapshot(), { 'spans.a.b.c.other': 3 })
  const { samples } = parseMetrics(metricsText('sidecar', counters, {})).get(
    'usage_sidecar_values_other_total',
  )!
  assert.deepEqual(
    samples.map(({ value }) => value),
    [1, 2],
  )
})

test('the documentation names every metric', () => {
  const page = readFileSync(new URL('../../docs/reference/metrics.md', import.meta.url), 'utf8')
  for (const row of ROWS)
    for (const program of row.programs) assert.ok(page.includes(counterMetric(row, program)))
})
