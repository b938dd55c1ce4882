// Whether the sidecar reports, and under which policy. Follows the switches and the policy, and
// tells the mode controller of every change.
import type { Clock } from '../anonymize/clock.ts'
import { type Consent, type Decision, watchConsent } from '../consent/consent.ts'
import type { Queue } from '../queue/queue.ts'
import type { Counters } from '../support/counters.ts'
import type { Log } from '../support/log.ts'
import type { Machine } from '../support/machine.ts'
import type { Config } from '../support/settings.ts'
import { ModeController } from './mode-controller.ts'
import type { DesiredState } from './mode-state.ts'
import {
  type PolicyRuntime,
  type PolicyRuntimeWatch,
  watchPolicyRuntime,
} from './policy-runtime.ts'
import type { Storage } from './storage.ts'

export interface ReportingOptions {
  config: Config
  /** Of the settings. Any error means off. */
  errors: readonly string[]
  doNotTrack: string | undefined
  machine: Machine
  /** The limit of one request. */
  maxBytes: number
  clock: Clock
  counters: Counters
  log: Log
  storage: Storage
}

const NOT_STARTED: Decision = { mode: 'off', by: 'the start' }

export class Reporting {
  readonly modes: ModeController
  readonly #options: ReportingOptions
  #consent: Consent | undefined
  /** Exists while reporting is not off. */
  #policyRuntime: PolicyRuntimeWatch | undefined
  #decisions = 0

  constructor(options: ReportingOptions) {
    this.#options = options
    const { config, log, storage } = options
    this.modes = new ModeController({
      ...storage,
      folder: config.dataDir,
      firstSendDelay: config.firstSendDelay,
      desiredState: () => this.#desiredState(),
      log,
    })
  }

  /** Resolves after the first attempt to open or wipe the data directory. */
  async start(): Promise<void> {
    const { config, errors, doNotTrack, log } = this.#options
    for (const error of errors) log.error('settings: nothing is kept or sent', { error })
    // promise: invalid-settings-off
    const hasInvalidSettings = errors.length > 0
    this.#consent = watchConsent({ ...config, doNotTrack, hasInvalidSettings }, (decision) =>
      this.#follow(decision),
    )
    this.#follow(this.#consent.decision())
    await this.modes.start()
  }

  decision(): Decision {
    return this.#consent?.decision() ?? NOT_STARTED
  }

  policyRuntime(): PolicyRuntime | undefined {
    return this.#policyRuntime?.current()
  }

  policyErrors(): readonly string[] {
    return this.#policyRuntime?.errors() ?? []
  }

  /**
   * The policy runtime and the queue for a request that began at `began` (performance.now()).
   * `undefined` if nothing of it may be kept.
   */
  recordingSince(began: number): { runtime: PolicyRuntime; queue: Queue } | undefined {
    const runtime = this.#policyRuntime?.current()
    const queue = this.modes.queueFor(began)
    // promise: no-policy-nothing-kept
    return runtime === undefined || queue === undefined ? undefined : { runtime, queue }
  }

  /** A drain that has begun, or is due, first gets `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    await this.modes.stop(graceMs)
    this.#consent?.stop()
    this.#policyRuntime?.stop()
  }

  #desiredState(): DesiredState {
    const mode = this.#consent?.refresh().mode ?? 'off'
    return { mode, policyDigest: this.#policyRuntime?.policyDigest() }
  }

  /**
   * Reporting that is turned on begins with the policy of this moment. If it is turned off, the
   * mode controller acts before the policy runtime stops.
   */
  #follow({ mode, by }: Decision): void {
    // The number makes each line different: the log holds equal lines back for a while.
    this.#options.log.info('consent: mode decided', { mode, by, decision: ++this.#decisions })
    // promise: off-makes-no-identity
    if (mode !== 'off')
      this.#policyRuntime ??= watchPolicyRuntime(this.#options, () => this.modes.reconcile())
    this.modes.reconcile()
    if (mode !== 'off') return
    this.#policyRuntime?.stop()
    this.#policyRuntime = undefined
  }
}
