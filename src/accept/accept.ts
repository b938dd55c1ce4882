// The door in: OTLP over HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp) with protobuf
// and JSON bodies. It bounds, inflates, turns JSON into protobuf, hands the bytes on and answers
// what became of them. It knows no policy and no queue; raw bytes live from `readBody` to the end
// of `handle` and are in no error and no log line.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { watchConnections } from '../net/http-connections.ts'
import { close, listen } from '../net/listen.ts'
import { type Encoding, statusBody, successBody } from '../otlp/answer.ts'
import { jsonToProtobuf } from '../otlp/json.ts'
import type { Counters } from '../support/counters.ts'
import { placeOf, Refusal } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import { release } from '../support/memory.ts'
import type { ListenAddress } from '../support/setting-parsers.ts'
import { drain, readBody, tooLarge } from './body.ts'
import type { Budget, Share } from './budget.ts'
import { untilUnused } from './drain-body.ts'
import { createInflate } from './inflate.ts'
import { answerUnreadable } from './raw-response.ts'

/**
 * How many of the spans could not be accepted, and why, for the application's developer; `message`
 * is empty if all were.
 */
export interface Handled {
  rejected: number
  message: string
}

export interface AcceptOptions {
  listen: ListenAddress
  maxBody: number
  maxJsonBody: number
  /**
   * A door with a name in public, which may stand in the Host; otherwise that names this machine.
   */
  isPublic?: boolean
  budget: Budget
  /**
   * Gets the protobuf bytes of an ExportTraceServiceRequest, valid until the first await, and when
   * the request began (performance.now()); throws a Refusal to refuse it.
   */
  handle: (body: Uint8Array, began: number) => Promise<Handled>
  counters: Counters
  log: Log
}

export interface Accept {
  start(): Promise<ListenAddress>
  /** Goes on until nobody has been connected for `quietMs`, `mostMs` at most. */
  untilUnused(quietMs: number, mostMs: number): Promise<void>
  stop(): Promise<void>
}

const PATH = '/v1/traces'
/**
 * Applications that export everything: discarded unread and counted, as a policy has no words for
 * them.
 */
const DISCARDED = ['/v1/metrics', '/v1/logs']
const CONTENT_TYPES: Record<Encoding, string> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
}
/**
 * google.rpc.Code for an HTTP status (google/rpc/code.proto); clients are not expected to act on
 * it.
 */
const RPC_CODES: Record<number, number> = {
  400: 3,
  404: 12,
  405: 12,
  408: 4,
  413: 8,
  415: 3,
  417: 3,
  421: 3,
  431: 8,
  503: 14,
}
const MAX_CONNECTIONS = 1024
/** node:http keeps no more of a request. */
const MAX_HEADERS = 64
const SERVER = {
  /**
   * Headers that are not there after this time are answered 408; of bodies `readBody` takes care
   * sooner.
   */
  headersTimeout: 30_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 5_000,
  /**
   * SDKs export every 5 s (spans) to 60 s (metrics); closing sooner would race with their next
   * request and reset it.
   */
  keepAliveTimeout: 75_000,
  /** Of one request; every connection may hold as much. */
  // promise: header-bounded
  maxHeaderSize: 8 * 1024,
  /** A request without one is refused below, with a sentence. */
  requireHostHeader: false,
}

/** A request on its way. */
interface Call {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** performance.now() */
  readonly began: number
  /** For a 100 (Continue), without having sent its body. */
  waits: boolean
  isWhole: boolean
}

export function createAccept(options: AcceptOptions): Accept {
  const { counters, log, budget } = options
  const inflate = createInflate()

  const takeIn = async (call: Call, encoding: Encoding, share: Share): Promise<Handled> => {
    const { request, response, began } = call
    const maxBody = encoding === 'json' ? options.maxJsonBody : options.maxBody
    const gzip = isGzip(request)
    const length = request.headers['content-length']
    const announced = length === undefined ? undefined : Number(length)
    if (call.waits) {
      // It sends the body only when it is told to, so what will be refused is not sent at all.
      if (announced !== undefined && announced > maxBody) throw tooLarge(maxBody)
      response.writeContinue()
      call.waits = false
    }
    let body = await readBody(request, announced, maxBody, share)
    connections.whole(request)
    call.isWhole = true
    if (gzip) body = await inflate(body, maxBody, share)
    try {
      if (encoding === 'json') body = fromJson(body, share)
      // Only the part before its first await reads the body.
      return options.handle(body, began)
    } finally {
      release(body)
    }
  }

  const fromJson = (body: Uint8Array, share: Share): Uint8Array => {
    const refusal = share.take(body.length)
    if (refusal !== undefined) throw refusal
    // promise: json-bounded
    const turned = jsonToProtobuf(body, options.maxBody)
    release(body)
    return turned
  }

  const answer = async (
    request: IncomingMessage,
    response: ServerResponse,
    waits: boolean,
  ): Promise<void> => {
    if (!connections.begin(request, response)) return
    const call: Call = { request, response, began: performance.now(), waits, isWhole: false }
    const encoding = encodingOf(request)
    const share = budget.share()
    /** A connection that lives on would hold up a server that is being closed. */
    const parting = (): Record<string, string> => (server.listening ? {} : { connection: 'close' })
    try {
      checkAddress(request, options.isPublic === true)
      if (isDiscarded(request, encoding)) {
        if (call.waits) response.writeContinue()
        call.waits = false
        request.resume()
        counters.add('requests.discarded')
        reply(response, 200, encoding ?? 'json', successBody(encoding ?? 'json', 0, ''), parting())
        return
      }
      const { rejected, message } = await takeIn(call, encoding ?? 'json', share)
      counters.add('requests.accepted')
      reply(
        response,
        200,
        encoding ?? 'json',
        successBody(encoding ?? 'json', rejected, message),
        parting(),
      )
    } catch (error) {
      // promise: http-error-without-text
      const refusal = error instanceof Refusal ? error : bug(error, log)
      counters.add(`requests.refused.${refusal.status}`)
      const headers = parting()
      if (refusal.status === 405) headers.allow = 'POST'
      // The rest of a slow body is not waited for, nor one that the client may send or not.
      if (refusal.status === 408 || call.waits) headers.connection = 'close'
      if (refusal.retryAfterSeconds !== undefined)
        headers['retry-after'] = String(refusal.retryAfterSeconds)
      const body = statusBody(encoding ?? 'json', RPC_CODES[refusal.status] ?? 13, refusal.message)
      reply(response, refusal.status, encoding ?? 'json', body, headers)
    } finally {
      share.release()
      if (call.isWhole) connections.answered(request)
    }
  }

  const server = createServer(SERVER, (request, response) => void answer(request, response, false))
  server.maxHeadersCount = MAX_HEADERS
  server.on('checkContinue', (request, response) => void answer(request, response, true))
  server.on('checkExpectation', (request, response) => void answer(request, response, true))
  const connections = watchConnections(server, MAX_CONNECTIONS)
  answerUnreadable(server, connections, counters)
  return {
    start: () => listen(server, options.listen),
    untilUnused: (quietMs, mostMs) => untilUnused(server, quietMs, mostMs),
    stop: () => close(server),
  }
}

/**
 * The encoding that the Content-Type names, parameters aside; `undefined` where it names neither.
 */
function encodingOf(request: IncomingMessage): Encoding | undefined {
  const type = request.headers['content-type']
  if (type === CONTENT_TYPES.protobuf) return 'protobuf'
  const bare = type?.split(';', 1)[0]?.trim().toLowerCase()
  return bare === CONTENT_TYPES.protobuf
    ? 'protobuf'
    : bare === CONTENT_TYPES.json
      ? 'json'
      : undefined
}

/**
 * Throws a Refusal where the Host is not that of a request for us. A page in a browser that has its
 * own name resolve to this machine sends that name (DNS rebinding); no name without a dot and no
 * address can be made to mean another.
 */
function checkAddress(request: IncomingMessage, isPublic: boolean): void {
  const { expect, host } = request.headers
  if (expect !== undefined && !/^100-continue$/i.test(expect))
    throw new Refusal(417, 'Send no Expect, or 100-continue.')
  if (request.rawHeaders.length >= 2 * MAX_HEADERS)
    throw new Refusal(431, 'The header is too large. Send fewer header fields.')
  if (host === undefined) {
    if (request.httpVersionMinor > 0) throw new Refusal(400, 'Send one Host header.')
    return
  }
  // promise: accept-host-checked
  if (!isPublic && !NEAR.test(host))
    throw new Refusal(
      421,
      'Send to this machine as localhost or 127.0.0.1, not by a name of the network.',
    )
}

/** `localhost`, another name without a dot, or an address; with any port. */
const NEAR = /^(?:[\w-]*|[\w.-]+\.localhost|[\d.]+|\[[\da-f:.]+\])\.?(?::\d*)?$/i

/** False: traces. Throws a Refusal for what is neither. */
function isDiscarded(request: IncomingMessage, encoding: Encoding | undefined): boolean {
  const path = request.url?.split('?', 1)[0] ?? ''
  if (path !== PATH && !DISCARDED.includes(path))
    throw new Refusal(404, `There is nothing here. Send traces to ${PATH}.`)
  if (request.method !== 'POST') throw new Refusal(405, 'Send traces with POST.')
  if (encoding === undefined)
    throw new Refusal(415, 'Send Content-Type application/x-protobuf or application/json.')
  return path !== PATH
}

function isGzip(request: IncomingMessage): boolean {
  const coding = request.headers['content-encoding']?.trim().toLowerCase()
  if (coding === undefined || coding === '' || coding === 'identity') return false
  if (coding === 'gzip' || coding === 'x-gzip') return true
  throw new Refusal(415, 'Send Content-Encoding gzip, or none.')
}

function reply(
  response: ServerResponse,
  status: number,
  encoding: Encoding,
  body: Buffer,
  headers: Record<string, string>,
): void {
  if (response.destroyed) return
  response.writeHead(status, {
    ...headers,
    'content-type': CONTENT_TYPES[encoding],
    'content-length': body.length,
  })
  const { req: request } = response
  if (request.complete || status === 408) {
    // Nothing instead of no bytes: the head then goes out alone, not as one of two pieces.
    response.end(body.length === 0 ? undefined : body)
    return
  }
  // The client has its answer now. Were the response ended too, a connection that closes with it
  // would be reset while the client still sends, and the answer lost (RFC 9112 9.6).
  response.write(body)
  request.once('close', () => response.end())
  drain(request)
}

/**
 * What must not happen: told with the place in our code, never with the error's text, which may
 * hold raw data.
 */
export function bug(error: unknown, log: Log): Refusal {
  log.error('accept: a request failed by a fault of ours', { place: placeOf(error) })
  return new Refusal(
    500,
    'The request could not be handled, by a fault of ours. Do not send it again.',
  )
}
