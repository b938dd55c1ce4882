// The page for the admin of a cluster, on loopback: what is reported and why, what is queued, what
// was sent, and how to turn reporting off. It shows only data that the policy allows. Also serves
// `/metrics`, there and, on request, on an address of its own.
import { isLocalHost, isLoopbackHost } from '../net/host-check.ts'
import { PageServer } from '../net/page-server.ts'
import type { Log } from '../support/log.ts'
import { isLoopback, type ListenAddress } from '../support/setting-parsers.ts'
import type { Report, View } from './view.ts'

export interface PageOptions {
  listen: ListenAddress
  view: () => Promise<View>
  /** Reads a file of queue/, sending/ or sent/; `undefined` if there is none with this name. */
  report: (place: string, name: string) => Promise<Report | undefined>
  /** The text of `/metrics`. */
  metrics: () => Promise<string>
  log: Log
}

export function createPage({ listen, view, report, metrics, log }: PageOptions): PageServer {
  return new PageServer({
    listen,
    styleSource: "'unsafe-inline'",
    maxConnections: 16,
    // Each page reads files and takes memory.
    maxPages: 2,
    maxHeaderBytes: 8 * 1024,
    failure: 'page: cannot make the page',
    log,
    pageAt: async (path) => {
      if (path === '/metrics') return { status: 200, metrics: await metrics() }
      // Loaded for the first reader: most sidecars have none.
      const { reportPage, statusPage } = await import('./render.ts')
      if (path === '/') return { status: 200, html: statusPage(await view()) }
      if (path === '/status.json') {
        const { sheet: _, ...json } = await view()
        return { status: 200, json }
      }
      const [, place, name] =
        /^\/(queue|sending|sent)\/(\d{12,15}\.otlp(?:\.gz)?)$/.exec(path) ?? []
      const shown =
        place === undefined || name === undefined ? undefined : await report(place, name)
      return shown === undefined
        ? { status: 404, text: 'The path is unknown. The page is at /.' }
        : { status: 200, html: reportPage(shown) }
    },
  })
}

/**
 * Outside of loopback, a scraper names the pod by its address. A web site cannot do so with a name
 * of its own.
 */
export const createMetricsServer = ({
  listen,
  metrics,
  log,
}: Pick<PageOptions, 'listen' | 'metrics' | 'log'>): PageServer =>
  new PageServer({
    listen,
    styleSource: "'none'",
    maxConnections: 16,
    maxPages: 2,
    maxHeaderBytes: 8 * 1024,
    failure: 'metrics: cannot make the metrics',
    log,
    acceptsHost: isLoopback(listen.host) ? isLoopbackHost : isLocalHost,
    pageAt: async (path) =>
      path === '/metrics'
        ? { status: 200, metrics: await metrics() }
        : { status: 404, text: 'The path is unknown. The metrics are at /metrics.' },
  })
