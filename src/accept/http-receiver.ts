// Receives OTLP over HTTP (https://opentelemetry.io/docs/specs/otlp/#otlphttp) with protobuf and
// JSON bodies. It limits and inflates a body, converts JSON to protobuf, hands the bytes to
// `handle` and answers with the result. Raw bytes are in no error and no log line.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { HttpConnections } from '../net/http-connections.ts'
import { close, listen } from '../net/listen.ts'
import { rpcCodeOf } from '../net/rpc-codes.ts'
import { type Encoding, type ExportResult, statusBody, successBody } from '../otlp/answer.ts'
import { jsonToProtobuf } from '../otlp/json.ts'
import type { Counters } from '../support/counters.ts'
import { placeOf, Refusal } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import { release } from '../support/memory.ts'
import type { ListenAddress } from '../support/setting-parsers.ts'
import { drain, readBody, tooLarge } from './body.ts'
import type { Budget, Share } from './budget.ts'
import { untilDisconnected } from './disconnected.ts'
import {
  CONTENT_TYPES,
  checkHeaders,
  encodingOf,
  isDiscarded,
  isGzip,
  MAX_HEADERS,
} from './http-request.ts'
import { createInflate } from './inflate.ts'
import { answerUnreadable } from './raw-response.ts'

export interface ReceiverOptions {
  listen: ListenAddress
  maxBody: number
  maxJsonBody: number
  /** The receiver has a public name. Otherwise the Host must name this machine. */
  isPublic?: boolean
  budget: Budget
  /**
   * Gets the protobuf bytes of an ExportTraceServiceRequest, valid until the first await, and the
   * time when the request began (performance.now()). Throws a Refusal to refuse the request.
   */
  handle: (body: Uint8Array, began: number) => Promise<ExportResult>
  counters: Counters
  log: Log
}

const MAX_CONNECTIONS = 1024
const SERVER = {
  /** Headers that take longer are answered 408. `readBody` has the deadline of bodies. */
  headersTimeout: 30_000,
  requestTimeout: 60_000,
  connectionsCheckingInterval: 5_000,
  /**
   * SDKs export every 5 s (spans) to 60 s (metrics). A connection that closes sooner would race
   * with the next request and reset it.
   */
  keepAliveTimeout: 75_000,
  /** For one request; every connection can hold as much. */
  // promise: header-bounded
  maxHeaderSize: 8 * 1024,
  /** `checkHeaders` refuses a request without a Host, with a reason. */
  requireHostHeader: false,
}

/** A request that is being answered. */
interface Call {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly encoding: Encoding
  /** performance.now() */
  readonly began: number
  /** The client sends the body only after a 100 (Continue). */
  awaitsContinue: boolean
  isComplete: boolean
}

export class HttpReceiver {
  readonly #options: ReceiverOptions
  readonly #inflate = createInflate()
  readonly #server: Server
  readonly #connections: HttpConnections

  constructor(options: ReceiverOptions) {
    this.#options = options
    const server = createServer(SERVER, (request, response) => {
      void this.#answer(request, response, false)
    })
    server.maxHeadersCount = MAX_HEADERS
    const onExpect = (request: IncomingMessage, response: ServerResponse): void => {
      void this.#answer(request, response, true)
    }
    server.on('checkContinue', onExpect)
    server.on('checkExpectation', onExpect)
    this.#server = server
    this.#connections = new HttpConnections(server, MAX_CONNECTIONS)
    answerUnreadable(server, this.#connections, options.counters)
  }

  start(): Promise<ListenAddress> {
    return listen(this.#server, this.#options.listen)
  }

  /** Waits until no application has been connected for `quietMs`, at most `limitMs`. */
  untilDisconnected(quietMs: number, limitMs: number): Promise<void> {
    return untilDisconnected(this.#server, quietMs, limitMs)
  }

  stop(): Promise<void> {
    return close(this.#server)
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    awaitsContinue: boolean,
  ): Promise<void> {
    if (!this.#connections.begin(request, response)) return
    const { counters, budget, isPublic, log } = this.#options
    const named = encodingOf(request)
    const encoding = named ?? 'json'
    const began = performance.now()
    const call: Call = { request, response, encoding, began, awaitsContinue, isComplete: false }
    const share = budget.share()
    try {
      checkHeaders(request, isPublic === true)
      if (isDiscarded(request, named)) {
        sendContinue(call)
        request.resume()
        counters.add('requests.discarded')
        this.#reply(call, 200, successBody(encoding, 0, ''))
        return
      }
      const { rejected, message } = await this.#receive(call, share)
      counters.add('requests.accepted')
      this.#reply(call, 200, successBody(encoding, rejected, message))
    } catch (error) {
      // promise: http-error-without-text
      const refusal = error instanceof Refusal ? error : internalError(error, log)
      this.#refuse(call, refusal)
    } finally {
      share.release()
      if (call.isComplete) this.#connections.endAnswer(request)
    }
  }

  async #receive(call: Call, share: Share): Promise<ExportResult> {
    const { request, encoding, began } = call
    const { maxBody, maxJsonBody, handle } = this.#options
    const limit = encoding === 'json' ? maxJsonBody : maxBody
    const gzip = isGzip(request)
    const length = request.headers['content-length']
    const announced = length === undefined ? undefined : Number(length)
    // Without a 100 (Continue) the client does not even send a body that is too large.
    if (call.awaitsContinue && announced !== undefined && announced > limit) throw tooLarge(limit)
    sendContinue(call)
    let body = await readBody(request, announced, limit, share)
    this.#connections.beginAnswer(request)
    call.isComplete = true
    if (gzip) body = await this.#inflate(body, limit, share)
    try {
      if (encoding === 'json') body = fromJson(body, maxBody, share)
      // `handle` reads the body only before its first await.
      return handle(body, began)
    } finally {
      release(body)
    }
  }

  #refuse(call: Call, refusal: Refusal): void {
    const { status, message, retryAfterSeconds } = refusal
    this.#options.counters.add(`requests.refused.${status}`)
    const headers: Record<string, string> = {}
    if (status === 405) headers.allow = 'POST'
    // Do not wait for the rest of a slow body, nor for a body that the client may not send.
    if (status === 408 || call.awaitsContinue) headers.connection = 'close'
    if (retryAfterSeconds !== undefined) headers['retry-after'] = String(retryAfterSeconds)
    this.#reply(call, status, statusBody(call.encoding, rpcCodeOf(status), message), headers)
  }

  #reply(
    { request, response, encoding }: Call,
    status: number,
    body: Buffer,
    headers: Record<string, string> = {},
  ): void {
    if (response.destroyed) return
    // A connection that stays open would delay a server that is closing.
    if (!this.#server.listening) headers.connection = 'close'
    response.writeHead(status, {
      ...headers,
      'content-type': CONTENT_TYPES[encoding],
      'content-length': body.length,
    })
    if (request.complete || status === 408) {
      // `undefined` instead of no bytes: the head then leaves alone, not as one of two pieces.
      response.end(body.length === 0 ? undefined : body)
      return
    }
    // The client has its answer now. If the response ended too, the connection could close with it.
    // The client, still sending, would get a reset and lose the answer (RFC 9112 9.6).
    response.write(body)
    request.once('close', () => response.end())
    drain(request)
  }
}

function sendContinue(call: Call): void {
  if (call.awaitsContinue) call.response.writeContinue()
  call.awaitsContinue = false
}

function fromJson(body: Uint8Array, maxBody: number, share: Share): Uint8Array {
  const refusal = share.take(body.length)
  if (refusal !== undefined) throw refusal
  // promise: json-bounded
  const converted = jsonToProtobuf(body, maxBody)
  release(body)
  return converted
}

/** Logs the place in our code, never the error's text, which may contain raw data. */
export function internalError(error: unknown, log: Log): Refusal {
  log.error('accept: internal error', { place: placeOf(error) })
  return new Refusal(500, 'Internal error. Do not send the same request again.')
}
