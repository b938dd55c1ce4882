// One body: the records of one sealed file, sorted by their random batch ids so that their order
// tells nothing. It is compressed once and committed to sending/ before it is sent. The bytes on
// disk are the bytes on the wire (promise 5).
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { constants, gunzip, gzip } from 'node:zlib'
import { release } from '../support/memory.ts'
import { type Disk, readIfThere, unlinkIfThere } from './disk.ts'
import {
  BATCHES,
  bodyName,
  countFields,
  queueName,
  SPANS,
  type StoredFile,
  scanFile,
} from './file.ts'
import { replaceFile } from './replace-file.ts'

export interface Body {
  sequence: number
  /** Exactly the bytes of the file in sending/. */
  content: Buffer
  sha256: string
  batches: number
  spans: number
}

/** The key by which the batches of a body are sorted, bytewise. */
export type Order = (record: Uint8Array) => Uint8Array

/** The body of a file in queue/ or sending/. `undefined` if nothing of it can be read. */
export async function bodyOf(
  disk: Disk,
  path: string,
  file: StoredFile,
  order: Order,
): Promise<Body | undefined> {
  const bytes = await readIfThere(disk, path)
  if (bytes === undefined) return undefined
  if (file.phase !== 'queued') return await openBody(bytes, file.sequence)
  const { records, spans } = scanFile(bytes.subarray(0, file.bytes))
  const keyed = records.map((record) => ({ record, key: order(record) }))
  // promise: batch-order-hidden
  keyed.sort((a, b) => Buffer.compare(a.key, b.key))
  const joined = Buffer.concat(keyed.map(({ record }) => record))
  // The file, the joined and the compressed bytes are never in memory at the same time.
  release(bytes)
  return records.length === 0
    ? undefined
    : await makeBody(file.sequence, joined, records.length, spans)
}

async function makeBody(
  sequence: number,
  joined: Buffer,
  batches: number,
  spans: number,
): Promise<Body> {
  // zlib joins pieces of this size. One piece holds even a body that does not get smaller.
  const chunkSize = joined.length + (joined.length >>> 8) + 1024
  const content = await new Promise<Buffer>((resolve, reject) => {
    gzip(joined, { level: constants.Z_BEST_SPEED, chunkSize }, (error, zipped) =>
      error ? reject(error) : resolve(zipped),
    )
  })
  release(joined)
  return { sequence, content, sha256: sha256Of(content), batches, spans }
}

/** Puts the body into sending/, durably. False, and nothing done, once it is no longer allowed. */
export const commitBody = (
  disk: Disk,
  folder: string,
  body: Body,
  firstAppendAt: number,
  allowed: () => boolean,
): Promise<boolean> =>
  replaceFile(disk, join(folder, 'sending', bodyName(body.sequence)), body.content, {
    // So that the age limit counts from the first append, also after a restart.
    modifiedAt: firstAppendAt,
    allowed,
  })

/** Removes the file in queue/ of a body that is in sending/, before the body is sent. */
export async function removeFromQueue(disk: Disk, folder: string, body: Body): Promise<void> {
  await unlinkIfThere(disk, join(folder, 'queue', queueName(body.sequence)))
  // Without the sync, a power loss could bring the file back after its body was delivered.
  // promise: queue-removal-synced
  await disk.syncFolder(join(folder, 'queue'))
}

/** A body that is in sending/ already. `undefined` if its bytes are damaged. */
export async function openBody(content: Buffer, sequence: number): Promise<Body | undefined> {
  const joined = await new Promise<Buffer | undefined>((resolve) => {
    gunzip(content, (error, plain) => resolve(error ? undefined : plain))
  })
  // promise: damaged-body-not-sent
  if (joined === undefined) return undefined
  const body = {
    sequence,
    content,
    sha256: sha256Of(content),
    batches: countFields(joined, BATCHES),
    spans: countFields(joined, SPANS),
  }
  release(joined)
  return body
}

export const sha256Of = (bytes: Uint8Array): string =>
  createHash('sha256').update(bytes).digest('hex')
