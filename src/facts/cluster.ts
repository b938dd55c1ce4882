// The way to the API server, by @kubernetes/client-node: where it is, whom it trusts, and the
// token, read anew as it changes. The rest is ours: one connection for all requests (the client
// would open one for each), a deadline that ends a request (an option of the client for that is
// ignored), an answer of bounded size. A request is sent again only where the server is busy or
// silent, three times in all; what is forbidden is not asked for twice. Nothing that the server or
// the library says becomes text of ours: an answer is a status and, where it is 2xx, JSON.
import {
  HttpMethod,
  IsomorphicFetchHttpLibrary,
  KubeConfig,
  RequestContext,
} from '@kubernetes/client-node'
import type { Log } from '../support/log.ts'

export interface Question {
  method: 'GET' | 'POST' | 'PATCH'
  /** With its query. */
  path: string
  accept?: string
  body?: { type: string; json: unknown }
}

/** `status` is 0 where there was no answer; `body` is there for 2xx. */
export interface Answer {
  status: number
  body: unknown
}

export interface Cluster {
  /** Of the service account, or of the kubeconfig; `undefined` where there is none. */
  namespace: string | undefined
  ask(question: Question): Promise<Answer>
  close(): Promise<void>
}

export interface ClusterOptions {
  log: Log
  /** Between attempts; the last one is not followed by another. */
  pausesMs?: readonly number[]
  deadlineMs?: number
}

const PAUSES_MS = [1_000, 4_000]
const DEADLINE_MS = 30_000
/** A page of nodes has some 10 KiB for each. */
const MAX_ANSWER_BYTES = 32 * 1024 * 1024
const USER_AGENT = 'usage-sidecar-facts'

/** `undefined` where nothing says which cluster. */
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
  // The client takes this one where it found nothing.
  if (server === undefined || server === 'http://localhost:8080') return undefined
  const library = new IsomorphicFetchHttpLibrary()
  /** It has not answered three times: whatever else is asked, once is enough. */
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
        log.info('facts: the API server is busy or does not answer; it is asked again', {
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

/** Throws where there is more than an answer may have. */
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
