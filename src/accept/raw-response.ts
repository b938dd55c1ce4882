// What no request object answers: bytes that are not HTTP, a header without an end, CONNECT. The
// same sentences in the same form as all other answers, written to the connection itself, which
// then ends.
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { Connections } from '../net/http-connections.ts'
import { statusBody } from '../otlp/answer.ts'
import type { Counters } from '../support/counters.ts'
import { errorCode, Refusal } from '../support/errors.ts'

/** By the codes of node:http and its parser; what is not here is no HTTP/1.1. */
const REFUSALS: Record<string, Refusal> = {
  HPE_HEADER_OVERFLOW: new Refusal(
    431,
    'The header is too large. Send fewer or shorter header fields.',
  ),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: new Refusal(
    413,
    'The chunk extensions are too large. Send chunks without extensions.',
  ),
  ERR_HTTP_REQUEST_TIMEOUT: new Refusal(408, 'The request did not come to its end in time.'),
  HPE_PAUSED_H2_UPGRADE: new Refusal(
    400,
    'This port speaks OTLP over HTTP/1.1. Send OTLP over gRPC to the other port.',
  ),
}
const NOT_HTTP = new Refusal(
  400,
  'This is not an HTTP/1.1 request. Send OTLP over HTTP/1.1, without TLS.',
)
const REASONS: Record<number, string> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
}
/** Codes of google.rpc.Code. */
const CODES: Record<number, number> = { 400: 3, 405: 12, 408: 4, 413: 8, 431: 8 }
/**
 * A connection that ends while bytes arrive is reset, and its answer may be lost: what still comes
 * is thrown away.
 */
const LINGER_MS = 1_000

/** Answers what cannot be read any further, where it is clear what the answer belongs to. */
export function answerUnreadable(
  server: Server,
  connections: Connections,
  counters: Counters,
): void {
  server.on('clientError', (error: unknown, socket: Socket) => {
    if (socket.writableEnded) return
    const place = connections.place(socket)
    const refusal = REFUSALS[errorCode(error)] ?? NOT_HTTP
    // One that has begun is counted where its body is read.
    if (place === 'new') counters.add(`requests.refused.${refusal.status}`)
    if (place === 'answered') endSoon(socket)
    else if (place === 'behind') socket.destroy()
    else answerUnparsed(socket, refusal)
  })
  server.on('connect', (_request, socket: Socket) => {
    counters.add('requests.refused.405')
    answerUnparsed(socket, new Refusal(405, 'Send traces with POST.'))
  })
}

/** Answers and ends the connection. */
export function answerUnparsed(socket: Socket, { status, message }: Refusal): void {
  const body = statusBody('json', CODES[status]!, message)
  const head = [
    `HTTP/1.1 ${status} ${REASONS[status]}`,
    ...(status === 405 ? ['allow: POST'] : []),
    'connection: close',
    'content-type: application/json',
    `content-length: ${body.length}`,
  ]
  endSoon(socket, `${head.join('\r\n')}\r\n\r\n${body.toString()}`)
}

/** Ends the connection when what was written, and `last`, has gone. */
function endSoon(socket: Socket, last = ''): void {
  // Of a connection that asks to connect, node:http takes its own listener away: an error would end
  // the process.
  socket.on('error', () => undefined)
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref()
  socket.once('close', () => clearTimeout(timer))
  socket.end(last)
  socket.resume()
}
