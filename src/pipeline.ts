// The wiring, read from top to bottom: accept → anonymize → enrich → queue → send, and who may stop it. Whatever is wrong
// (a setting, the policy, the folder, a port), the process lives and answers the application; then it keeps and sends
// nothing, and says why. Raw spans exist inside `handle` only.
import { type Accept, createAccept, type Handled, type Listen } from './accept/accept.ts'
import { Budget } from './accept/budget.ts'
import { type Anonymizer, createAnonymizer } from './anonymize/anonymize.ts'
import { Clock } from './anonymize/clock.ts'
import { parsePolicy } from './anonymize/parse.ts'
import { type Policy, policyDigest } from './anonymize/policy.ts'
import { type Config, limitsFor } from './config.ts'
import { beginEpoch, decide, type Epoch, endEpoch, folderExists, readEpoch } from './consent/consent.ts'
import type { Counters } from './counters.ts'
import { batchIdOf, createEnricher, type Enricher } from './enrich/enrich.ts'
import { allFacts, parseFacts } from './enrich/facts.ts'
import { ConfigError, errorCode } from './errors.ts'
import { createHealth } from './health.ts'
import { createHeartbeat } from './heartbeat.ts'
import { openIdentity } from './identity/identity.ts'
import type { Log } from './log.ts'
import { rejectedSpans } from './otlp/answer.ts'
import { openQueue, type Queue, wipeFolder } from './queue/queue.ts'
import { createSender, type Sender } from './send/send.ts'
import { WATCH_EVERY_MS, type Watch, watchFile } from './watch.ts'

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
  mistakes: readonly string[]
  doNotTrack: string | undefined
  machine: Machine
  counters: Counters
  log: Log
}

export interface Pipeline {
  start(): Promise<void>
  /** Goes on until the application has not been connected for `quietMs`, `mostMs` at most. */
  untilUnused(quietMs: number, mostMs: number): Promise<void>
  /** Front to back; safe to call twice. A send that has begun, or whose moment has come, gets the grace. */
  stop(graceMs?: number): Promise<void>
  /** Where it listens; `undefined` while it could not. */
  addresses(): { http: Listen | undefined; health: Listen | undefined }
}

/** What turns one request into one record; made anew when the policy or a fact changes. */
interface Road {
  policy: Policy
  anonymizer: Anonymizer
  enricher: Enricher
}

const RETRY_MS = 5_000
/** The label of a folder whose policy has expired: what was queued under it is dropped like that of any other policy. */
const EXPIRED = 'expired'
const OLD_BATCHES = 'queue: the batches of the old policy could not be dropped'
const REJECTED_MESSAGE =
  'Some spans were left out because they are not valid OTLP: a trace id has 16 bytes and a span id 8, neither all zero, and no field of a span occurs twice.'

export function createPipeline(options: PipelineOptions): Pipeline {
  const { config, machine, counters, log } = options
  const decision =
    options.mistakes.length > 0
      ? { mode: 'off' as const, by: 'a wrong setting' }
      : decide({ reporting: config.reporting, doNotTrack: options.doNotTrack })
  const { mode } = decision
  const limits = limitsFor(config, machine.memoryLimit)
  const watches: Watch[] = []
  const timers = new Set<NodeJS.Timeout>()
  let road: Road | undefined
  let queue: Queue | undefined
  let sender: Sender | undefined
  let http: Listen | undefined
  let healthAt: Listen | undefined
  let label: string | undefined
  let opening = false
  let stopped = false

  // One for all roads: a day that is over does not come back with a new policy, nor with a clock that is put back.
  const clock = new Clock()
  const heartbeat = createHeartbeat({ folder: mode === 'on' ? config.dataDir : undefined, counters, log })

  const expired = ({ expires }: Policy): boolean => {
    clock.advance(Date.now())
    return clock.period('day') > expires
  }

  const handle = async (body: Uint8Array): Promise<Handled> => {
    if (road === undefined || queue === undefined || expired(road.policy)) {
      counters.add('requests.discarded')
      return { rejected: 0, message: '' }
    }
    const passed = road.anonymizer.pass(body, Date.now())
    const { spans, rejected } = passed
    if (spans > 0) await queue.append(road.enricher.frame(passed), spans)
    counters.add('spans.kept', spans)
    return { rejected, message: rejected > 0 ? REJECTED_MESSAGE : '' }
  }

  const accept: Accept = createAccept({
    listen: config.httpListen,
    ...limits,
    budget: new Budget(limits.maxInflight),
    handle,
    counters,
    log,
  })
  const health = createHealth(config.healthListen)

  /** Tries until it works: a port or folder that is taken now may be free when another process has ended. */
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

  /** Policy and facts as they are now, to a road; `undefined`, and said why, where one of them is wrong. */
  const buildRoad = (policyText: string | undefined, factsText: string | undefined): Road | undefined => {
    try {
      if (policyText === undefined) throw new ConfigError(['The policy cannot be read. USAGE_POLICY names a UTF-8 file of at most 1 MiB.'])
      const policy = parsePolicy(policyText)
      const identity = openIdentity(config.identityDir, true)
      if ('reason' in identity) log.info('identity: there is none, so there are no pseudonyms', { reason: identity.reason })
      const given =
        factsText === undefined ? new Map() : parseFacts(factsText, config.facts === undefined ? 'USAGE_FACTS_FILE' : 'USAGE_FACTS')
      const known = 'reason' in identity ? undefined : identity
      const facts = allFacts(given, machine.arch, machine.platform, known?.instanceId)
      const digest = policyDigest(policy)
      const anonymizer = createAnonymizer({ policy, facts, secret: known?.secret, counters, maxBytes: limits.maxBody, clock })
      const enricher = createEnricher(policy, digest === config.policyDigest ? digest : 'custom', anonymizer)
      if (!expired(policy))
        log.info('policy: in force', { project: policy.project, version: policy.version, digest, expires: policy.expires })
      return { policy, anonymizer, enricher }
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      for (const mistake of error.mistakes) log.error(`policy: nothing is kept or sent, because: ${mistake}`)
      return undefined
    }
  }

  /** Drops what another policy made, in the moment in which that of `road` takes its place or expires. */
  const enforce = (): void => {
    if (road === undefined) return
    const next = expired(road.policy) ? EXPIRED : policyDigest(road.policy)
    if (next === label) return
    label = next
    if (next === EXPIRED)
      log.error(`policy: nothing is kept or sent, because: It expired on ${road.policy.expires}. Give one with a later day in "expires".`)
    if (queue !== undefined) void persist(OLD_BATCHES, () => queue!.relabel(label!))
  }

  /** The sidecar's own report: through the same policy and to the same queue, but never in one body with others. */
  const beat = (): void => {
    if (road === undefined || queue === undefined || expired(road.policy)) return
    const { anonymizer, enricher } = road
    const opened = queue
    heartbeat.beat(clock.period('day'), () => {
      const passed = anonymizer.heartbeat(Date.now())
      const { spans } = passed
      if (spans === 0) return undefined
      const record = enricher.frame(passed)
      return () => opened.appendAlone(record, spans)
    })
  }

  const watchInputs = (): Road | undefined => {
    const changed = (): void => {
      road = buildRoad(policyText(), factsText())
      enforce()
      void openFolder()
    }
    const watched = (path: string | undefined, text: string | undefined): (() => string | undefined) => {
      if (path === undefined) return () => text
      const watch = watchFile(path, changed)
      watches.push(watch)
      return () => watch.current()
    }
    const policyText = watched(config.policy, config.policyText)
    const factsText = watched(config.factsFile, config.facts)
    return buildRoad(policyText(), factsText())
  }

  const openFolder = async (): Promise<void> => {
    if (opening || label === undefined) return
    opening = true
    await persist('queue: the data folder cannot be used', openQueueAndSender)
  }

  const openQueueAndSender = async (): Promise<void> => {
    const folder = config.dataDir
    const epoch = readEpoch(folder)
    const interrupted = mode === 'on' ? epoch === undefined : folderExists(`${folder}/epoch`)
    if (mode !== 'on') endEpoch(folder)
    const labelAtOpening = label!
    const opened = await openQueue({
      folder,
      maxBytes: config.queueMax,
      maxAgeMs: config.queueMaxAge,
      full: mode === 'local' ? 'ring' : config.queueFull,
      label: labelAtOpening,
      wipe: interrupted,
      order: batchIdOf,
      counters,
      log,
    })
    try {
      if (mode === 'on') sender = createSenderOf(opened, epoch ?? beginEpoch(folder, Date.now()))
    } catch (error) {
      // Nothing may be accepted before the epoch is on disk; the lock goes, so that the next attempt can have it.
      await opened.close()
      throw error
    }
    queue = opened
    // In the same tick as the queue is there for appends: the policy may have changed while it was opened.
    if (label !== labelAtOpening) void persist(OLD_BATCHES, () => opened.relabel(label!))
    sender?.start()
    beat()
  }

  const createSenderOf = (opened: Queue, { id, since }: Epoch): Sender =>
    createSender({
      queue: opened,
      destination: { ...config, endpoint: config.endpoint! },
      intervalMs: config.sendInterval,
      notBefore: since + config.firstSendDelay,
      allowed: () => road !== undefined && !expired(road.policy) && readEpoch(config.dataDir)?.id === id,
      rejectedSpans,
      counters,
      log,
    })

  const begin = async (): Promise<void> => {
    for (const mistake of options.mistakes) log.error(`settings: nothing is kept or sent, because: ${mistake}`)
    log.info('consent: the mode is decided', { mode, by: decision.by })
    if (mode === 'off') {
      await persist('consent: what the data folder holds could not be wiped', async () => {
        endEpoch(config.dataDir)
        await wipeFolder(config.dataDir, counters)
      })
      return
    }
    road = watchInputs()
    enforce()
    const look = (): void => {
      enforce()
      beat()
    }
    timers.add(setInterval(look, WATCH_EVERY_MS).unref())
    await openFolder()
  }

  const stop = async (graceMs = 0): Promise<void> => {
    if (stopped) return
    stopped = true
    for (const timer of timers) clearTimeout(timer)
    for (const watch of watches) watch.stop()
    await accept.stop()
    await sender?.stop(graceMs)
    await queue?.close()
    await health.stop()
  }

  return {
    start: async () => {
      await persist('health: the port cannot be used', async () => {
        healthAt = await health.start()
      })
      await begin()
      await persist('accept: the port cannot be used', async () => {
        http = await accept.start()
        log.info('accept: ready', {
          port: http.port,
          health: healthAt?.port ?? 0,
          maxBody: limits.maxBody,
          maxInflight: limits.maxInflight,
        })
      })
    },
    untilUnused: accept.untilUnused,
    stop,
    addresses: () => ({ http, health: healthAt }),
  }
}
