// Listens for OTLP over gRPC, and loads HTTP/2 (and the TLS that Node's brings along, 3 MB of every
// sidecar's memory) when the first client speaks it: most applications send over HTTP/1.1. Until
// then a connection is a bare socket.
import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import { Crowd } from '../net/connection-limiter.ts'
import { errorCode, Refusal } from '../support/errors.ts'
import type { ListenAddress } from '../support/setting-parsers.ts'
import type { AcceptOptions } from './accept.ts'
import { untilUnused } from './drain-body.ts'
import type { Grpc } from './grpc.ts'
import { answerUnparsed } from './raw-response.ts'

const MAX_CONNECTIONS = 256
/** A client that connects and says nothing. */
const SILENT_MS = 60_000
/** How every HTTP/2 connection begins (RFC 9113 3.4). */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const OTHER_PORT = new Refusal(
  400,
  'This port speaks OTLP over gRPC. Send OTLP over HTTP/1.1 to the other port.',
)

export interface GrpcDoor {
  start(): Promise<ListenAddress>
  /** Goes on until nobody has been connected for `quietMs`, `mostMs` at most. */
  untilUnused(quietMs: number, mostMs: number): Promise<void>
  stop(): Promise<void>
}

export function createGrpcDoor(options: Omit<AcceptOptions, 'maxJsonBody'>): GrpcDoor {
  const { listen: at, log, counters } = options
  const crowd = new Crowd<Socket>(MAX_CONNECTIONS)
  /** Those that have said nothing yet. */
  const silent = new Set<Socket>()
  let loading: Promise<Grpc> | undefined
  let isOpen = true

  const serve = async (socket: Socket): Promise<void> => {
    try {
      loading ??= import('./grpc.ts').then(({ createGrpc }) => createGrpc(options, crowd))
      const grpc = await loading
      if (isOpen && !socket.destroyed) grpc.serve(socket)
      else socket.destroy()
    } catch (error) {
      log.error('accept: gRPC cannot be served', { code: errorCode(error) })
      socket.destroy()
    }
  }

  const listenTo = (socket: Socket): void => {
    const first = socket.read() as Buffer | null
    if (first === null) return
    silent.delete(socket)
    socket.setTimeout(0)
    socket.removeAllListeners('readable')
    if (
      first.equals(PREFACE.subarray(0, first.length)) ||
      first.subarray(0, PREFACE.length).equals(PREFACE)
    ) {
      socket.unshift(first)
      void serve(socket)
      return
    }
    counters.add('requests.refused.400')
    answerUnparsed(socket, OTHER_PORT)
  }

  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    if (!crowd.enter(socket)) return
    silent.add(socket)
    socket.once('close', () => {
      crowd.leave(socket)
      silent.delete(socket)
    })
    socket.setTimeout(SILENT_MS, () => socket.destroy())
    socket.on('readable', () => listenTo(socket))
  })
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
      isOpen = false
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const socket of silent) socket.destroy()
      await (await loading)?.stop()
      await closed
    },
  }
}
