// The page's own listener: GET on loopback, nothing else. A request whose Host is not a loopback
// name comes through a rebound DNS name from some web site in the reader's browser, and is refused.
// It only reads.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Log } from '../support/log.ts'
import { countProjects, countSpans, report } from './counts.ts'
import { emptyPage, notFoundPage, reportPage } from './page.ts'
import type { Store } from './store.ts'
import { CONTENT_SECURITY_POLICY } from './style.ts'

const HTML = 'text/html; charset=utf-8'
const TEXT = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json'
const TIMEOUT_MS = 10_000
const MAX_CONNECTIONS = 64
/** Queries that wait or run at once; a page is a few of them, one after the other. */
const MAX_PAGES = 4

export interface Page {
  status: number
  type: string
  body: string
}

/**
 * True for `localhost`, `127.0.0.1` and `[::1]`, with any port: a port-forward may use another than
 * ours.
 */
export const isLoopbackHost = (host: string | undefined): boolean =>
  host !== undefined && /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i.test(host)

/** `otlpUrl` is what the empty page tells readers to send to. */
export function createPageServer(store: Store, otlpUrl: () => string, log: Log): Server {
  let busy = 0
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    request.resume()
    if (!isLoopbackHost(request.headers.host)) {
      send(response, {
        status: 421,
        type: TEXT,
        body: 'Open this page as http://localhost or http://127.0.0.1.\n',
      })
    } else if (request.method !== 'GET') {
      send(
        response,
        { status: 405, type: TEXT, body: 'This page is read with GET.\n' },
        { allow: 'GET' },
      )
    } else if (busy >= MAX_PAGES) {
      send(
        response,
        { status: 503, type: TEXT, body: 'Too many pages are being counted. Load it again.\n' },
        { 'retry-after': '2' },
      )
    } else {
      busy++
      try {
        send(response, await pageAt(request.url ?? '/', store, otlpUrl()))
      } catch {
        log.error('collect: the usage store could not be read for the page')
        send(response, { status: 500, type: TEXT, body: 'The usage store could not be read.\n' })
      } finally {
        busy--
      }
    }
  }
  const server = createServer(
    { requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS },
    (request, response) => {
      void answer(request, response)
    },
  )
  server.maxConnections = MAX_CONNECTIONS
  return server
}

async function pageAt(target: string, store: Store, otlpUrl: string): Promise<Page> {
  const [path, query] = target.split('?', 2)
  const wanted = new URLSearchParams(query).get('project')
  if (path === '/counts.json') {
    return {
      status: 200,
      type: JSON_TYPE,
      body: `${JSON.stringify(await countSpans(store, wanted ?? undefined))}\n`,
    }
  }
  if (path !== '/')
    return { status: 404, type: TEXT, body: 'There is nothing here. The page is at /.\n' }
  const projects = await countProjects(store)
  const project = wanted === null ? projects[0] : projects.find(({ name }) => name === wanted)
  if (project !== undefined)
    return { status: 200, type: HTML, body: reportPage(await report(store, project), projects) }
  return wanted === null
    ? { status: 200, type: HTML, body: emptyPage(otlpUrl) }
    : { status: 404, type: HTML, body: notFoundPage() }
}

function send(
  response: ServerResponse,
  { status, type, body }: Page,
  headers: Record<string, string> = {},
): void {
  const bytes = Buffer.from(body)
  response.writeHead(status, {
    ...headers,
    'content-type': type,
    'content-length': bytes.length,
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
  })
  response.end(bytes)
}
