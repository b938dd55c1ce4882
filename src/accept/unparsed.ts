// What no request object answers: bytes that are not HTTP, a header without an end, CONNECT. The same sentences in the same
// form as all other answers, written to the connection itself, which then ends.
import type { Socket } from 'node:net'
import { errorCode, Refusal } from '../errors.ts'
import { statusBody } from '../otlp/answer.ts'

/** By the codes of node:http and its parser; what is not here is no HTTP/1.1. */
const REFUSALS: Record<string, Refusal> = {
  HPE_HEADER_OVERFLOW: new Refusal(431, 'The header is too large. Send fewer or shorter header fields.'),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: new Refusal(413, 'The chunk extensions are too large. Send chunks without extensions.'),
  ERR_HTTP_REQUEST_TIMEOUT: new Refusal(408, 'The request did not come to its end in time.'),
  HPE_PAUSED_H2_UPGRADE: new Refusal(400, 'This port speaks OTLP over HTTP/1.1. Send OTLP over gRPC to the other port.'),
}
const NOT_HTTP = new Refusal(400, 'This is not an HTTP/1.1 request. Send OTLP over HTTP/1.1, without TLS.')
const REASONS: Record<number, string> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  431: 'Request Header Fields Too Large',
}
/** Codes of google.rpc.Code. */
const CODES: Record<number, number> = { 400: 3, 405: 12, 408: 4, 413: 8, 431: 8 }
/** A connection that ends while bytes arrive is reset, and its answer may be lost: what still comes is thrown away. */
const LINGER_MS = 1_000

export const refusalOf = (error: unknown): Refusal => REFUSALS[errorCode(error)] ?? NOT_HTTP

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
export function endSoon(socket: Socket, last = ''): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const over = (): void => void socket.destroy()
  const timer = setTimeout(over, LINGER_MS).unref()
  socket.once('close', () => clearTimeout(timer))
  socket.once('end', over)
  socket.end(last, () => {
    if (socket.readableEnded) over()
  })
  socket.resume()
}
