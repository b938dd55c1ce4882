// Answers input that never becomes a request object: bytes that are not HTTP, a header without an
// end, CONNECT. The answer has the form of all others, is written to the connection itself, and
// ends it.
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { HttpConnections } from '../net/http-connections.ts'
import { rpcCodeOf } from '../net/rpc-codes.ts'
import { statusBody } from '../otlp/answer.ts'
import type { Counters } from '../support/counters.ts'
import { errorCode, Refusal } from '../support/errors.ts'

/** By the error codes of node:http and its parser. Any other error means: not HTTP/1.1. */
const REFUSALS: Record<string, Refusal> = {
  HPE_HEADER_OVERFLOW: new Refusal(
    431,
    'The header is too large. Send fewer or shorter header fields.',
  ),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: new Refusal(
    413,
    'The chunk extensions are too large. Send chunks without extensions.',
  ),
  ERR_HTTP_REQUEST_TIMEOUT: new Refusal(408, 'The request did not arrive in time.'),
  HPE_PAUSED_H2_UPGRADE: new Refusal(
    400,
    'This port accepts OTLP over HTTP/1.1. Send OTLP over gRPC to the gRPC port.',
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
/**
 * A connection that ends while bytes arrive is reset, and the answer may be lost. For this long the
 * rest is read and discarded.
 */
const LINGER_MS = 1_000

/** Answers unreadable input if it is clear which request the answer belongs to. */
export function answerUnreadable(
  server: Server,
  connections: HttpConnections,
  counters: Counters,
): void {
  server.on('clientError', (error: unknown, socket: Socket) => {
    if (socket.writableEnded) return
    const position = connections.position(socket)
    const refusal = REFUSALS[errorCode(error)] ?? NOT_HTTP
    // The reader of the body counts a request that has begun.
    if (position === 'new') counters.add(`requests.refused.${refusal.status}`)
    if (position === 'answered') endSoon(socket)
    else if (position === 'behind') socket.destroy()
    else answerRaw(socket, refusal)
  })
  server.on('connect', (_request, socket: Socket) => {
    counters.add('requests.refused.405')
    answerRaw(socket, new Refusal(405, 'Send traces with POST.'))
  })
}

/** Answers and ends the connection. */
export function answerRaw(socket: Socket, { status, message }: Refusal): void {
  const body = statusBody('json', rpcCodeOf(status), message)
  const head = [
    `HTTP/1.1 ${status} ${REASONS[status]}`,
    ...(status === 405 ? ['allow: POST'] : []),
    'connection: close',
    'content-type: application/json',
    `content-length: ${body.length}`,
  ]
  endSoon(socket, `${head.join('\r\n')}\r\n\r\n${body.toString()}`)
}

/** Ends the connection once everything, and `last`, is written. */
function endSoon(socket: Socket, last = ''): void {
  // After CONNECT, node:http removes its own listener. Without this one, an error ends the process.
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
