// The way out: the oldest sealed file becomes a body in sending/, its attempts and outcomes become
// receipts, and a settled body moves to sent/. The executor of the queue runs one of these at a
// time.
import { join } from 'node:path'
import { errorCode, systemError } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import type { ActiveFile } from './active-file.ts'
import type { PendingOperation } from './appends.ts'
import { type Body, bodyOf, commitBody, type Order, removeFromQueue } from './body.ts'
import type { Disk } from './disk.ts'
import type { StoredFile } from './file.ts'
import type { FileIndex } from './file-index.ts'
import type { Receipts } from './receipts.ts'

/** For the receipts and for what the file system itself needs. */
const SPACE_BESIDE_BODY_BYTES = 64 * 1024

export interface Outcome {
  result: 'delivered' | 'refused' | 'retry'
  status: number
  /** Spans that a collector which took the body reports as rejected. */
  rejected?: number
}

export interface DeliveryOptions {
  disk: Disk
  folder: string
  activeFile: ActiveFile
  fileIndex: FileIndex
  receipts: Receipts
  pendingOperations: ReadonlySet<PendingOperation>
  order: Order
  log: Log
  now: () => number
}

export class Delivery {
  readonly #options: DeliveryOptions

  constructor(options: DeliveryOptions) {
    this.#options = options
  }

  /** The oldest body, committed to sending/. `undefined` if there is none or it may not leave. */
  async next(allowed: () => boolean): Promise<Body | undefined> {
    const { disk, folder, activeFile, fileIndex, pendingOperations, order, log, now } =
      this.#options
    await activeFile.dropExpired(now())
    for (const file of fileIndex.files.values()) {
      if (file === activeFile.file || pendingOperations.size > 0 || !allowed()) return undefined
      if (file.phase === 'settled') {
        await fileIndex.moveToSent(file)
        continue
      }
      const body = await bodyOf(disk, fileIndex.path(file), file, order)
      if (body === undefined) {
        log.error('queue: damaged file dropped', { sequence: file.sequence })
        await fileIndex.drop(file, 'corrupt')
        continue
      }
      file.spans = body.spans
      if (file.phase === 'queued' && !(await this.#commit(file, body, allowed))) return undefined
      if (file.phase !== 'attempted') await removeFromQueue(disk, folder, body)
      return body
    }
    return undefined
  }

  /** False, and the file stays in queue/, where it is not allowed any more. */
  async #commit(file: StoredFile, body: Body, allowed: () => boolean): Promise<boolean> {
    const { disk, folder, fileIndex } = this.#options
    await fileIndex.reserveSpace(body.content.length + SPACE_BESIDE_BODY_BYTES)
    if (!(await commitBody(disk, folder, body, file.firstAppendAt, allowed))) return false
    file.phase = 'committed'
    file.bytes = body.content.length
    return true
  }

  /** `policyDigest`: under which the body was made. */
  async recordAttempt(body: Body, policyDigest: string): Promise<void> {
    const { fileIndex, receipts, pendingOperations } = this.#options
    const { sequence, sha256, batches, spans } = body
    const file = fileIndex.files.get(sequence)
    if (file === undefined || pendingOperations.size > 0)
      throw systemError('ECANCELED', 'The body was dropped before its attempt. Do not send it.')
    if (file.phase === 'attempted' || file.phase === 'settled') return
    await receipts.append(
      {
        time: this.#time(),
        sequence,
        sha256,
        bytes: body.content.length,
        batches,
        spans,
        policy: policyDigest,
        event: 'attempt',
      },
      this.#mayForget(),
    )
    file.phase = 'attempted'
  }

  async recordOutcome(body: Body, { result, status, rejected = 0 }: Outcome): Promise<void> {
    const { disk, folder, fileIndex, receipts, log } = this.#options
    const { sequence, sha256 } = body
    const line = { time: this.#time(), sequence, sha256, result, status, rejected }
    // promise: outcome-in-receipt
    const unwritten = await receipts.append(line, this.#mayForget()).then(
      () => undefined,
      (error: unknown) => ({ code: errorCode(error) }),
    )
    const file = fileIndex.files.get(sequence)
    if (file !== undefined && result !== 'retry') {
      file.phase = 'settled'
      // Either the receipt or the move prevents a second delivery. next() repeats a failed move.
      await fileIndex.moveToSent(file).catch((error: unknown) => {
        log.error('queue: cannot move a body to sent/', { sequence, code: errorCode(error) })
      })
    }
    if (unwritten === undefined) return
    log.error('queue: cannot write the receipts', { sequence, ...unwritten })
    await disk.syncFolder(join(folder, 'sending'))
  }

  /** Every settled body has left sending/, so recovery needs no line of the receipts. */
  #mayForget(): boolean {
    for (const { phase } of this.#options.fileIndex.files.values())
      if (phase === 'settled') return false
    return true
  }

  #time(): string {
    return new Date(this.#options.now()).toISOString()
  }
}
