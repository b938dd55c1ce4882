// Reads a data folder for people, whatever process has it: what waits, what left, and the receipts.
// It takes no lock and changes nothing; a file that goes away while it looks is simply not there.
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
}

export interface Receipt extends AttemptLine {
  /** The last answer; `undefined`: none yet. */
  outcome: OutcomeLine | undefined
}

/** Larger ones are not shown. */
const MAX_SHOWN_BYTES = 64 * 1024 * 1024

/** In the order of their sequence; none where the folder cannot be read. */
export async function filesIn(folder: string, place: Place): Promise<Found[]> {
  const found: Found[] = []
  for (const name of await nodeDisk.list(join(folder, place)).catch(() => [])) {
    const sequence = sequenceOf(name)
    const stat =
      sequence === undefined
        ? undefined
        : await nodeDisk.stat(join(folder, place, name)).catch(() => undefined)
    if (sequence !== undefined && stat !== undefined)
      found.push({ place, name, sequence, bytes: stat.bytes })
  }
  return found
}

/** The newest first, at most `most`. */
export async function receiptsIn(folder: string, most: number): Promise<Receipt[]> {
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
  return [...receipts.values()].toSorted((a, b) => b.sequence - a.sequence).slice(0, most)
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
 * The file's SHA-256, as in the receipts, and the request in it; `undefined` where there is none
 * that can be read, or a larger one.
 */
export async function readFound(
  folder: string,
  { place, name }: Pick<Found, 'place' | 'name'>,
  most = MAX_SHOWN_BYTES,
): Promise<{ sha256: string; request: Buffer; bytes: number } | undefined> {
  if (sequenceOf(name) === undefined) return undefined
  const content = await readIfThere(nodeDisk, join(folder, place, name)).catch(() => undefined)
  if (content === undefined) return undefined
  try {
    const request = name.endsWith('.gz') ? gunzipSync(content, { maxOutputLength: most }) : content
    // promise: shown-file-bounded
    if (request.length > most) return undefined
    return {
      sha256: createHash('sha256').update(content).digest('hex'),
      request,
      bytes: content.length,
    }
  } catch {
    return undefined
  }
}
