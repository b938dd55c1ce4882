// The ports on which the sidecar listens. A port that is in use is taken when it becomes free.
import { listenWithRetry } from '../net/listen-with-retry.ts'
import type { Log } from '../support/log.ts'
import type { ListenAddress } from '../support/setting-parsers.ts'
import type { Config } from '../support/settings.ts'

export type PortName = 'http' | 'grpc' | 'health' | 'page' | 'metrics'
/** Where the sidecar listens. `undefined` until it can. */
export type Addresses = Record<PortName, ListenAddress | undefined>

/** A port that is not set has no server. */
type Servers = Readonly<Record<PortName, Server | undefined>>

export interface Server {
  start(): Promise<ListenAddress>
  stop(): Promise<void>
}

const SETTINGS = {
  http: { name: 'USAGE_HTTP_LISTEN', key: 'httpListen' },
  grpc: { name: 'USAGE_GRPC_LISTEN', key: 'grpcListen' },
  health: { name: 'USAGE_HEALTH_LISTEN', key: 'healthListen' },
  page: { name: 'USAGE_PAGE_LISTEN', key: 'pageListen' },
  metrics: { name: 'USAGE_METRICS_LISTEN', key: 'metricsListen' },
} as const

export class Ports {
  readonly addresses: Addresses = {
    http: undefined,
    grpc: undefined,
    health: undefined,
    page: undefined,
    metrics: undefined,
  }
  readonly #config: Config
  readonly #servers: Servers
  readonly #log: Log
  readonly #retries = new AbortController()

  constructor(config: Config, servers: Servers, log: Log) {
    this.#config = config
    this.#servers = servers
    this.#log = log
  }

  /** Resolves after the first attempt. Calls `onListening` when the sidecar listens. */
  async open(name: PortName, onListening: () => void = () => undefined): Promise<void> {
    const server = this.#servers[name]
    const address = this.#config[SETTINGS[name].key]
    if (server === undefined || address === undefined) return
    const attempt = {
      setting: SETTINGS[name].name,
      address,
      listen: () => server.start(),
      onListening: (at: ListenAddress) => {
        this.addresses[name] = at
        onListening()
      },
    }
    await listenWithRetry(attempt, this.#log, this.#retries.signal)
  }

  stopRetries(): void {
    this.#retries.abort()
  }

  async close(...names: readonly PortName[]): Promise<void> {
    await Promise.all(names.map(async (name) => this.#servers[name]?.stop()))
  }
}
