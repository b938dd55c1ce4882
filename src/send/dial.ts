// The connection of a request: TCP to the collector, or to a proxy that is asked for a tunnel
// (CONNECT), then TLS from end to end. A proxy learns the name and port of the collector and
// nothing else, and the name is not looked up in this process. The connection can be cancelled in
// every phase. Node's own `proxyEnv` sees the abort of a request only after the tunnel is open, so
// a proxy that hangs could not be cancelled.
import { type Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { errorCode, systemError } from '../support/errors.ts'

/** How the agent learns that a connection is open, or why it is not. */
type Done = NonNullable<Parameters<Agent['createConnection']>[1]>
type ConnectOptions = Parameters<Agent['createConnection']>[0]

function credentials({ username, password }: URL): Record<string, string> {
  if (username === '') return {}
  const words = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(words).toString('base64')}` }
}

const addressOf = ({ hostname, port }: URL) => ({
  host: hostname.replace(/^\[|\]$/g, ''),
  port: port === '' ? 80 : Number(port),
})

const authorityOf = (host: string, port: unknown): string =>
  `${host.includes(':') ? `[${host}]` : host}:${String(port)}`

/** Asks the proxy at the other end of `tcp` for a tunnel. Then `tcp` is the tunnel. */
function openTunnel(
  proxy: URL,
  tcp: Socket,
  target: string,
  opened: () => void,
  failed: (code: string) => void,
): void {
  const asked = request({
    method: 'CONNECT',
    path: target,
    createConnection: () => tcp,
    headers: { host: target, ...credentials(proxy) },
  })
  // Some proxies would apply `Connection: close` to the tunnel.
  asked.removeHeader('connection')
  asked.on('error', (error: NodeJS.ErrnoException) => failed(error.code ?? 'EPROXY'))
  asked.on('connect', (response) => {
    if (response.statusCode === 200) return opened()
    tcp.destroy()
    failed(response.statusCode === 407 ? 'EPROXYAUTH' : 'EPROXY')
  })
  asked.end()
}

export class Dialer {
  readonly #agent: Agent
  readonly #proxy: URL | undefined
  #tcp: Socket | undefined

  /** The agent connects through this dialer from now on. `secured`: it speaks TLS. */
  constructor(agent: Agent, secured: boolean, proxy: URL | undefined) {
    this.#agent = agent
    this.#proxy = proxy
    const startTls = agent.createConnection.bind(agent)
    agent.createConnection = (options, done) => {
      const tcp = this.#connect(options)
      if (!secured) return tcp
      this.#secure(tcp, options, startTls, done)
      return undefined
    }
  }

  /** Resets the connection. A close is not enough: the kernel would send what it has buffered. */
  cancel(): void {
    const tcp = this.#tcp
    if (tcp === undefined || tcp.destroyed) return
    // promise: cancel-resets-connection
    if (tcp.connecting) tcp.destroy()
    else tcp.resetAndDestroy()
  }

  close(): void {
    this.#agent.destroy()
    this.#tcp?.destroy()
  }

  #connect({ host = '', port }: ConnectOptions): Socket {
    const address =
      this.#proxy === undefined ? { host: host ?? '', port: Number(port) } : addressOf(this.#proxy)
    this.#tcp = connect({ ...address, noDelay: true })
    return this.#tcp
  }

  /** Begins TLS once TCP has chosen among the addresses and the tunnel is open. */
  #secure(
    tcp: Socket,
    options: ConnectOptions,
    startTls: Agent['createConnection'],
    done: Done | undefined,
  ): void {
    const failed = (code: string): void =>
      done?.(systemError(code, 'The connection to the collector failed.'), tcp)
    const opened = (): void => {
      try {
        done?.(null, startTls({ ...options, socket: tcp } as ConnectOptions)!)
      } catch (error) {
        // The certificate or key is not one.
        tcp.destroy()
        failed(errorCode(error))
      }
    }
    let code = 'ECONNABORTED'
    const onError = (error: NodeJS.ErrnoException): void => {
      code = error.code ?? code
    }
    const onClose = (): void => failed(code)
    tcp.once('error', onError)
    tcp.once('close', onClose)
    tcp.once('connect', () => {
      tcp.removeListener('error', onError)
      tcp.removeListener('close', onClose)
      if (this.#proxy === undefined) return opened()
      const target = authorityOf(options.host ?? '', options.port)
      openTunnel(this.#proxy, tcp, target, opened, failed)
    })
  }
}
