// The second door in: OTLP over gRPC (https://opentelemetry.io/docs/specs/otlp/#otlpgrpc), the unary Export of the trace
// service over HTTP/2 without TLS on loopback. The wire is that of
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md; limits, budget and answers are those of `accept.ts`.
import { constants, createServer, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { Socket } from 'node:net'
import { Refusal } from '../errors.ts'
import { release } from '../memory.ts'
import { retryDetails, successBody } from '../otlp/answer.ts'
import { type AcceptOptions, bug, type Handled } from './accept.ts'
import { readBody } from './body.ts'
import type { Share } from './budget.ts'
import { createInflate } from './inflate.ts'

const SERVICE = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
/** Applications that export everything: taken, discarded and counted, as a policy has no words for them. */
const DISCARDED = /^\/opentelemetry\.proto\.collector\.(metrics|logs)\.v1\.(Metrics|Logs)Service\/Export$/
/** google.rpc.Code for an HTTP status; 415 is a compression that we do not have. */
const CODES: Record<number, number> = { 400: 3, 404: 12, 408: 4, 413: 8, 415: 12, 503: 14 }
const DEADLINE_EXCEEDED = 4
const INTERNAL = 13
/** Compressed flag and length of a message. */
const FRAME_HEAD = 5
const MAX_STREAMS = 100
const MAX_HEADER_BYTES = 16 * 1024
/** Of one stream; larger than HTTP/2's 64 KiB, so that a batch does not wait for a round trip. */
const WINDOW_BYTES = 256 * 1024
const IDLE_MS = 300_000
const CLOSE_GRACE_MS = 5_000
const DRAIN_MS = 10_000
/** Streams that a client may open and reset at once and per second (rapid reset, CVE-2023-44487); then GOAWAY. */
const RESETS = { streamResetBurst: 200, streamResetRate: 20 }
const UNIT_MS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000_001 }

export interface Grpc {
  /** Takes over a connection that was accepted. */
  serve(socket: Socket): void
  /** GOAWAY: calls that are being answered finish, no new ones come; after a while what is left is cut. */
  stop(): Promise<void>
}

export function createGrpc(options: Omit<AcceptOptions, 'listen' | 'maxJsonBody'>): Grpc {
  const { counters, log, budget } = options
  const inflate = createInflate()
  const sessions = new Set<ServerHttp2Session>()

  const takeIn = async (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, share: Share, began: number): Promise<Handled> => {
    const body = await readBody(stream, undefined, options.maxBody + FRAME_HEAD, share)
    const { message, encoding } = messageOf(body, String(headers['grpc-encoding'] ?? 'identity'), options.maxBody)
    const plain = encoding === 'gzip' ? await inflate(message, options.maxBody, share) : message
    try {
      // Only the part before its first await reads the message.
      return options.handle(plain, began)
    } finally {
      release(plain)
    }
  }

  const answer = async (stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Promise<void> => {
    const began = performance.now()
    stream.on('error', () => undefined)
    const share = budget.share()
    const timer = deadline(stream, headers)
    try {
      checkTarget(headers)
      if (DISCARDED.test(String(headers[':path']))) {
        stream.resume()
        counters.add('requests.discarded')
        succeed(stream, Buffer.alloc(0))
        return
      }
      const { rejected, message } = await takeIn(stream, headers, share, began)
      counters.add('requests.accepted')
      succeed(stream, successBody('protobuf', rejected, message))
    } catch (error) {
      const refusal = error instanceof Refusal ? error : bug(error, log)
      counters.add(`requests.refused.${refusal.status}`)
      fail(stream, CODES[refusal.status] ?? INTERNAL, refusal.message, refusal.retryAfterSeconds)
    } finally {
      clearTimeout(timer)
      share.release()
    }
  }

  const server = createServer({
    settings: { maxConcurrentStreams: MAX_STREAMS, initialWindowSize: WINDOW_BYTES, maxHeaderListSize: MAX_HEADER_BYTES },
    maxHeaderListPairs: 64,
    ...RESETS,
  })
  server.on('session', (session) => {
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
    session.on('error', () => undefined)
    session.setTimeout(IDLE_MS, () => session.close())
  })
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => void answer(stream, headers))
  return { serve: (socket) => void server.emit('connection', socket), stop: () => stop(sessions) }
}

function checkTarget(headers: IncomingHttpHeaders): void {
  const path = String(headers[':path'])
  if (headers[':method'] !== 'POST' || !/^application\/grpc(\+proto|;|$)/.test(String(headers['content-type'])))
    throw new Refusal(415, 'This port speaks OTLP over gRPC. Send OTLP over HTTP to the other port.')
  if (path !== SERVICE && !DISCARDED.test(path)) throw new Refusal(404, 'There is no such method here. Export traces.')
}

/** The one message of a unary call, as it was sent. */
function messageOf(body: Uint8Array, encoding: string, maxBytes: number): { message: Uint8Array; encoding: 'none' | 'gzip' } {
  const length = body.length < FRAME_HEAD ? -1 : new DataView(body.buffer, body.byteOffset).getUint32(1)
  if (length > maxBytes)
    throw new Refusal(413, `The message is larger than ${maxBytes} bytes. Send smaller batches, or raise USAGE_MAX_BODY.`)
  if (length !== body.length - FRAME_HEAD) throw new Refusal(400, 'The call does not hold exactly one whole message.')
  const message = body.subarray(FRAME_HEAD)
  const compressed = body[0]
  if (compressed === 0) return { message, encoding: 'none' }
  if (compressed !== 1 || encoding === 'identity') throw new Refusal(400, 'The message has an unknown compressed flag.')
  if (encoding !== 'gzip') throw new Refusal(415, 'Send grpc-encoding gzip, or none.')
  return { message, encoding }
}

/** Ends the call when the client has stopped waiting for it; `undefined` where it sets no time. */
function deadline(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): NodeJS.Timeout | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(String(headers['grpc-timeout'] ?? ''))
  if (match === null) return undefined
  const ms = Math.min(Number(match[1]) * UNIT_MS[match[2]!]!, 2 ** 31 - 1)
  return setTimeout(() => fail(stream, DEADLINE_EXCEEDED, 'The deadline of the call has passed.', undefined), ms).unref()
}

const HEAD = { ':status': 200, 'content-type': 'application/grpc', 'grpc-accept-encoding': 'identity,gzip' }

function succeed(stream: ServerHttp2Stream, message: Buffer): void {
  if (stream.destroyed || stream.headersSent) return
  stream.respond(HEAD, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  const head = Buffer.alloc(FRAME_HEAD)
  head.writeUInt32BE(message.length, 1)
  stream.end(Buffer.concat([head, message]))
}

/** "Trailers-Only": an error without a message is the head alone. */
function fail(stream: ServerHttp2Stream, code: number, message: string, retryAfterSeconds: number | undefined): void {
  if (stream.destroyed || stream.headersSent) return
  const details =
    retryAfterSeconds === undefined ? {} : { 'grpc-status-details-bin': retryDetails(code, message, retryAfterSeconds).toString('base64') }
  stream.respond({ ...HEAD, 'grpc-status': String(code), 'grpc-message': percentEncoded(message), ...details }, { endStream: true })
  // The rest of the request is read and thrown away, so that the client can read the answer; not for ever.
  stream.resume()
  const timer = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), DRAIN_MS)
  stream.once('close', () => clearTimeout(timer))
}

/** "Percent-Byte-Unencoded": printable ASCII but for the percent sign. */
const percentEncoded = (message: string): string => message.replace(/[^\x20-\x24\x26-\x7e]/gu, (character) => encodeURIComponent(character))

async function stop(sessions: ReadonlySet<ServerHttp2Session>): Promise<void> {
  const closed = [...sessions].map((session) => new Promise<void>((resolve) => session.once('close', () => resolve())))
  const timer = setTimeout(() => {
    for (const session of sessions) session.destroy()
  }, CLOSE_GRACE_MS)
  for (const session of sessions) session.close()
  await Promise.all(closed)
  clearTimeout(timer)
}
