// The connection under a request: TCP to the collector, or to a proxy that is asked for a tunnel
// (CONNECT), then TLS from end to end. A proxy learns the collector's name and port and nothing
// else, and the name is not looked up here. Whatever it is in the middle of, the connection can be
// cancelled. (With Node's own `proxyEnv` a proxy that hangs cannot be given up: the abort of the
// request is not seen before the tunnel is there.)
import { type Agent, request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { errorCode } from '../support/errors.ts'

export interface Dial {
  /** Resets the connection: closing would not do, the kernel goes on sending what it holds. */
  cancel(): void
  close(): void
}

type Failed = (code: string) => void

function credentials({ username, password }: URL): Record<string, string> {
  if (username === '') return {}
  const words = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return { 'proxy-authorization': `Basic ${Buffer.from(words).toString('base64')}` }
}

const addressOf = ({ hostname, port }: URL) => ({
  host: hostname.replace(/^\[|\]$/g, ''),
  port: port === '' ? 80 : Number(port),
})

/** Asks for a tunnel over a connection to the proxy, which is the tunnel where that works. */
function openTunnel(
  proxy: URL,
  below: Socket,
  target: string,
  opened: () => void,
  failed: Failed,
): void {
  const asked = request({
    method: 'CONNECT',
    path: target,
    createConnection: () => below,
    headers: { host: target, ...credentials(proxy) },
  })
  // Some proxies would take `Connection: close` for the tunnel's.
  asked.removeHeader('connection')
  asked.on('error', (error: NodeJS.ErrnoException) => failed(error.code ?? 'EPROXY'))
  asked.on('connect', (response) => {
    if (response.statusCode === 200) return opened()
    below.destroy()
    failed(response.statusCode === 407 ? 'EPROXYAUTH' : 'EPROXY')
  })
  asked.end()
}

/** Makes an agent connect so from now on; `secured`: it speaks TLS. */
export function dialWith(agent: Agent, secured: boolean, proxy: URL | undefined): Dial {
  let tcp: Socket | undefined
  const above = agent.createConnection.bind(agent)

  agent.createConnection = (options, done) => {
    const { port } = options
    const host = options.host ?? ''
    const below = connect({
      ...(proxy === undefined ? { host, port: Number(port) } : addressOf(proxy)),
      noDelay: true,
    })
    tcp = below
    if (!secured) return below
    // TLS begins when TCP has chosen among the addresses, and the tunnel is there.
    const failed: Failed = (code) =>
      done?.(Object.assign(new Error('There is no connection.'), { code }), below)
    let code = 'ECONNABORTED'
    const noticed = (error: NodeJS.ErrnoException): void => {
      code = error.code ?? code
    }
    const closed = (): void => failed(code)
    const opened = (): void => {
      try {
        done?.(null, above({ ...options, socket: below } as typeof options)!)
      } catch (error) {
        // A certificate or key that is none.
        below.destroy()
        failed(errorCode(error))
      }
    }
    below.once('error', noticed)
    below.once('close', closed)
    below.once('connect', () => {
      below.removeListener('error', noticed)
      below.removeListener('close', closed)
      if (proxy === undefined) opened()
      else
        openTunnel(
          proxy,
          below,
          `${host.includes(':') ? `[${host}]` : host}:${port}`,
          opened,
          failed,
        )
    })
    return undefined
  }

  return {
    cancel: () => {
      if (tcp === undefined || tcp.destroyed) return
      // promise: cancel-resets-connection
      if (tcp.connecting) tcp.destroy()
      else tcp.resetAndDestroy()
    },
    close: () => {
      agent.destroy()
      tcp?.destroy()
    },
  }
}
