// The only outgoing connection of `run`: one POST of one finished body. One deadline over all of it, constant headers,
// TLS 1.2 or newer without session resumption, no redirect followed, no cookie, no proxy but our own setting, an answer
// that is bounded and never logged. Environment variables (OTEL_*, proxies) have no influence.
import { readFileSync } from 'node:fs'
import { type ClientRequest, Agent as HttpAgent, request as httpRequest } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import tls from 'node:tls'
import { errorCode } from '../errors.ts'
import { makeResettable } from './resettable.ts'
import { TOO_LARGE } from './retry.ts'
import { TunnelAgent } from './tunnel.ts'

export interface Destination {
  /** Base URL; `/v1/traces` is appended. */
  endpoint: string
  headersFile: string | undefined
  caFile: string | undefined
  clientCertFile: string | undefined
  clientKeyFile: string | undefined
  /** URL of an HTTP proxy; only with an https endpoint. */
  proxy: string | undefined
}

export interface Answer {
  /** HTTP status; 0 where there was no answer, then `code` says why. */
  status: number
  code: string
  retryAfter: string | undefined
  body: Buffer
}

const DEADLINE_MS = 30_000
/** What is kept of an answer; the rest is read and thrown away. */
const KEPT_ANSWER_BYTES = 64 * 1024
/** OTLP/HTTP Response: a limit is a must, 4 MiB is recommended, and an answer above it is not to be retried. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024
/** Says which program and no more: a finer version would be one more thing that tells installations apart. */
const USER_AGENT = 'usage-sidecar/0'

export interface Poster {
  /**
   * Never rejects; nothing reads `body` any more when it resolves. `signal` resets the connection: what the kernel has of
   * the body and has not sent, it then never sends.
   */
  post(body: Buffer, signal: AbortSignal): Promise<Answer>
  /** Closes the connection that one drain used. */
  close(): void
}

/** Files are read now: a drain makes a new poster, so that rotated certificates and headers take effect. Throws if one cannot be read. */
export function openPoster(to: Destination): Poster {
  const url = new URL(`${to.endpoint.replace(/\/+$/, '')}/v1/traces`)
  const secure = url.protocol === 'https:'
  const agent = secure ? secureAgent(to) : new HttpAgent(COMMON)
  // Of a connection through a proxy the proxy's end is what we have; the abort of the request closes it.
  const cancel = agent instanceof TunnelAgent ? () => undefined : makeResettable(agent)
  const extra = parseHeaders(to.headersFile === undefined ? '' : readFileSync(to.headersFile, 'utf8'))

  const post = (body: Buffer, signal: AbortSignal): Promise<Answer> => {
    signal.addEventListener('abort', cancel)
    return attempt(body, signal).finally(() => signal.removeEventListener('abort', cancel))
  }

  const attempt = (body: Buffer, signal: AbortSignal): Promise<Answer> =>
    new Promise((resolve) => {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)])
      if (agent instanceof TunnelAgent) agent.deadline = deadline
      const failure = (error: unknown): Answer => ({
        status: 0,
        code: deadline.aborted ? (signal.aborted ? 'ABORTED' : 'DEADLINE') : errorCode(error),
        retryAfter: undefined,
        body: Buffer.alloc(0),
      })
      const failed = (error: unknown): void => settle(failure(error))
      let request: ClientRequest
      /** The first counts. It is told when the request is closed: the body's memory is given back then. */
      let outcome: Answer | undefined
      const settle = (answer: Answer): void => {
        outcome ??= answer
        // An answer may come before all of the body has gone. The rest is not sent.
        if (!request.writableFinished) request.destroy()
      }
      try {
        request = (secure ? httpsRequest : httpRequest)(url, {
          method: 'POST',
          agent,
          signal: deadline,
          headers: {
            ...extra,
            'content-type': 'application/x-protobuf',
            'content-encoding': 'gzip',
            'content-length': body.length,
            'user-agent': USER_AGENT,
          },
        })
      } catch (error) {
        resolve(failure(error))
        return
      }
      request.on('error', failed)
      // An upgrade (101) that nobody asked for ends the connection without an error and without an answer.
      request.on('close', () => resolve(outcome ?? failure({ code: 'ECONNRESET' })))
      request.on('response', (response) => {
        const chunks: Buffer[] = []
        let length = 0
        const done = (code: string): void =>
          settle({ status: response.statusCode ?? 0, code, retryAfter: response.headers['retry-after'], body: Buffer.concat(chunks) })
        response.on('error', failed)
        response.on('data', (chunk: Buffer) => {
          length += chunk.length
          if (length <= KEPT_ANSWER_BYTES) chunks.push(chunk)
          if (length <= MAX_ANSWER_BYTES) return
          done(TOO_LARGE)
          response.destroy()
        })
        response.on('end', () => done(''))
      })
      request.end(body)
    })
  return { post, close: () => agent.destroy() }
}

const COMMON = { keepAlive: true, proxyEnv: undefined }

function secureAgent(to: Destination): HttpsAgent {
  const ca = to.caFile === undefined ? systemCertificates() : [readFileSync(to.caFile)]
  const options = {
    ...COMMON,
    minVersion: 'TLSv1.2' as const,
    // No session resumption: a ticket would let the collector link one drain to the next.
    maxCachedSessions: 0,
    rejectUnauthorized: true,
    ...(ca.length === 0 ? {} : { ca }),
    ...(to.clientCertFile === undefined ? {} : { cert: readFileSync(to.clientCertFile) }),
    ...(to.clientKeyFile === undefined ? {} : { key: readFileSync(to.clientKeyFile) }),
  }
  return to.proxy === undefined ? new HttpsAgent(options) : new TunnelAgent(to.proxy, options)
}

/** Those of the machine or image, each once; an image may have none, and Node's own are meant then. */
const systemCertificates = (): string[] => [...new Set(tls.getCACertificates('system'))]

/** `Name: value` a line, blank lines and lines that begin with # aside. Framing headers are ours and cannot be set. */
export function parseHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const line of text.split(/\r?\n/)) {
    const match = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([\t\x20-\x7e]*)$/.exec(line)
    const name = match?.[1]?.toLowerCase()
    if (name === undefined || line.startsWith('#') || OURS.has(name)) continue
    headers[name] = match![2]!.trim()
  }
  return headers
}

const OURS = new Set([
  'host',
  'connection',
  'transfer-encoding',
  'content-length',
  'content-type',
  'content-encoding',
  'user-agent',
  'expect',
  'upgrade',
  'te',
  'trailer',
])
