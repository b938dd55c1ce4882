// One point of the specification of OTLP, and the test that holds us to it: the test's name is made
// of the point, so the table (`docs/conformance.md`) and the tests cannot say different things.
import { type TestContext, test } from 'node:test'
import { EXPORTER } from './exporter-points.ts'
import { RECEIVER } from './receiver-points.ts'

export interface Point {
  /** In words of ours. */
  asks: string
  /** What we do, as a sentence without its end. */
  does: string
  /** Where that is not what was asked. */
  why?: string
}

export const POINTS: Readonly<Record<string, Point>> = { ...RECEIVER, ...EXPORTER }
export type PointId = keyof typeof RECEIVER | keyof typeof EXPORTER

/** The test of one point. `table.ts` looks for these calls. */
export const conforms = (id: PointId, check: (t: TestContext) => Promise<void> | void): void =>
  void test(`${id} ${POINTS[id]!.does}`, check)
