// Runs the sidecar in the memory limit of its container. Reports whether the kernel killed it, and
// its highest memory use.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import type { TestContext } from 'node:test'
import { createMemoryCgroup, type MemoryCgroup } from './memory-cgroup.ts'
import { atEnd, type LogLine, type Sidecar, startSidecar, temporaryFolder } from './processes.ts'

export const MIB = 1024 * 1024
export const LIMIT = 96 * MIB
const LOOK_EVERY_MS = 20

export interface Contained {
  sidecar: Sidecar
  group: MemoryCgroup
  /** Its ready line: ports and limits. */
  ready: LogLine
  /** The highest use since the last call, in MiB. */
  most(): string
  /** Fails if the process has ended. */
  lives(after: string): void
}

export async function startContained(
  t: TestContext,
  flags: readonly string[],
  env: Record<string, string>,
): Promise<Contained> {
  const folder = await temporaryFolder(t)
  const group = createMemoryCgroup(LIMIT)
  atEnd(t, () => group.remove())
  const sidecar = await startSidecar(t, { folder, flags, before: group.before, env })
  const ready = await sidecar.said('accept: ready')
  const anonBytes = (): number => {
    try {
      return (
        1024 *
        Number(
          /^RssAnon:\s+(\d+) kB$/m.exec(
            readFileSync(`/proc/${sidecar.child.pid}/status`, 'utf8'),
          )?.[1],
        )
      )
    } catch {
      return 0
    }
  }
  let most = 0
  const watch = setInterval(() => {
    most = Math.max(most, anonBytes())
  }, LOOK_EVERY_MS)
  atEnd(t, () => clearInterval(watch))
  return {
    sidecar,
    group,
    ready,
    most: () => {
      const peak = (most / MIB).toFixed(1)
      most = 0
      return peak
    },
    lives: (after) => {
      assert.equal(group.oomKills(), 0, `killed by ${after}`)
      assert.deepEqual(
        [sidecar.child.exitCode, sidecar.child.signalCode],
        [null, null],
        `ended by ${after}`,
      )
    },
  }
}
