// What a row of the table is: a promise, the way in which it is taken away, and the test that
// must notice. To add one, put `// promise: ID` before the statement that keeps the promise, and
// a row with this id in rows/. `npm run mutate ID` shows whether the test notices.
import type { Change } from './change.ts'

export interface Row {
  /** One sentence. If no test notices, it is the title of the missing test. */
  keeps: string
  change: Change
  /** Part of the names of the tests that must notice. */
  noticedBy: string
  /** For example a smaller number of runs for a property test, and a seed. */
  env?: Readonly<Record<string, string>>
}

export interface Promised {
  /** The number of the promise in ARCHITECTURE.md and its first words. */
  number: number
  title: string
  /** Rows by test file, from the root of the repository, and by the id of their marker. */
  rows: Readonly<Record<string, Readonly<Record<string, Row>>>>
}

/** A row with its place in the table. */
export interface PlacedRow extends Row {
  id: string
  promise: number
  test: string
}
