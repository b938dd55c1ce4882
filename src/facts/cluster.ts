// Talks to the Kubernetes API server. @kubernetes/client-node finds the server, its certificates
// and the token, and reads the token again when it changes. The requests are our own. They share
// one connection, have a deadline, and accept an answer of bounded size. A request is repeated up
// to twice while the server is busy or silent; a forbidden one is not repeated. An answer is a
// status and, for 2xx, JSON. No text of the server or the library is passed on.
import {
  HttpMethod,
  IsomorphicFetchHttpLibrary,
  KubeConfig,
  RequestContext,
} from '@kubernetes/client-node'
import type { Log } from '../support/log.ts'

export interface Question {
  method: 'GET' | 'POST' | 'PATCH'
  /** Includes the query. */
  path: string
  accept?: string
  body?: { type: string; json: unknown }
}

/** `status` is 0 if the server did not answer. `body` is set for 2xx only. */
export interface Answer {
  status: number
  body: unknown
}

export interface Cluster {
  /** Namespace of the service account or of the kubeconfig; `undefined` if neither names one. */
  namespace: string | undefined
  ask(question: Question): Promise<Answer>
  close(): Promise<void>
}

export interface ClusterOptions {
  log: Log
  /** Pauses between attempts, so one fewer than attempts. */
  pausesMs?: readonly number[]
  deadlineMs?: number
}

const PAUSES_MS = [1_000, 4_000]
const DEADLINE_MS = 30_000
/** A page of nodes takes about 10 KiB a node. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024
const USER_AGENT = 'usage-sidecar-facts'

/** `undefined` if no kubeconfig and no service account is found. */
export function openCluster({
  log,
  pausesMs = PAUSES_MS,
  deadlineMs = DEADLINE_MS,
}: ClusterOptions): Cluster | undefined {
  const config = new KubeConfig()
  try {
    config.loadFromDefault()
  } catch {
    return undefined
  }
  const server = config.getCurrentCluster()?.server
  // The client's fallback if it finds no configuration.
  if (server === undefined || server === 'http://localhost:8080') return undefined
  const connection = new Connection(config, server, deadlineMs)
  /** The server did not answer three times. Later requests are tried once. */
  let silent = false

  return {
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    ask: async (question) => {
      for (const pause of silent ? [] : pausesMs) {
        const answer = await connection.ask(question)
        if (answer.status !== 0 && answer.status !== 429 && answer.status < 500) return answer
        log.info('facts: API server busy or silent; retrying', { status: answer.status })
        await sleep(Math.max(pause, askedPauseMs(answer)))
      }
      const last = await connection.ask(question)
      silent = last.status === 0
      return last
    },
    close: () => connection.close(),
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** The pause that the server asks for, at most ten seconds. */
const askedPauseMs = ({ retryAfter = '' }: Reply): number =>
  /^\d{1,2}$/.test(retryAfter) ? Math.min(1_000 * Number(retryAfter), 10_000) : 0

type Reply = Answer & { retryAfter?: string }

/** One connection for all requests; the client would open one for each. */
class Connection {
  readonly #config: KubeConfig
  readonly #server: string
  readonly #deadlineMs: number
  readonly #library = new IsomorphicFetchHttpLibrary()
  #dispatcher: ReturnType<RequestContext['getDispatcher']>

  constructor(config: KubeConfig, server: string, deadlineMs: number) {
    this.#config = config
    this.#server = server
    this.#deadlineMs = deadlineMs
  }

  async ask(question: Question): Promise<Reply> {
    try {
      const request = this.#requestFor(question)
      await this.#config.applySecurityAuthentication(request)
      this.#dispatcher ??= request.getDispatcher()
      if (this.#dispatcher !== undefined) request.setDispatcher(this.#dispatcher)
      request.setSignal(AbortSignal.timeout(this.#deadlineMs))
      const response = await this.#library.send(request).toPromise()
      const { httpStatusCode: status, headers } = response
      const text = await bounded(response.body.stream())
      if (status >= 200 && status <= 299) return { status, body: JSON.parse(text) as unknown }
      const retryAfter = headers['retry-after']
      return { status, body: undefined, ...(retryAfter ? { retryAfter } : {}) }
    } catch {
      return { status: 0, body: undefined }
    }
  }

  #requestFor({ method, path, accept = 'application/json', body }: Question): RequestContext {
    const request = new RequestContext(this.#server + path, HttpMethod[method])
    request.setHeaderParam('Accept', accept)
    request.setHeaderParam('User-Agent', USER_AGENT)
    if (body !== undefined) {
      request.setHeaderParam('Content-Type', body.type)
      request.setBody(JSON.stringify(body.json))
    }
    return request
  }

  async close(): Promise<void> {
    await this.#dispatcher?.close()
  }
}

/** Throws if the answer is larger than its limit. */
async function bounded(stream: ReadableStream<Uint8Array> | null): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of stream ?? []) {
    length += chunk.length
    if (length > MAX_ANSWER_BYTES) throw new Error('too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
