// The way to the collector through an HTTP proxy: one CONNECT, then TLS from end to end inside the tunnel. The proxy
// learns the collector's name and port and nothing else; the collector's name is not looked up here. (Node's own `proxyEnv`
// would do, but a proxy that hangs cannot be given up with it: the abort of the request is not seen before the tunnel is.)
import { type ClientRequest, request } from 'node:http'
import { Agent, type AgentOptions } from 'node:https'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

function credentials({ username, password }: URL): Record<string, string> {
  if (username === '') return {}
  const words = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(words).toString('base64')}` }
}

export class TunnelAgent extends Agent {
  readonly #proxy: URL
  readonly #connecting = new Set<ClientRequest>()
  /** Ends the attempt that is being made. */
  deadline: AbortSignal | undefined

  constructor(proxy: string, options: AgentOptions) {
    super(options)
    this.#proxy = new URL(proxy)
  }

  override createConnection(
    options: Parameters<Agent['createConnection']>[0],
    done: (error: Error | null, socket: Duplex) => void,
  ): undefined {
    const { hostname, port } = this.#proxy
    const host = options.host ?? ''
    const target = `${host.includes(':') ? `[${host}]` : host}:${options.port}`
    const failed = (code: string): void => done(Object.assign(new Error('The proxy opened no tunnel.'), { code }), undefined as never)
    const connect = request({
      host: hostname.replace(/^\[|\]$/g, ''),
      port: port === '' ? 80 : port,
      method: 'CONNECT',
      path: target,
      agent: false,
      ...(this.deadline === undefined ? {} : { signal: this.deadline }),
      headers: {
        host: target,
        ...credentials(this.#proxy),
      },
    })
    // Some proxies would take `Connection: close` for the tunnel's.
    connect.removeHeader('connection')
    this.#connecting.add(connect)
    connect.on('close', () => this.#connecting.delete(connect))
    connect.on('error', (error: NodeJS.ErrnoException) => failed(error.code ?? 'EPROXY'))
    connect.on('connect', (response, socket: Socket) => {
      if (response.statusCode === 200) done(null, super.createConnection({ ...options, socket } as typeof options)!)
      else {
        socket.destroy()
        failed(response.statusCode === 407 ? 'EPROXYAUTH' : 'EPROXY')
      }
    })
    connect.end()
    return undefined
  }

  override destroy(): void {
    for (const connect of this.#connecting) connect.destroy()
    super.destroy()
  }
}
