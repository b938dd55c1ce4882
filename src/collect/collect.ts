// The usage collector for small projects: OTLP in, one DuckDB file, one page on loopback. This is
// the only wiring of the room. A request is answered 200 when its batches are on disk, each counted
// once; what is refused of it is told.

import { Budget } from '../accept/budget.ts'
import { HttpReceiver } from '../accept/http-receiver.ts'
import { close, listen } from '../net/listen.ts'
import type { ExportResult } from '../otlp/answer.ts'
import { decodeRequest } from '../otlp/decode.ts'
import type { Counters } from '../support/counters.ts'
import { ConfigError } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import type { ListenAddress } from '../support/setting-parsers.ts'
import { DAY_MS, readBatches } from './batches.ts'
import { createPageServer, isLoopbackHost } from './page-server.ts'
import { openStore, type Store } from './store.ts'

export interface CollectOptions {
  /** Where sidecars send to: any address. */
  listen: ListenAddress
  /** Where the page is read: a loopback address, because the page asks nobody who they are. */
  pageListen: ListenAddress
  /** The data folder; made if it is not there. */
  folder: string
  counters: Counters
  log: Log
}

export interface Collect {
  start(): Promise<{ otlp: ListenAddress; page: ListenAddress }>
  /** Finishes the requests that are being answered, then closes the store. */
  stop(): Promise<void>
}

const MIB = 1024 * 1024
/** As much as a sidecar takes in at once. */
const MAX_BODY = 64 * MIB
const MAX_JSON_BODY = 8 * MIB
const MAX_IN_FLIGHT = 128 * MIB

export function createCollect({
  listen: at,
  pageListen,
  folder,
  counters,
  log,
}: CollectOptions): Collect {
  const closers: (() => Promise<void>)[] = []

  const handle = async (store: Store, body: Uint8Array): Promise<ExportResult> => {
    const { batches, refused } = readBatches(decodeRequest(body), Math.floor(Date.now() / DAY_MS))
    const { accepted, duplicates } = await store.add(batches)
    counters.add('spans.stored', accepted)
    counters.add('spans.duplicate', duplicates)
    counters.add('spans.rejected', refused.rejected)
    return refused
  }

  const stop = async (): Promise<void> => {
    for (const end of closers.splice(0).reverse()) await end()
  }

  const start = async (): Promise<{ otlp: ListenAddress; page: ListenAddress }> => {
    if (!isLoopbackHost(pageListen.host) && pageListen.host !== '::1') {
      throw new ConfigError([
        "The collector's page listens on loopback only. Give it 127.0.0.1, and reach it through a port-forward.",
      ])
    }
    try {
      const store = await openStore(folder, log)
      closers.push(() => store.close())
      const accept = new HttpReceiver({
        listen: at,
        isPublic: true,
        maxBody: MAX_BODY,
        maxJsonBody: MAX_JSON_BODY,
        budget: new Budget(MAX_IN_FLIGHT),
        handle: (body) => handle(store, body),
        counters,
        log,
      })
      const otlp = await accept.start()
      closers.push(() => accept.stop())
      const pages = createPageServer(store, () => `http://${urlHost(otlp.host)}:${otlp.port}`, log)
      const page = await listen(pages, pageListen)
      closers.push(() => close(pages))
      return { otlp, page }
    } catch (error) {
      await stop()
      throw error
    }
  }

  return { start, stop }
}

/**
 * How the address is written in a URL; where we listen everywhere, a sidecar on this machine
 * reaches us on loopback.
 */
function urlHost(host: string): string {
  if (host === '' || host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}
