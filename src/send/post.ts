// The only outgoing connection of `run`: one POST of one finished body. One deadline over all of it, constant headers,
// TLS 1.2 or newer without session resumption, no redirect followed, no cookie, no proxy but our own setting, an answer
// of at most 64 KiB that is never logged. Environment variables (OTEL_*, proxies) have no influence.
import { readFileSync } from 'node:fs'
import { type ClientRequest, Agent as HttpAgent, request as httpRequest } from 'node:http'
import { createRequire } from 'node:module'
import { connect, type Socket } from 'node:net'
import { errorCode } from '../errors.ts'

export interface Destination {
  /** Base URL; `/v1/traces` is appended. */
  endpoint: string
  headersFile: string | undefined
  caFile: string | undefined
  clientCertFile: string | undefined
  clientKeyFile: string | undefined
}

export interface Answer {
  /** HTTP status; 0 where there was no answer, then `code` says why. */
  status: number
  code: string
  retryAfter: string | undefined
  body: Buffer
}

const DEADLINE_MS = 30_000
const MAX_ANSWER_BYTES = 64 * 1024
/** Says which program and no more: a finer version would be one more thing that tells installations apart. */
const USER_AGENT = 'usage-sidecar/0'

export interface Poster {
  /**
   * Never rejects. Nothing reads `body` any more when it resolves. `signal` resets the connection: what the kernel has of
   * the body and has not sent, it then never sends.
   */
  post(body: Buffer, signal: AbortSignal): Promise<Answer>
  /** Closes the connection that one drain used. */
  close(): void
}

/** TLS takes 3 MB: it is loaded where the collector's address asks for it. */
const loadHttps = () => createRequire(import.meta.url)('node:https') as typeof import('node:https')

/** Files are read now: a drain makes a new poster, so that rotated certificates and headers take effect. Throws if one cannot be read. */
export function openPoster(to: Destination): Poster {
  const url = new URL(`${to.endpoint.replace(/\/+$/, '')}/v1/traces`)
  const file = (path: string | undefined): Buffer | undefined => (path === undefined ? undefined : readFileSync(path))
  const common = { keepAlive: true, proxyEnv: undefined }
  const https = url.protocol === 'https:' ? loadHttps() : undefined
  const agent = https
    ? new https.Agent({
        ...common,
        minVersion: 'TLSv1.2',
        // No session resumption: a ticket would let the collector link one drain to the next.
        maxCachedSessions: 0,
        rejectUnauthorized: true,
        ...(to.caFile === undefined ? {} : { ca: file(to.caFile)! }),
        ...(to.clientCertFile === undefined ? {} : { cert: file(to.clientCertFile)! }),
        ...(to.clientKeyFile === undefined ? {} : { key: file(to.clientKeyFile)! }),
      })
    : new HttpAgent(common)
  let tcp: Socket | undefined
  const secured = agent.createConnection.bind(agent)
  agent.createConnection = (options, done) => {
    const below = connect({ host: options.host ?? url.hostname, port: Number(options.port), noDelay: true })
    tcp = below
    if (https === undefined) return below
    // TLS begins when TCP has chosen among the addresses.
    let cause: Error = Object.assign(new Error('The connection was given up.'), { code: 'ECONNABORTED' })
    const failed = (error: Error): void => {
      cause = error
    }
    const closed = (): void => done?.(cause, below)
    below.once('error', failed)
    below.once('close', closed)
    below.once('connect', () => {
      below.removeListener('error', failed)
      below.removeListener('close', closed)
      done?.(null, secured({ ...options, socket: below } as typeof options)!)
    })
    return undefined
  }
  /** Closing would not do: the kernel goes on sending what it holds. */
  const cancel = (): void => {
    if (tcp === undefined || tcp.destroyed) return
    if (tcp.connecting) tcp.destroy()
    else tcp.resetAndDestroy()
  }
  const extra = parseHeaders(file(to.headersFile)?.toString('utf8') ?? '')

  const post = (body: Buffer, signal: AbortSignal): Promise<Answer> => {
    signal.addEventListener('abort', cancel)
    return attempt(body, signal).finally(() => signal.removeEventListener('abort', cancel))
  }

  const attempt = (body: Buffer, signal: AbortSignal): Promise<Answer> =>
    new Promise((resolve) => {
      const deadline = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)])
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
      // An upgrade (101) that nobody asked for ends the connection without an error and without an answer.
      request.on('close', () => resolve(outcome ?? failure({ code: 'ECONNRESET' })))
      request.on('response', (response) => {
        const chunks: Buffer[] = []
        let length = 0
        response.on('error', failed)
        response.on('data', (chunk: Buffer) => {
          length += chunk.length
          if (length <= MAX_ANSWER_BYTES) chunks.push(chunk)
          // The status is known; the rest of an endless answer is not waited for.
          else {
            response.destroy()
            done()
          }
        })
        const done = (): void =>
          settle({ status: response.statusCode ?? 0, code: '', retryAfter: response.headers['retry-after'], body: Buffer.concat(chunks) })
        response.on('end', done)
      })
      request.end(body)
    })
  return { post, close: () => agent.destroy() }
}

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
