// The page for the admin of a cluster, on loopback: what is reported and why, what is queued, what
// was sent, and how to turn reporting off. It shows only data that the policy allows.
import { PageServer } from '../net/page-server.ts'
import type { Log } from '../support/log.ts'
import type { ListenAddress } from '../support/setting-parsers.ts'
import type { Report, View } from './view.ts'

export interface PageOptions {
  listen: ListenAddress
  view: () => Promise<View>
  /** Reads a file of queue/, sending/ or sent/; `undefined` if there is none with this name. */
  report: (place: string, name: string) => Promise<Report | undefined>
  log: Log
}

export function createPage({ listen, view, report, log }: PageOptions): PageServer {
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
