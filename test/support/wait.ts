// How tests wait for what happens in this process: for a condition, with a deadline, and without
// the clock that they move.

const DEADLINE_MS = Number(process.env.USAGE_TEST_DEADLINE_MS ?? 10_000)

/** Looks again and again, without a clock, until it holds; throws where it does not come true. */
export async function until(holds: () => boolean): Promise<void> {
  const deadline = process.hrtime.bigint() + BigInt(DEADLINE_MS) * 1_000_000n
  while (!holds()) {
    if (process.hrtime.bigint() > deadline)
      throw new Error(`This never came true: ${holds.toString()}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Lets what has begun, and waits for nothing outside of the process, come to its end. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
