// Opens and closes a server's port: the same way for the receiver, health, the page and the
// collector.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ListenAddress } from '../support/setting-parsers.ts'

/**
 * Listens; port 0 takes a free one. Rejects with the system's error code in `code` (EADDRINUSE).
 */
export function listen(server: Server, at: ListenAddress): Promise<ListenAddress> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(at.port, at.host, () => {
      server.removeListener('error', reject)
      resolve({ host: at.host, port: (server.address() as AddressInfo).port })
    })
  })
}

/**
 * For requests that are on their way when a server closes; a pod that ends is killed after 30 s.
 */
const CLOSE_GRACE_MS = 5_000

/**
 * Takes no new connection, lets requests that are being answered finish, closes idle connections,
 * and soon all others.
 */
export function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
    server.closeIdleConnections()
  })
}

/** `127.0.0.1:4318`, `[::1]:4318`, or `:4318` for all addresses. */
export const formatAddress = ({ host, port }: ListenAddress): string =>
  `${host.includes(':') ? `[${host}]` : host}:${port}`

/** Whether somebody could listen there now. */
export async function freeListen(at: ListenAddress): Promise<boolean> {
  const server = createServer()
  try {
    await listen(server, at)
    return true
  } catch {
    return false
  } finally {
    await close(server)
  }
}
