// Reads a data directory for people: the files that wait, the files that were sent, and the
// receipts. It takes no lock and changes nothing. A file that disappears meanwhile is left out.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { nodeDisk, readIfThere } from './disk.ts'
import { sequenceOf } from './file.ts'
import type { FOLDERS } from './file-index.ts'
import type { AttemptLine, OutcomeLine } from './receipts.ts'

export type Place = (typeof FOLDERS)[number]

export interface Found {
  place: Place
  name: string
  sequence: number
  bytes: number
  /** Milliseconds since 1970. */
  modifiedAt: number
}

export interface Receipt extends AttemptLine {
  /** The last answer. `undefined` if there is none yet. */
  outcome: OutcomeLine | undefined
}

/** Larger requests are not shown. */
const MAX_SHOWN_BYTES = 64 * 1024 * 1024

/** In the order of their sequence. None if the folder cannot be read. */
export async function filesIn(folder: string, place: Place): Promise<Found[]> {
  const found: Found[] = []
  for (const name of await nodeDisk.list(join(folder, place)).catch(() => [])) {
    const sequence = sequenceOf(name)
    const stat =
      sequence === undefined
        ? undefined
        : await nodeDisk.stat(join(folder, place, name)).catch(() => undefined)
    if (sequence !== undefined && stat !== undefined) found.push({ place, name, sequence, ...stat })
  }
  return found
}

/** The newest first, at most `limit`. */
export async function receiptsIn(folder: string, limit: number): Promise<Receipt[]> {
  const receipts = new Map<number, Receipt>()
  for (const name of ['receipts.old.jsonl', 'receipts.jsonl']) {
    const text =
      (await readIfThere(nodeDisk, join(folder, name)).catch(() => undefined))?.toString('utf8') ??
      ''
    for (const line of text.split('\n')) {
      const entry = parse(line)
      if (entry === undefined) continue
      if ('event' in entry) receipts.set(entry.sequence, { ...entry, outcome: undefined })
      else {
        const receipt = receipts.get(entry.sequence)
        if (receipt !== undefined) receipt.outcome = entry
      }
    }
  }
  return [...receipts.values()].toSorted((a, b) => b.sequence - a.sequence).slice(0, limit)
}

function parse(line: string): AttemptLine | OutcomeLine | undefined {
  try {
    const entry = JSON.parse(line) as AttemptLine | OutcomeLine
    return Number.isSafeInteger(entry.sequence) && typeof entry.time === 'string'
      ? entry
      : undefined
  } catch {
    return undefined
  }
}

/**
 * The SHA-256 of the file, as in the receipts, and the request in it. `undefined` if the file
 * cannot be read, or its request is larger than `maxBytes`.
 */
export async function readFound(
  folder: string,
  { place, name }: Pick<Found, 'place' | 'name'>,
  maxBytes = MAX_SHOWN_BYTES,
): Promise<{ sha256: string; request: Buffer; bytes: number } | undefined> {
  if (sequenceOf(name) === undefined) return undefined
  const content = await readIfThere(nodeDisk, join(folder, place, name)).catch(() => undefined)
  if (content === undefined) return undefined
  try {
    const request = name.endsWith('.gz')
      ? gunzipSync(content, { maxOutputLength: maxBytes })
      : content
    // promise: shown-file-bounded
    if (request.length > maxBytes) return undefined
    return {
      sha256: createHash('sha256').update(content).digest('hex'),
      request,
      bytes: content.length,
    }
  } catch {
    return undefined
  }
}
