// The connections of an HTTP server: a limited number, and few unanswered requests on each.
// node:http reads on while it answers, so a client that pipelines could keep thousands of requests
// in memory. No OTLP client is known to pipeline.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { ConnectionLimiter } from './connection-limiter.ts'

/** Unanswered requests of one connection. */
const MAX_UNANSWERED = 32
/** Requests of all connections that wait for an earlier one on theirs; each takes 4 KiB. */
const MAX_PIPELINED = 1024

/** The unanswered requests of one connection. */
interface Unanswered {
  count: number
  last: { request: IncomingMessage; response: ServerResponse } | undefined
}

export class HttpConnections {
  readonly #limiter: ConnectionLimiter<Socket>
  readonly #unanswered = new Map<Socket, Unanswered>()
  #pipelined = 0

  constructor(server: Server, limit: number) {
    this.#limiter = new ConnectionLimiter<Socket>(limit)
    server.on('connection', (socket: Socket) => this.#add(socket))
  }

  #add(socket: Socket): void {
    if (!this.#limiter.add(socket)) return
    const unanswered: Unanswered = { count: 0, last: undefined }
    this.#unanswered.set(socket, unanswered)
    socket.once('close', () => {
      this.#limiter.remove(socket)
      this.#unanswered.delete(socket)
      this.#pipelined -= Math.max(0, unanswered.count - 1)
    })
  }

  /** False: the client has too many unanswered requests, and its connection is closed. */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    const { socket } = request
    const unanswered = this.#unanswered.get(socket)
    if (unanswered === undefined) return false
    if (unanswered.count > 0) this.#pipelined++
    unanswered.count++
    unanswered.last = { request, response }
    // promise: pipelined-requests-bounded
    if (unanswered.count > MAX_UNANSWERED || this.#pipelined > MAX_PIPELINED) {
      stopParsing(socket)
      socket.destroy()
      return false
    }
    this.#limiter.touch(socket)
    response.once('close', () => {
      if (!this.#unanswered.has(socket)) return
      unanswered.count--
      if (unanswered.count > 0) this.#pipelined--
      else unanswered.last = undefined
    })
    return true
  }

  /** The request is complete: its connection stays until `endAnswer`. */
  beginAnswer({ socket }: IncomingMessage): void {
    this.#limiter.beginAnswer(socket)
  }

  endAnswer({ socket }: IncomingMessage): void {
    this.#limiter.endAnswer(socket)
  }

  /**
   * What the next bytes of a connection belong to: a new request, a request that is not complete,
   * or one that has its answer. `behind`: an answer to them would be taken for the answer to an
   * earlier request.
   */
  position(socket: Socket): 'new' | 'within' | 'answered' | 'behind' {
    const { count, last } = this.#unanswered.get(socket) ?? { count: 0, last: undefined }
    if (count === 0 || last === undefined) return 'new'
    if (count > 1) return 'behind'
    if (last.response.headersSent) return 'answered'
    return last.request.complete ? 'behind' : 'within'
  }
}

/**
 * The bytes already read may contain two thousand more requests, and node:http makes objects of all
 * of them first. To its parser, 2 means that no HTTP follows. There is no documented way to say so;
 * a test counts the requests.
 */
function stopParsing(socket: Socket): void {
  const { parser } = socket as Socket & { parser?: { onIncoming: () => number } | null }
  if (parser) parser.onIncoming = () => 2
}
