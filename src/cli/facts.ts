// `facts`: the short-lived job that asks the cluster what the policy names, or, with
// --identity-secret, makes the identity of this installation. The only command that speaks with
// Kubernetes; `run` never loads it.
import { randomInt } from 'node:crypto'
import { lstatSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { decide } from '../consent/consent.ts'
import { allFacts, parseFacts } from '../enrich/facts.ts'
import type { Cluster } from '../facts/cluster.ts'
import { NEW } from '../identity/identity.ts'
import { DEFAULTS as INJECTION_DEFAULTS } from '../inject/container.ts'
import { policyOn } from '../policy/expiry.ts'
import { policyDigest } from '../policy/policy.ts'
import { ConfigError, errorCode } from '../support/errors.ts'
import { createLog, type Log } from '../support/log.ts'
import { duration, isLoopback, WrongSetting } from '../support/setting-parsers.ts'
import { type ConfigOf, readSettings, SETTINGS, type SettingName } from '../support/settings.ts'
import { EXIT, type Host, type Input, UsageError } from './command.ts'
import { policyOf } from './policy-file.ts'
import { askStatus } from './status.ts'

/** Settings of the sidecar that mean the same here. */
const SHARED = [
  'USAGE_REPORTING',
  'USAGE_ANNOTATIONS_FILE',
  'USAGE_OFF_FILE',
  'USAGE_POLICY',
  'USAGE_POLICY_TEXT',
  'USAGE_POLICY_OVERLAY',
  'USAGE_PAGE_LISTEN',
  'USAGE_FACTS',
  'USAGE_FIRST_SEND_DELAY',
  'USAGE_LOG_LEVEL',
] as const satisfies readonly SettingName[]
type SharedName = (typeof SHARED)[number]
type SharedSetting = Extract<(typeof SETTINGS)[number], { name: SharedName }>
const isShared = (setting: (typeof SETTINGS)[number]): setting is SharedSetting =>
  SHARED.some((name) => name === setting.name)
const settings = SETTINGS.filter(isShared)
const DEFAULTS = {
  factsConfigMap: INJECTION_DEFAULTS.factsConfigMap,
  startWithin: '10m',
  wait: '15m',
  otlp: 'http://127.0.0.1:4318',
}
const LONGEST_WAIT_MS = 15 * 60_000
/** The job runs once a day. */
const LATEST_START_MS = 24 * 3_600_000
/** RFC 1123, as Kubernetes wants it; it becomes part of a path. */
const NAME = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/

export async function facts(host: Host, input: Input): Promise<number> {
  if (input.positionals.length > 0) throw new UsageError('facts takes flags only.')
  const { config, errors } = readSettings(settings, host.env, input.flags)
  if (errors.length > 0) throw new ConfigError(errors)
  const { startWithin, wait } = readOwn(host, input)
  // The SDK reads them; those of a pod are meant for its application.
  host.forget('OTEL_')
  const log = createLog(config.logLevel, host.err)
  const stop = new AbortController()
  host.onStop(() => stop.abort())
  const allowed = (): boolean => mayReport(host, config)
  if (!allowed()) {
    log.info('facts: reporting is off; nothing is read and nothing is made')
    return EXIT.done
  }
  const secret = input.flags['identity-secret']
  if (secret !== undefined)
    return withCluster(input, log, (cluster, namespace) =>
      makeIdentity(cluster, namespace, secret, log),
    )

  const named = await policyOf(host, input)
  const today = new Date().toISOString().slice(0, 10)
  if (today > named.expires) {
    log.error('facts: the policy has expired, so nothing is read', { expires: named.expires })
    return EXIT.config
  }
  const given = allFacts(
    parseFacts(config.facts ?? '{}', 'USAGE_FACTS'),
    host.machine.arch,
    host.machine.platform,
    undefined,
  )
  // All clusters would ask, and report, in the same minute.
  const pause = randomInt(0, startWithin + 1)
  log.info('facts: begins', { seconds: Math.round(pause / 1_000) })
  await sleep(pause, undefined, { signal: stop.signal }).catch(() => undefined)
  if (stop.signal.aborted) return EXIT.done
  return withCluster(input, log, async (cluster, namespace) => {
    const { runFacts } = await import('../facts/facts.ts')
    const done = await runFacts({
      policy: policyOn(named, today),
      digest: policyDigest(named),
      given,
      cluster,
      namespace,
      configMap: nameOf(input, 'facts-config-map') ?? DEFAULTS.factsConfigMap,
      sidecar: endpointOf(host, input),
      status: () => askStatus(config.pageListen),
      firstReportDelay: config.firstSendDelay,
      wait,
      allowed,
      stopped: () => stop.signal.aborted,
      log,
    })
    return done ? EXIT.done : EXIT.failed
  })
}

async function withCluster(
  input: Input,
  log: Log,
  work: (cluster: Cluster, namespace: string | undefined) => Promise<number>,
): Promise<number> {
  // The Kubernetes client is large, and this process may have waited for long without it.
  const { openCluster } = await import('../facts/cluster.ts')
  const cluster = openCluster({ log })
  if (cluster === undefined) {
    log.error(
      'facts: no cluster is known; this runs in a pod with a service account, or where KUBECONFIG names a cluster',
    )
    return EXIT.failed
  }
  try {
    return await work(cluster, nameOf(input, 'namespace') ?? cluster.namespace)
  } finally {
    await cluster.close()
  }
}

async function makeIdentity(
  cluster: Cluster,
  namespace: string | undefined,
  flag: string,
  log: Log,
): Promise<number> {
  if (namespace === undefined)
    throw new UsageError('Give --namespace: it is not known where the Secret goes.')
  const files = { 'instance-id': NEW['instance-id'](), secret: NEW.secret() }
  const { makeIdentitySecret } = await import('../facts/identity-secret.ts')
  const made = await makeIdentitySecret(cluster, { name: flag, namespace, files })
  if (typeof made === 'string')
    log.info('facts: the Secret of the identity is there', {
      secret: flag,
      by: made === 'made' ? 'this job' : 'an earlier one',
    })
  else
    log.error('facts: the Secret of the identity cannot be made, so there are no pseudonyms', {
      secret: flag,
      right: 'create secrets',
      why: made.why,
    })
  return typeof made === 'string' ? EXIT.done : EXIT.failed
}

/** As the sidecar decides, from files as they are now; what cannot be read is off. */
function mayReport(
  host: Host,
  { reporting, annotationsFile, offFile }: ConfigOf<SharedSetting>,
): boolean {
  const annotations =
    annotationsFile === undefined ? {} : { annotations: { text: textOf(annotationsFile) } }
  const off = offFile === undefined ? {} : { offFile: { exists: isThere(offFile) } }
  return (
    decide({ reporting, doNotTrack: host.env.DO_NOT_TRACK, ...annotations, ...off }).mode !== 'off'
  )
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function isThere(file: string): boolean | undefined {
  try {
    lstatSync(file)
    return true
  } catch (error) {
    return errorCode(error) === 'ENOENT' ? false : undefined
  }
}

function readOwn(host: Host, input: Input): { startWithin: number; wait: number } {
  const time = (flag: string, standard: string): number => {
    try {
      return duration(input.flags[flag] ?? standard)
    } catch (error) {
      throw error instanceof WrongSetting ? new UsageError(`--${flag} ${error.message}`) : error
    }
  }
  endpointOf(host, input)
  nameOf(input, 'facts-config-map')
  nameOf(input, 'namespace')
  nameOf(input, 'identity-secret')
  const startWithin = time('start-within', DEFAULTS.startWithin)
  if (startWithin > LATEST_START_MS) throw new UsageError('--start-within is at most a day.')
  return { startWithin, wait: Math.min(time('wait', DEFAULTS.wait), LONGEST_WAIT_MS) }
}

function nameOf(input: Input, flag: string): string | undefined {
  const name = input.flags[flag]
  if (name !== undefined && !NAME.test(name))
    throw new UsageError(
      `--${flag} must be a Kubernetes name: lower case letters, digits, dots and dashes.`,
    )
  return name
}

/**
 * What is sent there is not anonymized yet, so it does not leave the pod. USAGE_OTLP_ENDPOINT is
 * what injection gives.
 */
function endpointOf(host: Host, input: Input): string {
  const text = input.flags['otlp-endpoint'] ?? (host.env.USAGE_OTLP_ENDPOINT || DEFAULTS.otlp)
  const url = URL.parse(text)
  if (
    url?.protocol !== 'http:' ||
    !isLoopback(url.hostname.replace(/^\[|\]$/g, '')) ||
    url.pathname !== '/' ||
    url.search !== ''
  )
    throw new UsageError(
      '--otlp-endpoint (USAGE_OTLP_ENDPOINT) is the sidecar in the same pod, such as http://127.0.0.1:4318.',
    )
  return url.origin
}
