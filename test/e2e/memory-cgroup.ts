// Makes a memory cgroup for one test like a container runtime does, version 1 or 2. The kernel
// kills its processes if they need more than the limit. The test checks for that.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface MemoryCgroup {
  /** Prefix of a command, so that it runs inside the cgroup. */
  before: readonly string[]
  /** The highest charge: anonymous memory, and file pages that were not reclaimed. */
  peakBytes(): number
  oomKills(): number
  remove(): void
}

const V1 = '/sys/fs/cgroup/memory'
const V2 = '/sys/fs/cgroup'
/** A shell joins the cgroup, then becomes the program. */
const join_ = (folder: string): readonly string[] => [
  '/bin/sh',
  '-c',
  'echo $$ > "$0" && exec "$@"',
  join(folder, 'cgroup.procs'),
]

export function createMemoryCgroup(limitBytes: number): MemoryCgroup {
  const second = existsSync(join(V2, 'cgroup.controllers'))
  if (!second && !existsSync(join(V1, 'memory.limit_in_bytes')))
    throw new Error(`There is no memory cgroup at ${V1} or ${V2}.`)
  const folder = join(second ? V2 : V1, `usage-sidecar-e2e-${process.pid}`)
  if (second) writeFileSync(join(V2, 'cgroup.subtree_control'), '+memory')
  mkdirSync(folder)
  const put = (file: string, value: string): void => writeFileSync(join(folder, file), value)
  if (second) {
    put('memory.max', String(limitBytes))
    if (existsSync(join(folder, 'memory.swap.max'))) put('memory.swap.max', '0')
  } else {
    put('memory.limit_in_bytes', String(limitBytes))
    if (existsSync(join(folder, 'memory.memsw.limit_in_bytes')))
      put('memory.memsw.limit_in_bytes', String(limitBytes))
  }
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
  return {
    before: join_(folder),
    peakBytes: () => Number(read(second ? 'memory.peak' : 'memory.max_usage_in_bytes')),
    oomKills: () =>
      Number(/^oom_kill (\d+)$/m.exec(read(second ? 'memory.events' : 'memory.oom_control'))?.[1]),
    remove: () => rmdirSync(folder),
  }
}
