// The only outgoing connection of `run`: one POST of one finished body. One deadline over all of
// it, constant headers, TLS 1.2 or newer without session resumption, no redirect followed, no
// cookie, no proxy but our own setting, an answer that is bounded and never logged. Environment
// variables (OTEL_*, proxies) have no influence.
import { existsSync, readFileSync } from 'node:fs'
import { type ClientRequest, Agent as HttpAgent, request as httpRequest } from 'node:http'
import type { Agent as HttpsAgent } from 'node:https'
import { createRequire } from 'node:module'
import { errorCode } from '../support/errors.ts'
import { dialWith } from './dial.ts'
import { TOO_LARGE } from './retry.ts'

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
/**
 * OTLP/HTTP Response: a limit is a must, 4 MiB is recommended, and an answer above it is not to be
 * retried.
 */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024
/**
 * Says which program and no more: a finer version would be one more thing that tells installations
 * apart.
 */
// promise: no-finer-version
const USER_AGENT = 'usage-sidecar/0'

export interface Poster {
  /**
   * Never rejects; nothing reads `body` any more when it resolves. `signal` resets the connection:
   * what the kernel has of the body and has not sent, it then never sends.
   */
  post(body: Buffer, signal: AbortSignal): Promise<Answer>
  /** Closes the connection that one drain used. */
  close(): void
}

/** TLS takes 3 MB: it is loaded where the collector's address asks for it. */
const loadHttps = () => createRequire(import.meta.url)('node:https') as typeof import('node:https')

/**
 * Where systems keep the certificates that they trust (Debian, Fedora, SUSE, Red Hat, Alpine): the
 * first that is there is used, and read anew like the others. Without one, Node's own are trusted.
 * Node could tell those of the system as well, but not anew, not without 6 MB, and by variables of
 * the environment.
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
 * Files are read now: a drain makes a new poster, so that rotated certificates and headers take
 * effect. Throws if one cannot be read.
 */
export function openPoster(to: Destination): Poster {
  const url = new URL(`${to.endpoint.replace(/\/+$/, '')}/v1/traces`)
  const https = url.protocol === 'https:' ? loadHttps() : undefined
  const agent = https ? secureAgent(https, to) : new HttpAgent(COMMON)
  const dial = dialWith(
    agent,
    https !== undefined,
    to.proxy === undefined ? undefined : new URL(to.proxy),
  )
  const extra = parseHeaders(
    to.headersFile === undefined ? '' : readFileSync(to.headersFile, 'utf8'),
  )

  const post = (body: Buffer, signal: AbortSignal): Promise<Answer> => {
    // promise: request-deadline
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)])
    deadline.addEventListener('abort', dial.cancel)
    return attempt(body, signal, deadline).finally(() =>
      deadline.removeEventListener('abort', dial.cancel),
    )
  }

  const attempt = (body: Buffer, signal: AbortSignal, deadline: AbortSignal): Promise<Answer> =>
    new Promise((resolve) => {
      const failure = (error: unknown): Answer => ({
        status: 0,
        code: deadline.aborted ? (signal.aborted ? 'ABORTED' : 'DEADLINE') : errorCode(error),
        retryAfter: undefined,
        body: Buffer.alloc(0),
      })
      const failed = (error: unknown): void => settle(failure(error))
      let request: ClientRequest
      /**
       * The first counts. It is told when the request is closed: the body's memory is given back
       * then.
       */
      let outcome: Answer | undefined
      const settle = (answer: Answer): void => {
        outcome ??= answer
        // An answer may come before all of the body has gone. The rest is not sent.
        if (!request.writableFinished) request.destroy()
      }
      try {
        request = (https?.request ?? httpRequest)(url, {
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
      // An upgrade (101) that nobody asked for ends the connection without an error and without an
      // answer.
      request.on('close', () => resolve(outcome ?? failure({ code: 'ECONNRESET' })))
      request.on('response', (response) => {
        const chunks: Buffer[] = []
        let length = 0
        const done = (code: string): void =>
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
          done(TOO_LARGE)
          response.destroy()
        })
        response.on('end', () => done(''))
      })
      request.end(body)
    })
  return { post, close: dial.close }
}

// promise: no-proxy-from-environment
const COMMON = { keepAlive: true, proxyEnv: undefined }

function secureAgent(https: typeof import('node:https'), to: Destination): HttpsAgent {
  const caFile = to.caFile ?? SYSTEM_CERTIFICATES.find((path) => existsSync(path))
  return new https.Agent({
    ...COMMON,
    minVersion: 'TLSv1.2',
    // No session resumption: a ticket would let the collector link one drain to the next.
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
 * `Name: value` a line, blank lines and lines that begin with # aside. Framing headers are ours and
 * cannot be set.
 */
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
