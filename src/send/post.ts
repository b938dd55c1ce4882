// The only outgoing connection of `run`: one POST of one finished body. A single deadline covers
// the whole request. Headers are constant. TLS is 1.2 or newer, without session resumption. No
// redirect is followed, no cookie is kept, and only our own setting names a proxy. The answer is
// bounded and never logged. Environment variables (OTEL_*, proxies) have no effect.
import { existsSync, readFileSync } from 'node:fs'
import {
  type ClientRequest,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
} from 'node:http'
import type { Agent as HttpsAgent } from 'node:https'
import { createRequire } from 'node:module'
import { errorCode } from '../support/errors.ts'
import { Dialer } from './dial.ts'
import { TOO_LARGE } from './retry.ts'

export interface Destination {
  /** Base URL; `/v1/traces` is appended. */
  endpoint: string
  headersFile: string | undefined
  caFile: string | undefined
  clientCertFile: string | undefined
  clientKeyFile: string | undefined
  /** URL of an HTTP proxy. Only with an https endpoint. */
  proxy: string | undefined
}

export interface Answer {
  /** HTTP status. 0 if there was no answer, and `code` says why. */
  status: number
  code: string
  retryAfter: string | undefined
  body: Buffer
}

const DEADLINE_MS = 30_000
/** Bytes of an answer that are kept. The rest is read and discarded. */
const KEPT_ANSWER_BYTES = 64 * 1024
/**
 * OTLP/HTTP "Response" demands a limit and recommends 4 MiB. A request whose answer is larger is
 * not retried.
 */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024
/** Names the program only. An exact version would help to tell installations apart. */
// promise: no-finer-version
const USER_AGENT = 'usage-sidecar/0'

export interface Poster {
  /**
   * Never rejects. Nothing reads `body` after it resolves. `signal` resets the connection, so that
   * the kernel never sends the part of the body that it has buffered.
   */
  post(body: Buffer, signal: AbortSignal): Promise<Answer>
  /** Closes the connection that one drain used. */
  close(): void
}

/** TLS takes 3 MB, so it is loaded only if the address of the collector needs it. */
const loadHttps = () => createRequire(import.meta.url)('node:https') as typeof import('node:https')

/**
 * The files in which systems keep trusted certificates (Debian, Fedora, SUSE, Red Hat, Alpine). The
 * first that exists is used, and read again for each drain. Without one, Node's own certificates
 * are trusted. Node can read those of the system, too, but only once, with 6 MB, and environment
 * variables choose the file.
 */
export const SYSTEM_CERTIFICATES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

/**
 * Reads the files of the destination. A drain opens a new poster, so that rotated certificates and
 * headers take effect. Throws if a file cannot be read.
 */
export function openPoster(to: Destination): Poster {
  const url = new URL(`${to.endpoint.replace(/\/+$/, '')}/v1/traces`)
  const https = url.protocol === 'https:' ? loadHttps() : undefined
  const agent = https ? secureAgent(https, to) : new HttpAgent(COMMON)
  const proxy = to.proxy === undefined ? undefined : new URL(to.proxy)
  const dialer = new Dialer(agent, https !== undefined, proxy)
  const extra = parseHeaders(
    to.headersFile === undefined ? '' : readFileSync(to.headersFile, 'utf8'),
  )
  const cancel = (): void => dialer.cancel()

  const post = (body: Buffer, signal: AbortSignal): Promise<Answer> => {
    // promise: request-deadline
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)])
    deadline.addEventListener('abort', cancel)
    const begin = (): ClientRequest =>
      (https?.request ?? httpRequest)(url, {
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
    const failureCode = (error: unknown): string => {
      if (!deadline.aborted) return errorCode(error)
      return signal.aborted ? 'ABORTED' : 'DEADLINE'
    }
    return exchange(begin, body, failureCode).finally(() =>
      deadline.removeEventListener('abort', cancel),
    )
  }
  return { post, close: () => dialer.close() }
}

/** One request and its answer. Resolves when the request is closed: then `body` may be released. */
function exchange(
  begin: () => ClientRequest,
  body: Buffer,
  failureCode: (error: unknown) => string,
): Promise<Answer> {
  const failure = (error: unknown): Answer => ({
    status: 0,
    code: failureCode(error),
    retryAfter: undefined,
    body: Buffer.alloc(0),
  })
  return new Promise((resolve) => {
    let request: ClientRequest
    try {
      request = begin()
    } catch (error) {
      resolve(failure(error))
      return
    }
    /** The first one counts. */
    let outcome: Answer | undefined
    const settle = (answer: Answer): void => {
      outcome ??= answer
      // An answer may come before all of the body was sent. The rest is not sent.
      if (!request.writableFinished) request.destroy()
    }
    const failed = (error: unknown): void => settle(failure(error))
    request.on('error', failed)
    // An upgrade (101) that was not asked for closes the connection without error and answer.
    request.on('close', () => resolve(outcome ?? failure({ code: 'ECONNRESET' })))
    request.on('response', (response) => readAnswer(response, settle, failed))
    request.end(body)
  })
}

function readAnswer(
  response: IncomingMessage,
  settle: (answer: Answer) => void,
  failed: (error: unknown) => void,
): void {
  const chunks: Buffer[] = []
  let length = 0
  const end = (code: string): void =>
    settle({
      status: response.statusCode ?? 0,
      code,
      retryAfter: response.headers['retry-after'],
      body: Buffer.concat(chunks),
    })
  response.on('error', failed)
  response.on('data', (chunk: Buffer) => {
    length += chunk.length
    // promise: answer-bounded
    if (length <= KEPT_ANSWER_BYTES) chunks.push(chunk)
    if (length <= MAX_ANSWER_BYTES) return
    end(TOO_LARGE)
    response.destroy()
  })
  response.on('end', () => end(''))
}

// promise: no-proxy-from-environment
const COMMON = { keepAlive: true, proxyEnv: undefined }

function secureAgent(https: typeof import('node:https'), to: Destination): HttpsAgent {
  const caFile = to.caFile ?? SYSTEM_CERTIFICATES.find((path) => existsSync(path))
  return new https.Agent({
    ...COMMON,
    minVersion: 'TLSv1.2',
    // A session ticket would let the collector link one drain to the next.
    // promise: no-tls-resumption
    maxCachedSessions: 0,
    // promise: certificate-checked
    rejectUnauthorized: true,
    ...(caFile === undefined ? {} : { ca: readFileSync(caFile) }),
    ...(to.clientCertFile === undefined ? {} : { cert: readFileSync(to.clientCertFile) }),
    ...(to.clientKeyFile === undefined ? {} : { key: readFileSync(to.clientKeyFile) }),
  })
}

/**
 * One `Name: value` a line. Blank lines and lines that begin with # are skipped. The headers in
 * RESERVED_HEADERS cannot be set.
 */
export function parseHeaders(text: string): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const line of text.split(/\r?\n/)) {
    const match = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*([\t\x20-\x7e]*)$/.exec(line)
    const name = match?.[1]?.toLowerCase()
    if (name === undefined || line.startsWith('#') || RESERVED_HEADERS.has(name)) continue
    headers[name] = match![2]!.trim()
  }
  return headers
}

const RESERVED_HEADERS = new Set([
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
