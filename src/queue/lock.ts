// Only the process that holds the lock may use the data directory. The kernel releases the lock
// when the process ends, so a stale lock cannot exist. Node has no call for such a lock. SQLite,
// which is part of Node, takes one (fcntl).
import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { errorCode, systemError } from '../support/errors.ts'

/** https://sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5

/**
 * Throws an error with the code EBUSY if another process, or another queue of this process, holds
 * the lock.
 */
export function lockFile(path: string): () => void {
  try {
    // Created in advance for its mode. An existing file is never opened, because closing it would
    // release a lock of this process.
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  }
  let database: DatabaseSync | undefined
  try {
    database = new DatabaseSync(path, { timeout: 0 })
    database.exec('PRAGMA journal_mode=MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    database?.close()
    if ((error as { errcode?: unknown }).errcode === SQLITE_BUSY)
      throw systemError(
        'EBUSY',
        'Another process uses this data directory. Stop it, or set another USAGE_DATA_DIR.',
      )
    throw systemError(
      'ENOLCK',
      'Cannot lock the file `lock` in the data directory. Make it writable, or remove it.',
    )
  }
  const locked = database
  return () => locked.close()
}
