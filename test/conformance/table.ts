// The table of conformance, from the points and from the tests that are really there: a point
// without exactly one test, or a test without a point, is an error.
import { readdirSync, readFileSync } from 'node:fs'
import { EXPORTER } from './exporter-points.ts'
import type { Point } from './point.ts'
import { RECEIVER } from './receiver-points.ts'

const FOLDER = new URL('.', import.meta.url).pathname

/** Which file holds the test of each point; throws where a point has two. */
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

/** Throws where a point has no test. */
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
  if (unknown.length > 0) throw new Error(`There is no point ${unknown.join(', ')}.`)
  const head = '| point | asked | what we do | test |\n|---|---|---|---|\n'
  const deviations = [...Object.values<Point>(RECEIVER), ...Object.values<Point>(EXPORTER)].filter(
    ({ why }) => why !== undefined,
  ).length
  return `<!-- Made from test/conformance/ by npm run generate. -->
# Conformance to OTLP

Against the specification of opentelemetry-proto v1.11.0, point by point: ${Object.keys(RECEIVER).length} for a receiver (S), ${Object.keys(EXPORTER).length} for an exporter (C). Each has
one test, whose name begins with the point. ${deviations} are deviations on purpose, or things we do not offer; the table says why.

## Receiver

${head}${rows(RECEIVER, tests)}

## Exporter

${head}${rows(EXPORTER, tests)}
`
}
