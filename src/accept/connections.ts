// The connections of an HTTP server: no more than a door bears (`crowd.ts`), few requests on each that wait for an answer,
// and a sentence of ours for whatever is no request. node:http reads on while a request is answered, so a client that
// pipelines could otherwise have thousands of them wait in memory; OTLP clients do not pipeline.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Counters } from '../counters.ts'
import { Refusal } from '../errors.ts'
import { Crowd } from './crowd.ts'
import { answerUnparsed, endSoon, refusalOf } from './unparsed.ts'

const MAX_CONNECTIONS = 1024
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
}

export function watchConnections(server: Server, counters: Counters): Connections {
  const crowd = new Crowd<Socket>(MAX_CONNECTIONS)
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

  /** What came cannot be read any further. An answer is given only where it is clear what it belongs to. */
  server.on('clientError', (error: unknown, socket: Socket) => {
    const { count = 0, last } = lines.get(socket) ?? {}
    if (socket.writableEnded) return
    if (count === 1 && last?.response.headersSent === true) endSoon(socket)
    else if (count > 1 || last?.request.complete === true) socket.destroy()
    else {
      const refusal = refusalOf(error)
      // One that has begun is counted where its body is read.
      if (count === 0) counters.add(`requests.refused.${refusal.status}`)
      answerUnparsed(socket, refusal)
    }
  })
  server.on('connect', (_request, socket: Socket) => {
    counters.add('requests.refused.405')
    answerUnparsed(socket, new Refusal(405, 'Send traces with POST.'))
  })

  return {
    begin: (request, response) => {
      const { socket } = request
      const line = lines.get(socket)
      if (line === undefined) return false
      if (line.count > 0) behind++
      line.count++
      line.last = { request, response }
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
  }
}

/**
 * What was read of the connection may hold two thousand requests more, and node:http makes objects of all of them before it
 * looks at anything else. To its parser 2 means: what follows is not HTTP. There is no documented way; a test counts.
 */
function stopParsing(socket: Socket): void {
  const { parser } = socket as Socket & { parser?: { onIncoming: () => number } | null }
  if (parser) parser.onIncoming = () => 2
}
