// `/startupz` and `/livez` for the kubelet. They say that the process answers, and nothing else. An
// invalid policy or an unavailable collector never makes them fail, as a restart would not help.
import { createServer } from 'node:http'
import { HttpConnections } from '../net/http-connections.ts'
import { close, listen } from '../net/listen.ts'
import type { ListenAddress } from '../support/setting-parsers.ts'

/**
 * Other pods can reach this port. They must not be able to block the kubelet's probe, or the
 * kubelet would restart the sidecar.
 */
const SERVER = {
  requestTimeout: 5_000,
  headersTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 8 * 1024,
}
const MAX_CONNECTIONS = 256
const PATHS = new Set(['/startupz', '/livez'])

export function createHealth(at: ListenAddress): {
  start(): Promise<ListenAddress>
  stop(): Promise<void>
} {
  const server = createServer(SERVER, (request, response) => {
    if (!connections.begin(request, response)) return
    request.resume()
    const status = !PATHS.has(request.url ?? '')
      ? 404
      : request.method === 'GET' || request.method === 'HEAD'
        ? 200
        : 405
    response.writeHead(status, {
      'content-type': 'text/plain; charset=utf-8',
      ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
    })
    response.end(status === 200 ? 'ok\n' : '')
  })
  server.maxHeadersCount = 32
  const connections = new HttpConnections(server, MAX_CONNECTIONS)
  return { start: () => listen(server, at), stop: () => close(server) }
}
