// The wiring, read from top to bottom: accept → anonymize → enrich → queue → send, and who may stop
// it. Whatever is wrong (a setting, the policy, the folder, a port), the process lives and answers
// the application; then it keeps and sends nothing, and says why. Raw spans exist inside `handle`
// only.
import { Budget } from '../accept/budget.ts'
import { GrpcReceiver } from '../accept/grpc-receiver.ts'
import { HttpReceiver } from '../accept/http-receiver.ts'
import { Clock } from '../anonymize/clock.ts'
import { type Consent, type Decision, watchConsent } from '../consent/consent.ts'
import { batchIdOf } from '../enrich/enrich.ts'
import { type ExportResult, rejectedSpans } from '../otlp/answer.ts'
import { createPage } from '../page/page.ts'
import { lockFolder, openQueue, wipeFolder } from '../queue/queue.ts'
import { Sender } from '../send/send.ts'
import type { Counters } from '../support/counters.ts'
import { errorCode } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import type { ListenAddress } from '../support/setting-parsers.ts'
import { type Config, limitsFor } from '../support/settings.ts'
import { WATCH_EVERY_MS } from '../support/watch.ts'
import { createHealth } from './health.ts'
import { createHeartbeat } from './heartbeat.ts'
import { createModes, type Goal } from './mode-controller.ts'
import { type RoadWatch, watchRoad } from './policy-runtime.ts'
import { reportOf, statusOf } from './status.ts'

/** What the process knows of its machine. */
export interface Machine {
  arch: string
  platform: string
  /** Bytes; `undefined` where there is no limit. */
  memoryLimit: number | undefined
}

export interface PipelineOptions {
  config: Config
  /** Of the settings; any makes the sidecar report nothing. */
  errors: readonly string[]
  doNotTrack: string | undefined
  machine: Machine
  counters: Counters
  log: Log
}

export interface Addresses {
  http: ListenAddress | undefined
  grpc: ListenAddress | undefined
  health: ListenAddress | undefined
  page: ListenAddress | undefined
}

export interface Pipeline {
  start(): Promise<void>
  /** Stops when the application is gone, and gives a send whose moment has come its chance. */
  finish(): Promise<void>
  /** Front to back; safe to call twice. */
  stop(graceMs?: number): Promise<void>
  /** Where it listens; `undefined` while it could not. */
  addresses(): Addresses
}

const RETRY_MS = 5_000
/**
 * After SIGTERM. A native sidecar gets it when the containers of the application have ended, so all
 * connections are closed already; where it is an ordinary container the application may still be
 * about to flush. Together with 5 s for closing, these leave a part of the 30 s that Kubernetes
 * gives a pod by default.
 */
const QUIET_MS = 1_000
const LINGER_MS = 15_000
const LAST_SEND_MS = 5_000
const REJECTED_MESSAGE =
  'Some spans were left out because they are not valid OTLP: a trace id has 16 bytes and a span id 8, neither all zero, and no field of a span occurs twice.'

export function createPipeline(options: PipelineOptions): Pipeline {
  const { config, errors, machine, counters, log } = options
  const limits = limitsFor(config, machine.memoryLimit)
  const timers = new Set<NodeJS.Timeout>()
  let consent: Consent | undefined
  let road: RoadWatch | undefined
  const at: Addresses = { http: undefined, grpc: undefined, health: undefined, page: undefined }
  const startedAt = Date.now()
  let decisions = 0
  /** Whether what was to be kept last could not be. */
  let refusing = false
  let stopped = false

  const clock = new Clock()
  const heartbeats = {
    on: createHeartbeat({ folder: config.dataDir, counters, log }),
    local: createHeartbeat({ folder: undefined, counters, log }),
  }

  const handle = async (body: Uint8Array, began: number): Promise<ExportResult> => {
    const { anonymizer, enricher } = road?.current() ?? {}
    const queue = modes.queueFor(began)
    // promise: no-policy-nothing-kept
    if (anonymizer === undefined || enricher === undefined || queue === undefined) {
      counters.add('requests.discarded')
      return { rejected: 0, message: '' }
    }
    const passed = anonymizer.pass(body, Date.now())
    const { spans, rejected } = passed
    try {
      if (spans > 0) {
        const kept = queue.append(enricher.frame(passed), spans)
        enricher.done()
        // promise: ack-after-append
        await kept
        refusing = false
      }
      counters.add('spans.kept', spans)
    } catch (error) {
      // Where the mode has changed meanwhile, there is nothing that the application should send
      // again.
      refusing = modes.queueFor(began) === queue
      // promise: off-answers-200
      if (refusing) throw error
    }
    return { rejected, message: rejected > 0 ? REJECTED_MESSAGE : '' }
  }

  // One budget over both doors.
  const door = { ...limits, budget: new Budget(limits.maxInflight), handle, counters, log }
  const accept = new HttpReceiver({ ...door, listen: config.httpListen })
  const grpc = new GrpcReceiver({ ...door, listen: config.grpcListen })
  const health = createHealth(config.healthListen)
  const page = createPage({
    listen: config.pageListen,
    view: () => {
      const now = road?.current()
      const sending = modes.sending()
      const failing = sending !== undefined && sending.failures > 0
      const folder = modes.problem()
      return statusOf({
        folder: config.dataDir,
        decision: consent?.decision() ?? { mode: 'off', by: 'the start' },
        problems: [
          ...errors,
          ...(road?.errors() ?? []).map(
            (error) => `Nothing is kept or sent, because of the policy: ${error}`,
          ),
          ...(folder === undefined
            ? []
            : [`Nothing is kept or sent: ${folder}. It is tried again.`]),
          ...(refusing
            ? [
                'The last spans could not be kept: the queue is full, or the disk takes nothing. The application is asked to send them again.',
              ]
            : []),
          ...(failing
            ? [
                'The collector cannot be reached or is busy. What waits stays on disk, and is tried again.',
              ]
            : []),
        ],
        policy: now?.policy,
        facts: now?.facts ?? new Map(),
        endpoint: config.endpoint,
        nextSendAt: sending?.nextDrainAt,
        counters: counters.snapshot(),
        startedAt,
      })
    },
    report: (place, name) => reportOf(config.dataDir, place, name),
    log,
  })

  const goal = (): Goal => {
    const mode = consent === undefined ? 'off' : consent.look().mode
    return { mode, policy: road?.label() }
  }

  const modes = createModes({
    folder: config.dataDir,
    goal,
    openQueue: ({ policy, mode, wipe }) =>
      openQueue({
        folder: config.dataDir,
        maxBytes: config.queueMax,
        maxWaitingBytes: limits.maxWaiting,
        maxAgeMs: config.queueMaxAge,
        full: mode === 'local' ? 'ring' : config.queueFull,
        policyDigest: policy,
        wipe,
        order: batchIdOf,
        counters,
        log,
      }),
    lockFolder: () => lockFolder(config.dataDir),
    wipeFolder: () => wipeFolder(config.dataDir, counters),
    openSender: (queue, notBefore, allowed) => {
      const destination = { ...config, endpoint: config.endpoint! }
      const sender = new Sender({
        queue,
        destination,
        intervalMs: config.sendInterval,
        notBefore,
        allowed,
        rejectedSpans,
        counters,
        log,
      })
      sender.start()
      return sender
    },
    firstSendDelay: config.firstSendDelay,
    log,
  })

  /** Off ends first what may not go on; reporting again begins with the policy as it is then. */
  const follow = ({ mode, by }: Decision): void => {
    // The number makes each line another one: the log keeps equal ones back for a while.
    log.info('consent: the mode is decided', { mode, by, decision: ++decisions })
    // promise: off-makes-no-identity
    if (mode !== 'off')
      road ??= watchRoad(
        { config, machine, maxBytes: limits.maxBody, clock, counters, log },
        modes.look,
      )
    modes.look()
    if (mode !== 'off') return
    road?.stop()
    road = undefined
  }

  /**
   * The sidecar's own report: through the same policy and to the same queue, but never in one body
   * with others.
   */
  const beat = (): void => {
    const { anonymizer, enricher } = road?.current() ?? {}
    const queue = modes.queueFor(performance.now())
    const mode = consent?.decision().mode ?? 'off'
    if (
      anonymizer === undefined ||
      enricher === undefined ||
      queue === undefined ||
      mode === 'off' ||
      config.heartbeat === 'off'
    )
      return
    heartbeats[mode].beat(clock.period('day'), () => {
      const passed = anonymizer.heartbeat(Date.now())
      const { spans } = passed
      if (spans === 0) return undefined
      const record = enricher.frame(passed)
      // promise: heartbeat-alone
      return () => queue.appendIsolated(record, spans)
    })
  }

  /** What changes with time alone: a policy expires, a day begins. */
  const tick = (): void => {
    modes.look()
    beat()
  }

  /** Tries until it works: a port that is taken now may be free when another process has ended. */
  const persist = async (what: string, attempt: () => Promise<void>): Promise<void> => {
    try {
      await attempt()
    } catch (error) {
      log.error(`${what}; it is tried again`, { code: errorCode(error) })
      if (stopped) return
      const timer = setTimeout(() => {
        timers.delete(timer)
        void persist(what, attempt)
      }, RETRY_MS)
      timers.add(timer.unref())
    }
  }

  const stop = async (graceMs = 0): Promise<void> => {
    if (stopped) return
    stopped = true
    for (const timer of timers) clearTimeout(timer)
    await Promise.all([accept.stop(), grpc.stop()])
    await modes.stop(graceMs)
    consent?.stop()
    road?.stop()
    await page.stop()
    await health.stop()
  }

  return {
    start: async () => {
      await persist('health: the port cannot be used', async () => {
        at.health = await health.start()
      })
      for (const error of errors) log.error(`settings: nothing is kept or sent, because: ${error}`)
      consent = watchConsent(
        {
          ...config,
          doNotTrack: options.doNotTrack,
          // promise: invalid-settings-off
          wrongSettings: errors.length > 0,
        },
        follow,
      )
      follow(consent.decision())
      await modes.start()
      beat()
      timers.add(setInterval(tick, WATCH_EVERY_MS).unref())
      await persist('accept: the port for gRPC cannot be used', async () => {
        at.grpc = await grpc.start()
      })
      await persist('page: the port cannot be used', async () => {
        at.page = await page.start()
      })
      await persist('accept: the port cannot be used', async () => {
        at.http = await accept.start()
        log.info('accept: ready', {
          port: at.http.port,
          grpc: at.grpc?.port ?? 0,
          health: at.health?.port ?? 0,
          page: at.page?.port ?? 0,
          maxBody: limits.maxBody,
          maxInflight: limits.maxInflight,
        })
      })
    },
    finish: async () => {
      await Promise.all([accept, grpc].map((door) => door.untilDisconnected(QUIET_MS, LINGER_MS)))
      await stop(LAST_SEND_MS)
    },
    stop,
    addresses: () => at,
  }
}
