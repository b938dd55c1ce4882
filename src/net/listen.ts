// Opens and closes the port of a server.
import type { Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer, type Server } from 'node:net'
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

/** Requests get this long when a server closes. Kubernetes kills a pod after 30 s. */
export const CLOSE_GRACE_MS = 5_000

/**
 * Accepts no new connection, closes idle ones, and lets requests that are being answered finish.
 * After `graceMs` it closes all connections.
 */
export function close(server: HttpServer, graceMs = CLOSE_GRACE_MS): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), graceMs)
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

/** Whether a server could listen there now. */
export async function canListen(at: ListenAddress): Promise<boolean> {
  const server = createServer()
  try {
    await listen(server, at)
    return true
  } catch {
    return false
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}
