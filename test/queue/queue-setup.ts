// A queue in a real folder that is removed when the test ends, and readers for its files.
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type Disk, nodeDisk } from '../../src/queue/disk.ts'
import { openQueue, type Queue, type QueueOptions } from '../../src/queue/queue.ts'
import { Counters } from '../../src/support/counters.ts'
import { idsOf, queueOptions, recordOf } from '../support/queue-records.ts'

export const yes = (): boolean => true

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'queue-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** A queue in a new folder, or in that of `changes`. It is closed when the test ends. */
export async function openTestQueue(t: TestContext, changes: Partial<QueueOptions> = {}) {
  const folder = changes.folder ?? (await temporaryFolder(t))
  const counters = new Counters()
  const queue = await openQueue(queueOptions(folder, { counters, ...changes }))
  t.after(() => queue.close())
  const ids = (place: string): Promise<string[]> => idsOf(nodeDisk, join(folder, place))
  const names = (place: string): Promise<string[]> => nodeDisk.list(join(folder, place))
  return { folder, counters, queue, ids, names }
}

export const receiptsIn = async (folder: string): Promise<Record<string, unknown>[]> =>
  (await readFile(join(folder, 'receipts.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

export async function appendAndTake(queue: Queue, ...ids: string[]) {
  for (const id of ids) await queue.append(recordOf(id), 1)
  await queue.seal()
  const body = await queue.next(yes)
  assert.ok(body !== undefined)
  return body
}

/** The real disk with some operations replaced. */
export const diskWith = (changes: Partial<Disk>): Disk => ({ ...nodeDisk, ...changes })
export const failure = (code: string): Error => Object.assign(new Error(code), { code })
