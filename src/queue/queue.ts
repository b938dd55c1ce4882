// The queue on disk. An append that was acknowledged stays on disk until it is delivered, refused,
// dropped for a counted reason, or wiped. One operation at a time touches the disk, in the order of
// the calls. One process uses a data directory.
//
// The way in is appends.ts: append -> commit group -> sync -> acknowledge. The way out is
// delivery.ts: queue/ -> sending/ -> sent/.
import { join } from 'node:path'
import { Counters } from '../support/counters.ts'
import type { Log } from '../support/log.ts'
import { ActiveFile } from './active-file.ts'
import { AppendRefusals } from './append-refusals.ts'
import { Appender, type PendingOperation, type WhenFull } from './appends.ts'
import type { Body, Order } from './body.ts'
import { Delivery, type Outcome } from './delivery.ts'
import { type Disk, nodeDisk, unlinkIfThere } from './disk.ts'
import { FileIndex, FOLDERS, wipeFiles } from './file-index.ts'
import { readPolicyDigest } from './policy-file.ts'
import { PolicySwitch } from './policy-switch.ts'
import { Receipts } from './receipts.ts'
import { recover } from './recover.ts'
import { SerialExecutor } from './serial-executor.ts'

export type { Body } from './body.ts'
export type { Disk } from './disk.ts'

export interface QueueOptions {
  folder: string
  /** Of queue/ and sending/ together. */
  maxBytes: number
  /** Of the records in memory that are not written yet. Beyond it appends are refused. */
  maxWaitingBytes: number
  maxAgeMs: number
  full: WhenFull
  /** Of the policy that makes the records. Everything that another policy made is dropped. */
  policyDigest: string
  /**
   * Whether consent was interrupted, so that nothing on disk may leave. Asked as soon as the
   * directory is locked.
   */
  wipe: () => boolean
  order: Order
  counters: Counters
  log: Log
  disk?: Disk
  now?: () => number
}

/** The parts of an open queue. */
interface QueueParts {
  activeFile: ActiveFile
  appender: Appender
  delivery: Delivery
  executor: SerialExecutor
  fileIndex: FileIndex
  pendingOperations: Set<PendingOperation>
  policy: PolicySwitch
  receipts: Receipts
  unlock: () => void
}

/** For mode off, where no queue is open. Removes all spans, keeps the receipts, creates nothing. */
export const wipeFolder = (folder: string, counters = new Counters()): Promise<void> =>
  wipeFiles(folder, counters, nodeDisk, 'consent')

/**
 * Excludes other processes from a data directory that exists. Throws an error with the code EBUSY
 * if another process holds the lock.
 */
// promise: one-process
export const lockFolder = (folder: string, disk: Disk = nodeDisk): (() => void) =>
  disk.lock(join(folder, 'lock'))

/** Throws an error with the code EBUSY if another process holds the data directory. */
export async function openQueue(options: QueueOptions): Promise<Queue> {
  const { folder, disk = nodeDisk } = options
  await disk.makeFolder(folder)
  const unlock = lockFolder(folder, disk)
  try {
    const wipe = options.wipe()
    for (const name of FOLDERS) await disk.makeFolder(join(folder, name))
    return new Queue(options, await openParts(options, disk, wipe, unlock))
  } catch (error) {
    unlock()
    throw error
  }
}

/** Recovers what is on disk, drops what may not leave, and puts the parts together. */
async function openParts(
  options: QueueOptions,
  disk: Disk,
  wipe: boolean,
  unlock: () => void,
): Promise<QueueParts> {
  const { folder, maxAgeMs, policyDigest, counters, log, now = Date.now } = options
  const storedDigest = await openFolder(options, disk, wipe)
  const fileIndex = new FileIndex(disk, folder, counters)
  const receipts = await Receipts.open(disk, folder)
  const lastSequence = await recover({
    disk,
    folder,
    fileIndex,
    past: await receipts.past(),
    counters,
    log,
  })
  const activeFile = new ActiveFile({ disk, folder, fileIndex, maxAgeMs, lastSequence })
  const pendingOperations = new Set<PendingOperation>()
  const shared = { disk, folder, activeFile, fileIndex, pendingOperations, counters, log, now }
  const policy = new PolicySwitch(shared, storedDigest)
  if (policy.digest !== policyDigest) await policy.switchTo(policyDigest)
  await activeFile.dropExpired(now())

  const executor = new SerialExecutor()
  const refusals = new AppendRefusals(log, now)
  const { maxBytes, maxWaitingBytes, full, order } = options
  const bounds = { maxBytes, maxWaitingBytes, full }
  const appender = new Appender({ ...shared, ...bounds, executor, refusals })
  const delivery = new Delivery({ ...shared, receipts, order })
  return {
    activeFile,
    appender,
    delivery,
    executor,
    fileIndex,
    pendingOperations,
    policy,
    receipts,
    unlock,
  }
}

/** Gives the digest of the policy that made what is in the directory. Another format is emptied. */
async function openFolder(
  { folder, counters }: QueueOptions,
  disk: Disk,
  wipe: boolean,
): Promise<string | undefined> {
  if (wipe) await wipeFiles(folder, counters, disk, 'consent', new Map())
  await unlinkIfThere(disk, join(folder, 'policy.tmp'))
  // A killed process may have renamed a file without a sync. From now on the new name counts.
  await disk.syncFolder(folder)
  const policyDigest = await readPolicyDigest(disk, folder)
  if (policyDigest === undefined) await wipeFiles(folder, counters, disk, 'format')
  return policyDigest
}

export class Queue {
  readonly #parts: QueueParts
  readonly #maxBytes: number
  readonly #now: () => number
  /** The argument of the last switchPolicy(). The disk may not have followed yet. */
  #policyDigest: string

  constructor({ maxBytes, policyDigest, now = Date.now }: QueueOptions, parts: QueueParts) {
    this.#parts = parts
    this.#maxBytes = maxBytes
    this.#policyDigest = policyDigest
    this.#now = now
  }

  /**
   * Copies the record (one whole field 1 of a request) at once. Resolves when it is durable,
   * rejects with a 503.
   */
  append(record: Uint8Array, spans: number): Promise<void> {
    return this.#parts.appender.append(record, spans)
  }

  /** The same, in a body that holds no other record. */
  appendIsolated(record: Uint8Array, spans: number): Promise<void> {
    return this.#parts.appender.appendIsolated(record, spans)
  }

  /** The active file takes no more appends, so that next() gives it. */
  seal(): Promise<void> {
    const { executor, activeFile } = this.#parts
    return executor.run(async () => {
      await activeFile.seal()
      await activeFile.dropExpired(this.#now())
    })
  }

  /** The oldest body, committed to sending/. `undefined` if there is none or it is not allowed. */
  next(allowed: () => boolean): Promise<Body | undefined> {
    const { executor, delivery } = this.#parts
    return executor.run(() => delivery.next(allowed))
  }

  /**
   * Writes a receipt, durable before the first attempt. Rejects if the body was dropped meanwhile:
   * do not send it.
   */
  recordAttempt(body: Body): Promise<void> {
    const { executor, delivery, policy } = this.#parts
    return executor.run(() => delivery.recordAttempt(body, policy.digest ?? ''))
  }

  /** Writes a receipt. A body that is delivered or refused then moves to sent/. */
  recordOutcome(body: Body, outcome: Outcome): Promise<void> {
    const { executor, delivery } = this.#parts
    return executor.run(() => delivery.recordOutcome(body, outcome))
  }

  status(): { bytes: number; files: number; waitingBytes: number; sentBytes: number } {
    const { fileIndex, appender } = this.#parts
    return {
      bytes: fileIndex.bytes(),
      files: fileIndex.files.size,
      waitingBytes: appender.waitingBytes,
      sentBytes: fileIndex.sentBytes(),
    }
  }

  halfFull(): boolean {
    const { fileIndex, appender } = this.#parts
    return 2 * (fileIndex.bytes() + appender.waitingBytes) >= this.#maxBytes
  }

  /** Drops everything that was appended before this call, and keeps everything after it. */
  async switchPolicy(policyDigest: string): Promise<void> {
    const { appender, executor, policy, pendingOperations } = this.#parts
    if (policyDigest === this.#policyDigest && !pendingOperations.has('switchPolicy')) return
    this.#policyDigest = policyDigest
    appender.discard('policy')
    await executor.run(() => policy.switchTo(policyDigest))
  }

  /** Consent ended. Removes everything but the receipts, and settles the waiting appends. */
  async wipe(): Promise<void> {
    const { appender, executor, activeFile, fileIndex, pendingOperations } = this.#parts
    appender.discard('consent')
    await executor.run(async () => {
      pendingOperations.add('wipe')
      await activeFile.seal()
      await fileIndex.wipe()
      pendingOperations.delete('wipe')
    })
  }

  async close(): Promise<void> {
    const { executor, activeFile, receipts, unlock } = this.#parts
    if (executor.closed) return
    const closed = executor.run(async () => {
      await activeFile.seal()
      await receipts.close()
    })
    executor.close()
    await closed.finally(unlock)
  }
}
