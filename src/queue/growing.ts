// The one file of queue/ that takes appends. It is written at its end only, and after a failed write or fsync never
// again: what was acknowledged before stays, cut at the last good length.
import { join } from 'node:path'
import { type Disk, unlinkIfThere } from './disk.ts'
import { queueName, type Stored } from './file.ts'
import type { Shelf } from './shelf.ts'

export const SEAL_BYTES = 1024 * 1024

export interface Growing {
  stored(): Stored | undefined
  /** Durable when it resolves. `sequence` names a new file where none grows. */
  append(content: Buffer, spans: number, sequence: () => number, since: number): Promise<void>
  seal(): Promise<void>
  /** Drops the files, this one too, whose first append is longer ago than `maxAgeMs`. */
  dropOld(maxAgeMs: number, now: number): Promise<void>
}

export function createGrowing(disk: Disk, folder: string, shelf: Shelf): Growing {
  let current: { stored: Stored; file: number; path: string } | undefined

  const abandon = async (): Promise<void> => {
    if (current === undefined) return
    const { stored, file, path } = current
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

  return {
    stored: () => current?.stored,
    append: async (content, spans, sequence, since) => {
      try {
        const isNew = current === undefined
        if (current === undefined) {
          const stored: Stored = { sequence: sequence(), place: 'queue', bytes: 0, since, spans: 0, attempted: false, settled: false }
          const path = join(folder, 'queue', queueName(stored.sequence))
          current = { stored, file: await disk.create(path), path }
        }
        const { stored, file } = current
        await disk.write(file, content, stored.bytes)
        await disk.sync(file)
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
        if (now - item.since <= maxAgeMs) return
        if (item === current?.stored) await seal()
        await shelf.drop(item, 'age')
      }
    },
  }
}
