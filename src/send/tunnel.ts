// The way to the collector through an HTTP proxy: one CONNECT, then TLS from end to end inside the tunnel. The proxy
// learns the collector's name and port and nothing else; the collector's name is not looked up here. (Node's own `proxyEnv`
// would do, but a proxy that hangs cannot be given up with it: the abort of the request is not seen before the tunnel is.)
import { type ClientRequest, request } from 'node:http'
import type { Agent } from 'node:https'
import type { Socket } from 'node:net'

export interface Tunnel {
  /** Ends the attempt that is made next. */
  until(deadline: AbortSignal): void
  close(): void
}

function credentials({ username, password }: URL): Record<string, string> {
  if (username === '') return {}
  const words = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(words).toString('base64')}` }
}

/** Makes an agent connect through a proxy from now on. */
export function tunnelThrough(proxy: URL, agent: Agent): Tunnel {
  const connecting = new Set<ClientRequest>()
  const direct = agent.createConnection.bind(agent)
  let signal: AbortSignal | undefined

  agent.createConnection = (options, done) => {
    const host = options.host ?? ''
    const target = `${host.includes(':') ? `[${host}]` : host}:${options.port}`
    const failed = (code: string): void => done?.(Object.assign(new Error('The proxy opened no tunnel.'), { code }), undefined as never)
    const connect = request({
      host: proxy.hostname.replace(/^\[|\]$/g, ''),
      port: proxy.port === '' ? 80 : proxy.port,
      method: 'CONNECT',
      path: target,
      agent: false,
      headers: { host: target, ...credentials(proxy) },
      ...(signal === undefined ? {} : { signal }),
    })
    // Some proxies would take `Connection: close` for the tunnel's.
    connect.removeHeader('connection')
    connecting.add(connect)
    connect.on('close', () => connecting.delete(connect))
    connect.on('error', (error: NodeJS.ErrnoException) => failed(error.code ?? 'EPROXY'))
    connect.on('connect', (response, socket: Socket) => {
      if (response.statusCode === 200) done?.(null, direct({ ...options, socket } as typeof options)!)
      else {
        socket.destroy()
        failed(response.statusCode === 407 ? 'EPROXYAUTH' : 'EPROXY')
      }
    })
    connect.end()
    return undefined
  }

  return {
    until: (deadline) => {
      signal = deadline
    },
    close: () => {
      for (const connect of connecting) connect.destroy()
    },
  }
}
