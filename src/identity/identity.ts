// Who this installation is, known to nobody else: a folder with `instance-id`, a ULID, and `secret`, 32 random bytes as
// hex. Shared by all replicas and restarts, never sent, logged or shown; what leaves is derived from it (anonymize/).
// Without a good secret there is no identity and so no pseudonym: there is no fallback.
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { ulid } from 'ulid'
import { errorCode } from '../errors.ts'

export interface Identity {
  instanceId: string
  secret: Buffer
}

/** Why there is none, as a sentence. */
export interface NoIdentity {
  reason: string
}

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/
const SECRET = /^[0-9a-f]{64}$/i
/** 32 random bytes have some 30 different values; a typed or repeated "secret" has few. */
const MIN_DIFFERENT_BYTES = 16

/** Reads the identity; where a file is missing and `create` is true, makes it first. `folder` undefined: there is none. */
export function openIdentity(folder: string | undefined, create: boolean): Identity | NoIdentity {
  if (folder === undefined) return { reason: 'USAGE_IDENTITY_DIR is not set' }
  try {
    if (create) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      make(folder, 'instance-id', ulid)
      make(folder, 'secret', () => randomBytes(32).toString('hex'))
    }
    const instanceId = readFileSync(join(folder, 'instance-id'), 'utf8').trim()
    const secret = readFileSync(join(folder, 'secret'), 'utf8').trim()
    if (!ULID.test(instanceId)) return { reason: 'the file instance-id does not hold a ULID' }
    if (!SECRET.test(secret)) return { reason: 'the file secret does not hold 64 hex digits' }
    const bytes = Buffer.from(secret, 'hex')
    if (new Set(bytes).size < MIN_DIFFERENT_BYTES) return { reason: 'the file secret is not random' }
    return { instanceId, secret: bytes }
  } catch (error) {
    return { reason: `the identity folder cannot be used (${errorCode(error)})` }
  }
}

/** Makes one file whole or not at all; where another process is first, its file stays. */
function make(folder: string, name: string, content: () => string): void {
  const path = join(folder, name)
  if (exists(path)) return
  const temporary = join(folder, `.${name}-${randomBytes(8).toString('hex')}`)
  const file = openSync(temporary, 'wx', 0o600)
  try {
    writeSync(file, `${content()}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  try {
    linkSync(temporary, path)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
  } finally {
    unlinkSync(temporary)
  }
  const directory = openSync(folder, 'r')
  fsyncSync(directory)
  closeSync(directory)
}

function exists(path: string): boolean {
  try {
    readFileSync(path)
    return true
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false
    throw error
  }
}
