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
  const library = new IsomorphicFetchHttpLibrary()
  /** The server did not answer three times. Later requests are tried once. */
  let silent = false
  let dispatcher: ReturnType<RequestContext['getDispatcher']>

  const once = async ({
    method,
    path,
    accept = 'application/json',
    body,
  }: Question): Promise<Answer & { retryAfter?: string }> => {
    const request = new RequestContext(server + path, HttpMethod[method])
    request.setHeaderParam('Accept', accept)
    request.setHeaderParam('User-Agent', USER_AGENT)
    if (body !== undefined) {
      request.setHeaderParam('Content-Type', body.type)
      request.setBody(JSON.stringify(body.json))
    }
    try {
      await config.applySecurityAuthentication(request)
      dispatcher ??= request.getDispatcher()
      if (dispatcher !== undefined) request.setDispatcher(dispatcher)
      request.setSignal(AbortSignal.timeout(deadlineMs))
      const response = await library.send(request).toPromise()
      const { httpStatusCode: status, headers } = response
      const text = await bounded(response.body.stream())
      if (status < 200 || status > 299)
        return {
          status,
          body: undefined,
          ...(headers['retry-after'] ? { retryAfter: headers['retry-after'] } : {}),
        }
      return { status, body: JSON.parse(text) as unknown }
    } catch {
      return { status: 0, body: undefined }
    }
  }

  return {
    namespace: config.getContextObject(config.getCurrentContext())?.namespace,
    ask: async (question) => {
      for (const pause of silent ? [] : pausesMs) {
        const answer = await once(question)
        if (answer.status !== 0 && answer.status !== 429 && answer.status < 500) return answer
        log.info('facts: API server busy or silent; retrying', {
          status: answer.status,
        })
        const wanted = /^\d{1,2}$/.test(answer.retryAfter ?? '')
          ? 1_000 * Number(answer.retryAfter)
          : 0
        await new Promise((resolve) =>
          setTimeout(resolve, Math.max(pause, Math.min(wanted, 10_000))),
        )
      }
      const last = await once(question)
      silent = last.status === 0
      return last
    },
    close: async () => {
      await dispatcher?.close()
    },
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
