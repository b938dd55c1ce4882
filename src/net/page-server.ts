// Serves pages to a browser on this machine, and metrics. It answers GET with a known Host only.
// Its headers forbid scripts and anything from another host. Everything is limited.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Log } from '../support/log.ts'
import type { ListenAddress } from '../support/setting-parsers.ts'
import { isLoopbackHost } from './host-check.ts'
import type { Html } from './html.ts'
import { HttpConnections } from './http-connections.ts'
import { close, listen } from './listen.ts'

export interface PageServerOptions {
  listen: ListenAddress
  /** What the content security policy allows as style: a hash, or 'unsafe-inline'. */
  styleSource: string
  maxConnections: number
  /** Pages that are made at once. */
  maxPages: number
  maxHeaderBytes: number
  /** The log line for a page that fails. */
  failure: string
  /** The Host headers to accept. Default: loopback. */
  acceptsHost?: (host: string) => boolean
  pageAt: (path: string, query: URLSearchParams) => Promise<Page>
  log: Log
}

/** Only markup is sent as HTML. */
export type Page = { status: number } & (
  | { html: Html }
  | { text: string }
  | { json: unknown }
  | { metrics: string }
)

const TIMEOUT_MS = 10_000

export class PageServer {
  readonly #options: PageServerOptions
  readonly #server: Server
  #making = 0

  constructor(options: PageServerOptions) {
    const { maxConnections, maxHeaderBytes: maxHeaderSize } = options
    this.#options = options
    const server = createServer(
      { requestTimeout: TIMEOUT_MS, headersTimeout: TIMEOUT_MS, maxHeaderSize },
      (request, response) => {
        if (connections.begin(request, response)) void this.#answer(request, response)
      },
    )
    const connections = new HttpConnections(server, maxConnections)
    this.#server = server
  }

  start(): Promise<ListenAddress> {
    return listen(this.#server, this.#options.listen)
  }

  /** Pages that are being made get `graceMs`. */
  stop(graceMs = 0): Promise<void> {
    return close(this.#server, graceMs)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { maxPages, pageAt, failure, log, acceptsHost = isLoopbackHost } = this.#options
    request.resume()
    // promise: page-host-checked
    if (!acceptsHost(request.headers.host ?? '')) {
      const text = 'Open this page as http://localhost or http://127.0.0.1.'
      this.#send(response, { status: 421, text })
    } else if (request.method !== 'GET') {
      this.#send(response, { status: 405, text: 'Read this page with GET.' }, { allow: 'GET' })
    } else if (this.#making >= maxPages) {
      const text = 'Too many pages are being made at once. Load the page again.'
      this.#send(response, { status: 503, text }, { 'retry-after': '2' })
    } else {
      this.#making++
      // promise: page-error-without-text
      try {
        const [path, query] = (request.url ?? '/').split('?', 2)
        this.#send(response, await pageAt(path!, new URLSearchParams(query)))
      } catch {
        log.error(failure)
        this.#send(response, { status: 500, text: 'The page could not be made. See the log.' })
      } finally {
        this.#making--
      }
    }
  }

  #send(response: ServerResponse, page: Page, headers: Record<string, string> = {}): void {
    const [type, body] = contentOf(page)
    const bytes = Buffer.from(body)
    const policy = `default-src 'none'; style-src ${this.#options.styleSource}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
    response.writeHead(page.status, {
      ...headers,
      'content-type': type,
      'content-length': bytes.length,
      // promise: page-loads-nothing
      'content-security-policy': policy,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    })
    response.end(bytes)
  }
}

function contentOf(page: Page): [type: string, body: string] {
  if ('html' in page) return ['text/html; charset=utf-8', page.html.toString()]
  if ('json' in page) return ['application/json', `${JSON.stringify(page.json)}\n`]
  if ('metrics' in page) return ['text/plain; version=0.0.4; charset=utf-8', page.metrics]
  return ['text/plain; charset=utf-8', `${page.text}\n`]
}
