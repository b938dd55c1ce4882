// The states of the data directory and the rule that chooses the next step. One value holds the
// whole state, so a directory cannot be in use and about to be wiped at the same time.
import type { Epoch } from '../consent/epoch.ts'
import type { Queue } from '../queue/queue.ts'
import type { Sender } from '../send/send.ts'
import type { Mode } from '../support/mode.ts'

export interface DesiredState {
  mode: Mode
  /**
   * Digest of the policy in force. Without one, kept records stay in the queue and the sidecar
   * sends none of them.
   */
  policyDigest: string | undefined
}

/** The open data directory during one epoch. */
export interface Session {
  readonly queue: Queue
  /** performance.now(). A request that began earlier belongs, in part, to another epoch. */
  readonly startedAt: number
  /** As the file `epoch` has it. */
  epoch: Epoch
  policyDigest: string
  policySince: number
}

/** The sidecar does not use the data directory and has nothing to wipe in it. */
interface Closed {
  readonly phase: 'closed'
}

/** The epoch has ended, so the records of the directory must go. */
export interface Wiping {
  readonly phase: 'wiping'
  /** Set while the queue of the ended epoch is open. */
  session: Session | undefined
}

/** The queue is being opened. */
export interface Opening {
  readonly phase: 'opening'
  /** This process has locked the directory. */
  hasLock: boolean
  /** The epoch ended meanwhile, so the directory must be wiped next. */
  epochEnded: boolean
}

/** Requests are kept. Nothing is sent, as the queue may hold records of another policy. */
export interface Preparing {
  readonly phase: 'preparing'
  readonly session: Session
  /** Drops the records of other policies. `undefined` if it failed and must be repeated. */
  policySwitch: Promise<void> | undefined
}

/** Requests are kept and, in mode `on`, sent. */
export interface Open {
  readonly phase: 'open'
  readonly session: Session
  /** `undefined` in mode `local`. */
  sender: Sender | undefined
}

export type State = Closed | Wiping | Opening | Preparing | Open
export type Step =
  | { readonly kind: 'wait' }
  | { readonly kind: 'wipe'; readonly state: Wiping }
  | { readonly kind: 'open'; readonly mode: Epoch['mode']; readonly policyDigest: string }
  | { readonly kind: 'prepare'; readonly state: Preparing }

export const CLOSED: Closed = { phase: 'closed' }

/** What to do next. A wipe goes before everything else, whatever the desired state is. */
export function step(state: State, { mode, policyDigest }: DesiredState): Step {
  if (state.phase === 'wiping') return { kind: 'wipe', state }
  if (mode === 'off' || policyDigest === undefined) return { kind: 'wait' }
  if (state.phase === 'closed') return { kind: 'open', mode, policyDigest }
  return state.phase === 'preparing' ? { kind: 'prepare', state } : { kind: 'wait' }
}

/** The session in which requests are kept. */
export const activeSession = (state: State): Session | undefined =>
  state.phase === 'preparing' || state.phase === 'open' ? state.session : undefined

/** The session whose queue is open, also while the directory is wiped. */
export const openSession = (state: State): Session | undefined =>
  'session' in state ? state.session : undefined

/** Whether this process has locked the directory. */
export const hasLock = (state: State): boolean =>
  state.phase === 'opening' ? state.hasLock : openSession(state) !== undefined
