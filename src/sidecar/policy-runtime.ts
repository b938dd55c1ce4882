// Policy and facts, as they are now, to a road: what turns one request into one record. Made anew
// when either changes; where one of them is wrong there is no road, and the log says why.
import { join } from 'node:path'
import { type Anonymizer, createAnonymizer } from '../anonymize/anonymize.ts'
import type { Clock } from '../anonymize/clock.ts'
import type { Facts } from '../anonymize/source.ts'
import { createEnricher, type Enricher } from '../enrich/enrich.ts'
import { allFacts, parseFacts } from '../enrich/facts.ts'
import { openIdentity } from '../identity/identity.ts'
import { expiredOn } from '../policy/expiry.ts'
import { applyOverlay } from '../policy/overlay.ts'
import { parsePolicy } from '../policy/parse.ts'
import { type Policy, policyDigest, type Scalar } from '../policy/policy.ts'
import type { Counters } from '../support/counters.ts'
import { ConfigError } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import type { Config } from '../support/settings.ts'
import { type Watch, watchFile } from '../support/watch.ts'

export interface Road {
  policy: Policy
  digest: string
  anonymizer: Anonymizer
  enricher: Enricher
  facts: Facts
  /** Whether it has an identity, and so pseudonyms. */
  named: boolean
}

export interface RoadOptions {
  config: Config
  machine: { arch: string; platform: string }
  /** Of one request. */
  maxBytes: number
  /**
   * One for all roads: a day that is over does not come back with a new policy, nor with a clock
   * that is put back.
   */
  clock: Clock
  counters: Counters
  log: Log
}

export interface RoadWatch {
  /** `undefined` where there is none, or its policy has expired. */
  current(): Road | undefined
  /**
   * Under what all that is kept now is made: the digest of the policy, or EXPIRED; `undefined`
   * where none is valid.
   */
  label(): string | undefined
  /** Why there is none, the day after its last one too; sentences. */
  errors(): readonly string[]
  stop(): void
}

/**
 * What was kept under a policy that has expired is dropped like that of any other policy that is
 * not in force.
 */
const EXPIRED = 'expired'

/**
 * Makes the identity where it can and there is none, so it is called only when reporting is not
 * off.
 */
export function watchRoad(options: RoadOptions, onChange: () => void): RoadWatch {
  const { config, clock, log } = options
  const watches: Watch[] = []
  let road: Road | undefined
  let label: string | undefined

  let errors: readonly string[] = []

  const build = (): Road | undefined => {
    const built = buildRoad(options, {
      policy: policyText(),
      facts: factsText(),
      overlay: overlayText(),
    })
    errors = 'policy' in built ? [] : built
    return 'policy' in built ? built : undefined
  }
  const take = (next: Road | undefined): void => {
    road = next
    if (road === undefined) return
    const before = label
    const expired = hasExpired(clock, road.policy)
    label = expired === undefined ? road.digest : EXPIRED
    if (expired !== undefined && before !== EXPIRED)
      log.error(`policy: nothing is kept or sent, because: ${expired}`)
  }
  let looking = false
  /** Files of one volume change together: a new policy never meets the overlay of the old one. */
  const changed = (): void => {
    if (looking) return
    looking = true
    for (const watch of watches) watch.look()
    looking = false
    take(build())
    onChange()
  }
  const watched = (
    path: string | undefined,
    text: string | undefined,
  ): (() => string | undefined) => {
    if (path === undefined) return () => text
    const watch = watchFile(path, changed)
    watches.push(watch)
    return () => watch.current()
  }
  const policyText = watched(config.policy, config.policyText)
  const factsText = watched(config.factsFile, undefined)
  const overlayText = watched(config.policyOverlay, undefined)
  take(build())
  // In Kubernetes the Secret may be made after the pod has begun. One that is there is read at the
  // start alone.
  if (config.identityDir !== undefined && road?.named !== true)
    watched(join(config.identityDir, 'secret'), undefined)
  return {
    // promise: expired-policy-nothing-kept
    current: () =>
      road === undefined || hasExpired(clock, road.policy) !== undefined ? undefined : road,
    label: () => {
      take(road)
      // promise: invalid-policy-stops
      return road === undefined ? undefined : label
    },
    errors: () => {
      const expired = road && hasExpired(clock, road.policy)
      return expired === undefined ? errors : [expired]
    },
    stop: () => {
      for (const watch of watches) watch.stop()
    },
  }
}

function hasExpired(clock: Clock, policy: Policy): string | undefined {
  clock.advance(Date.now())
  return expiredOn(policy, clock.period('day'))
}

/**
 * Given by the setting as `undefined`: there is no overlay; one that cannot be read is an error,
 * not none.
 */
function readPolicy(
  { policyOverlay }: Config,
  policyText: string | undefined,
  overlayText: string | undefined,
): Policy {
  if (policyText === undefined)
    throw new ConfigError([
      'The policy cannot be read. USAGE_POLICY names a UTF-8 file of at most 1 MiB.',
    ])
  const policy = parsePolicy(policyText)
  // promise: unreadable-overlay-invalid
  if (policyOverlay === undefined) return policy
  if (overlayText === undefined)
    throw new ConfigError([
      'The overlay cannot be read. USAGE_POLICY_OVERLAY names a UTF-8 file of at most 1 MiB.',
    ])
  try {
    return applyOverlay(policy, overlayText)
  } catch (error) {
    throw error instanceof ConfigError
      ? new ConfigError(error.errors.map((message) => `In the overlay, ${message}`))
      : error
  }
}

/**
 * Facts of the file, which a job makes, and of the setting, which the chart gives; of one name,
 * those of the setting.
 */
function givenFacts(
  setting: string | undefined,
  file: string | undefined,
): ReadonlyMap<string, Scalar> {
  const ofFile = file === undefined ? [] : parseFacts(file, 'USAGE_FACTS_FILE')
  return new Map([...ofFile, ...(setting === undefined ? [] : parseFacts(setting, 'USAGE_FACTS'))])
}

function buildRoad(
  options: RoadOptions,
  texts: { policy: string | undefined; facts: string | undefined; overlay: string | undefined },
): Road | readonly string[] {
  const { config, machine, maxBytes, clock, counters, log } = options
  try {
    const policy = readPolicy(config, texts.policy, texts.overlay)
    const identity = openIdentity(config.identityDir, true)
    if ('reason' in identity)
      log.info('identity: there is none, so there are no pseudonyms', { reason: identity.reason })
    const given = givenFacts(config.facts, texts.facts)
    const known = 'reason' in identity ? undefined : identity
    const facts = allFacts(given, machine.arch, machine.platform, known?.instanceId)
    const digest = policyDigest(policy)
    const anonymizer = createAnonymizer({
      policy,
      facts,
      secret: known?.secret,
      counters,
      maxBytes,
      clock,
    })
    // promise: unknown-digest-custom
    const enricher = createEnricher(
      policy,
      digest === config.policyDigest ? digest : 'custom',
      anonymizer,
    )
    if (hasExpired(clock, policy) === undefined)
      log.info('policy: in force', {
        project: policy.project,
        version: policy.version,
        digest,
        expires: policy.expires,
      })
    return { policy, digest, anonymizer, enricher, facts, named: known !== undefined }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const message of error.errors)
      log.error(`policy: nothing is kept or sent, because: ${message}`)
    return error.errors
  }
}
