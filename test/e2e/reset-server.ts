// A sidecar that dies while it handles a request: it resets the connection before it answers.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo, Server, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { atEnd } from './processes.ts'

export interface ResetServer {
  port: number
  /** Resolves when it has reset a connection. */
  hasReset: Promise<void>
  /** Stops the server and frees its port. */
  stop(): Promise<void>
}

export async function startResetServer(
  t: TestContext,
  protocol: 'http' | 'grpc',
): Promise<ResetServer> {
  const sockets = new Set<Socket>()
  let onReset = (): void => undefined
  const hasReset = new Promise<void>((resolve) => {
    onReset = resolve
  })
  let server: Server
  if (protocol === 'http')
    server = createServer((request) => {
      request.socket.resetAndDestroy()
      onReset()
    })
  else {
    const http2 = createHttp2Server()
    http2.on('session', (session) => session.on('error', () => undefined))
    http2.on('stream', (stream) => {
      stream.on('error', () => undefined)
      stream.session?.destroy()
      onReset()
    })
    server = http2
  }
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const stop = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  }
  atEnd(t, stop)
  return { port: (server.address() as AddressInfo).port, hasReset, stop }
}
