// The connections of an HTTP server: no more than it bears (`crowd.ts`), and few requests on each
// that wait for an answer. node:http reads on while a request is answered, so a client that
// pipelines could otherwise have thousands of them wait in memory; none of our clients pipelines.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { Crowd } from './connection-limiter.ts'

/** Requests of one connection that are not answered. */
const MAX_UNANSWERED = 32
/** Requests of all connections that wait behind another one on theirs: 4 KiB each. */
const MAX_BEHIND = 1024

/** What is unanswered on one connection. */
interface Line {
  count: number
  last: { request: IncomingMessage; response: ServerResponse } | undefined
}

export interface Connections {
  /** False: too many requests, the connection has been ended. */
  begin(request: IncomingMessage, response: ServerResponse): boolean
  /** The body is there; its connection stays until `answered`. */
  whole(request: IncomingMessage): void
  answered(request: IncomingMessage): void
  /**
   * Where the next bytes of a connection belong: to a request that has not begun, to one that is
   * not whole, to one that has its answer, or behind others, so that an answer to them would be
   * taken for theirs.
   */
  place(socket: Socket): 'new' | 'within' | 'answered' | 'behind'
}

export function watchConnections(server: Server, max: number): Connections {
  const crowd = new Crowd<Socket>(max)
  const lines = new Map<Socket, Line>()
  let behind = 0

  server.on('connection', (socket: Socket) => {
    if (!crowd.enter(socket)) return
    const line: Line = { count: 0, last: undefined }
    lines.set(socket, line)
    socket.once('close', () => {
      crowd.leave(socket)
      lines.delete(socket)
      behind -= Math.max(0, line.count - 1)
    })
  })

  return {
    begin: (request, response) => {
      const { socket } = request
      const line = lines.get(socket)
      if (line === undefined) return false
      if (line.count > 0) behind++
      line.count++
      line.last = { request, response }
      // promise: pipelined-requests-bounded
      if (line.count > MAX_UNANSWERED || behind > MAX_BEHIND) {
        stopParsing(socket)
        socket.destroy()
        return false
      }
      crowd.stir(socket)
      response.once('close', () => {
        if (!lines.has(socket)) return
        line.count--
        if (line.count > 0) behind--
        else line.last = undefined
      })
      return true
    },
    whole: ({ socket }) => crowd.busy(socket),
    answered: ({ socket }) => crowd.answered(socket),
    place: (socket) => {
      const { count, last } = lines.get(socket) ?? { count: 0, last: undefined }
      if (count === 0 || last === undefined) return 'new'
      if (count > 1) return 'behind'
      if (last.response.headersSent) return 'answered'
      return last.request.complete ? 'behind' : 'within'
    },
  }
}

/**
 * What was read of the connection may hold two thousand requests more, and node:http makes objects
 * of all of them before it looks at anything else. To its parser 2 means: what follows is not HTTP.
 * There is no documented way; a test counts.
 */
function stopParsing(socket: Socket): void {
  const { parser } = socket as Socket & { parser?: { onIncoming: () => number } | null }
  if (parser) parser.onIncoming = () => 2
}
