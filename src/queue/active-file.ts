// The one file of queue/ that takes appends. It is written at its end only, and after a failed
// write or fsync never again: what was acknowledged before stays, cut at the last good length.
import { join } from 'node:path'
import { type Disk, unlinkIfThere } from './disk.ts'
import { queueName, type Stored } from './file.ts'
import type { Shelf } from './file-index.ts'

export const SEAL_BYTES = 1024 * 1024

export interface Growing {
  stored(): Stored | undefined
  /** Durable when it resolves. `sequence` names a new file where none grows. */
  append(content: Buffer, spans: number, sequence: () => number, since: number): Promise<void>
  seal(): Promise<void>
  /**
   * How many bytes the disk lacks for an append and for the body of its file; asked again where
   * that can have changed.
   */
  missing(bytes: number): Promise<number>
  /** Drops the files, this one too, whose first append is longer ago than `maxAgeMs`. */
  dropOld(maxAgeMs: number, now: number): Promise<void>
}

export function createGrowing(disk: Disk, folder: string, shelf: Shelf): Growing {
  let current: { stored: Stored; file: number; path: string } | undefined

  const abandon = async (): Promise<void> => {
    if (current === undefined) return
    const { stored, file, path } = current
    // promise: failed-file-abandoned
    current = undefined
    // Best effort: what stands behind the good length was answered 503 and is at worst kept twice.
    const attempt = async (): Promise<void> => {
      if (stored.bytes === 0) await unlinkIfThere(disk, path)
      else await disk.truncate(file, stored.bytes)
    }
    await attempt().catch(() => undefined)
    await disk.close(file).catch(() => undefined)
  }

  const seal = async (): Promise<void> => {
    const file = current?.file
    current = undefined
    // All of it is durable, so nothing hangs on how the close ends.
    if (file !== undefined) await disk.close(file).catch(() => undefined)
  }

  /**
   * A body is written before its file goes, so an append must leave room for it: else nothing could
   * be sent, nor room made.
   */
  const missing = async (bytes: number): Promise<number> => {
    const bytesOfFile = (current?.stored.bytes ?? 0) + bytes
    if (current !== undefined && bytesOfFile < SEAL_BYTES) return 0
    return await shelf.makeRoom(2 * Math.max(SEAL_BYTES, bytesOfFile))
  }

  return {
    stored: () => current?.stored,
    missing,
    append: async (content, spans, sequence, since) => {
      try {
        const isNew = current === undefined
        // promise: volume-space-reserved
        if ((await missing(content.length)) > 0)
          throw Object.assign(new Error('The disk is full.'), { code: 'ENOSPC' })
        if (current === undefined) {
          const stored: Stored = {
            sequence: sequence(),
            place: 'queue',
            bytes: 0,
            since,
            spans: 0,
            attempted: false,
            settled: false,
          }
          const path = join(folder, 'queue', queueName(stored.sequence))
          current = { stored, file: await disk.create(path, 'appends'), path }
        }
        const { stored, file } = current
        await disk.write(file, content, stored.bytes)
        // promise: append-synced
        await disk.sync(file)
        // promise: queue-name-synced
        if (isNew) await disk.syncFolder(join(folder, 'queue'))
        stored.bytes += content.length
        stored.spans = (stored.spans ?? 0) + spans
        shelf.stored.set(stored.sequence, stored)
      } catch (error) {
        await abandon()
        throw error
      }
    },
    seal,
    dropOld: async (maxAgeMs, now) => {
      for (const item of shelf.stored.values()) {
        // From before the clock was set back: its age counts from now on.
        if (item.since > now) item.since = now
        if (now - item.since <= maxAgeMs) continue
        if (item === current?.stored) await seal()
        await shelf.drop(item, 'age')
      }
    },
  }
}
