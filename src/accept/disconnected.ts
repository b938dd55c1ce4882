// Waits until an application has disconnected. An SDK may be idle for minutes and send its last
// spans when it ends, so an idle connection counts as one. The kernel closes it with the process.
import type { Server } from 'node:net'

const CHECK_MS = 50

/** Waits until the server has had no connection for `quietMs`, at most `limitMs`. */
export async function untilDisconnected(
  server: Server,
  quietMs: number,
  limitMs: number,
): Promise<void> {
  const startedAt = performance.now()
  let usedAt = startedAt
  const onConnection = (): void => {
    usedAt = performance.now()
  }
  server.on('connection', onConnection)
  while (performance.now() - startedAt < limitMs && performance.now() - usedAt < quietMs) {
    await new Promise((resolve) => setTimeout(resolve, CHECK_MS))
    const open = await new Promise<number>((resolve) =>
      server.getConnections((_, count) => resolve(count ?? 0)),
    )
    if (open > 0) usedAt = performance.now()
  }
  server.removeListener('connection', onConnection)
}
