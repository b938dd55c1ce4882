// The page that the admin of a cluster sees, on loopback: what is reported and why, what waits,
// what left, how to turn it off. GET only, no script, nothing from elsewhere, no cookie. A request
// whose Host is not a loopback name comes through a rebound DNS name from some web site in the
// reader's browser, and is refused. What it shows is policed data only.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { HttpConnections } from '../net/http-connections.ts'
import type { Log } from '../support/log.ts'
import type { Report, View } from './view.ts'

export interface PageOptions {
  listen: { host: string; port: number }
  view: () => Promise<View>
  /**
   * A body of queue/, sending/ or sent/ by the name of its file; `undefined` where there is none.
   */
  report: (place: string, name: string) => Promise<Report | undefined>
  log: Log
}

export interface Page {
  start(): Promise<{ host: string; port: number }>
  stop(): Promise<void>
}

const HTML = 'text/html; charset=utf-8'
const TEXT = 'text/plain; charset=utf-8'
const TIMEOUT_MS = 10_000
const MAX_CONNECTIONS = 16
/** Pages that are made at once: each reads files and takes memory. */
const MAX_PAGES = 2
const CONTENT_SECURITY_POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

interface Answer {
  status: number
  type: string
  body: string
}

const text = (status: number, body: string): Answer => ({ status, type: TEXT, body: `${body}\n` })

/**
 * `localhost`, `127.0.0.1` and `[::1]`, with any port: a port-forward may use another than ours.
 */
const isLoopbackHost = (host: string | undefined): boolean =>
  host !== undefined && /^(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i.test(host)

export function createPage({ listen: at, view, report, log }: PageOptions): Page {
  let busy = 0

  const pageAt = async (path: string): Promise<Answer> => {
    // Loaded when somebody looks, not by every sidecar.
    const { reportPage, statusPage } = await import('./render.ts')
    if (path === '/') return { status: 200, type: HTML, body: statusPage(await view()) }
    if (path === '/status.json') {
      const { sheet: _, ...status } = await view()
      return { status: 200, type: 'application/json', body: `${JSON.stringify(status)}\n` }
    }
    const [, place, name] = /^\/(queue|sending|sent)\/(\d{12,15}\.otlp(?:\.gz)?)$/.exec(path) ?? []
    const body = place === undefined || name === undefined ? undefined : await report(place, name)
    return body === undefined
      ? text(404, 'There is nothing here. The page is at /.')
      : { status: 200, type: HTML, body: reportPage(body) }
  }

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    request.resume()
    // promise: page-host-checked
    if (!isLoopbackHost(request.headers.host))
      send(response, text(421, 'Open this page as http://localhost or http://127.0.0.1.'))
    else if (request.method !== 'GET')
      send(response, text(405, 'This page is read with GET.'), { allow: 'GET' })
    else if (busy >= MAX_PAGES)
      send(response, text(503, 'Too many pages are being made. Load it again.'), {
        'retry-after': '2',
      })
    else {
      busy++
      // promise: page-error-without-text
      try {
        send(response, await pageAt(request.url?.split('?', 1)[0] ?? '/'))
      } catch {
        log.error('page: it could not be made')
        send(response, text(500, 'The page could not be made.'))
      } finally {
        busy--
      }
    }
  }

  const server = createServer(
    { requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS, maxHeaderSize: 8 * 1024 },
    (request, response) => {
      if (connections.begin(request, response)) void answer(request, response)
    },
  )
  const connections = new HttpConnections(server, MAX_CONNECTIONS)
  return { start: () => listen(server, at), stop: () => close(server) }
}

function send(
  response: ServerResponse,
  { status, type, body }: Answer,
  headers: Record<string, string> = {},
): void {
  const bytes = Buffer.from(body)
  response.writeHead(status, {
    ...headers,
    'content-type': type,
    'content-length': bytes.length,
    // promise: page-loads-nothing
    'content-security-policy': CONTENT_SECURITY_POLICY,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cross-origin-resource-policy': 'same-origin',
    'cache-control': 'no-store',
  })
  response.end(bytes)
}

function listen(server: Server, at: PageOptions['listen']): Promise<PageOptions['listen']> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(at.port, at.host, () => {
      server.removeListener('error', reject)
      resolve({ host: at.host, port: (server.address() as AddressInfo).port })
    })
  })
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
