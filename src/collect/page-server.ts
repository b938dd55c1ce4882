// Serves the collector's page and its counts on loopback. It only reads the store.
import { PageServer } from '../net/page-server.ts'
import type { Counters } from '../support/counters.ts'
import type { Log } from '../support/log.ts'
import { metricsText } from '../support/metrics.ts'
import type { ListenAddress } from '../support/setting-parsers.ts'
import { countProjects, countSpans, report } from './counts.ts'
import { emptyPage, notFoundPage, reportPage } from './page.ts'
import type { Store } from './store.ts'
import { STYLE_SOURCE } from './style.ts'

export interface CollectPageOptions {
  listen: ListenAddress
  store: Store
  /** Where the collector listens, for the empty page. */
  otlpUrl: string
  counters: Counters
  log: Log
}

export function createPageServer({
  listen,
  store,
  otlpUrl,
  counters,
  log,
}: CollectPageOptions): PageServer {
  const started = { start_timestamp_seconds: [{ value: Date.now() / 1_000 }] }
  return new PageServer({
    listen,
    styleSource: STYLE_SOURCE,
    maxConnections: 64,
    // A page is a few queries, one after the other.
    maxPages: 4,
    maxHeaderBytes: 16 * 1024,
    failure: 'collect: cannot read the usage store for the page',
    log,
    pageAt: async (path, query) => {
      if (path === '/metrics')
        return { status: 200, metrics: metricsText('collector', counters, started) }
      const wanted = query.get('project')
      if (path === '/counts.json')
        return { status: 200, json: await countSpans(store, wanted ?? undefined) }
      if (path !== '/') return { status: 404, text: 'The path is unknown. The page is at /.' }
      const projects = await countProjects(store)
      const project = wanted === null ? projects[0] : projects.find(({ name }) => name === wanted)
      if (project !== undefined)
        return { status: 200, html: reportPage(await report(store, project), projects) }
      return wanted === null
        ? { status: 200, html: emptyPage(otlpUrl) }
        : { status: 404, html: notFoundPage() }
    },
  })
}
