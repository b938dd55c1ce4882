// Who this installation is, known to nobody else: a folder with `instance-id`, a ULID, and
// `secret`, 32 random bytes as hex. Shared by all replicas and restarts, never sent, logged or
// shown; what leaves is derived from it (anonymize/). Without a good secret there is no identity
// and so no pseudonym: there is no fallback.
import { randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, unlinkSync } from 'node:fs'
import { join } from 'node:path'
import { ulid } from 'ulid'
import { createDurably, syncFolder } from '../support/durable-file.ts'
import { errorCode } from '../support/errors.ts'

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

/** What the files of a new identity hold, by their names. */
export const NEW = {
  'instance-id': () => ulid(),
  secret: () => randomBytes(32).toString('hex'),
} as const

/**
 * Reads the identity; where a file is missing and `create` is true, makes it first. `folder`
 * undefined: there is none.
 */
export function openIdentity(folder: string | undefined, create: boolean): Identity | NoIdentity {
  if (folder === undefined) return { reason: 'USAGE_IDENTITY_DIR is not set' }
  try {
    if (create) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      makeIfMissing(join(folder, 'instance-id'), NEW['instance-id'])
      makeIfMissing(join(folder, 'secret'), NEW.secret)
    }
    const instanceId = readFileSync(join(folder, 'instance-id'), 'utf8').trim()
    const secret = readFileSync(join(folder, 'secret'), 'utf8').trim()
    if (!ULID.test(instanceId)) return { reason: 'the file instance-id does not hold a ULID' }
    if (!SECRET.test(secret)) return { reason: 'the file secret does not hold 64 hex digits' }
    const bytes = Buffer.from(secret, 'hex')
    if (new Set(bytes).size < MIN_DIFFERENT_BYTES)
      return { reason: 'the file secret is not random' }
    return { instanceId, secret: bytes }
  } catch (error) {
    return { reason: `the identity folder cannot be used (${errorCode(error)})` }
  }
}

/** If another process makes the file first, its file stays. */
function makeIfMissing(path: string, content: () => string): void {
  if (!exists(path)) createDurably(path, `${content()}\n`)
}

/**
 * The files of an identity, and what a process that was killed while it made one left behind: that
 * may hold the secret.
 */
const OURS = /^(?:secret|instance-id|\.(?:secret|instance-id)-[0-9a-f]{16})$/

/**
 * Removes the identity durably and gives the number of files that are gone. The secret goes first:
 * without it there is no pseudonym. Throws the system's error where the folder cannot be written
 * to.
 */
export function resetIdentity(folder: string): number {
  const names = namesIn(folder).filter((name) => OURS.test(name))
  const isSecret = (name: string): boolean => /^\.?secret/.test(name)
  for (const name of [...names.filter(isSecret), ...names.filter((name) => !isSecret(name))])
    unlinkSync(join(folder, name))
  if (names.length > 0) syncFolder(folder)
  return names.length
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return []
    throw error
  }
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
