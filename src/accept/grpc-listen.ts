// Listens for OTLP over gRPC, and loads HTTP/2 (and the TLS that Node's brings along, 3 MB of every sidecar's memory) when
// the first client connects: most applications send over HTTP/1.1.

import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import { errorCode } from '../errors.ts'
import type { AcceptOptions, Listen } from './accept.ts'
import type { Grpc } from './grpc.ts'
import { untilUnused } from './unused.ts'

const MAX_CONNECTIONS = 256

export interface GrpcDoor {
  start(): Promise<Listen>
  /** Goes on until nobody has been connected for `quietMs`, `mostMs` at most. */
  untilUnused(quietMs: number, mostMs: number): Promise<void>
  stop(): Promise<void>
}

export function createGrpcDoor(options: Omit<AcceptOptions, 'maxJsonBody'>): GrpcDoor {
  const { listen: at, log } = options
  let loading: Promise<Grpc> | undefined

  const serve = async (socket: Socket): Promise<void> => {
    try {
      loading ??= import('./grpc.ts').then(({ createGrpc }) => createGrpc(options))
      const grpc = await loading
      grpc.serve(socket)
    } catch (error) {
      log.error('accept: gRPC cannot be served', { code: errorCode(error) })
      socket.destroy()
    }
  }

  const server = createServer((socket) => void serve(socket))
  server.maxConnections = MAX_CONNECTIONS
  return {
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(at.port, at.host, () => {
          server.removeListener('error', reject)
          resolve({ host: at.host, port: (server.address() as AddressInfo).port })
        })
      }),
    untilUnused: (quietMs, mostMs) => untilUnused(server, quietMs, mostMs),
    stop: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      await (await loading)?.stop()
      await closed
    },
  }
}
