// The front door of the queue: what append() acknowledged is on disk until it is delivered,
// refused, dropped for a counted reason or wiped. One operation at a time touches the disk, in the
// order of the calls; appends that wait for their turn share one synced write. One process per
// folder.
import { join } from 'node:path'
import { Counters } from '../support/counters.ts'
import { errorCode } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import { createGrowing } from './active-file.ts'
import { createAppends } from './appends.ts'
import { type Body, bodyOf, commitBody, type Order, takeFromQueue } from './body.ts'
import { type Disk, nodeDisk, unlinkIfThere } from './disk.ts'
import { createShelf, FOLDERS, wipeFolder as wipeAll } from './file-index.ts'
import { readPolicyDigest, writePolicyDigest } from './policy-file.ts'
import { type OutcomeLine, openReceipts } from './receipts.ts'
import { recover } from './recover.ts'

export type { Body } from './body.ts'
export type { Disk } from './disk.ts'

/** For the line in the receipts and what the file system itself needs. */
const ROOM_BESIDE_BODY = 64 * 1024

export interface QueueOptions {
  folder: string
  /** Of queue/ and sending/ together. */
  maxBytes: number
  /** What may wait in memory for the disk; over it appends are refused. */
  maxWaitingBytes: number
  maxAgeMs: number
  /** `ring`: mode local; the oldest goes and nothing is ever sent. */
  full: 'refuse' | 'drop-oldest' | 'ring'
  /** Digest of the policy that makes what is appended; what another one made is dropped. */
  policyDigest: string
  /**
   * Whether consent was interrupted, so that nothing that is on disk may leave; asked as soon as
   * the folder is locked.
   */
  wipe: () => boolean
  order: Order
  counters: Counters
  log: Log
  disk?: Disk
  now?: () => number
}

export interface Outcome {
  result: 'delivered' | 'refused' | 'retry'
  status: number
  /** Spans that a collector which took the body says it left out. */
  rejected?: number
}

export interface Queue {
  /**
   * Copies the record (one whole field 1 of a request) at once; resolves when it is durable,
   * rejects with a 503.
   */
  append(record: Uint8Array, spans: number): Promise<void>
  /** The same, in a body of its own: no other record comes with it. */
  appendIsolated(record: Uint8Array, spans: number): Promise<void>
  /** The growing file takes no more, so that next() gives it. */
  seal(): Promise<void>
  /**
   * The oldest body, committed to sending/; `undefined` where there is none or it is not allowed.
   */
  next(allowed: () => boolean): Promise<Body | undefined>
  /**
   * A receipt line, durable before the first attempt. Rejects where the body was dropped meanwhile:
   * do not send it.
   */
  recordAttempt(body: Body): Promise<void>
  /** A receipt line; a body that is delivered or refused then moves to sent/. */
  recordOutcome(body: Body, outcome: Outcome): Promise<void>
  status(): { bytes: number; files: number; waitingBytes: number; sentBytes: number }
  halfFull(): boolean
  /**
   * The policy changed: what was appended before this call is dropped, what is appended after it is
   * kept.
   */
  switchPolicy(policyDigest: string): Promise<void>
  /**
   * Consent ended: everything but the receipts goes; appends that wait are settled without a trace.
   */
  wipe(): Promise<void>
  close(): Promise<void>
}

/**
 * For mode off, where no queue is opened: removes all that holds spans, keeps the receipts, creates
 * nothing.
 */
export const wipeFolder = (folder: string, counters = new Counters()): Promise<void> =>
  wipeAll(folder, counters, nodeDisk, 'consent')

/**
 * Keeps other processes out of a folder that is there; throws an error with the code EBUSY where
 * one has it.
 */
// promise: one-process
export const lockFolder = (folder: string, disk: Disk = nodeDisk): (() => void) =>
  disk.lock(join(folder, 'lock'))

/** Throws an error with the code EBUSY where another process has the folder. */
export async function openQueue(options: QueueOptions): Promise<Queue> {
  const { folder, disk = nodeDisk } = options
  await disk.makeFolder(folder)
  const unlock = lockFolder(folder, disk)
  try {
    const wipe = options.wipe()
    for (const name of FOLDERS) await disk.makeFolder(join(folder, name))
    return await openLocked(options, disk, wipe, unlock)
  } catch (error) {
    unlock()
    throw error
  }
}

async function openLocked(
  options: QueueOptions,
  disk: Disk,
  wipe: boolean,
  unlock: () => void,
): Promise<Queue> {
  const { folder, maxBytes, maxAgeMs, counters, log, now = Date.now } = options
  const shelf = createShelf(disk, folder, counters)
  const growing = createGrowing(disk, folder, shelf)
  const { stored } = shelf

  if (wipe) await wipeAll(folder, counters, disk, 'consent', new Map())
  await unlinkIfThere(disk, join(folder, 'policy.tmp'))
  // What a killed process renamed, such as the policy file, counts from now on: it must be durable.
  await disk.syncFolder(folder)
  let policyDigest = await readPolicyDigest(disk, folder)
  if (policyDigest === undefined) await wipeAll(folder, counters, disk, 'format')
  const receipts = await openReceipts(disk, folder)
  let sequence = await recover(disk, folder, shelf, await receipts.past(), counters, log)
  /** What switchPolicy() was last asked for; `policyDigest` follows when all of the old is gone. */
  let wanted = options.policyDigest
  /**
   * Began and did not come to an end; until it is called again and does, nothing comes in and
   * nothing leaves.
   */
  const unfinished = new Set<'switchPolicy' | 'wipe'>()
  let closed = false
  let turn: Promise<unknown> = Promise.resolve()

  /** One at a time, in the order of the calls. */
  const inTurn = <T>(operation: () => Promise<T>): Promise<T> => {
    if (closed)
      return Promise.reject(Object.assign(new Error('The queue is closed.'), { code: 'ECANCELED' }))
    const result = turn.then(operation)
    turn = result.catch(() => undefined)
    return result
  }

  const dropAll = async (next: string): Promise<void> => {
    unfinished.add('switchPolicy')
    await growing.seal()
    for (const item of stored.values()) await shelf.drop(item, 'policy')
    // Gone for good before the new digest says that all there is was made under it.
    await disk.syncFolder(join(folder, 'queue'))
    await disk.syncFolder(join(folder, 'sending'))
    await writePolicyDigest(disk, folder, next)
    policyDigest = next
    unfinished.delete('switchPolicy')
  }

  if (policyDigest !== wanted) await dropAll(wanted)
  await growing.dropOld(maxAgeMs, now())

  const blocked = (): boolean => unfinished.size > 0
  const isClosed = (): boolean => closed
  const nextSequence = (): number => ++sequence
  const { full } = options
  const appends = createAppends({
    shelf,
    growing,
    maxBytes,
    maxWaitingBytes: options.maxWaitingBytes,
    maxAgeMs,
    full,
    inTurn,
    blocked,
    closed: isClosed,
    nextSequence,
    counters,
    log,
    now,
  })

  /** Whether every settled body has left sending/, so that the receipts may forget. */
  const allMoved = (): boolean => ![...stored.values()].some(({ settled }) => settled)
  const time = (): string => new Date(now()).toISOString()

  return {
    append: (record, spans) => appends.append(record, spans),
    appendIsolated: (record, spans) => appends.appendIsolated(record, spans),
    seal: () =>
      inTurn(async () => {
        await growing.seal()
        await growing.dropOld(maxAgeMs, now())
      }),
    next: (allowed) =>
      inTurn(async () => {
        await growing.dropOld(maxAgeMs, now())
        for (const item of stored.values()) {
          if (item === growing.stored() || blocked() || !allowed()) return undefined
          if (item.settled) {
            await shelf.moveToSent(item)
            continue
          }
          const body = await bodyOf(disk, shelf.path(item), item, options.order)
          if (body === undefined) {
            log.error('queue: a file is damaged and dropped', { sequence: item.sequence })
            await shelf.drop(item, 'corrupt')
            continue
          }
          item.spans = body.spans
          if (item.place === 'queue') {
            await shelf.makeRoom(body.content.length + ROOM_BESIDE_BODY)
            if (!(await commitBody(disk, folder, body, item.since, allowed))) return undefined
            item.place = 'sending'
            item.bytes = body.content.length
          }
          if (!item.attempted) await takeFromQueue(disk, folder, body)
          return body
        }
        return undefined
      }),
    recordAttempt: (body) =>
      inTurn(async () => {
        const item = stored.get(body.sequence)
        if (item === undefined || blocked()) {
          throw Object.assign(
            new Error('The body was dropped before its attempt; do not send it.'),
            { code: 'ECANCELED' },
          )
        }
        if (item.attempted) return
        const { sha256, batches, spans } = body
        const bytes = body.content.length
        const line = {
          time: time(),
          sequence: body.sequence,
          sha256,
          bytes,
          batches,
          spans,
          policy: policyDigest ?? '',
          event: 'attempt' as const,
        }
        await receipts.append(line, allMoved())
        item.attempted = true
      }),
    recordOutcome: (body, { result, status, rejected = 0 }) =>
      inTurn(async () => {
        const line: OutcomeLine = {
          time: time(),
          sequence: body.sequence,
          sha256: body.sha256,
          result,
          status,
          rejected,
        }
        // promise: outcome-in-receipt
        const unwritten = await receipts.append(line, allMoved()).then(
          () => undefined,
          (error: unknown) => ({ code: errorCode(error) }),
        )
        const item = stored.get(body.sequence)
        if (item !== undefined && result !== 'retry') {
          item.settled = true
          // Either of the line and the move keeps it from being sent again; a move that fails is
          // tried again by next().
          await shelf.moveToSent(item).catch((error: unknown) => {
            log.error('queue: a settled body could not be moved to sent/', {
              code: errorCode(error),
            })
          })
        }
        if (unwritten === undefined) return
        log.error('queue: a line of the receipts could not be written', unwritten)
        await disk.syncFolder(join(folder, 'sending'))
      }),
    status: () => ({
      bytes: shelf.bytes(),
      files: stored.size,
      waitingBytes: appends.waitingBytes(),
      sentBytes: shelf.sentBytes(),
    }),
    halfFull: () => 2 * (shelf.bytes() + appends.waitingBytes()) >= maxBytes,
    switchPolicy: async (next) => {
      if (next === wanted && !unfinished.has('switchPolicy')) return
      wanted = next
      appends.discard('policy')
      await inTurn(() => dropAll(next))
    },
    wipe: async () => {
      appends.discard('consent')
      await inTurn(async () => {
        unfinished.add('wipe')
        await growing.seal()
        await shelf.wipe()
        unfinished.delete('wipe')
      })
    },
    close: async () => {
      if (closed) return
      const ended = inTurn(async () => {
        await growing.seal()
        await receipts.close()
      })
      closed = true
      await ended.finally(unlock)
    },
  }
}
