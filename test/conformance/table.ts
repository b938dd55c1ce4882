// The conformance table, made from the points and their tests. A point without exactly one test, or
// a test without a point, is an error.
import { readdirSync, readFileSync } from 'node:fs'
import { EXPORTER } from './exporter-points.ts'
import type { Point } from './point.ts'
import { RECEIVER } from './receiver-points.ts'

const FOLDER = new URL('.', import.meta.url).pathname

/** The file with the test of each point. Throws if a point has two tests. */
export function testsIn(files: readonly string[]): Map<string, string> {
  const found = new Map<string, string>()
  for (const file of files) {
    for (const [, id] of readFileSync(`${FOLDER}${file}`, 'utf8').matchAll(
      /^conforms\('(\w+)',/gm,
    )) {
      if (found.has(id!)) throw new Error(`${id} has two tests, in ${found.get(id!)} and ${file}.`)
      found.set(id!, file)
    }
  }
  return found
}

/** Throws if a point has no test. */
export function rows(
  points: Readonly<Record<string, Point>>,
  tests: ReadonlyMap<string, string>,
): string {
  const row = ([id, { asks, does, why }]: [string, Point]): string => {
    const file = tests.get(id)
    if (file === undefined)
      throw new Error(
        `${id} has no test. Write conforms('${id}', …) in a file of test/conformance/.`,
      )
    const sentence = `${does.charAt(0).toUpperCase()}${does.slice(1)}.`
    return `| ${id} | ${asks} | ${sentence}${why === undefined ? '' : ` *Deviates:* ${why}`} | [\`${file}\`](../test/conformance/${file}) |`
  }
  return Object.entries(points).map(row).join('\n')
}

export function conformanceTable(): string {
  const tests = testsIn(readdirSync(FOLDER).filter((name) => name.endsWith('.test.ts')))
  const unknown = [...tests.keys()].filter((id) => !(id in RECEIVER) && !(id in EXPORTER))
  if (unknown.length > 0) throw new Error(`Add a point for ${unknown.join(', ')}.`)
  const head = '| point | OTLP | usage-sidecar | test |\n|---|---|---|---|\n'
  const deviations = [...Object.values<Point>(RECEIVER), ...Object.values<Point>(EXPORTER)].filter(
    ({ why }) => why !== undefined,
  ).length
  return `<!-- Made from test/conformance/ by npm run generate. -->
# Conformance to OTLP

This table compares usage-sidecar with the specification of opentelemetry-proto v1.11.0. It has ${Object.keys(RECEIVER).length} points
for a receiver (S) and ${Object.keys(EXPORTER).length} for an exporter (C). The name of each test begins with its point. ${deviations} points are
intended deviations or are not offered, and say why.

## Receiver

${head}${rows(RECEIVER, tests)}

## Exporter

${head}${rows(EXPORTER, tests)}
`
}
