// An agent whose connection can be cut off for good: closing a socket would not do, because the kernel goes on sending what
// it holds of the body.
import type { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { connect, type Socket } from 'node:net'

/** Makes the agent's connections itself from now on; the result resets the one that is open. */
export function makeResettable(agent: HttpAgent): () => void {
  let tcp: Socket | undefined
  const secured = agent instanceof HttpsAgent ? agent.createConnection.bind(agent) : undefined
  agent.createConnection = (options, done) => {
    const below = connect({ host: options.host ?? '', port: Number(options.port), noDelay: true })
    tcp = below
    if (secured === undefined) return below
    // TLS begins when TCP has chosen among the addresses.
    let cause: Error = Object.assign(new Error('The connection was given up.'), { code: 'ECONNABORTED' })
    const failed = (error: Error): void => {
      cause = error
    }
    const closed = (): void => done?.(cause, below)
    below.once('error', failed)
    below.once('close', closed)
    below.once('connect', () => {
      below.removeListener('error', failed)
      below.removeListener('close', closed)
      done?.(null, secured({ ...options, socket: below } as typeof options)!)
    })
    return undefined
  }
  return () => {
    if (tcp === undefined || tcp.destroyed) return
    if (tcp.connecting) tcp.destroy()
    else tcp.resetAndDestroy()
  }
}
