// The wiring of `run`: accept -> anonymize -> enrich -> queue -> send. Whatever is broken (a
// setting, the policy, the data directory, a port), the process lives and answers the application.
// Then it keeps and sends nothing, and says why.
import { Budget } from '../accept/budget.ts'
import { GrpcReceiver } from '../accept/grpc-receiver.ts'
import { HttpReceiver } from '../accept/http-receiver.ts'
import { Clock } from '../anonymize/clock.ts'
import { createMetricsServer, createPage } from '../page/page.ts'
import type { Counters } from '../support/counters.ts'
import type { Log } from '../support/log.ts'
import type { Machine } from '../support/machine.ts'
import { type Config, type Limits, limitsFor } from '../support/settings.ts'
import { WATCH_EVERY_MS } from '../support/watch.ts'
import { createHealth } from './health.ts'
import { createHeartbeat } from './heartbeat.ts'
import { type Addresses, type PortName, Ports } from './ports.ts'
import { Reporting } from './reporting.ts'
import { RequestHandler } from './request-handler.ts'
import { reportOf, statusOf } from './status.ts'
import { createStorage } from './storage.ts'

export interface PipelineOptions {
  config: Config
  /** Of the settings. With any error, the sidecar reports nothing. */
  errors: readonly string[]
  doNotTrack: string | undefined
  machine: Machine
  counters: Counters
  log: Log
}

export interface Pipeline {
  start(): Promise<void>
  /** Stops when the application is gone. A drain that is due may still send. */
  finish(): Promise<void>
  /** Stops from the receivers to the sender. It may be called twice. */
  stop(graceMs?: number): Promise<void>
  addresses(): Addresses
}

/**
 * After SIGTERM. A native sidecar gets it when the application's containers have ended, so its
 * connections are closed. In an ordinary container, the application may be about to flush. The
 * three times and 5 s for closing fit into the 30 s that Kubernetes gives a pod by default.
 */
const QUIET_MS = 1_000
const LINGER_MS = 15_000
const LAST_SEND_MS = 5_000

export function createPipeline(options: PipelineOptions): Pipeline {
  const { config, errors, machine, counters, log } = options
  const limits = limitsFor(config, machine.memoryLimit)
  const clock = new Clock()
  const storage = createStorage(config, limits.maxWaiting, counters, log)
  const reporting = new Reporting({ ...options, maxBytes: limits.maxBody, clock, storage })
  const requests = new RequestHandler(reporting, counters, log)
  const recordHeartbeat = createHeartbeat(config, reporting, clock, { counters, log })
  // One budget for both receivers.
  const budget = new Budget(limits.maxInflight)
  const handle = (body: Uint8Array, began: number) => requests.handle(body, began)
  const receiver = { ...limits, budget, handle, counters, log }
  const http = new HttpReceiver({ ...receiver, listen: config.httpListen })
  const grpc = new GrpcReceiver({ ...receiver, listen: config.grpcListen })
  const status = { config, errors, reporting, requests, counters, startedAt: Date.now() }
  // Loaded for the first reader.
  const metrics = async (): Promise<string> => (await import('./metrics.ts')).sidecarMetrics(status)
  const page = createPage({
    listen: config.pageListen,
    metrics,
    view: () => statusOf(status),
    report: (place, name) => reportOf(config.dataDir, place, name),
    log,
  })
  const ports = new Ports(
    config,
    {
      http,
      grpc,
      page,
      health: createHealth(config.healthListen),
      metrics:
        config.metricsListen && createMetricsServer({ listen: config.metricsListen, metrics, log }),
    },
    log,
  )
  return new RunningPipeline({
    ports,
    limits,
    reporting,
    receivers: [http, grpc],
    recordHeartbeat,
    log,
  })
}

interface Parts {
  ports: Ports
  limits: Limits
  reporting: Reporting
  receivers: readonly Pick<HttpReceiver, 'untilDisconnected'>[]
  recordHeartbeat: () => void
  log: Log
}

class RunningPipeline implements Pipeline {
  readonly #parts: Parts
  #tick: NodeJS.Timeout | undefined
  #stopped = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async start(): Promise<void> {
    const { ports, reporting, recordHeartbeat } = this.#parts
    await ports.open('health')
    await reporting.start()
    recordHeartbeat()
    // What changes with time alone: a policy expires, a day begins.
    this.#tick = setInterval(() => {
      reporting.modes.reconcile()
      recordHeartbeat()
    }, WATCH_EVERY_MS).unref()
    await ports.open('grpc')
    await ports.open('page')
    await ports.open('metrics')
    await ports.open('http', () => this.#logReady())
  }

  async finish(): Promise<void> {
    const { receivers } = this.#parts
    await Promise.all(receivers.map((receiver) => receiver.untilDisconnected(QUIET_MS, LINGER_MS)))
    await this.stop(LAST_SEND_MS)
  }

  async stop(graceMs = 0): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    clearInterval(this.#tick)
    const { ports, reporting } = this.#parts
    ports.stopRetries()
    await ports.close('http', 'grpc')
    await reporting.stop(graceMs)
    await ports.close('page', 'metrics')
    await ports.close('health')
  }

  addresses(): Addresses {
    return this.#parts.ports.addresses
  }

  #logReady(): void {
    const { ports, limits, log } = this.#parts
    const port = (name: PortName): number => ports.addresses[name]?.port ?? 0
    log.info('accept: ready', {
      port: port('http'),
      grpc: port('grpc'),
      health: port('health'),
      page: port('page'),
      metrics: port('metrics'),
      maxBody: limits.maxBody,
      maxInflight: limits.maxInflight,
    })
  }
}
