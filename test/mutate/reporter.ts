// A test reporter for mutate.ts: one line of JSON for each test that passed or failed. What fails
// because a name is not defined, or because what is around it failed, has noticed nothing.
import type { TestEvent } from 'node:test/reporters'

export interface Result {
  name: string
  outcome: 'passed' | 'failed' | 'broken'
}

export default async function* resultsOf(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue
    const { name, details, skip, todo } = event.data
    if (details.type === 'suite' || skip !== undefined || todo !== undefined) continue
    const result: Result = {
      name,
      outcome: event.type === 'test:pass' ? 'passed' : outcomeOf(event.data.details.error),
    }
    yield `${JSON.stringify(result)}\n`
  }
}

const NOTICED = ['testCodeFailure', 'testTimeoutFailure', 'uncaughtException', 'unhandledRejection']

function outcomeOf({
  cause,
  failureType = '',
}: {
  cause?: unknown
  failureType?: string
}): Result['outcome'] {
  return NOTICED.includes(failureType) && !(cause instanceof ReferenceError) ? 'failed' : 'broken'
}
