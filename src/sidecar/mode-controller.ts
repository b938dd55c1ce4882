// Goes between off, local and on while the process runs, and from one policy to the next. What was
// kept in one mode never comes into another: the epoch ends first, durably, then the request in
// flight, then all that is on disk. Whatever fails is tried again, and until it has worked nothing
// comes in and nothing leaves. A folder that another process has is its own: nothing in it is
// touched, whatever our switches say, until it is free.

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
import type { Mode } from '../support/mode.ts'

export interface Goal {
  mode: Mode
  /**
   * Digest of the policy in force; `undefined` where there is none: then what is kept stays, and
   * stays here.
   */
  policy: string | undefined
}

export interface ModesOptions {
  folder: string
  /** As the switches and the policy are now; reads the switches anew. */
  goal: () => Goal
  openQueue: (kind: { policy: string; mode: Epoch['mode']; wipe: () => boolean }) => Promise<Queue>
  /**
   * Keeps other processes out of the folder until the result is called; throws where one has it.
   */
  lockFolder: () => () => void
  /** Removes all that holds spans from a folder that is not open. */
  wipeFolder: () => Promise<void>
  /** Sends what the queue holds while `allowed`, which reads the switches anew. */
  openSender: (queue: Queue, notBefore: number, allowed: () => boolean) => Sender
  firstSendDelay: number
  log: Log
  now?: () => number
}

export interface Modes {
  /** Resolves when the first attempt to be as the switches want it has ended. */
  start(): Promise<void>
  /**
   * The switches or the policy may have changed: when it returns, nothing leaves any more that may
   * not.
   */
  look(): void
  /**
   * Where a request is kept that began at `began` (performance.now()); `undefined`: it is
   * discarded.
   */
  queueFor(began: number): Queue | undefined
  /**
   * When the next reports are sent, at the soonest, and how often in a row it failed; `undefined`
   * where nothing is sent.
   */
  sending(): { nextDrainAt: number; failures: number } | undefined
  /**
   * Why nothing is kept or sent although it should be, or something is still there that should not.
   */
  problem(): string | undefined
  /**
   * Closes the folder and leaves what is in it; a drain that has begun, or is due, first gets the
   * time of the grace.
   */
  stop(graceMs?: number): Promise<void>
}

/** The data folder while it is open. */
interface Open {
  queue: Queue
  epoch: Epoch
  /** performance.now(): a request that began before was taken in, in part, in another epoch. */
  since: number
  policy: string
  policySince: number
  /** Until it has resolved, the queue may hold what another policy made. */
  relabelled: Promise<void> | undefined
  /** All of it fits `policy`, and in mode on there is a sender. */
  ready: boolean
  sender: Sender | undefined
}

const RETRY_MS = 5_000

export function createModes(options: ModesOptions): Modes {
  const { folder, log, now = Date.now } = options
  let goal: Goal | undefined
  let open: Open | undefined
  /** We have locked the folder. */
  let ours = false
  /** What is in the folder was kept in an epoch that has ended. */
  let dirty = false
  /** The folder, still open, in the epoch that has ended. */
  let leaving: Open | undefined
  /** All that were told to stop. */
  let senders: Promise<unknown> = Promise.resolve()
  let doing = ''
  let problem: string | undefined
  let wanted = false
  let running: Promise<void> | undefined
  let retry: NodeJS.Timeout | undefined
  let stopped = false

  const stopSender = (it: Open): void => {
    if (it.sender !== undefined) senders = Promise.all([senders, it.sender.stop()])
    it.sender = undefined
  }

  const close = (queue: Queue): Promise<void> => {
    ours = false
    return queue.close()
  }

  const endHere = (): void => {
    if (ours) endEpoch(folder)
    else if (isUsed(folder)) {
      const unlock = options.lockFolder()
      try {
        endEpoch(folder)
      } finally {
        unlock()
      }
    }
  }

  /**
   * What may not wait when an epoch ends; clear() does the rest, and again what fails here, and
   * says so.
   */
  // promise: mode-end-closes-queue
  const leave = (): void => {
    dirty = true
    leaving ??= open
    open = undefined
    // promise: epoch-ends-at-once
    try {
      endHere()
    } catch {}
    // promise: request-cancelled-at-once
    if (leaving !== undefined) stopSender(leaving)
  }

  /** What the old policy made is dropped in the same moment as the new one begins. */
  const relabel = (it: Open, policy: string): void => {
    stopSender(it)
    it.ready = false
    it.policy = policy
    it.policySince = now()
    // promise: policy-change-drops
    it.relabelled = it.queue.switchPolicy(policy)
    // Both are done again by prepare() where they fail.
    it.relabelled.catch(() => undefined)
    try {
      renew(it)
    } catch {}
  }

  /**
   * The first report under this policy waits from its `policySince`, whatever becomes of this
   * process.
   */
  const renew = (it: Open): void => {
    const { epoch, policy, policySince } = it
    if (
      readEpoch(folder)?.id !== epoch.id ||
      (epoch.policy === policy && epoch.policySince === policySince)
    )
      return
    it.epoch = renewEpoch(folder, epoch, policy, policySince)
  }

  const look = (): void => {
    if (stopped) return
    const before = goal
    const next = options.goal()
    // Finding a change, options.goal() has come here before.
    if (goal !== before || (next.mode === before?.mode && next.policy === before.policy)) return
    goal = next
    // At the start: without an epoch, opening wipes.
    const was =
      before === undefined && next.mode !== 'off'
        ? (readEpoch(folder)?.mode ?? next.mode)
        : before?.mode
    if (next.mode !== was) leave()
    if (open !== undefined && next.policy !== undefined && next.policy !== open.policy)
      relabel(open, next.policy)
    settle()
  }

  const settle = (): void => {
    wanted = true
    if (running === undefined) running = fitUntilNothingChanges()
  }

  const fitUntilNothingChanges = async (): Promise<void> => {
    await Promise.resolve()
    clearTimeout(retry)
    while (wanted && !stopped) {
      wanted = false
      try {
        await fit()
        problem = undefined
      } catch (error) {
        const code = errorCode(error)
        const reason = code === 'EBUSY' ? { reason: 'another process uses it' } : {}
        log.error(`${doing}; it is tried again`, { code, ...reason })
        problem = `${doing.slice(doing.indexOf(': ') + 2)} (${reason.reason ?? code})`
        clearTimeout(retry)
        retry = setTimeout(settle, RETRY_MS).unref()
      }
    }
    running = undefined
  }

  /**
   * One step after the other from what is to what shall be; what shall be may change at every
   * await.
   */
  const fit = async (): Promise<void> => {
    while (!stopped && goal !== undefined) {
      if (dirty) await clear()
      else if (goal.mode === 'off' || goal.policy === undefined) return
      else if (open === undefined) await enter(goal.mode, goal.policy)
      else if (!open.ready) await prepare(open)
      else return
    }
  }

  const clear = async (): Promise<void> => {
    doing = 'consent: what the data folder holds could not be wiped'
    dirty = false
    const it = leaving
    let unlock: (() => void) | undefined
    try {
      if (it === undefined) {
        if (!isUsed(folder)) return
        unlock = options.lockFolder()
      }
      endEpoch(folder)
      await senders
      // promise: start-wipes-earlier-mode
      if (it === undefined) await options.wipeFolder()
      else {
        // promise: mode-end-wipes
        await it.queue.wipe()
        leaving = undefined
        await close(it.queue)
      }
      log.info('consent: nothing is left of what was kept before')
    } catch (error) {
      dirty = true
      throw error
    } finally {
      unlock?.()
    }
  }

  const enter = async (mode: Epoch['mode'], policy: string): Promise<void> => {
    doing = 'queue: the data folder cannot be used'
    let found: Epoch | undefined
    const wipe = (): boolean => {
      ours = true
      found = readEpoch(folder)
      return found === undefined
    }
    const queue = await options.openQueue({ policy, mode, wipe }).catch((error: unknown) => {
      ours = false
      throw error
    })
    // Where the epoch has ended meanwhile, all begins anew; from here to `open` nothing is awaited.
    if (dirty || stopped || readEpoch(folder)?.id !== found?.id) return await close(queue)
    let epoch: Epoch
    try {
      epoch = found === undefined ? beginEpoch(folder, mode, policy, now()) : found
      if (epoch.policy !== policy) epoch = renewEpoch(folder, epoch, policy, now())
    } catch (error) {
      await close(queue)
      throw error
    }
    const since = performance.now()
    open = {
      queue,
      epoch,
      since,
      policy,
      policySince: epoch.policySince,
      relabelled: Promise.resolve(),
      ready: false,
      sender: undefined,
    }
    if (goal?.policy !== undefined && goal.policy !== policy) relabel(open, goal.policy)
  }

  /** Makes all of it fit the policy, then lets it leave. */
  const prepare = async (it: Open): Promise<void> => {
    doing = 'queue: the batches of the old policy could not be dropped'
    await senders
    it.relabelled ??= it.queue.switchPolicy(it.policy)
    const { relabelled, policy } = it
    try {
      await relabelled
    } catch (error) {
      if (it.relabelled === relabelled) it.relabelled = undefined
      throw error
    }
    if (stopped || open !== it || it.relabelled !== relabelled || !holds(it)) return
    doing = 'consent: the epoch could not be written'
    renew(it)
    it.ready = true
    // promise: local-without-sender
    if (it.epoch.mode === 'local') return
    // Of a time in the future, from a clock that was wrong, nothing is known but that it has begun.
    const notBefore =
      Math.min(now(), Math.max(it.epoch.since, it.epoch.policySince)) + options.firstSendDelay
    log.info('send: reports may leave', { from: new Date(notBefore).toISOString() })
    it.sender = options.openSender(it.queue, notBefore, () => allowed(it, policy))
  }

  /** Whether the epoch is still on disk; somebody may have ended it from outside. */
  const holds = (it: Open): boolean => {
    if (readEpoch(folder)?.id === it.epoch.id) return true
    log.warn('consent: the file epoch is not ours any more; another one begins')
    leave()
    settle()
    return false
  }

  // promise: switches-read-before-send
  const allowed = (it: Open, policy: string): boolean => {
    look()
    // promise: epoch-removal-off
    // promise: no-policy-nothing-sent
    return (
      !stopped &&
      open === it &&
      it.ready &&
      it.policy === policy &&
      goal?.policy === policy &&
      holds(it)
    )
  }

  return {
    start: async () => {
      look()
      await running
    },
    look,
    // promise: late-request-discarded
    queueFor: (began) => (open !== undefined && began > open.since ? open.queue : undefined),
    sending: () => open?.sender?.status(),
    problem: () => problem,
    stop: async (graceMs = 0) => {
      if (graceMs > 0) await open?.sender?.stop(graceMs)
      stopped = true
      clearTimeout(retry)
      if (open !== undefined) stopSender(open)
      await running
      await senders
      await (open ?? leaving)?.queue.close()
    },
  }
}
