// Records of one span with an id in it, and the ids in a folder of the queue.
import { gunzipSync } from 'node:zlib'
import { lenField } from '../../src/otlp/wire.ts'
import type { Disk, QueueOptions } from '../../src/queue/queue.ts'
import { Counters } from '../../src/support/counters.ts'
import { createLog } from '../../src/support/log.ts'

/** One whole field 1 of a request, with one span whose name is the id and filler. */
export const recordOf = (id: string, filler = 0): Buffer =>
  lenField(1, lenField(2, lenField(2, lenField(5, Buffer.from(`<${id}>${'.'.repeat(filler)}`)))))

/** The ids in the bytes of a file, in order. */
export const idsIn = (bytes: Uint8Array): string[] =>
  [
    ...Buffer.from(bytes)
      .toString('latin1')
      .matchAll(/<([\w-]+)>/g),
  ].map((match) => match[1]!)

/** The ids in a folder of the queue, in the order of its files. */
export async function idsOf(disk: Disk, folder: string): Promise<string[]> {
  const ids: string[] = []
  for (const name of await disk.list(folder)) {
    const bytes = await disk.read(`${folder}/${name}`)
    ids.push(...idsIn(name.endsWith('.gz') ? gunzipSync(bytes) : bytes))
  }
  return ids
}

export function queueOptions(folder: string, changes: Partial<QueueOptions> = {}): QueueOptions {
  return {
    folder,
    maxBytes: 64 * 1024 * 1024,
    maxWaitingBytes: 8 * 1024 * 1024,
    maxAgeMs: 7 * 86_400_000,
    full: 'refuse',
    policyDigest: 'policy-a',
    wipe: () => false,
    order: (record) => record,
    counters: new Counters(),
    log: createLog('error', () => undefined),
    ...changes,
  }
}
