// One point of the OTLP specification and its test. The test is named after the point, so that the
// table (`docs/conformance.md`) and the tests say the same.
import { type TestContext, test } from 'node:test'
import { EXPORTER } from './exporter-points.ts'
import { RECEIVER } from './receiver-points.ts'

export interface Point {
  /** In our words. */
  asks: string
  /** What the sidecar does, as a sentence without subject and full stop. */
  does: string
  /** The reason for a deviation. */
  why?: string
}

export const POINTS: Readonly<Record<string, Point>> = { ...RECEIVER, ...EXPORTER }
export type PointId = keyof typeof RECEIVER | keyof typeof EXPORTER

/** The test of one point. `table.ts` looks for these calls. */
export const conforms = (id: PointId, check: (t: TestContext) => Promise<void> | void): void =>
  void test(`${id} ${POINTS[id]!.does}`, check)
