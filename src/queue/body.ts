// One body: the records of one sealed file in the order of their random batch ids (so their order
// tells nothing), compressed once, committed to sending/ before it is sent. The bytes on disk are
// the bytes on the wire (promise 5).
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { constants, gunzip, gzip } from 'node:zlib'
import { release } from '../support/memory.ts'
import { type Disk, readIfThere, unlinkIfThere } from './disk.ts'
import { BATCHES, bodyName, countFields, queueName, SPANS, type Stored, scanFile } from './file.ts'

export interface Body {
  sequence: number
  /** Exactly the bytes of the file in sending/. */
  content: Buffer
  sha256: string
  batches: number
  spans: number
}

/** A key by which the batches of a body are sorted, bytewise. */
export type Order = (record: Uint8Array) => Uint8Array

/** The body of a file of queue/ or sending/; `undefined` where nothing of it can be read. */
export async function bodyOf(
  disk: Disk,
  path: string,
  file: Stored,
  order: Order,
): Promise<Body | undefined> {
  const bytes = await readIfThere(disk, path)
  if (bytes === undefined) return undefined
  if (file.place === 'sending') return await openBody(bytes, file.sequence)
  const { records, spans } = scanFile(bytes.subarray(0, file.bytes))
  const keyed = records.map((record) => ({ record, key: order(record) }))
  // promise: batch-order-hidden
  keyed.sort((a, b) => Buffer.compare(a.key, b.key))
  const joined = Buffer.concat(keyed.map(({ record }) => record))
  // The file, joined and compressed: never all three at once.
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
  // zlib gives its output in pieces of this size and then joins them: one piece is enough for what
  // does not get smaller.
  const chunkSize = joined.length + (joined.length >>> 8) + 1024
  const content = await new Promise<Buffer>((resolve, reject) => {
    gzip(joined, { level: constants.Z_BEST_SPEED, chunkSize }, (error, zipped) =>
      error ? reject(error) : resolve(zipped),
    )
  })
  release(joined)
  return { sequence, content, sha256: sha256Of(content), batches, spans }
}

/** Puts the body into sending/, durably; false, and nothing done, once it is no longer allowed. */
export async function commitBody(
  disk: Disk,
  folder: string,
  body: Body,
  since: number,
  allowed: () => boolean,
): Promise<boolean> {
  const sending = join(folder, 'sending')
  const path = join(sending, bodyName(body.sequence))
  const temporary = `${path}.tmp`
  await unlinkIfThere(disk, temporary)
  const file = await disk.create(temporary)
  try {
    await disk.write(file, body.content, 0)
    // promise: body-synced
    await disk.sync(file)
  } finally {
    await disk.close(file)
  }
  // Its age goes on, also over a restart.
  await disk.setModifiedAt(temporary, since)
  // promise: consent-before-commit
  if (!allowed()) {
    await disk.unlink(temporary)
    return false
  }
  await disk.rename(temporary, path)
  // promise: sending-name-synced
  await disk.syncFolder(sending)
  return true
}

/** Takes the file of a body that stands in sending/ out of queue/, before the body is sent. */
export async function takeFromQueue(disk: Disk, folder: string, body: Body): Promise<void> {
  await unlinkIfThere(disk, join(folder, 'queue', queueName(body.sequence)))
  // Else the file could be back after power loss when its body was delivered and has left sending/.
  // promise: queue-removal-synced
  await disk.syncFolder(join(folder, 'queue'))
}

/** A body that is in sending/ already; `undefined` where its bytes are damaged. */
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
