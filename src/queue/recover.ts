// Brings the folder from any state that a killed process or a power loss can leave to one the queue
// works with. All of it may be repeated: a start that is killed in the middle is followed by one
// that does the same.
import { join } from 'node:path'
import type { Counters } from '../support/counters.ts'
import type { Log } from '../support/log.ts'
import { release } from '../support/memory.ts'
import { sha256Of } from './body.ts'
import { type Disk, unlinkIfThere } from './disk.ts'
import { type Stored, scanFile, sequenceOf } from './file.ts'
import type { Shelf } from './file-index.ts'
import type { Past } from './receipts.ts'

/** Fills the shelf; gives the greatest sequence that was ever used, as far as the disk knows. */
export async function recover(
  disk: Disk,
  folder: string,
  shelf: Shelf,
  past: Past,
  counters: Counters,
  log: Log,
): Promise<number> {
  // A killed process may have renamed without making it durable; only then may the file in queue/
  // go.
  await disk.syncFolder(join(folder, 'sending'))
  let greatest = past.greatest
  const found: Stored[] = []
  const bodies = new Set<number>()

  for (const name of await disk.list(join(folder, 'sent'))) {
    const sequence = sequenceOf(name)
    if (sequence === undefined) continue
    greatest = Math.max(greatest, sequence)
    shelf.addSent(sequence, (await disk.stat(join(folder, 'sent', name))).bytes)
  }

  for (const name of await disk.list(join(folder, 'sending'))) {
    const path = join(folder, 'sending', name)
    const sequence = sequenceOf(name)
    if (sequence === undefined) {
      if (name.endsWith('.tmp')) await disk.unlink(path)
      continue
    }
    greatest = Math.max(greatest, sequence)
    bodies.add(sequence)
    const content = await disk.read(path)
    const sha256 = sha256Of(content)
    const bytes = content.length
    release(content)
    const body = {
      sequence,
      place: 'sending' as const,
      bytes,
      since: (await disk.stat(path)).modifiedAt,
      spans: undefined,
      attempted: past.attempted(sequence, sha256),
      settled: past.settled(sequence, sha256),
    }
    // promise: settled-not-resent
    if (body.settled) await shelf.moveToSent(body)
    else found.push(body)
  }

  for (const name of await disk.list(join(folder, 'queue'))) {
    const sequence = sequenceOf(name)
    if (sequence === undefined) continue
    greatest = Math.max(greatest, sequence)
    // promise: sending-wins
    if (bodies.has(sequence)) {
      await disk.unlink(join(folder, 'queue', name))
      continue
    }
    const file = await recoverFile(disk, join(folder, 'queue', name), sequence, counters, log)
    if (file !== undefined) found.push(file)
  }

  found.sort((a, b) => a.sequence - b.sequence)
  for (const item of found) shelf.stored.set(item.sequence, item)
  return greatest
}

async function recoverFile(
  disk: Disk,
  path: string,
  sequence: number,
  counters: Counters,
  log: Log,
): Promise<Stored | undefined> {
  const since = (await disk.stat(path)).modifiedAt
  const bytes = await disk.read(path)
  const { records, spans, length, state } = scanFile(bytes)
  if (state === 'torn') counters.add('queue.recovered.torn')
  if (state === 'corrupt') {
    // promise: damage-counted
    counters.add('queue.dropped.corrupt')
    log.error('queue: a file is damaged; what stands before the damage is kept', {
      sequence,
      kept: length,
      lost: bytes.length - length,
    })
  }
  const cut = length < bytes.length
  release(bytes)
  if (records.length === 0) {
    await unlinkIfThere(disk, path)
    return undefined
  }
  if (cut) {
    const file = await disk.openFile(path)
    try {
      // promise: torn-tail-cut
      await disk.truncate(file, length)
    } finally {
      await disk.close(file)
    }
  }
  return { sequence, place: 'queue', bytes: length, since, spans, attempted: false, settled: false }
}
