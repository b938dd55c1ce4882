// Keeps a second process out of the folder. The lock is the kernel's and dies with its process,
// however that ends, so nobody ever has to remove a stale one. Node has no call for it; SQLite,
// which Node carries, takes one (fcntl).
import { closeSync, openSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { errorCode } from '../support/errors.ts'

/** https://sqlite.org/rescode.html#busy */
const SQLITE_BUSY = 5

/**
 * Throws an error with the code EBUSY where another process, or another queue of this one, has the
 * lock.
 */
export function lockFile(path: string): () => void {
  try {
    // Created here for its mode. Never opened where it exists: closing it would free a lock of this
    // very process.
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
    if ((error as { errcode?: unknown }).errcode === SQLITE_BUSY) {
      throw Object.assign(
        new Error(
          'Another process uses this data folder. Stop it, or give USAGE_DATA_DIR a folder of its own.',
        ),
        {
          code: 'EBUSY',
        },
      )
    }
    throw Object.assign(
      new Error(
        'The file `lock` in the data folder cannot be locked. Make the folder writable, or remove that file.',
      ),
      {
        code: 'ENOLCK',
      },
    )
  }
  const locked = database
  return () => locked.close()
}
