// `/startupz` and `/livez` for the kubelet, and nothing else. They say that the process answers; a
// wrong policy, a collector that is away or a cluster that is gone never make them fail, because a
// restart would mend none of it.
import { createServer } from 'node:http'
import { HttpConnections } from '../net/http-connections.ts'
import { close, listen } from '../net/listen.ts'
import type { ListenAddress } from '../support/setting-parsers.ts'

/**
 * The one port that other pods can reach: what they do there must not keep the kubelet's probe out,
 * or it ends the sidecar.
 */
const SERVER = {
  requestTimeout: 5_000,
  headersTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
  maxHeaderSize: 8 * 1024,
}
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
  const connections = new HttpConnections(server, 256)
  return { start: () => listen(server, at), stop: () => close(server) }
}
