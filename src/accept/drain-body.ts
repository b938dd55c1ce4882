// Whether an application still uses a door: it does as long as it is connected. Its SDK may be idle
// for minutes and send its last spans when it ends, so an idle connection counts; one that the
// kernel closed with its process does not.
import type { Server } from 'node:net'

const LOOK_EVERY_MS = 50

/** Waits until nobody has been connected for `quietMs`, `mostMs` at most. */
export async function untilUnused(server: Server, quietMs: number, mostMs: number): Promise<void> {
  const began = performance.now()
  let usedAt = began
  const use = (): void => {
    usedAt = performance.now()
  }
  server.on('connection', use)
  while (performance.now() - began < mostMs && performance.now() - usedAt < quietMs) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
    const open = await new Promise<number>((resolve) =>
      server.getConnections((_, count) => resolve(count ?? 0)),
    )
    if (open > 0) use()
  }
  server.removeListener('connection', use)
}
