// The policy runtime: what turns the spans of a request into one record, made from the policy, its
// overlay, the facts and the identity. It is rebuilt when one of them changes. If one is invalid or
// the policy has expired, there is no runtime, and the log says why.
import { join } from 'node:path'
import { type Anonymizer, createAnonymizer } from '../anonymize/anonymize.ts'
import type { Clock } from '../anonymize/clock.ts'
import type { Facts } from '../anonymize/compiled-source.ts'
import { Enricher } from '../enrich/enrich.ts'
import { allFacts, parseFacts } from '../enrich/facts.ts'
import { openIdentity } from '../identity/identity.ts'
import { expiredOn } from '../policy/expiry.ts'
import { applyOverlay } from '../policy/overlay.ts'
import { parsePolicy } from '../policy/parse.ts'
import { type Policy, policyDigest, type Scalar } from '../policy/policy.ts'
import type { Counters } from '../support/counters.ts'
import { ConfigError } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import type { Machine } from '../support/machine.ts'
import type { Config } from '../support/settings.ts'
import { watchInputs } from './policy-inputs.ts'

export interface PolicyRuntime {
  policy: Policy
  digest: string
  anonymizer: Anonymizer
  enricher: Enricher
  facts: Facts
  hasIdentity: boolean
}

export interface PolicyRuntimeOptions {
  config: Config
  machine: Machine
  /** The limit of one request. */
  maxBytes: number
  /** One for all runtimes: neither a new policy nor a clock that goes back repeats a day. */
  clock: Clock
  counters: Counters
  log: Log
}

export interface PolicyRuntimeWatch {
  /** `undefined` if something is invalid or the policy has expired. */
  current(): PolicyRuntime | undefined
  /**
   * The digest under which records are kept now, or EXPIRED. `undefined` if there is no valid
   * policy.
   */
  policyDigest(): string | undefined
  /** Why there is no runtime. Sentences. */
  errors(): readonly string[]
  stop(): void
}

/** In place of a digest, so that the records of an expired policy are dropped. */
const EXPIRED = 'expired'
const STOPPED = 'policy: nothing is kept or sent'

/** Creates the identity if there is none, so call it only while reporting is not off. */
export function watchPolicyRuntime(
  options: PolicyRuntimeOptions,
  onChange: () => void,
): PolicyRuntimeWatch {
  const { config, clock, log } = options
  let runtime: PolicyRuntime | undefined
  let digestInForce: string | undefined
  let errors: readonly string[] = []

  const rebuild = (): void => {
    const built = buildPolicyRuntime(options, inputs.read())
    runtime = 'errors' in built ? undefined : built
    errors = 'errors' in built ? built.errors : []
    checkExpiry()
  }
  const checkExpiry = (): void => {
    if (runtime === undefined) return
    const expired = expiryError(clock, runtime.policy)
    if (expired !== undefined && digestInForce !== EXPIRED) log.error(STOPPED, { error: expired })
    digestInForce = expired === undefined ? runtime.digest : EXPIRED
  }
  const inputs = watchInputs(config, () => {
    rebuild()
    onChange()
  })
  rebuild()
  // In Kubernetes, the Secret may be created after the pod has started. An identity that exists is
  // read only once.
  if (config.identityDir !== undefined && runtime?.hasIdentity !== true)
    inputs.watch(join(config.identityDir, 'secret'))
  return {
    // promise: expired-policy-nothing-kept
    current: () =>
      runtime === undefined || expiryError(clock, runtime.policy) !== undefined
        ? undefined
        : runtime,
    policyDigest: () => {
      checkExpiry()
      // promise: invalid-policy-stops
      return runtime === undefined ? undefined : digestInForce
    },
    errors: () => {
      const expired = runtime && expiryError(clock, runtime.policy)
      return expired === undefined ? errors : [expired]
    },
    stop: () => inputs.stop(),
  }
}

function expiryError(clock: Clock, policy: Policy): string | undefined {
  clock.advance(Date.now())
  return expiredOn(policy, clock.period('day'))
}

/** The texts of the files and settings. `undefined` if a file cannot be read. */
interface PolicyTexts {
  policy: string | undefined
  facts: string | undefined
  overlay: string | undefined
}

function buildPolicyRuntime(
  options: PolicyRuntimeOptions,
  texts: PolicyTexts,
): PolicyRuntime | { errors: readonly string[] } {
  const { config, machine, maxBytes, clock, counters, log } = options
  try {
    const policy = readPolicy(config, texts.policy, texts.overlay)
    const identity = openIdentity(config.identityDir, true)
    if ('reason' in identity)
      log.info('identity: not available; no pseudonyms are sent', { reason: identity.reason })
    const known = 'reason' in identity ? undefined : identity
    const given = givenFacts(config.facts, texts.facts)
    const facts = allFacts(given, machine.arch, machine.platform, known?.instanceId)
    const digest = policyDigest(policy)
    const secret = known?.secret
    const anonymizer = createAnonymizer({ policy, facts, secret, counters, maxBytes, clock })
    // promise: unknown-digest-custom
    const sentDigest = digest === config.policyDigest ? digest : 'custom'
    const enricher = new Enricher(policy, sentDigest, anonymizer)
    if (expiryError(clock, policy) === undefined) {
      const { project, version, expires } = policy
      log.info('policy: in force', { project, version, digest, expires })
    }
    return { policy, digest, anonymizer, enricher, facts, hasIdentity: known !== undefined }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const message of error.errors) log.error(STOPPED, { error: message })
    return { errors: error.errors }
  }
}

/** An overlay that a setting names but that cannot be read is an error. */
function readPolicy(
  { policyOverlay }: Config,
  policyText: string | undefined,
  overlayText: string | undefined,
): Policy {
  if (policyText === undefined)
    throw new ConfigError([
      'The policy cannot be read. Set USAGE_POLICY to a UTF-8 file of at most 1 MiB.',
    ])
  const policy = parsePolicy(policyText)
  // promise: unreadable-overlay-invalid
  if (policyOverlay === undefined) return policy
  if (overlayText === undefined)
    throw new ConfigError([
      'The overlay cannot be read. Set USAGE_POLICY_OVERLAY to a UTF-8 file of at most 1 MiB.',
    ])
  try {
    return applyOverlay(policy, overlayText)
  } catch (error) {
    throw error instanceof ConfigError
      ? new ConfigError(error.errors.map((message) => `In the overlay, ${message}`))
      : error
  }
}

/** The facts of the file, which a job writes. Facts of the setting replace those of one name. */
function givenFacts(
  setting: string | undefined,
  file: string | undefined,
): ReadonlyMap<string, Scalar> {
  const ofFile = file === undefined ? [] : parseFacts(file, 'USAGE_FACTS_FILE')
  return new Map([...ofFile, ...(setting === undefined ? [] : parseFacts(setting, 'USAGE_FACTS'))])
}
