// What a guard is: a piece of the source that keeps a promise, and the test that must fail when it
// is gone.

export interface Witness {
  /** The test file, from the root of the repository. */
  test: string
  /** A regular expression for the names of the tests that must notice. */
  name: string
  /**
   * Such as a smaller number of runs for a property test, and a seed, so that it always notices.
   */
  env?: Readonly<Record<string, string>>
}

export interface Guard {
  /** In words, so that a guard whose removal nobody notices is the title of a missing test. */
  promise: string
  /** Stands exactly once in the file. */
  text: string
  /** What replaces it; nothing by default. */
  instead?: string
  noticed: Witness
}

/** By file, from the root of the repository. */
export type GuardTable = Readonly<Record<string, readonly Guard[]>>
