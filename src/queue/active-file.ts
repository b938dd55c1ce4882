// The one file of queue/ that takes appends. It is written at its end only. After a failed write or
// sync it is never written again: it is cut at the last acknowledged byte and kept.
import { join } from 'node:path'
import { systemError } from '../support/errors.ts'
import { type Disk, unlinkIfThere } from './disk.ts'
import { queueName, type StoredFile } from './file.ts'
import type { FileIndex } from './file-index.ts'

const SEAL_BYTES = 1024 * 1024
/** A file takes appends for this part of the age limit. New spans do not expire with old ones. */
const SEAL_AGE_PART = 8

interface Open {
  file: StoredFile
  descriptor: number
  path: string
}

export interface ActiveFileOptions {
  disk: Disk
  folder: string
  fileIndex: FileIndex
  maxAgeMs: number
  /** The greatest sequence that is in use. */
  lastSequence: number
}

export class ActiveFile {
  readonly #disk: Disk
  readonly #queueFolder: string
  readonly #fileIndex: FileIndex
  readonly #maxAgeMs: number
  #lastSequence: number
  #open: Open | undefined

  constructor({ disk, folder, fileIndex, maxAgeMs, lastSequence }: ActiveFileOptions) {
    this.#disk = disk
    this.#queueFolder = join(folder, 'queue')
    this.#fileIndex = fileIndex
    this.#maxAgeMs = maxAgeMs
    this.#lastSequence = lastSequence
  }

  get file(): StoredFile | undefined {
    return this.#open?.file
  }

  /** Durable when it resolves. Begins a new file where none is open. */
  async append(content: Buffer, spans: number, now: number): Promise<void> {
    const disk = this.#disk
    try {
      // promise: volume-space-reserved
      if ((await this.missingBytes(content.length)) > 0)
        throw systemError('ENOSPC', 'The volume of the data directory is full.')
      const isNew = this.#open === undefined
      this.#open ??= await this.#create(now)
      const { file, descriptor } = this.#open
      await disk.write(descriptor, content, file.bytes)
      // promise: append-synced
      await disk.sync(descriptor)
      // promise: queue-name-synced
      if (isNew) await disk.syncFolder(this.#queueFolder)
      file.bytes += content.length
      file.spans = (file.spans ?? 0) + spans
      this.#fileIndex.files.set(file.sequence, file)
    } catch (error) {
      // promise: failed-file-abandoned
      await this.#abandon()
      throw error
    }
  }

  async #create(now: number): Promise<Open> {
    const sequence = ++this.#lastSequence
    const path = join(this.#queueFolder, queueName(sequence))
    const descriptor = await this.#disk.create(path, 'appends')
    return {
      file: { sequence, phase: 'queued', bytes: 0, firstAppendAt: now, spans: 0 },
      descriptor,
      path,
    }
  }

  async #abandon(): Promise<void> {
    if (this.#open === undefined) return
    const { file, descriptor, path } = this.#open
    this.#open = undefined
    // Best effort. The bytes after the cut were answered 503, so at worst they are kept twice.
    const cut =
      file.bytes === 0
        ? unlinkIfThere(this.#disk, path)
        : this.#disk.truncate(descriptor, file.bytes)
    await cut.catch(() => undefined)
    await this.#disk.close(descriptor).catch(() => undefined)
  }

  /** The file takes no more appends. */
  async seal(): Promise<void> {
    const descriptor = this.#open?.descriptor
    this.#open = undefined
    // All of it is durable, so a failed close loses nothing.
    if (descriptor !== undefined) await this.#disk.close(descriptor).catch(() => undefined)
  }

  async sealIfDue(now: number): Promise<void> {
    const { file } = this
    if (file === undefined) return
    if (file.bytes >= SEAL_BYTES || now - file.firstAppendAt > this.#maxAgeMs / SEAL_AGE_PART)
      await this.seal()
  }

  /**
   * How many bytes the volume lacks for an append and for the body of its file. A body is written
   * before its file is removed, so without that space nothing could be sent, nor space be freed.
   * The volume is asked where a file begins or is about to be sealed.
   */
  async missingBytes(bytes: number): Promise<number> {
    const fileBytes = (this.file?.bytes ?? 0) + bytes
    if (this.#open !== undefined && fileBytes < SEAL_BYTES) return 0
    return await this.#fileIndex.reserveSpace(2 * Math.max(SEAL_BYTES, fileBytes))
  }

  /** Drops every file, the active one too, whose first append is over the age limit. */
  async dropExpired(now: number): Promise<void> {
    for (const file of this.#fileIndex.files.values()) {
      // From before the clock was set back: its age counts from now on.
      if (file.firstAppendAt > now) file.firstAppendAt = now
      if (now - file.firstAppendAt <= this.#maxAgeMs) continue
      if (file === this.file) await this.seal()
      await this.#fileIndex.drop(file, 'age')
    }
  }
}
