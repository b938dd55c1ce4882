// Ten thousand sidecars at one collector, with the sender's own schedule: nothing that they do
// together is a flood. In a process of its own, because a test runner that follows every promise
// makes millions of them slow.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'

const ROLLOUT = new URL('../nightly/rollout.ts', import.meta.url).pathname
/** Requests in any one second, for ten thousand that report once an hour, which is 2.8 a second. */
const MOST: readonly [title: string, peak: number][] = [
  ['All start within two minutes', 20],
  ['All start within two minutes, and may send after a day', 30],
  ['The collector is away for a week', 150],
  ['The collector tells everybody the same time to come back', 50],
]

test('ten thousand sidecars that start, or come back, together spread their requests, and the picture shows it as it is', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [ROLLOUT, '--check']).catch(
    (error: { stdout: string }) => error,
  )
  assert.doesNotMatch(stdout, /is old/)
  const lines = stdout.trimEnd().split('\n')
  assert.equal(lines.length, MOST.length)
  for (const [i, [title, most]] of MOST.entries()) {
    const line = lines[i] ?? ''
    const peak = Number(/: peak (\d+) in one second/.exec(line)?.[1])
    assert.ok(line.startsWith(`${title}: `) && peak > 5 && peak <= most, line)
  }
})
