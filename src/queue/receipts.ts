// receipts.jsonl: what was sent, when, under which policy, and what the collector answered. It
// holds digests and counts, never content. A line is durable before anything relies on it. At 1 MiB
// the file becomes receipts.old.jsonl.
import { join } from 'node:path'
import { type Disk, readIfThere } from './disk.ts'

const MAX_BYTES = 1024 * 1024
/** A greater number is damage, not a sequence: 1 000 files a second reach it after 30 years. */
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

/** What earlier processes recorded, for recovery. */
export interface PastReceipts {
  lastSequence: number
  attempted(sequence: number, sha256: string): boolean
  /** Delivered or refused, so it is never sent again. */
  settled(sequence: number, sha256: string): boolean
}

export class Receipts {
  readonly #disk: Disk
  readonly #folder: string
  readonly #path: string
  readonly #oldPath: string
  #file: number | undefined
  #bytes = 0
  /** The folder is not synced since the file was created. */
  #isNew = false

  private constructor(disk: Disk, folder: string) {
    this.#disk = disk
    this.#folder = folder
    this.#path = join(folder, 'receipts.jsonl')
    this.#oldPath = join(folder, 'receipts.old.jsonl')
  }

  static async open(disk: Disk, folder: string): Promise<Receipts> {
    const receipts = new Receipts(disk, folder)
    await receipts.#open()
    return receipts
  }

  /** Opens the file if it exists. Also after a failed rotation, which leaves its state unknown. */
  async #open(): Promise<void> {
    const disk = this.#disk
    const content = await readIfThere(disk, this.#path)
    if (content === undefined) return
    const file = await disk.openFile(this.#path)
    this.#bytes = content.lastIndexOf('\n') + 1
    try {
      // A line that was cut off.
      if (this.#bytes < content.length) await disk.truncate(file, this.#bytes)
      // A killed process may leave lines that are not durable. From now on they count.
      await disk.sync(file)
    } catch (error) {
      await disk.close(file)
      throw error
    }
    this.#file = file
  }

  async past(): Promise<PastReceipts> {
    const contents = [
      await readIfThere(this.#disk, this.#oldPath),
      await readIfThere(this.#disk, this.#path),
    ]
    const known = new Set<string>()
    let lastSequence = 0
    for (const line of contents.flatMap((content) => content?.toString('utf8').split('\n') ?? [])) {
      const receipt = parse(line)
      if (receipt === undefined) continue
      const { sequence, sha256, event, result } = receipt
      lastSequence = Math.max(lastSequence, sequence)
      if (event === 'attempt') known.add(`attempt ${sequence} ${sha256}`)
      if (result === 'delivered' || result === 'refused') known.add(`settled ${sequence} ${sha256}`)
    }
    return {
      lastSequence,
      attempted: (sequence, sha256) => known.has(`attempt ${sequence} ${sha256}`),
      // promise: receipt-matches-digest
      settled: (sequence, sha256) => known.has(`settled ${sequence} ${sha256}`),
    }
  }

  /** Durable when it resolves. `mayForget`: recovery needs no line of the files any more. */
  async append(line: AttemptLine | OutcomeLine, mayForget: boolean): Promise<void> {
    const disk = this.#disk
    const file = await this.#fileForAppend(mayForget)
    const bytes = Buffer.from(`${JSON.stringify(line)}\n`)
    try {
      await disk.write(file, bytes, this.#bytes)
      // promise: receipt-synced
      await disk.sync(file)
    } catch (error) {
      // The part that was written may be longer than the next line.
      await disk.truncate(file, this.#bytes).catch(() => undefined)
      throw error
    }
    if (this.#isNew) await disk.syncFolder(this.#folder)
    this.#isNew = false
    this.#bytes += bytes.length
  }

  async #fileForAppend(mayForget: boolean): Promise<number> {
    if (this.#file === undefined) await this.#open()
    // promise: receipts-bounded
    if (this.#file !== undefined && this.#bytes >= MAX_BYTES && mayForget)
      await this.#rotate(this.#file)
    this.#file ??= await this.#create()
    return this.#file
  }

  async #rotate(file: number): Promise<void> {
    this.#file = undefined
    await this.#disk.close(file)
    await this.#disk.rename(this.#path, this.#oldPath)
  }

  async #create(): Promise<number> {
    // Makes the rename durable first. Otherwise a power loss could take the old lines with it.
    await this.#disk.syncFolder(this.#folder)
    this.#bytes = 0
    this.#isNew = true
    return await this.#disk.create(this.#path)
  }

  async close(): Promise<void> {
    if (this.#file !== undefined) await this.#disk.close(this.#file)
    this.#file = undefined
  }
}

/** `undefined` for a line that is damaged or has no valid sequence. */
function parse(
  line: string,
): { sequence: number; sha256: string; event?: unknown; result?: unknown } | undefined {
  try {
    const { sequence, sha256, event, result } = JSON.parse(line) as Record<string, unknown>
    const isValid =
      Number.isSafeInteger(sequence) && Number(sequence) >= 0 && Number(sequence) < MAX_SEQUENCE
    return isValid && typeof sha256 === 'string'
      ? { sequence: Number(sequence), sha256, event, result }
      : undefined
  } catch {
    return undefined
  }
}
