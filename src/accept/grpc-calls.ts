// Receives OTLP over gRPC (https://opentelemetry.io/docs/specs/otlp/#otlpgrpc): the unary call
// TraceService/Export over HTTP/2, without TLS on loopback. The wire format is
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md. Limits, budget and answers are
// those of `http-receiver.ts`.
import {
  constants,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'
import type { ConnectionLimiter } from '../net/connection-limiter.ts'
import { CLOSE_GRACE_MS } from '../net/listen.ts'
import { RPC, rpcCodeOf } from '../net/rpc-codes.ts'
import { type ExportResult, statusDetails, successBody } from '../otlp/answer.ts'
import { Refusal, retryLater } from '../support/errors.ts'
import { release } from '../support/memory.ts'
import { drain, readBody } from './body.ts'
import type { Share } from './budget.ts'
import { deadlineOf, messageOf, PREFIX_BYTES, percentEncoded, withPrefix } from './grpc-message.ts'
import { internalError, type ReceiverOptions } from './http-receiver.ts'
import { createInflate } from './inflate.ts'

const SERVICE = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
/** Discarded and counted: a policy has no words for metrics and logs. */
const DISCARDED =
  /^\/opentelemetry\.proto\.collector\.(metrics|logs)\.v1\.(Metrics|Logs)Service\/Export$/
const TOO_LATE = new Refusal(408, 'The deadline of the call has passed.')
/**
 * "gRPC servers SHOULD respond with HTTP status of 415". All other answers have HTTP status 200.
 */
const NOT_GRPC = new Refusal(
  415,
  'This port accepts OTLP over gRPC. Send OTLP over HTTP/1.1 to the HTTP port.',
)
const TOO_MANY = retryLater('Too many calls are open at once. Send the same request later.', 1)
/** Calls of one connection; RFC 9113 6.5.2 asks for no fewer. */
const MAX_STREAMS = 100
/**
 * Unfinished calls of all connections, 20 KiB each. A client that does not read its answer leaves
 * its call unfinished.
 */
const MAX_CALLS = 512
const MAX_HEADER_BYTES = 8 * 1024
/**
 * For one stream, and for one connection. It is larger than HTTP/2's 64 KiB, so that a batch does
 * not wait for a round trip.
 */
const WINDOW_BYTES = 256 * 1024
const IDLE_MS = 300_000
/** For the whole call of a client that sends metrics or logs. */
const DISCARD_MS = 30_000
/** For reading the answer: a client may keep its window shut. */
const ANSWER_MS = 10_000
const REFUSED_MS = 1_000
const SESSION = {
  settings: {
    maxConcurrentStreams: MAX_STREAMS,
    initialWindowSize: WINDOW_BYTES,
    maxHeaderListSize: MAX_HEADER_BYTES,
  },
  maxHeaderListPairs: 64,
  // Streams that a client may open and reset, at once and each second; more of them end the
  // connection (rapid reset, CVE-2023-44487).
  streamResetBurst: 30,
  streamResetRate: 10,
}

/** A call that is being answered. */
interface Call {
  readonly socket: Socket
  readonly stream: ServerHttp2Stream
  readonly headers: IncomingHttpHeaders
  /** performance.now() */
  readonly began: number
  isComplete: boolean
}

export class GrpcCalls {
  readonly #options: Omit<ReceiverOptions, 'listen' | 'maxJsonBody'>
  readonly #limiter: ConnectionLimiter<Socket>
  readonly #inflate = createInflate()
  readonly #sessions = new Set<ServerHttp2Session>()
  #open = 0

  /** `limiter` has the connections that `serve` gets. */
  constructor(
    options: Omit<ReceiverOptions, 'listen' | 'maxJsonBody'>,
    limiter: ConnectionLimiter<Socket>,
  ) {
    this.#options = options
    this.#limiter = limiter
  }

  /** Serves a connection from its first byte. */
  serve(socket: Socket): void {
    const session = performServerHandshake(socket, SESSION)
    this.#sessions.add(session)
    session.on('close', () => this.#sessions.delete(session))
    session.on('error', () => undefined)
    session.on('stream', (stream, headers) => {
      this.#begin(socket, stream as ServerHttp2Stream, headers)
    })
    session.setTimeout(IDLE_MS, () => session.close())
    session.setLocalWindowSize(WINDOW_BYTES)
    // After GOAWAY, node:http2 waits for unfinished calls and does not notice that the client has
    // disconnected.
    session.once('goaway', () => setTimeout(() => session.destroy(), CLOSE_GRACE_MS).unref())
  }

  /** Sends GOAWAY and lets unfinished calls finish. After a while it closes all connections. */
  async stop(): Promise<void> {
    const closed = [...this.#sessions].map(
      (session) => new Promise<void>((resolve) => session.once('close', () => resolve())),
    )
    const timer = setTimeout(() => {
      for (const session of this.#sessions) session.destroy()
    }, CLOSE_GRACE_MS)
    for (const session of this.#sessions) session.close()
    await Promise.all(closed)
    clearTimeout(timer)
  }

  #begin(socket: Socket, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    this.#open++
    stream.once('close', () => this.#open--)
    stream.on('error', () => undefined)
    this.#limiter.touch(socket)
    void this.#answer({ socket, stream, headers, began: performance.now(), isComplete: false })
  }

  async #answer(call: Call): Promise<void> {
    const { stream, headers, socket } = call
    const { counters, budget, log } = this.#options
    const share = budget.share()
    const timer = failAtDeadline(stream, headers)
    try {
      // The longest idle connection is closed. If no other one is idle, this call is refused.
      // promise: calls-bounded
      if (this.#open > MAX_CALLS && !this.#limiter.evictOldest(socket)) throw TOO_MANY
      checkTarget(headers)
      if (DISCARDED.test(String(headers[':path']))) {
        await discard(stream)
        counters.add('requests.discarded')
        succeed(stream, Buffer.alloc(0))
        return
      }
      const { rejected, message } = await this.#receive(call, share)
      counters.add('requests.accepted')
      succeed(stream, successBody('protobuf', rejected, message))
    } catch (error) {
      // promise: grpc-error-without-text
      const refusal = error instanceof Refusal ? error : internalError(error, log)
      counters.add(`requests.refused.${refusal.status}`)
      fail(stream, refusal)
    } finally {
      clearTimeout(timer)
      share.release()
      if (call.isComplete) this.#limiter.endAnswer(socket)
    }
  }

  async #receive(call: Call, share: Share): Promise<ExportResult> {
    const { stream, headers, socket, began } = call
    const { maxBody, handle } = this.#options
    const body = await readBody(stream, undefined, maxBody + PREFIX_BYTES, share)
    this.#limiter.beginAnswer(socket)
    call.isComplete = true
    const coding = String(headers['grpc-encoding'] ?? 'identity')
    const { message, isGzip } = messageOf(body, coding, maxBody)
    const plain = isGzip ? await this.#inflate(message, maxBody, share) : message
    try {
      // `handle` reads the message only before its first await.
      return handle(plain, began)
    } finally {
      release(plain)
    }
  }
}

/** Reads the whole call and keeps nothing. A client may take an earlier answer for an error. */
function discard(stream: ServerHttp2Stream): Promise<void> {
  closeAfter(stream, DISCARD_MS)
  drain(stream)
  return new Promise((resolve) => {
    stream.once('end', resolve)
    stream.once('close', resolve)
  })
}

/** Closes a stream that is still open after `ms`. */
function closeAfter(
  stream: ServerHttp2Stream,
  ms: number,
  code: number = constants.NGHTTP2_CANCEL,
): void {
  const timer = setTimeout(() => stream.close(code), ms).unref()
  stream.once('close', () => clearTimeout(timer))
}

function checkTarget(headers: IncomingHttpHeaders): void {
  const path = String(headers[':path'])
  if (
    headers[':method'] !== 'POST' ||
    !/^application\/grpc(\+proto|;|$)/.test(String(headers['content-type']))
  )
    throw NOT_GRPC
  if (path !== SERVICE && !DISCARDED.test(path))
    throw new Refusal(404, 'The method is unknown. Call TraceService/Export.')
}

/** Fails the call when the client's deadline passes; `undefined` if it set none. */
function failAtDeadline(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
): NodeJS.Timeout | undefined {
  const ms = deadlineOf(String(headers['grpc-timeout'] ?? ''))
  // promise: call-deadline
  return ms === undefined ? undefined : setTimeout(() => fail(stream, TOO_LATE), ms).unref()
}

/** The stream has its answer, or the client has reset it and `respond` would throw. */
const isDone = (stream: ServerHttp2Stream): boolean =>
  stream.destroyed || stream.closed || stream.headersSent

const HEAD = {
  ':status': 200,
  'content-type': 'application/grpc',
  'grpc-accept-encoding': 'identity,gzip',
}

function succeed(stream: ServerHttp2Stream, message: Buffer): void {
  if (isDone(stream)) return
  closeAfter(stream, ANSWER_MS)
  stream.respond(HEAD, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.end(withPrefix(message))
}

/** "Trailers-Only": an error has headers and no message. */
function fail(stream: ServerHttp2Stream, refusal: Refusal): void {
  if (isDone(stream)) return
  const { status, message, retryAfterSeconds } = refusal
  // gRPC has a meaning of its own for 415: a compression that the server does not support.
  const code = status === 415 ? RPC.unimplemented : rpcCodeOf(status)
  const body = statusDetails(code, message, retryAfterSeconds)?.toString('base64')
  const details = body === undefined ? {} : { 'grpc-status-details-bin': body }
  const head = refusal === NOT_GRPC ? { ...HEAD, ':status': status } : HEAD
  stream.respond(
    { ...head, 'grpc-status': String(code), 'grpc-message': percentEncoded(message), ...details },
    { endStream: true },
  )
  // The rest of the request is discarded, then the stream is reset (RFC 9113 8.1). Not at
  // once: a reset would overtake an answer that is not written yet.
  if (stream.listenerCount('data') === 0) drain(stream)
  closeAfter(stream, REFUSED_MS, constants.NGHTTP2_NO_ERROR)
}
