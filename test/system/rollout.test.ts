// Ten thousand sidecars and one collector, with the schedule of the real sender. Their requests
// stay spread, and the picture is up to date. It runs in a process of its own, because a test
// runner that tracks every promise makes millions of them slow.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { IS_SHORT } from '../support/counts.ts'

const ROLLOUT = new URL('../nightly/rollout.ts', import.meta.url).pathname
/** The most requests in one second. The mean of ten thousand hourly reports is 2.8 a second. */
const PEAKS: readonly [title: string, peak: number, isLong?: 'long'][] = [
  ['All start within two minutes', 20],
  ['All start within two minutes, and may send after a day', 30, 'long'],
  ['The collector is away for a week', 150, 'long'],
  ['The collector tells everybody the same time to come back', 50],
]
const peaks = PEAKS.filter(([, , isLong]) => isLong === undefined || !IS_SHORT)

test('spreads the requests of ten thousand sidecars that start or retry together', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ROLLOUT,
    '--check',
    ...(IS_SHORT ? peaks.map(([title]) => title) : []),
  ]).catch((error: { stdout: string }) => error)
  assert.doesNotMatch(stdout, /is old/)
  const lines = stdout.trimEnd().split('\n')
  assert.equal(lines.length, peaks.length)
  for (const [i, [title, most]] of peaks.entries()) {
    const line = lines[i] ?? ''
    const peak = Number(/: peak (\d+) in one second/.exec(line)?.[1])
    assert.ok(line.startsWith(`${title}: `) && peak > 5 && peak <= most, line)
  }
})
