// Attacks the bundled program over hundreds of connections in the memory limit of its container, 96
// MiB, with and without the image's flags. It survives, answers every request with a correct
// status, and accepts a normal request after each attack. The test prints the memory peaks.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { attacks, normal } from './attacks.ts'
import { LIMIT, MIB, startContained } from './contained.ts'
import { flood, shoot, startMoodyCollector, trickle } from './flood.ts'

/** Accepted, not OTLP, too large, retry later. A connection without an answer counts as 0. */
const HONEST = [200, 400, 413, 503]
const TRICKLES = 1000

async function attackAll(
  t: TestContext,
  flags: readonly string[],
  env: Record<string, string>,
): Promise<void> {
  const collector = await startMoodyCollector(t)
  const sending = {
    USAGE_REPORTING: 'on',
    USAGE_ENDPOINT: collector.url,
    USAGE_SEND_INTERVAL: '100ms',
  }
  const {
    sidecar,
    group,
    ready,
    most,
    lives: isAlive,
  } = await startContained(t, flags, { ...sending, ...env })
  const maxBody = Number(ready.maxBody)
  assert.ok(maxBody < LIMIT / 8, 'the limits did not follow the memory of the container')
  const lives = async (after: string): Promise<void> => {
    isAlive(after)
    assert.equal(await shoot(sidecar.port, normal()), 200, `a normal request after ${after}`)
  }
  for (const { name, connections, rounds, shots } of attacks(maxBody)) {
    const statuses = await flood(
      sidecar.port,
      connections,
      rounds,
      (at) => shots[at % shots.length]!,
    )
    const answers = [...statuses].map(([status, count]) => `${status}: ${count}`).join(', ')
    t.diagnostic(`${name}: ${answers}; RssAnon at most ${most()} MiB`)
    for (const status of statuses.keys())
      assert.ok(HONEST.includes(status), `${name} was answered ${answers}`)
    await lives(name)
  }
  // The attack uses the whole budget, so the sidecar tells the application to retry.
  await trickle(sidecar.port, TRICKLES, maxBody, async () => {
    assert.ok(
      HONEST.includes(await shoot(sidecar.port, normal())),
      'a normal request while bodies come byte by byte',
    )
  })
  for (const deadline = Date.now() + 30_000; (await shoot(sidecar.port, normal())) === 503; )
    assert.ok(Date.now() < deadline, 'memory is available again')
  await lives('bodies that come byte by byte')
  t.diagnostic(
    `${TRICKLES} bodies byte by byte: RssAnon at most ${most()} MiB; peak of the container ${(group.peakBytes() / MIB).toFixed(1)} MiB`,
  )
}

test('as the image runs it, no input ends a container of 96 MiB', (t) =>
  attackAll(t, ['--max-semi-space-size=1', '--max-old-space-size=64'], { MALLOC_ARENA_MAX: '1' }))
test('without any flag, no input ends a container of 96 MiB', (t) => attackAll(t, [], {}))
