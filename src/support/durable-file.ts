// Small files that survive a kill or a power loss: whole or absent, and durable when the call
// returns. Only the user of this process can read them.
import { randomBytes } from 'node:crypto'
import fs from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { errorCode } from './errors.ts'

const PRIVATE = 0o600

/** Replaces the file at `path`; a process that is killed may leave `path` with `.tmp` behind. */
export function writeDurably(path: string, content: string): void {
  const temporary = `${path}.tmp`
  writeSynced(temporary, 'w', content)
  fs.renameSync(temporary, path)
  syncFolder(dirname(path))
}

/**
 * Creates the file at `path`. If another process is first, its file stays. A process that is
 * killed may leave `.NAME-` with 16 hex digits behind.
 */
export function createDurably(path: string, content: string): void {
  const folder = dirname(path)
  const temporary = join(folder, `.${basename(path)}-${randomBytes(8).toString('hex')}`)
  writeSynced(temporary, 'wx', content)
  try {
    fs.linkSync(temporary, path)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  } finally {
    fs.unlinkSync(temporary)
  }
  syncFolder(folder)
}

/** Makes what was created, renamed or removed in `folder` survive a power loss. */
export function syncFolder(folder: string): void {
  const directory = fs.openSync(folder, 'r')
  try {
    fs.fsyncSync(directory)
  } finally {
    fs.closeSync(directory)
  }
}

function writeSynced(path: string, flags: 'w' | 'wx', content: string): void {
  const file = fs.openSync(path, flags, PRIVATE)
  try {
    fs.writeSync(file, content)
    fs.fsyncSync(file)
  } finally {
    fs.closeSync(file)
  }
}
