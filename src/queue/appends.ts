// The way in: append -> commit group -> sync -> acknowledge. Records gather in a group while the
// group before it is written, and share the next synced write. Both the records in memory and the
// queue on disk are bounded. Beyond that an append is refused with 503, or the oldest file is
// dropped.
import type { Counters } from '../support/counters.ts'
import type { Refusal } from '../support/errors.ts'
import type { ActiveFile } from './active-file.ts'
import type { AppendRefusals } from './append-refusals.ts'
import { CommitGroup } from './commit-group.ts'
import { CHECKSUM_BYTES } from './file.ts'
import type { FileIndex } from './file-index.ts'
import type { SerialExecutor } from './serial-executor.ts'

/** What happens when the queue is full. `ring`: mode local, which never sends. */
export type WhenFull = 'refuse' | 'drop-oldest' | 'ring'

/**
 * Operations that began and did not finish. Until they are called again and succeed, nothing comes
 * in and nothing leaves.
 */
export type PendingOperation = 'switchPolicy' | 'wipe'

export interface AppenderOptions {
  activeFile: ActiveFile
  fileIndex: FileIndex
  executor: SerialExecutor
  refusals: AppendRefusals
  pendingOperations: ReadonlySet<PendingOperation>
  /** Of queue/ and sending/ together. */
  maxBytes: number
  /** Of the records in memory that are not written yet. */
  maxWaitingBytes: number
  full: WhenFull
  counters: Counters
  now: () => number
}

/** All requests that arrived in this round of the event loop have appended after it. */
const endOfRound = (): Promise<void> => new Promise<void>((resolve) => void setImmediate(resolve))

export class Appender {
  readonly #options: AppenderOptions
  readonly #maxWaitingBytes: number
  /** Takes more records until its commit begins. */
  #gathering: CommitGroup | undefined
  /** Groups of one record each whose commit has not begun. */
  readonly #isolated = new Set<CommitGroup>()
  #spare: Buffer | undefined
  #waitingBytes = 0

  constructor(options: AppenderOptions) {
    this.#options = options
    this.#maxWaitingBytes = Math.min(options.maxWaitingBytes, options.maxBytes)
  }

  /** In memory, not written yet. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  append(record: Uint8Array, spans: number): Promise<void> {
    const answer = this.#admit(record.length + CHECKSUM_BYTES, spans)
    if (answer !== undefined) return answer
    this.#gathering ??= this.#openGroup()
    return this.#gathering.add(record, spans)
  }

  /** The same, in a file that holds nothing else. */
  appendIsolated(record: Uint8Array, spans: number): Promise<void> {
    const answer = this.#admit(record.length + CHECKSUM_BYTES, spans)
    if (answer !== undefined) return answer
    const { activeFile, executor } = this.#options
    const group = new CommitGroup(undefined, this.#maxWaitingBytes)
    this.#isolated.add(group)
    void executor.run(async () => {
      // promise: isolated-record
      await activeFile.seal()
      await this.#commit(group)
      await activeFile.seal()
    })
    return group.add(record, spans)
  }

  /** Settles all records that are not being written. None of them reaches the disk. */
  discard(reason: 'policy' | 'consent'): void {
    const groups = [...this.#isolated]
    if (this.#gathering !== undefined) groups.push(this.#gathering)
    this.#gathering = undefined
    this.#isolated.clear()
    for (const group of groups) {
      group.discarded = true
      this.#options.counters.add(`queue.dropped.${reason}`, group.spans)
      group.acknowledge()
    }
  }

  /** `undefined`: the record may wait, and its bytes are counted. Else the answer to the caller. */
  #admit(bytes: number, spans: number): Promise<void> | undefined {
    const verdict = this.#verdict(bytes)
    if (verdict === 'admit') {
      this.#waitingBytes += bytes
      return undefined
    }
    const { counters } = this.#options
    if (verdict === 'drop') {
      counters.add('queue.dropped.full', spans)
      return Promise.resolve()
    }
    // promise: refused-spans-counted
    counters.add('queue.refused', spans)
    return Promise.reject(verdict)
  }

  /** `drop`: the queue refuses nothing, and can never hold this record. */
  #verdict(bytes: number): Refusal | 'admit' | 'drop' {
    const { executor, refusals, fileIndex, full, maxBytes } = this.#options
    const waiting = this.#waitingBytes
    if (executor.closed) return refusals.notWritable()
    if (full === 'refuse') {
      // promise: queue-bounded
      if (fileIndex.bytes() + waiting + bytes > maxBytes) return refusals.queueFull()
    } else if (bytes > maxBytes) return 'drop'
    // promise: pending-bounded
    return waiting > 0 && waiting + bytes > this.#maxWaitingBytes ? refusals.diskSlow() : 'admit'
  }

  #openGroup(): CommitGroup {
    const group = new CommitGroup(this.#spare, this.#maxWaitingBytes)
    this.#spare = undefined
    void this.#options.executor.run(async () => {
      await endOfRound()
      await this.#commit(group)
    })
    return group
  }

  /** One synced write. Then every record of the group is acknowledged, or refused. */
  async #commit(group: CommitGroup): Promise<void> {
    const { activeFile, fileIndex, refusals, maxBytes, counters, now } = this.#options
    if (this.#gathering === group) this.#gathering = undefined
    this.#isolated.delete(group)
    try {
      if (group.discarded) return
      await this.#write(group)
      group.acknowledge()
      refusals.written(2 * fileIndex.bytes() <= maxBytes)
    } catch (error) {
      counters.add('queue.refused', group.spans)
      // promise: failed-write-503
      group.refuse(refusals.writeFailed(error))
    } finally {
      this.#waitingBytes -= group.bytes
      this.#spare = group.spare()
    }
    await activeFile.sealIfDue(now())
  }

  /** Durable when it resolves. */
  async #write(group: CommitGroup): Promise<void> {
    const { activeFile, refusals, pendingOperations, full, now } = this.#options
    if (pendingOperations.size > 0) throw refusals.notWritable()
    await activeFile.dropExpired(now())
    if (full !== 'refuse') await this.#dropOldest(group.bytes)
    await activeFile.append(group.content(), group.spans, now())
  }

  /** Drops the oldest files until `bytes` fit. */
  async #dropOldest(bytes: number): Promise<void> {
    const { activeFile, fileIndex, refusals, maxBytes, full } = this.#options
    for (const file of fileIndex.files.values()) {
      const missing = await activeFile.missingBytes(bytes)
      const fits = fileIndex.bytes() + bytes <= maxBytes
      // Where others fill the volume, dropping all of our files would not help.
      if (fits && (missing === 0 || missing > fileIndex.bytes())) return
      if (file === activeFile.file) await activeFile.seal()
      await fileIndex.drop(file, 'full')
      if (full === 'drop-oldest') refusals.oldestDropped()
    }
  }
}
