// Brings the data directory from any state that a kill or a power loss can leave to one that the
// queue works with. Every step may be repeated: if a start is killed in the middle, the next start
// does the same.
import { join } from 'node:path'
import type { Counters } from '../support/counters.ts'
import type { Log } from '../support/log.ts'
import { release } from '../support/memory.ts'
import { sha256Of } from './body.ts'
import { type Disk, unlinkIfThere } from './disk.ts'
import { type FilePhase, type StoredFile, scanFile, sequenceOf } from './file.ts'
import type { FileIndex } from './file-index.ts'
import type { PastReceipts } from './receipts.ts'

export interface RecoverOptions {
  disk: Disk
  folder: string
  fileIndex: FileIndex
  past: PastReceipts
  counters: Counters
  log: Log
}

/** Fills the file index. Gives the greatest sequence that the disk or the receipts name. */
export async function recover(options: RecoverOptions): Promise<number> {
  const { disk, folder, fileIndex, past } = options
  // A killed process may have renamed without a sync. Only now may the file in queue/ be removed.
  await disk.syncFolder(join(folder, 'sending'))
  const sent = await recoverSent(options)
  const bodies = await recoverSending(options)
  const queue = await recoverQueue(options, new Set(bodies.sequences))
  const files = [...bodies.files, ...queue.files].sort((a, b) => a.sequence - b.sequence)
  for (const file of files) fileIndex.files.set(file.sequence, file)
  return [...sent, ...bodies.sequences, ...queue.sequences].reduce(
    (last, sequence) => Math.max(last, sequence),
    past.lastSequence,
  )
}

interface Found {
  /** Of every file in the folder, also of those that were moved or removed. */
  sequences: number[]
  files: StoredFile[]
}

async function recoverSent({ disk, folder, fileIndex }: RecoverOptions): Promise<number[]> {
  const sequences: number[] = []
  for (const name of await disk.list(join(folder, 'sent'))) {
    const sequence = sequenceOf(name)
    if (sequence === undefined) continue
    sequences.push(sequence)
    fileIndex.addSent(sequence, (await disk.stat(join(folder, 'sent', name))).bytes)
  }
  return sequences
}

async function recoverSending(options: RecoverOptions): Promise<Found> {
  const { disk, folder, fileIndex } = options
  const found: Found = { sequences: [], files: [] }
  for (const name of await disk.list(join(folder, 'sending'))) {
    const path = join(folder, 'sending', name)
    const sequence = sequenceOf(name)
    if (sequence === undefined) {
      if (name.endsWith('.tmp')) await disk.unlink(path)
      continue
    }
    found.sequences.push(sequence)
    const body = await recoverBody(options, path, sequence)
    // promise: settled-not-resent
    if (body.phase === 'settled') await fileIndex.moveToSent(body)
    else found.files.push(body)
  }
  return found
}

async function recoverBody(
  { disk, past }: RecoverOptions,
  path: string,
  sequence: number,
): Promise<StoredFile> {
  const content = await disk.read(path)
  const sha256 = sha256Of(content)
  const bytes = content.length
  release(content)
  const firstAppendAt = (await disk.stat(path)).modifiedAt
  const phase = phaseOf(past, sequence, sha256)
  return { sequence, phase, bytes, firstAppendAt, spans: undefined }
}

function phaseOf(past: PastReceipts, sequence: number, sha256: string): FilePhase {
  if (past.settled(sequence, sha256)) return 'settled'
  return past.attempted(sequence, sha256) ? 'attempted' : 'committed'
}

async function recoverQueue(options: RecoverOptions, bodies: Set<number>): Promise<Found> {
  const { disk, folder } = options
  const found: Found = { sequences: [], files: [] }
  for (const name of await disk.list(join(folder, 'queue'))) {
    const path = join(folder, 'queue', name)
    const sequence = sequenceOf(name)
    if (sequence === undefined) continue
    found.sequences.push(sequence)
    // promise: sending-wins
    if (bodies.has(sequence)) {
      await disk.unlink(path)
      continue
    }
    const file = await recoverFile(options, path, sequence)
    if (file !== undefined) found.files.push(file)
  }
  return found
}

/** Keeps the whole records before the first that is torn or damaged. */
async function recoverFile(
  { disk, counters, log }: RecoverOptions,
  path: string,
  sequence: number,
): Promise<StoredFile | undefined> {
  const firstAppendAt = (await disk.stat(path)).modifiedAt
  const content = await disk.read(path)
  const { records, spans, length, state } = scanFile(content)
  if (state === 'torn') counters.add('queue.recovered.torn')
  if (state === 'corrupt') {
    // promise: damage-counted
    counters.add('queue.dropped.corrupt')
    log.error('queue: damaged file; records before the damage are kept', {
      sequence,
      keptBytes: length,
      lostBytes: content.length - length,
    })
  }
  const hasTail = length < content.length
  release(content)
  if (records.length === 0) {
    await unlinkIfThere(disk, path)
    return undefined
  }
  if (hasTail) await cut(disk, path, length)
  return { sequence, phase: 'queued', bytes: length, firstAppendAt, spans }
}

async function cut(disk: Disk, path: string, length: number): Promise<void> {
  const file = await disk.openFile(path)
  try {
    // promise: torn-tail-cut
    await disk.truncate(file, length)
  } finally {
    await disk.close(file)
  }
}
