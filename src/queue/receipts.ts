// receipts.jsonl: what was sent, when, under which policy, and what the collector said: digests and
// counts, never content. A line is on disk before anybody relies on it. Bounded: at 1 MiB the file
// becomes receipts.old.jsonl.
import { join } from 'node:path'
import { type Disk, readIfThere } from './disk.ts'

const MAX_BYTES = 1024 * 1024
/** A greater one is damage, not a sequence: a thousand files a second reach it in thirty years. */
const MAX_SEQUENCE = 1e12

export interface AttemptLine {
  time: string
  sequence: number
  sha256: string
  bytes: number
  batches: number
  spans: number
  policy: string
  event: 'attempt'
}

export interface OutcomeLine {
  time: string
  sequence: number
  sha256: string
  result: 'delivered' | 'refused' | 'retry'
  status: number
  rejected: number
}

/** What the lines of an earlier life say, for recovery. */
export interface Past {
  greatest: number
  attempted(sequence: number, sha256: string): boolean
  /** Delivered or refused: never to be sent again. */
  settled(sequence: number, sha256: string): boolean
}

export interface Receipts {
  past(): Promise<Past>
  /**
   * Resolves when the line is durable. `mayForget`: no line in the files is needed for recovery any
   * more.
   */
  append(line: AttemptLine | OutcomeLine, mayForget: boolean): Promise<void>
  close(): Promise<void>
}

export async function openReceipts(disk: Disk, folder: string): Promise<Receipts> {
  const path = join(folder, 'receipts.jsonl')
  const oldPath = join(folder, 'receipts.old.jsonl')
  let file: number | undefined
  let length = 0
  let isNew = false

  /**
   * At the start, and anew where a file could not be made or renamed: nobody knows then what became
   * of it.
   */
  const begin = async (): Promise<void> => {
    const bytes = await readIfThere(disk, path)
    if (bytes === undefined) return
    const opened = await disk.openFile(path)
    // A line that was cut off is written over by the next one.
    length = bytes.lastIndexOf('\n') + 1
    try {
      if (length < bytes.length) await disk.truncate(opened, length)
      // A killed process may leave lines that are not durable; from here on they count.
      await disk.sync(opened)
    } catch (error) {
      await disk.close(opened)
      throw error
    }
    file = opened
  }
  await begin()

  const rotate = async (full: number): Promise<void> => {
    file = undefined
    await disk.close(full)
    await disk.rename(path, oldPath)
  }

  return {
    past: async () => {
      const texts = [await readIfThere(disk, oldPath), await readIfThere(disk, path)]
      const lines = texts.flatMap((text) => text?.toString('utf8').split('\n') ?? [])
      const known = new Set<string>()
      let greatest = 0
      for (const line of lines) {
        const read = parse(line)
        if (read === undefined) continue
        greatest = Math.max(greatest, read.sequence)
        if (read.event === 'attempt') known.add(`attempt ${read.sequence} ${read.sha256}`)
        if (read.result === 'delivered' || read.result === 'refused')
          known.add(`settled ${read.sequence} ${read.sha256}`)
      }
      return {
        greatest,
        attempted: (sequence, sha256) => known.has(`attempt ${sequence} ${sha256}`),
        // promise: receipt-matches-digest
        settled: (sequence, sha256) => known.has(`settled ${sequence} ${sha256}`),
      }
    },
    append: async (line, mayForget) => {
      if (file === undefined) await begin()
      // promise: receipts-bounded
      if (file !== undefined && length >= MAX_BYTES && mayForget) await rotate(file)
      if (file === undefined) {
        // What had the name before is durable under its other one: else its lines could be lost
        // with the rename.
        await disk.syncFolder(folder)
        length = 0
        isNew = true
        file = await disk.create(path)
      }
      const bytes = Buffer.from(`${JSON.stringify(line)}\n`)
      try {
        await disk.write(file, bytes, length)
        // promise: receipt-synced
        await disk.sync(file)
      } catch (error) {
        // What was written of the line may be longer than the next one.
        await disk.truncate(file, length).catch(() => undefined)
        throw error
      }
      if (isNew) await disk.syncFolder(folder)
      isNew = false
      length += bytes.length
    },
    close: async () => {
      if (file !== undefined) await disk.close(file)
      file = undefined
    },
  }
}

function parse(
  line: string,
): { sequence: number; sha256: string; event?: unknown; result?: unknown } | undefined {
  try {
    const { sequence, sha256, event, result } = JSON.parse(line) as Record<string, unknown>
    const known =
      Number.isSafeInteger(sequence) && Number(sequence) >= 0 && Number(sequence) < MAX_SEQUENCE
    return known && typeof sha256 === 'string'
      ? { sequence: Number(sequence), sha256, event, result }
      : undefined
  } catch {
    return undefined
  }
}
