// Moves the data directory between the modes off, local and on and from one policy to the next.
// Records of one mode never reach another: first the epoch ends on disk, then the request in flight
// is cancelled, then the directory is wiped. A step that fails is retried. Until it succeeds, no
// request is kept and none is sent. A directory that another process uses stays untouched until it
// is free.
import {
  beginEpoch,
  type Epoch,
  endEpoch,
  isUsed,
  readEpoch,
  renewEpoch,
} from '../consent/epoch.ts'
import type { Queue } from '../queue/queue.ts'
import type { Sender } from '../send/send.ts'
import { errorCode } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import {
  activeSession,
  CLOSED,
  type DesiredState,
  hasLock,
  type Open,
  type Opening,
  openSession,
  type Preparing,
  type Session,
  type State,
  step,
  type Wiping,
} from './mode-state.ts'

export interface ModeControllerOptions {
  /** The data directory. */
  folder: string
  /** Reads the switches and the policy anew. May call reconcile(). */
  desiredState: () => DesiredState
  openQueue: (kind: {
    policyDigest: string
    mode: Epoch['mode']
    wipe: () => boolean
  }) => Promise<Queue>
  /** Keeps other processes out until the result is called. Throws EBUSY if one is in. */
  lockFolder: () => () => void
  /** Removes all records from a directory that is not open. */
  wipeFolder: () => Promise<void>
  /** Sends the queue while `allowed`, which reads the switches anew. */
  openSender: (queue: Queue, notBefore: number, allowed: () => boolean) => Sender
  firstSendDelay: number
  log: Log
  now?: () => number
}

const RETRY_MS = 5_000
/** What a step that failed could not do: for the log and for the status. */
const CANNOT = {
  wipe: 'wipe the data directory',
  open: 'use the data directory',
  dropOld: 'drop the records of the previous policy',
  writeEpoch: 'write the epoch file',
} as const

export class ModeController {
  readonly #options: ModeControllerOptions
  readonly #now: () => number
  #state: State = CLOSED
  #desired: DesiredState | undefined
  /** Resolves when every sender that was stopped has ended. */
  #stoppingSenders: Promise<unknown> = Promise.resolve()
  #attempt: keyof typeof CANNOT = 'open'
  #problem: string | undefined
  #isDue = false
  #running: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: ModeControllerOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  /** Resolves after the first attempt to reach the desired state. */
  async start(): Promise<void> {
    this.reconcile()
    await this.#running
  }

  /**
   * Call this when the switches or the policy may have changed. When it returns, nothing that is
   * not allowed any more can be sent. The slow steps follow in the background.
   */
  reconcile(): void {
    if (this.#stopped) return
    const before = this.#desired
    const desired = this.#options.desiredState()
    // desiredState() has called this function already if it found a change.
    if (this.#desired !== before) return
    if (desired.mode === before?.mode && desired.policyDigest === before.policyDigest) return
    this.#desired = desired
    if (desired.mode !== this.#modeBefore(before, desired)) this.#endEpoch()
    this.#followPolicy()
    this.#schedule()
  }

  /**
   * The queue for a request that began at `began` (performance.now()). If there is none, the
   * request is discarded.
   */
  queueFor(began: number): Queue | undefined {
    const session = activeSession(this.#state)
    // promise: late-request-discarded
    return session !== undefined && began > session.startedAt ? session.queue : undefined
  }

  /** The sender's earliest next attempt and its failures in a row, if anything is sent. */
  sending(): { nextDrainAt: number; failures: number } | undefined {
    return this.#state.phase === 'open' ? this.#state.sender?.status() : undefined
  }

  /** What the sidecar cannot do with the data directory, if the last attempt failed. */
  problem(): string | undefined {
    return this.#problem
  }

  /**
   * Closes the data directory and leaves its content. A drain that has begun, or is due, first
   * gets `graceMs`.
   */
  async stop(graceMs = 0): Promise<void> {
    if (graceMs > 0 && this.#state.phase === 'open') await this.#state.sender?.stop(graceMs)
    this.#stopped = true
    clearTimeout(this.#retry)
    this.#stopSender(this.#state)
    await this.#running
    await this.#stoppingSenders
    await openSession(this.#state)?.queue.close()
  }

  /** At the start it is the mode of the epoch on disk. Without one, opening wipes. */
  #modeBefore(before: DesiredState | undefined, desired: DesiredState): string | undefined {
    if (before !== undefined || desired.mode === 'off') return before?.mode
    return readEpoch(this.#options.folder)?.mode ?? desired.mode
  }

  /** Does at once what cannot wait. #wipe() does the rest and repeats and reports what fails. */
  #endEpoch(): void {
    const state = this.#state
    if (state.phase === 'wiping') return
    // promise: mode-end-closes-queue
    if (state.phase === 'opening') state.epochEnded = true
    else this.#state = { phase: 'wiping', session: activeSession(state) }
    // promise: epoch-ends-at-once
    try {
      this.#endEpochOnDisk(hasLock(state))
    } catch {}
    // promise: request-cancelled-at-once
    this.#stopSender(state)
  }

  #endEpochOnDisk(isLocked: boolean): void {
    const { folder } = this.#options
    if (isLocked) endEpoch(folder)
    else if (isUsed(folder)) {
      const unlock = this.#options.lockFolder()
      try {
        endEpoch(folder)
      } finally {
        unlock()
      }
    }
  }

  #stopSender(state: State): void {
    if (state.phase !== 'open' || state.sender === undefined) return
    this.#stoppingSenders = Promise.all([this.#stoppingSenders, state.sender.stop()])
  }

  /** Drops the records of the old policy at the moment in which the new one comes into force. */
  #followPolicy(): void {
    const session = activeSession(this.#state)
    const policyDigest = this.#desired?.policyDigest
    if (session === undefined || policyDigest === undefined) return
    if (policyDigest === session.policyDigest) return
    this.#stopSender(this.#state)
    session.policyDigest = policyDigest
    session.policySince = this.#now()
    // promise: policy-change-drops
    const policySwitch = session.queue.switchPolicy(policyDigest)
    this.#state = { phase: 'preparing', session, policySwitch }
    // #prepare() repeats and reports what fails.
    policySwitch.catch(() => undefined)
    try {
      this.#recordPolicy(session)
    } catch {}
  }

  /** So the first report under this policy waits from `policySince`, also after a restart. */
  #recordPolicy(session: Session): void {
    const { folder } = this.#options
    const { epoch, policyDigest, policySince } = session
    if (readEpoch(folder)?.id !== epoch.id) return
    if (epoch.policy === policyDigest && epoch.policySince === policySince) return
    session.epoch = renewEpoch(folder, epoch, policyDigest, policySince)
  }

  #schedule(): void {
    this.#isDue = true
    this.#running ??= this.#run()
  }

  /** The loop. Only one runs at a time, and no failure ends it. */
  async #run(): Promise<void> {
    await Promise.resolve()
    clearTimeout(this.#retry)
    while (this.#isDue && !this.#stopped) {
      this.#isDue = false
      try {
        await this.#takeSteps()
        this.#problem = undefined
      } catch (error) {
        this.#report(errorCode(error))
        clearTimeout(this.#retry)
        this.#retry = setTimeout(() => this.#schedule(), RETRY_MS).unref()
      }
    }
    this.#running = undefined
  }

  #report(code: string): void {
    const cannot = CANNOT[this.#attempt]
    const reason = code === 'EBUSY' ? 'another process uses it' : code
    this.#options.log.error(`cannot ${cannot}`, { code, reason, retryInSeconds: RETRY_MS / 1000 })
    this.#problem = `${cannot} (${reason})`
  }

  /** State and desired state may change at each await. */
  async #takeSteps(): Promise<void> {
    while (!this.#stopped && this.#desired !== undefined) {
      const next = step(this.#state, this.#desired)
      if (next.kind === 'wait') return
      if (next.kind === 'wipe') await this.#wipe(next.state)
      else if (next.kind === 'open') await this.#open(next.mode, next.policyDigest)
      else await this.#prepare(next.state)
    }
  }

  /** Wipes through the queue where one is open, else behind a lock. */
  async #wipe(state: Wiping): Promise<void> {
    this.#attempt = 'wipe'
    const { folder, wipeFolder, lockFolder, log } = this.#options
    const { session } = state
    if (session === undefined && !isUsed(folder)) {
      this.#state = CLOSED
      return
    }
    const unlock = session === undefined ? lockFolder() : undefined
    try {
      endEpoch(folder)
      await this.#stoppingSenders
      // promise: start-wipes-earlier-mode
      if (session === undefined) await wipeFolder()
      else {
        // promise: mode-end-wipes
        await session.queue.wipe()
        state.session = undefined
        await session.queue.close()
      }
    } finally {
      unlock?.()
    }
    this.#state = CLOSED
    log.info('data directory wiped')
  }

  async #open(mode: Epoch['mode'], policyDigest: string): Promise<void> {
    this.#attempt = 'open'
    const { folder, openQueue } = this.#options
    const state: Opening = { phase: 'opening', hasLock: false, epochEnded: false }
    this.#state = state
    const isUnchanged = (): boolean => this.#state === state
    let found: Epoch | undefined
    const wipe = (): boolean => {
      state.hasLock = true
      found = readEpoch(folder)
      return found === undefined
    }
    try {
      const queue = await openQueue({ policyDigest, mode, wipe })
      try {
        // Nothing is awaited between this check and the new state. If the epoch has ended
        // meanwhile, opening begins anew.
        if (!state.epochEnded && !this.#stopped && readEpoch(folder)?.id === found?.id)
          this.#beginSession(queue, mode, policyDigest, found)
      } finally {
        if (isUnchanged()) {
          state.hasLock = false
          await queue.close()
        }
      }
    } finally {
      if (isUnchanged())
        this.#state = state.epochEnded ? { phase: 'wiping', session: undefined } : CLOSED
    }
  }

  #beginSession(
    queue: Queue,
    mode: Epoch['mode'],
    policyDigest: string,
    found: Epoch | undefined,
  ): void {
    const { folder } = this.#options
    let epoch = found ?? beginEpoch(folder, mode, policyDigest, this.#now())
    if (epoch.policy !== policyDigest) epoch = renewEpoch(folder, epoch, policyDigest, this.#now())
    const { policySince } = epoch
    const session = { queue, startedAt: performance.now(), epoch, policyDigest, policySince }
    this.#state = { phase: 'preparing', session, policySwitch: Promise.resolve() }
    this.#followPolicy()
  }

  /** Makes all records fit the policy, then lets them leave. */
  async #prepare(state: Preparing): Promise<void> {
    this.#attempt = 'dropOld'
    const { session } = state
    await this.#stoppingSenders
    state.policySwitch ??= session.queue.switchPolicy(session.policyDigest)
    try {
      await state.policySwitch
    } catch (error) {
      state.policySwitch = undefined
      throw error
    }
    if (this.#stopped || this.#state !== state || !this.#isEpochOnDisk(session)) return
    this.#attempt = 'writeEpoch'
    this.#recordPolicy(session)
    const open: Open = { phase: 'open', session, sender: undefined }
    this.#state = open
    // promise: local-without-sender
    if (session.epoch.mode === 'on') open.sender = this.#openSender(open)
  }

  #openSender(open: Open): Sender {
    const { firstSendDelay, log, openSender } = this.#options
    const { epoch, policySince, queue } = open.session
    // A wrong clock may have written a time in the future. Then the delay starts now.
    const notBefore = Math.min(this.#now(), Math.max(epoch.since, policySince)) + firstSendDelay
    log.info('send: reports may leave', { from: new Date(notBefore).toISOString() })
    return openSender(queue, notBefore, () => this.#isAllowed(open))
  }

  /** Asked before each request and each commit of a body. */
  #isAllowed(open: Open): boolean {
    // promise: switches-read-before-send
    this.reconcile()
    // promise: no-policy-nothing-sent
    // promise: epoch-removal-off
    return (
      !this.#stopped &&
      this.#state === open &&
      this.#desired?.policyDigest === open.session.policyDigest &&
      this.#isEpochOnDisk(open.session)
    )
  }

  /** If something else has removed the epoch from disk, it has ended. */
  #isEpochOnDisk(session: Session): boolean {
    if (readEpoch(this.#options.folder)?.id === session.epoch.id) return true
    this.#options.log.warn('epoch file removed or replaced; beginning a new epoch')
    this.#endEpoch()
    this.#schedule()
    return false
  }
}
