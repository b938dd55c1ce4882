// The facts job, from the cluster to the sidecars: reads what the policy names, publishes it as the
// policy sends it, hands the cluster report to the sidecar in its own pod and stays until that has
// settled it. Short-lived: whatever cannot be read or written is named in the log, and the rest is
// done all the same. Off is silent: then nothing is asked at all.
import { narrowFacts } from '../anonymize/narrow-facts.ts'
import type { Facts } from '../anonymize/source.ts'
import type { Policy } from '../policy/policy.ts'
import type { Log } from '../support/log.ts'
import type { Cluster } from './cluster.ts'
import { CLUSTER_SPAN, NODE_SPAN, needsOf } from './needs.ts'
import { FACTS_KEY, publish } from './publish.ts'
import { type Reading, readCluster } from './read.ts'
import { nextSequence, type Settled, type SidecarStatus, untilSettled } from './settled.ts'

export interface FactsOptions {
  policy: Policy
  /**
   * Of the policy as it is written: an attribute that has expired since makes no other one of it.
   */
  digest: string
  /** By the maintainer's chart; what is given is not asked for. */
  given: Facts
  configMap: string
  namespace: string | undefined
  cluster: Cluster
  /** Base URL of the sidecar in the same pod. */
  sidecar: string
  status: () => Promise<SidecarStatus | undefined>
  /** Milliseconds after the policy came into force before which no report is made. */
  firstReportDelay: number
  /** Milliseconds for which the report is waited for. */
  wait: number
  pause?: Pause
  /** The switches, read anew. */
  allowed: () => boolean
  stopped: () => boolean
  log: Log
}

/**
 * Whether all was done that can be done with the rights that there are; if not, another run may do
 * better.
 */
export type Done = boolean

const FIRST_PAUSE_MS = 100
const PAUSE_MS = 2_000
/** For a sidecar that starts with this process. */
const READY_MS = 60_000
/**
 * A ConfigMap that changes is in the sidecar's volume after 80 s at most, by the kubelet's own
 * rules.
 */
const KNOWN_MS = 120_000

export async function runFacts(options: FactsOptions): Promise<Done> {
  const { policy, given, cluster, allowed, log } = options
  const needs = needsOf(policy, given)
  const reports = needs.cluster !== undefined || needs.node !== undefined
  if (!allowed()) {
    log.info('facts: reporting is off, so nothing is read')
    return true
  }
  // Also the sidecar's own switches count, before anything is asked.
  const sidecar = reports ? await whenReady(options) : undefined
  // promise: facts-job-silent
  if (sidecar?.mode === 'off') {
    log.info('facts: reporting is off in the sidecar of this pod, so nothing is read')
    return true
  }
  const reading = await readCluster(cluster, needs, given)
  // Reading may have taken minutes.
  if (!allowed()) {
    log.info('facts: reporting was turned off meanwhile, so nothing is published')
    return true
  }
  for (const { fact, right, why } of reading.missing)
    log.warn('facts: one is missing', { fact, right, why })
  const published = await publishFacts(options, reading, needs.published)
  const done = published.done && !reading.missing.some(({ passing }) => passing)
  if (!reports) return done
  if (sidecar === undefined) {
    log.error('facts: no sidecar answers in this pod, so there is no cluster report')
    return false
  }
  if (published.policySince + options.firstReportDelay > Date.now()) {
    log.info('facts: the first cluster report under this policy has to wait', {
      hours: Math.ceil(options.firstReportDelay / 3_600_000),
    })
    return done
  }
  return (await report(options, reading, published.names)) && done
}

/** Between two looks at the sidecar's page. */
export type Pause = () => Promise<unknown>

function growingPause(): Pause {
  let next = FIRST_PAUSE_MS
  return () => {
    const now = next
    next = Math.min(2 * next, PAUSE_MS)
    return new Promise((resolve) => setTimeout(resolve, now))
  }
}

/** `undefined` where no sidecar answers in time. */
async function whenReady({
  status,
  stopped,
  pause = growingPause(),
}: FactsOptions): Promise<SidecarStatus | undefined> {
  for (const deadline = Date.now() + READY_MS; ; ) {
    const now = await status()
    if (now !== undefined || stopped() || Date.now() > deadline) return now
    await pause()
  }
}

/** `policySince` is infinite where nobody knows it and somebody has to. */
async function publishFacts(
  options: FactsOptions,
  { facts }: Reading,
  names: readonly string[],
): Promise<{ done: Done; names: readonly string[]; policySince: number }> {
  const { policy, digest, given, configMap, namespace, cluster, firstReportDelay, log } = options
  const unknown = firstReportDelay > 0 ? Number.POSITIVE_INFINITY : 0
  if (names.length === 0 && firstReportDelay === 0) return { done: true, names: [], policySince: 0 }
  if (namespace === undefined) {
    log.error('facts: the namespace is not known, so nothing is published; give --namespace')
    return { done: false, names: [], policySince: unknown }
  }
  const all = narrowFacts(policy, new Map([...facts, ...given]))
  const narrowed = new Map([...all].filter(([name]) => names.includes(name)))
  const published = await publish(cluster, {
    configMap,
    namespace,
    facts: narrowed,
    digest,
    now: Date.now(),
  })
  if ('why' in published) {
    log.warn('facts: they could not be published', {
      configMap,
      right: `patch configmaps ${configMap}`,
      why: published.why,
    })
    if (firstReportDelay > 0)
      log.warn(
        'facts: nobody remembers since when this policy is in force, so there is no cluster report',
      )
    return { done: published.refused, names: [], policySince: unknown }
  }
  log.info('facts: published', { configMap, key: FACTS_KEY, facts: narrowed.size })
  return { done: true, names: [...narrowed.keys()], policySince: published.policySince }
}

const SENTENCES: Record<Settled, string> = {
  delivered: 'facts: the cluster report is delivered',
  refused: 'facts: the collector has refused the cluster report',
  local:
    'facts: the cluster report is kept by the sidecar and not sent, because reporting is local',
  off: 'facts: reporting was turned off, and the cluster report is wiped',
  lost: 'facts: the sidecar has dropped the cluster report, and counts why',
  late: 'facts: the cluster report was not sent in time; it goes with this pod. The sidecar beside this job needs a USAGE_SEND_INTERVAL of a minute and no USAGE_FIRST_SEND_DELAY',
  silent: 'facts: the sidecar does not answer any more',
}
const GOOD: readonly Settled[] = ['delivered', 'local', 'off']

async function report(
  options: FactsOptions,
  { facts, nodes }: Reading,
  published: readonly string[],
): Promise<Done> {
  const {
    policy,
    given,
    sidecar,
    status,
    allowed,
    stopped,
    wait,
    pause = growingPause(),
    log,
  } = options
  const needs = needsOf(policy, given)
  const { reportSpans, sendReport } = await import('./report.ts')
  const spans = reportSpans(needs, new Map([...facts, ...given]), nodes)
  if (spans.length === 0) {
    log.info('facts: there is nothing to report')
    return true
  }
  const before = await factsKnown(options, published)
  if (before === undefined || !allowed() || stopped()) return before !== undefined
  const first = nextSequence(before)
  log.info('facts: the cluster report is handed to the sidecar', {
    [CLUSTER_SPAN]: spans.length - nodes.length,
    [NODE_SPAN]: nodes.length,
  })
  if (!(await sendReport(sidecar, spans, Date.now()))) {
    log.error('facts: the sidecar has not taken the cluster report')
    return false
  }
  const settled = await untilSettled({ status, first, deadline: Date.now() + wait, pause, stopped })
  log[GOOD.includes(settled) ? 'info' : 'error'](SENTENCES[settled])
  return GOOD.includes(settled)
}

/**
 * The sidecar reads the facts that were just published from its volume, which the kubelet fills
 * some time later: its rule for `k8s.cluster` may name them.
 */
async function factsKnown(
  { status, stopped, pause = growingPause(), log }: FactsOptions,
  published: readonly string[],
): Promise<SidecarStatus | undefined> {
  for (const deadline = Date.now() + KNOWN_MS; ; ) {
    const now = await status()
    if (now === undefined) log.error('facts: the sidecar does not answer any more')
    const late = now?.missingFacts.filter(({ name }) => published.includes(name)) ?? []
    if (late.length === 0 || stopped()) return now
    if (Date.now() > deadline) {
      for (const { name: fact } of late)
        log.warn('facts: the sidecar of this pod does not know it', { fact })
      return now
    }
    await pause()
  }
}
