// Nothing that is sent to the sidecar ends it: the bundled program runs in the memory limit of its container, 96 MiB, as
// the image starts it and without any flag, and is attacked over hundreds of connections. It lives, answers every request
// with an honest status, and takes in a normal one after each attack. The peaks are printed.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { attacks, normal } from './attacks.ts'
import { flood, shoot, startMoodyCollector, trickle } from './flood.ts'
import { createMemoryCgroup } from './memory-cgroup.ts'
import { atEnd, startSidecar, temporaryFolder } from './processes.ts'

const MIB = 1024 * 1024
const LIMIT = 96 * MIB
/** Taken in; not OTLP; too large; not now. A connection without an answer counts as 0. */
const HONEST = [200, 400, 413, 503]
const TRICKLES = 1000

async function attackAll(t: TestContext, flags: readonly string[], env: Record<string, string>): Promise<void> {
  const folder = await temporaryFolder(t)
  const group = createMemoryCgroup(LIMIT)
  atEnd(t, () => group.remove())
  const collector = await startMoodyCollector(t)
  const sidecar = await startSidecar(t, {
    folder,
    flags,
    before: group.before,
    env: { USAGE_REPORTING: 'on', USAGE_ENDPOINT: collector.url, USAGE_SEND_INTERVAL: '100ms', ...env },
  })
  const maxBody = Number((await sidecar.said('accept: ready')).maxBody)
  assert.ok(maxBody < LIMIT / 8, 'the limits did not follow the memory of the container')
  const anonBytes = (): number => {
    try {
      return 1024 * Number(/^RssAnon:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${sidecar.child.pid}/status`, 'utf8'))?.[1])
    } catch {
      return 0
    }
  }
  let most = 0
  const watch = setInterval(() => {
    most = Math.max(most, anonBytes())
  }, 20)
  atEnd(t, () => clearInterval(watch))

  const lives = async (after: string): Promise<void> => {
    assert.equal(group.oomKills(), 0, `killed by ${after}`)
    assert.deepEqual([sidecar.child.exitCode, sidecar.child.signalCode], [null, null], `ended by ${after}`)
    assert.equal(await shoot(sidecar.port, normal()), 200, `a normal request after ${after}`)
  }
  for (const { name, connections, rounds, shots } of attacks(maxBody)) {
    most = 0
    const statuses = await flood(sidecar.port, connections, rounds, (at) => shots[at % shots.length]!)
    const told = [...statuses].map(([status, count]) => `${status}: ${count}`).join(', ')
    t.diagnostic(`${name}: ${told}; RssAnon at most ${(most / MIB).toFixed(1)} MiB`)
    for (const status of statuses.keys()) assert.ok(HONEST.includes(status), `${name} was answered ${told}`)
    await lives(name)
  }
  most = 0
  // While they come they hold what the budget bears; an application is told to come again.
  await trickle(sidecar.port, TRICKLES, maxBody, async () => {
    assert.ok(HONEST.includes(await shoot(sidecar.port, normal())), 'a normal request while bodies come byte by byte')
  })
  for (const deadline = Date.now() + 30_000; (await shoot(sidecar.port, normal())) === 503; ) assert.ok(Date.now() < deadline, 'room again')
  await lives('bodies that come byte by byte')
  t.diagnostic(
    `${TRICKLES} bodies byte by byte: RssAnon at most ${(most / MIB).toFixed(1)} MiB; peak of the container ${(group.peakBytes() / MIB).toFixed(1)} MiB`,
  )
}

test('as the image runs it, no input ends a container of 96 MiB', (t) =>
  attackAll(t, ['--max-semi-space-size=1', '--max-old-space-size=64'], { MALLOC_ARENA_MAX: '1' }))
test('without any flag, no input ends a container of 96 MiB', (t) => attackAll(t, [], {}))
