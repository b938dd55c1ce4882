// Runs the facts job. It reads what the policy names, publishes it as the policy sends it, and
// gives the cluster report to the sidecar in its own pod. It stays until the sidecar has settled
// the report. The job is short-lived. It logs everything that it cannot read or write, and does the
// rest. If reporting is off, it sends no request.

import type { Facts } from '../anonymize/compiled-source.ts'
import { narrowFacts } from '../anonymize/narrow-facts.ts'
import type { Policy } from '../policy/policy.ts'
import type { Log } from '../support/log.ts'
import type { Cluster } from './cluster.ts'
import { CLUSTER_SPAN, NODE_SPAN, needsOf } from './needs.ts'
import { FACTS_KEY, publish } from './publish.ts'
import { type Reading, readCluster } from './read.ts'
import { nextSequence, type Settled, type SidecarStatus, untilSettled } from './settled.ts'

export interface FactsOptions {
  policy: Policy
  /** Digest of the policy as written. An attribute that has expired does not change it. */
  digest: string
  /** Facts from the maintainer's chart. The job does not ask the cluster for them. */
  given: Facts
  configMap: string
  namespace: string | undefined
  cluster: Cluster
  /** Base URL of the sidecar in the same pod. */
  sidecar: string
  status: () => Promise<SidecarStatus | undefined>
  /** Milliseconds between the policy coming into force and the first report. */
  firstReportDelay: number
  /** Milliseconds to wait until the report is settled. */
  wait: number
  pause?: Pause
  /** Reads the switches again. */
  allowed: () => boolean
  stopped: () => boolean
  log: Log
}

/** Returns whether everything that the rights allow is done. If not, another run may do better. */
export type Done = boolean

const FIRST_PAUSE_MS = 100
const PAUSE_MS = 2_000
/** Time for a sidecar that starts together with this process. */
const READY_MS = 60_000
/** The kubelet needs at most 80 s to bring a changed ConfigMap into the sidecar's volume. */
const KNOWN_MS = 120_000

export async function runFacts(options: FactsOptions): Promise<Done> {
  const { policy, given, cluster, allowed, log } = options
  const needs = needsOf(policy, given)
  const reports = needs.cluster !== undefined || needs.node !== undefined
  if (!allowed()) {
    log.info('facts: reporting is off; nothing is read')
    return true
  }
  // The sidecar's own switches count as well, before the first request.
  const sidecar = reports ? await whenReady(options) : undefined
  // promise: facts-job-silent
  if (sidecar?.mode === 'off') {
    log.info('facts: reporting is off in this pod; nothing is read')
    return true
  }
  const reading = await readCluster(cluster, needs, given)
  // Reading may take minutes, so the switches are read again.
  if (!allowed()) {
    log.info('facts: reporting was turned off; nothing is published')
    return true
  }
  for (const { fact, right, why } of reading.missing)
    log.warn('facts: missing fact', { fact, right, why })
  const published = await publishFacts(options, reading, needs.published)
  const done = published.done && !reading.missing.some(({ passing }) => passing)
  if (!reports) return done
  if (sidecar === undefined) {
    log.error('facts: no sidecar answers in this pod; no cluster report')
    return false
  }
  if (published.policySince + options.firstReportDelay > Date.now()) {
    log.info('facts: cluster report waits for the first send delay', {
      hours: Math.ceil(options.firstReportDelay / 3_600_000),
    })
    return done
  }
  return (await report(options, reading, published.names)) && done
}

/** Pause between two requests to the sidecar's page. */
export type Pause = () => Promise<unknown>

function growingPause(): Pause {
  let next = FIRST_PAUSE_MS
  return () => {
    const now = next
    next = Math.min(2 * next, PAUSE_MS)
    return new Promise((resolve) => setTimeout(resolve, now))
  }
}

/** `undefined` if no sidecar answers in time. */
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

/** `policySince` is infinite if it is needed and unknown. */
async function publishFacts(
  options: FactsOptions,
  { facts }: Reading,
  names: readonly string[],
): Promise<{ done: Done; names: readonly string[]; policySince: number }> {
  const { policy, digest, given, configMap, namespace, cluster, firstReportDelay, log } = options
  const unknown = firstReportDelay > 0 ? Number.POSITIVE_INFINITY : 0
  if (names.length === 0 && firstReportDelay === 0) return { done: true, names: [], policySince: 0 }
  if (namespace === undefined) {
    log.error('facts: namespace unknown; nothing is published. Set --namespace')
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
    log.warn('facts: cannot publish the facts', {
      configMap,
      right: `patch configmaps ${configMap}`,
      why: published.why,
    })
    if (firstReportDelay > 0)
      log.warn('facts: unknown since when this policy is in force; no cluster report')
    return { done: published.refused, names: [], policySince: unknown }
  }
  log.info('facts: published', { configMap, key: FACTS_KEY, facts: narrowed.size })
  return { done: true, names: [...narrowed.keys()], policySince: published.policySince }
}

const SENTENCES: Record<Settled, string> = {
  delivered: 'facts: cluster report delivered',
  refused: 'facts: the collector refused the cluster report',
  local: 'facts: reporting is local; the cluster report stays in the sidecar',
  off: 'facts: reporting was turned off; the cluster report is wiped',
  lost: 'facts: the sidecar dropped the cluster report; its counters say why',
  late: 'facts: the cluster report was not sent in time and is lost. Set USAGE_SEND_INTERVAL=1m and USAGE_FIRST_SEND_DELAY=0 on the sidecar of this job',
  silent: 'facts: the sidecar no longer answers',
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
    log.info('facts: nothing to report')
    return true
  }
  const before = await factsKnown(options, published)
  if (before === undefined || !allowed() || stopped()) return before !== undefined
  const first = nextSequence(before)
  log.info('facts: cluster report given to the sidecar', {
    [CLUSTER_SPAN]: spans.length - nodes.length,
    [NODE_SPAN]: nodes.length,
  })
  if (!(await sendReport(sidecar, spans, Date.now()))) {
    log.error('facts: the sidecar did not accept the cluster report')
    return false
  }
  const settled = await untilSettled({ status, first, deadline: Date.now() + wait, pause, stopped })
  log[GOOD.includes(settled) ? 'info' : 'error'](SENTENCES[settled])
  return GOOD.includes(settled)
}

/**
 * The sidecar reads the published facts from its volume, which the kubelet updates later. Its rule
 * for `k8s.cluster` may name them.
 */
async function factsKnown(
  { status, stopped, pause = growingPause(), log }: FactsOptions,
  published: readonly string[],
): Promise<SidecarStatus | undefined> {
  for (const deadline = Date.now() + KNOWN_MS; ; ) {
    const now = await status()
    if (now === undefined) log.error('facts: the sidecar no longer answers')
    const late = now?.missingFacts.filter(({ name }) => published.includes(name)) ?? []
    if (late.length === 0 || stopped()) return now
    if (Date.now() > deadline) {
      for (const { name: fact } of late)
        log.warn('facts: the sidecar of this pod lacks a published fact', { fact })
      return now
    }
    await pause()
  }
}
