// The identity of this installation: a directory with `instance-id`, a ULID, and `secret`, 32
// random bytes as hex. All replicas and restarts share it. It is never sent, logged or shown:
// pseudonyms are derived from it (anonymize/). Without a good secret there is no identity and no
// pseudonym.
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

/** Why there is no identity. */
export interface NoIdentity {
  reason: string
}

const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/
const SECRET = /^[0-9a-f]{64}$/i
/** 32 random bytes have about 30 different values. A typed or repeated secret has few. */
const MIN_DIFFERENT_BYTES = 16

/** The content of the files of a new identity, by name. */
export const NEW = {
  'instance-id': () => ulid(),
  secret: () => randomBytes(32).toString('hex'),
} as const

/** Reads the identity. With `create`, missing files are created first. */
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
    return { reason: `the identity directory cannot be used (${errorCode(error)})` }
  }
}

/** If another process makes the file first, its file stays. */
function makeIfMissing(path: string, content: () => string): void {
  if (!exists(path)) createDurably(path, `${content()}\n`)
}

/**
 * The files of an identity and those that a killed process may leave behind, which may hold the
 * secret.
 */
const OURS = /^(?:secret|instance-id|\.(?:secret|instance-id)-[0-9a-f]{16})$/

/**
 * Removes the identity durably and returns the number of removed files. The secret goes first, as
 * there is no pseudonym without it. Throws the system's error if the directory cannot be written.
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
