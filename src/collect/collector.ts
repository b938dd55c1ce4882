// The usage collector for small projects: an OTLP receiver, one DuckDB file, one page on loopback.
// It answers 200 once the batches of a request are on disk, and counts each batch once.
import { CLOSE_GRACE_MS } from '../net/listen.ts'
import type { ExportResult } from '../otlp/answer.ts'
import { decodeRequest } from '../otlp/decode.ts'
import type { Counters } from '../support/counters.ts'
import { ConfigError } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import { isLoopback, type ListenAddress } from '../support/setting-parsers.ts'
import { DAY_MS, readBatches } from './batches.ts'
import { createPageServer } from './page-server.ts'
import { openStore, type Store } from './store.ts'

/** What the collector needs of an OTLP receiver. */
interface Receiver {
  start(): Promise<ListenAddress>
  stop(): Promise<void>
}

export interface CollectorOptions {
  /** Makes the receiver. It hands the protobuf bytes of each request to `handle`. */
  createReceiver: (handle: (body: Uint8Array) => Promise<ExportResult>) => Receiver
  /** A loopback address, because the page has no login. */
  pageListen: ListenAddress
  /** The data directory. It is created if it does not exist. */
  folder: string
  counters: Counters
  log: Log
}

export class Collector {
  readonly #options: CollectorOptions
  readonly #closers: (() => Promise<void>)[] = []

  constructor(options: CollectorOptions) {
    this.#options = options
  }

  async start(): Promise<{ otlp: ListenAddress; page: ListenAddress }> {
    const { createReceiver, pageListen, folder, log } = this.#options
    if (!isLoopback(pageListen.host))
      throw new ConfigError([
        "The collector's page listens on loopback only. Give it 127.0.0.1, and reach it through a port-forward.",
      ])
    try {
      const store = await openStore(folder, log)
      this.#closers.push(() => store.close())
      const receiver = createReceiver((body) => this.#store(store, body))
      const otlp = await receiver.start()
      this.#closers.push(() => receiver.stop())
      const otlpUrl = `http://${urlHost(otlp.host)}:${otlp.port}`
      const pages = createPageServer({
        listen: pageListen,
        store,
        otlpUrl,
        counters: this.#options.counters,
        log,
      })
      const page = await pages.start()
      this.#closers.push(() => pages.stop(CLOSE_GRACE_MS))
      return { otlp, page }
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** Finishes the requests that are being answered, then closes the store. */
  async stop(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) await close()
  }

  async #store(store: Store, body: Uint8Array): Promise<ExportResult> {
    const { counters } = this.#options
    const { batches, refused } = readBatches(decodeRequest(body), Math.floor(Date.now() / DAY_MS))
    const { accepted, duplicates } = await store.add(batches)
    counters.add('spans.stored', accepted)
    counters.add('spans.duplicate', duplicates)
    counters.add('spans.rejected', refused.rejected)
    return refused
  }
}

/**
 * The host in a URL. A sidecar on this machine uses loopback if the receiver listens everywhere.
 */
function urlHost(host: string): string {
  if (host === '' || host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return host.includes(':') ? `[${host}]` : host
}
