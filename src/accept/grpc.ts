// The second door in: OTLP over gRPC (https://opentelemetry.io/docs/specs/otlp/#otlpgrpc), the
// unary Export of the trace service over HTTP/2 without TLS on loopback. The wire is that of
// https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md; limits, budget and answers are
// those of `accept.ts`.
import {
  constants,
  type IncomingHttpHeaders,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'
import type { Crowd } from '../net/connection-limiter.ts'
import { statusDetails, successBody } from '../otlp/answer.ts'
import { Refusal, retryLater } from '../support/errors.ts'
import { release } from '../support/memory.ts'
import { type AcceptOptions, bug, type Handled } from './accept.ts'
import { drain, readBody } from './body.ts'
import type { Share } from './budget.ts'
import { createInflate } from './inflate.ts'

const SERVICE = '/opentelemetry.proto.collector.trace.v1.TraceService/Export'
/**
 * Applications that export everything: taken, discarded and counted, as a policy has no words for
 * them.
 */
const DISCARDED =
  /^\/opentelemetry\.proto\.collector\.(metrics|logs)\.v1\.(Metrics|Logs)Service\/Export$/
/** google.rpc.Code for an HTTP status; 415 is a compression that we do not have. */
const CODES: Record<number, number> = { 400: 3, 404: 12, 408: 4, 413: 8, 415: 12, 503: 14 }
const INTERNAL = 13
const TOO_LATE = new Refusal(408, 'The deadline of the call has passed.')
/**
 * "gRPC servers SHOULD respond with HTTP status of 415": the one answer whose HTTP status is not
 * 200.
 */
const NOT_GRPC = new Refusal(
  415,
  'This port speaks OTLP over gRPC. Send OTLP over HTTP/1.1 to the other port.',
)
const TOO_MANY = retryLater('Too many calls are open at once. Send the same request later.', 1)
/** Compressed flag and length of a message. */
const FRAME_HEAD = 5
/** Calls of one connection; RFC 9113 6.5.2 asks for no fewer. */
const MAX_STREAMS = 100
/**
 * Calls of all connections that have not come to their end, be it that a client does not read its
 * answer: some 20 KiB each.
 */
const MAX_CALLS = 512
const MAX_HEADER_BYTES = 8 * 1024
/**
 * Of one stream, and of a connection; larger than HTTP/2's 64 KiB, so that a batch does not wait
 * for a round trip.
 */
const WINDOW_BYTES = 256 * 1024
const IDLE_MS = 300_000
const CLOSE_GRACE_MS = 5_000
/** For the whole call of a client that sends what is discarded. */
const DISCARD_MS = 30_000
/** For taking the answer: a client may keep its window shut. */
const ANSWER_MS = 10_000
const REFUSED_MS = 1_000
/**
 * Streams that a client may open and reset at once and per second (rapid reset, CVE-2023-44487);
 * then GOAWAY.
 */
const RESETS = { streamResetBurst: 30, streamResetRate: 10 }
const SESSION = {
  settings: {
    maxConcurrentStreams: MAX_STREAMS,
    initialWindowSize: WINDOW_BYTES,
    maxHeaderListSize: MAX_HEADER_BYTES,
  },
  maxHeaderListPairs: 64,
  ...RESETS,
}
const UNIT_MS: Record<string, number> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
}

export interface Grpc {
  /** Takes over a connection that was accepted. */
  serve(socket: Socket): void
  /**
   * GOAWAY: calls that are being answered finish, no new ones come; after a while what is left is
   * cut.
   */
  stop(): Promise<void>
}

/** `crowd`: who is connected. */
export function createGrpc(
  options: Omit<AcceptOptions, 'listen' | 'maxJsonBody'>,
  crowd: Crowd<Socket>,
): Grpc {
  const { counters, log, budget } = options
  const inflate = createInflate()
  const sessions = new Set<ServerHttp2Session>()
  let calls = 0

  const takeIn = async (call: Call, share: Share): Promise<Handled> => {
    const { stream, headers, socket, began } = call
    const body = await readBody(stream, undefined, options.maxBody + FRAME_HEAD, share)
    crowd.busy(socket)
    call.isWhole = true
    const { message, encoding } = messageOf(
      body,
      String(headers['grpc-encoding'] ?? 'identity'),
      options.maxBody,
    )
    const plain = encoding === 'gzip' ? await inflate(message, options.maxBody, share) : message
    try {
      // Only the part before its first await reads the message.
      return options.handle(plain, began)
    } finally {
      release(plain)
    }
  }

  const answer = async (call: Call): Promise<void> => {
    const { stream, headers, socket } = call
    const share = budget.share()
    const timer = deadline(stream, headers)
    try {
      // Who has waited longest goes; where nobody waits, the one that asks now.
      // promise: calls-bounded
      if (calls > MAX_CALLS && !crowd.dismiss(socket)) throw TOO_MANY
      checkTarget(headers)
      if (DISCARDED.test(String(headers[':path']))) {
        await discard(stream)
        counters.add('requests.discarded')
        succeed(stream, Buffer.alloc(0))
        return
      }
      const { rejected, message } = await takeIn(call, share)
      counters.add('requests.accepted')
      succeed(stream, successBody('protobuf', rejected, message))
    } catch (error) {
      // promise: grpc-error-without-text
      const refusal = error instanceof Refusal ? error : bug(error, log)
      counters.add(`requests.refused.${refusal.status}`)
      fail(stream, refusal)
    } finally {
      clearTimeout(timer)
      share.release()
      if (call.isWhole) crowd.answered(socket)
    }
  }

  const begin = (socket: Socket, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void => {
    calls++
    stream.once('close', () => calls--)
    stream.on('error', () => undefined)
    crowd.stir(socket)
    void answer({ socket, stream, headers, began: performance.now(), isWhole: false })
  }

  const serve = (socket: Socket): void => {
    const session = performServerHandshake(socket, SESSION)
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
    session.on('error', () => undefined)
    session.on('stream', (stream, headers) => begin(socket, stream as ServerHttp2Stream, headers))
    session.setTimeout(IDLE_MS, () => session.close())
    session.setLocalWindowSize(WINDOW_BYTES)
    // node:http2 then waits for the calls that have begun, and does not see that the client has
    // gone.
    session.once('goaway', () => setTimeout(() => session.destroy(), CLOSE_GRACE_MS).unref())
  }
  return { serve, stop: () => stop(sessions) }
}

/** A call on its way. */
interface Call {
  readonly socket: Socket
  readonly stream: ServerHttp2Stream
  readonly headers: IncomingHttpHeaders
  /** performance.now() */
  readonly began: number
  isWhole: boolean
}

/**
 * Reads to the end of the call and keeps nothing: a client that is answered sooner may take that
 * for an error.
 */
function discard(stream: ServerHttp2Stream): Promise<void> {
  endWithin(stream, DISCARD_MS)
  drain(stream)
  return new Promise((resolve) => {
    stream.once('end', resolve)
    stream.once('close', resolve)
  })
}

/** Where it does not end by itself. */
function endWithin(
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
    throw new Refusal(404, 'There is no such method here. Export traces.')
}

/** The one message of a unary call, as it was sent. */
function messageOf(
  body: Uint8Array,
  encoding: string,
  maxBytes: number,
): { message: Uint8Array; encoding: 'none' | 'gzip' } {
  const length =
    body.length < FRAME_HEAD ? -1 : new DataView(body.buffer, body.byteOffset).getUint32(1)
  if (length > maxBytes)
    throw new Refusal(
      413,
      `The message is larger than ${maxBytes} bytes. Send smaller batches, or raise USAGE_MAX_BODY.`,
    )
  if (length !== body.length - FRAME_HEAD)
    throw new Refusal(400, 'The call does not hold exactly one whole message.')
  const message = body.subarray(FRAME_HEAD)
  const compressed = body[0]
  if (compressed === 0) return { message, encoding: 'none' }
  if (compressed !== 1 || encoding === 'identity')
    throw new Refusal(400, 'The message has an unknown compressed flag.')
  if (encoding !== 'gzip') throw new Refusal(415, 'Send grpc-encoding gzip, or none.')
  return { message, encoding }
}

/** Ends the call when the client has stopped waiting for it; `undefined` where it sets no time. */
function deadline(
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
): NodeJS.Timeout | undefined {
  const match = /^(\d{1,8})([HMSmun])$/.exec(String(headers['grpc-timeout'] ?? ''))
  if (match === null) return undefined
  const ms = Math.min(Number(match[1]) * UNIT_MS[match[2]!]!, 2 ** 31 - 1)
  // promise: call-deadline
  return setTimeout(() => fail(stream, TOO_LATE), ms).unref()
}

/** Has its answer, or cannot get any: `respond` throws where the client has reset the stream. */
const isGone = (stream: ServerHttp2Stream): boolean =>
  stream.destroyed || stream.closed || stream.headersSent

const HEAD = {
  ':status': 200,
  'content-type': 'application/grpc',
  'grpc-accept-encoding': 'identity,gzip',
}

function succeed(stream: ServerHttp2Stream, message: Buffer): void {
  if (isGone(stream)) return
  endWithin(stream, ANSWER_MS)
  stream.respond(HEAD, { waitForTrailers: true })
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  const head = Buffer.alloc(FRAME_HEAD)
  head.writeUInt32BE(message.length, 1)
  stream.end(Buffer.concat([head, message]))
}

/** "Trailers-Only": an error without a message is the head alone. */
function fail(stream: ServerHttp2Stream, refusal: Refusal): void {
  if (isGone(stream)) return
  const { message, retryAfterSeconds } = refusal
  const code = CODES[refusal.status] ?? INTERNAL
  const status = statusDetails(code, message, retryAfterSeconds)?.toString('base64')
  const details = status === undefined ? {} : { 'grpc-status-details-bin': status }
  const head = refusal === NOT_GRPC ? { ...HEAD, ':status': refusal.status } : HEAD
  stream.respond(
    { ...head, 'grpc-status': String(code), 'grpc-message': percentEncoded(message), ...details },
    { endStream: true },
  )
  // The rest of the request is thrown away, then the client is told to stop (RFC 9113 8.1). Not at
  // once: a reset overtakes an answer that waits to be written.
  if (stream.listenerCount('data') === 0) drain(stream)
  endWithin(stream, REFUSED_MS, constants.NGHTTP2_NO_ERROR)
}

/** "Percent-Byte-Unencoded": printable ASCII but for the percent sign. */
const percentEncoded = (message: string): string =>
  message.replace(/[^\x20-\x24\x26-\x7e]/gu, (character) => encodeURIComponent(character))

async function stop(sessions: ReadonlySet<ServerHttp2Session>): Promise<void> {
  const closed = [...sessions].map(
    (session) => new Promise<void>((resolve) => session.once('close', () => resolve())),
  )
  const timer = setTimeout(() => {
    for (const session of sessions) session.destroy()
  }, CLOSE_GRACE_MS)
  for (const session of sessions) session.close()
  await Promise.all(closed)
  clearTimeout(timer)
}
