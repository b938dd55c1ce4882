// Every file operation of the queue, and nothing else. A test replaces it with a recording disk and
// cuts the power between any two operations. It uses the callbacks of node:fs, which run off the
// event loop and cost less CPU than file handles.
import fs, { constants } from 'node:fs'
import { platform } from 'node:os'
import { dirname } from 'node:path'
import { errorCode } from '../support/errors.ts'
import { lockFile } from './lock.ts'

export interface Disk {
  /** Creates a folder and its parents, for our user only, durably. Does nothing if it exists. */
  makeFolder(path: string): Promise<void>
  /** The names in a folder, sorted. None if there is no such folder. */
  list(path: string): Promise<string[]>
  /** Makes creations, renames and unlinks in this folder durable. */
  syncFolder(path: string): Promise<void>
  /**
   * Creates a file, for our user only. Fails if it exists. `appends`: a sync follows each write to
   * it.
   */
  create(path: string, use?: 'appends'): Promise<number>
  openFile(path: string): Promise<number>
  /** All of `bytes`, at `position`. */
  write(file: number, bytes: Uint8Array, position: number): Promise<void>
  /** Makes what was written to the file durable. */
  sync(file: number): Promise<void>
  truncate(file: number, length: number): Promise<void>
  close(file: number): Promise<void>
  read(path: string): Promise<Buffer>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  stat(path: string): Promise<{ bytes: number; modifiedAt: number }>
  /** Bytes that can still be written on the volume of a folder. */
  free(folder: string): Promise<number>
  setModifiedAt(path: string, ms: number): Promise<void>
  /** Excludes other processes until the result is called or this process ends. */
  lock(path: string): () => void
}

type Done<T> = (error: Error | null, value?: T) => void

const call = <T = void>(start: (done: Done<T>) => void): Promise<T> =>
  new Promise((resolve, reject) => {
    start((error, value) =>
      error === null || error === undefined ? resolve(value as T) : reject(error),
    )
  })

/**
 * On Linux each write to such a file is durable when it ends, which saves a second trip to another
 * thread for the sync. Elsewhere a sync can do more than the flag. On macOS it flushes the cache of
 * the drive.
 */
const SYNCED_WRITES = platform() === 'linux' ? constants.O_DSYNC : undefined
/** Open files whose writes are durable when they end. */
const synced = new Set<number>()

export const nodeDisk: Disk = {
  makeFolder: async (path) => {
    const first = await call<string | undefined>((done) =>
      fs.mkdir(path, { recursive: true, mode: 0o700 }, done),
    )
    if (first === undefined) return
    for (let above = dirname(path); above.length >= dirname(first).length; above = dirname(above)) {
      await nodeDisk.syncFolder(above)
      if (above === dirname(above)) return
    }
  },
  list: async (path) => {
    try {
      return (await call<string[]>((done) => fs.readdir(path, done))).sort()
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return []
      throw error
    }
  },
  syncFolder: async (path) => {
    const folder = await call<number>((done) => fs.open(path, 'r', done))
    try {
      await call((done) => fs.fsync(folder, done))
    } finally {
      await nodeDisk.close(folder)
    }
  },
  create: async (path, use) => {
    // promise: files-private
    if (use === undefined || SYNCED_WRITES === undefined)
      return await call<number>((done) => fs.open(path, 'wx', 0o600, done))
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | SYNCED_WRITES
    const file = await call<number>((done) => fs.open(path, flags, 0o600, done))
    synced.add(file)
    return file
  },
  openFile: (path) => call((done) => fs.open(path, 'r+', done)),
  write: async (file, bytes, position) => {
    // promise: partial-write-continues
    for (let at = 0; at < bytes.length; ) {
      const from = at
      at += await call<number>((done) =>
        fs.write(file, bytes, from, bytes.length - from, position + from, done),
      )
    }
  },
  sync: async (file) => {
    // promise: file-sync-reaches-disk
    if (!synced.has(file)) await call((done) => fs.fdatasync(file, done))
  },
  truncate: (file, length) => call((done) => fs.ftruncate(file, length, done)),
  close: (file) => {
    // The next file may get the same number.
    synced.delete(file)
    return call((done) => fs.close(file, done))
  },
  read: (path) => call((done) => fs.readFile(path, done)),
  rename: (from, to) => call((done) => fs.rename(from, to, done)),
  unlink: (path) => call((done) => fs.unlink(path, done)),
  stat: async (path) => {
    const { size, mtimeMs } = await call<fs.Stats>((done) => fs.stat(path, done))
    return { bytes: size, modifiedAt: mtimeMs }
  },
  free: async (folder) => {
    const { bavail, bsize } = await call<fs.StatsFs>((done) => fs.statfs(folder, done))
    return bavail * bsize
  },
  setModifiedAt: (path, ms) => call((done) => fs.utimes(path, ms / 1000, ms / 1000, done)),
  lock: lockFile,
}

/** `undefined` if there is no such file. */
export async function readIfThere(disk: Disk, path: string): Promise<Buffer | undefined> {
  try {
    return await disk.read(path)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

export async function unlinkIfThere(disk: Disk, path: string): Promise<void> {
  try {
    await disk.unlink(path)
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error
  }
}
