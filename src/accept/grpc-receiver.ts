// Listens for OTLP over gRPC. Most applications send over HTTP/1.1, and Node's HTTP/2 takes 3 MB
// with its TLS. So HTTP/2 is loaded for the first client that speaks it. Until then a connection is
// a bare socket.
import { createServer, type Server, type Socket } from 'node:net'
import { ConnectionLimiter } from '../net/connection-limiter.ts'
import { listen } from '../net/listen.ts'
import { errorCode, Refusal } from '../support/errors.ts'
import type { ListenAddress } from '../support/setting-parsers.ts'
import { untilDisconnected } from './disconnected.ts'
import type { GrpcCalls } from './grpc-calls.ts'
import type { ReceiverOptions } from './http-receiver.ts'
import { answerRaw } from './raw-response.ts'

const MAX_CONNECTIONS = 256
/** For a client that connects and sends nothing. */
const SILENT_MS = 60_000
/** The first bytes of every HTTP/2 connection (RFC 9113 3.4). */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const OTHER_PORT = new Refusal(
  400,
  'This port accepts OTLP over gRPC. Send OTLP over HTTP/1.1 to the HTTP port.',
)

export class GrpcReceiver {
  readonly #options: Omit<ReceiverOptions, 'maxJsonBody'>
  readonly #limiter = new ConnectionLimiter<Socket>(MAX_CONNECTIONS)
  readonly #server: Server
  /** Connections that have sent nothing yet. */
  readonly #silent = new Set<Socket>()
  #loading: Promise<GrpcCalls> | undefined
  #isOpen = true

  constructor(options: Omit<ReceiverOptions, 'maxJsonBody'>) {
    this.#options = options
    this.#server = createServer((socket) => this.#add(socket))
  }

  start(): Promise<ListenAddress> {
    return listen(this.#server, this.#options.listen)
  }

  /** Waits until no application has been connected for `quietMs`, at most `limitMs`. */
  untilDisconnected(quietMs: number, limitMs: number): Promise<void> {
    return untilDisconnected(this.#server, quietMs, limitMs)
  }

  async stop(): Promise<void> {
    this.#isOpen = false
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    for (const socket of this.#silent) socket.destroy()
    await (await this.#loading)?.stop()
    await closed
  }

  #add(socket: Socket): void {
    socket.on('error', () => undefined)
    if (!this.#limiter.add(socket)) return
    this.#silent.add(socket)
    socket.once('close', () => {
      this.#limiter.remove(socket)
      this.#silent.delete(socket)
    })
    socket.setTimeout(SILENT_MS, () => socket.destroy())
    socket.on('readable', () => this.#readPreface(socket))
  }

  #readPreface(socket: Socket): void {
    const first = socket.read() as Buffer | null
    if (first === null) return
    this.#silent.delete(socket)
    socket.setTimeout(0)
    socket.removeAllListeners('readable')
    if (
      first.equals(PREFACE.subarray(0, first.length)) ||
      first.subarray(0, PREFACE.length).equals(PREFACE)
    ) {
      socket.unshift(first)
      void this.#serve(socket)
      return
    }
    this.#options.counters.add('requests.refused.400')
    answerRaw(socket, OTHER_PORT)
  }

  async #serve(socket: Socket): Promise<void> {
    try {
      this.#loading ??= this.#load()
      const calls = await this.#loading
      if (this.#isOpen && !socket.destroyed) calls.serve(socket)
      else socket.destroy()
    } catch (error) {
      this.#options.log.error('accept: cannot serve gRPC', { code: errorCode(error) })
      socket.destroy()
    }
  }

  async #load(): Promise<GrpcCalls> {
    const { GrpcCalls } = await import('./grpc-calls.ts')
    return new GrpcCalls(this.#options, this.#limiter)
  }
}
