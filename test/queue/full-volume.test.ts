// A full volume. Appends are refused while there is still space for a body, so that sending frees
// space. Files of sent/ are removed first. Files of others cost no span.
import assert from 'node:assert/strict'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { type Disk, nodeDisk } from '../../src/queue/disk.ts'
import type { Queue, QueueOptions } from '../../src/queue/queue.ts'
import type { Refusal } from '../../src/support/errors.ts'
import { createLog } from '../../src/support/log.ts'
import { idsIn, recordOf } from '../support/queue-records.ts'
import {
  appendAndTake,
  diskWith,
  failure,
  openTestQueue,
  receiptsIn,
  temporaryFolder,
  yes,
} from './queue-setup.ts'

const MIB = 1024 * 1024

/** A volume of this size, with the data directory and the files of others. */
function volume(folder: string, bytes: number) {
  const others = { bytes: 0 }
  const used = async (): Promise<number> => {
    let sum = others.bytes
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }))
      if (entry.isFile())
        sum += (await stat(join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }))).size
    return sum
  }
  const disk: Disk = diskWith({
    free: async () => Math.max(0, bytes - (await used())),
    write: async (file, content, position) => {
      if ((await used()) + content.length > bytes) throw failure('ENOSPC')
      await nodeDisk.write(file, content, position)
    },
  })
  return { disk, others, used }
}

async function openOn(t: TestContext, bytes: number, changes: Partial<QueueOptions> = {}) {
  const folder = await temporaryFolder(t)
  const lines: string[] = []
  const log = createLog(
    'info',
    (line) => void lines.push((JSON.parse(line) as { event: string }).event),
  )
  const small = volume(folder, bytes)
  return {
    ...(await openTestQueue(t, { folder, disk: small.disk, log, ...changes })),
    ...small,
    lines,
  }
}

let random = 1
/** A record that does not compress well. */
function noise(length: number): string {
  let text = ''
  while (text.length < length) {
    random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0
    text += random.toString(36)
  }
  return text
}
const noisyRecord = (id: string): Buffer =>
  Buffer.from(
    recordOf(id, 60_000).toString('latin1').replace(/\.+/, noise(60_000).slice(0, 60_000)),
    'latin1',
  )

/** Appends until a refusal. Gives the acknowledged ids. */
async function fill(
  queue: Queue,
  prefix: string,
): Promise<{ acknowledged: string[]; refusal: Refusal | undefined }> {
  const acknowledged: string[] = []
  for (let number = 0; number < 400; number++) {
    const id = `${prefix}${number}`
    try {
      await queue.append(noisyRecord(id), 1)
    } catch (error) {
      return { acknowledged, refusal: error as Refusal }
    }
    acknowledged.push(id)
  }
  return { acknowledged, refusal: undefined }
}

async function drain(queue: Queue): Promise<string[]> {
  const ids: string[] = []
  await queue.seal()
  for (let body = await queue.next(yes); body !== undefined; body = await queue.next(yes)) {
    await queue.recordAttempt(body)
    await queue.recordOutcome(body, { result: 'delivered', status: 200 })
    ids.push(...idsIn(gunzipSync(body.content)))
  }
  return ids
}

test('a full volume refuses spans, sends its own, and accepts again', async (t) => {
  const { queue, used, lines, counters } = await openOn(t, 12 * MIB)
  for (const round of ['a', 'b', 'c']) {
    const { acknowledged, refusal } = await fill(queue, round)
    assert.ok(acknowledged.length > 60, `${acknowledged.length} acknowledged`)
    assert.deepEqual([refusal?.status, refusal?.retryAfterSeconds], [503, 60])
    assert.ok((await used()) <= 12 * MIB)
    assert.deepEqual((await drain(queue)).sort(), acknowledged.sort())
  }
  assert.equal(counters.get('queue.refused'), 3)
  assert.deepEqual(lines, ['queue: full; requests are answered 503'])
})

test('with drop-oldest or ring, a full volume drops the oldest and accepts all', async (t) => {
  for (const full of ['drop-oldest', 'ring'] as const) {
    const { queue, counters } = await openOn(t, 8 * MIB, { full })
    const { acknowledged, refusal } = await fill(queue, 'a')
    assert.equal(refusal, undefined)
    const left = await drain(queue)
    assert.ok(left.length > 40, `${left.length} left`)
    assert.deepEqual(left.sort(), acknowledged.slice(-left.length).sort())
    assert.equal(counters.get('queue.dropped.full'), acknowledged.length - left.length)
  }
})

test('drops no span on a volume that others fill', async (t) => {
  for (const full of ['refuse', 'drop-oldest'] as const) {
    const { queue, others, counters } = await openOn(t, 64 * MIB, { full })
    await queue.append(recordOf('before'), 1)
    await queue.seal()
    others.bytes = 64 * MIB
    await assert.rejects(queue.append(recordOf('refused'), 1), {
      status: 503,
      retryAfterSeconds: 60,
    })
    await assert.rejects(queue.next(yes), { code: 'ENOSPC' })
    assert.equal(counters.get('queue.dropped.full'), 0)
    others.bytes = 0
    await queue.append(recordOf('after'), 1)
    assert.deepEqual(await drain(queue), ['before', 'after'])
  }
})

test('removes the oldest of sent/ to make space for an append', async (t) => {
  const { queue, others, names } = await openOn(t, 64 * MIB)
  for (let number = 0; number < 4; number++) {
    await queue.append(noisyRecord(`sent${number}`), 1)
    await drain(queue)
  }
  assert.equal((await names('sent')).length, 4)
  const { bytes } = await bytesIn(queue)
  others.bytes = 64 * MIB - bytes - 2 * MIB + 50_000
  await queue.append(recordOf('waits'), 1)
  const left = await names('sent')
  assert.ok(left.length < 4 && left.length > 0, left.join())
  assert.equal(left.at(-1), '000000000004.otlp.gz')
})

const bytesIn = async (queue: Queue): Promise<{ bytes: number }> => ({
  bytes: queue.status().bytes + queue.status().sentBytes,
})

test('never sends a delivered body again, although its receipt failed', async (t) => {
  let fail = false
  const disk = diskWith({
    write: (file, content, position) =>
      fail && Buffer.from(content).includes('"result"')
        ? Promise.reject(failure('ENOSPC'))
        : nodeDisk.write(file, content, position),
  })
  const { folder, queue, names } = await openTestQueue(t, { disk })
  const body = await appendAndTake(queue, 'one')
  await queue.recordAttempt(body)
  fail = true
  await queue.recordOutcome(body, { result: 'delivered', status: 200 })
  assert.equal(await queue.next(yes), undefined)
  await queue.close()
  const again = await openTestQueue(t, { folder })
  assert.equal(await again.queue.next(yes), undefined)
  assert.deepEqual(await names('sent'), ['000000000001.otlp.gz'])
})

test('cuts a partly written receipt before the next one', async (t) => {
  let part = 0
  const disk = diskWith({
    write: async (file, content, position) => {
      await nodeDisk.write(file, part === 0 ? content : content.subarray(0, part), position)
      if (part > 0) throw failure('ENOSPC')
    },
  })
  const { folder, queue } = await openTestQueue(t, { disk })
  const body = await appendAndTake(queue, 'one')
  part = 200
  await assert.rejects(queue.recordAttempt(body), { code: 'ENOSPC' })
  part = 0
  await queue.recordOutcome(body, { result: 'retry', status: 503 })
  const text = await readFile(join(folder, 'receipts.jsonl'), 'utf8')
  assert.equal(text.split('\n').length, 2, text)
  assert.equal((await receiptsIn(folder)).length, 1)
})

test('reads the free space of a volume from the system', async (t) => {
  const folder = await temporaryFolder(t)
  const free = await nodeDisk.free(folder)
  assert.ok(Number.isSafeInteger(free) && free > 0, String(free))
  await assert.rejects(nodeDisk.free(join(folder, 'none')), { code: 'ENOENT' })
})

test('asks for free space only when a file begins or is about to be sealed', async (t) => {
  let asked = 0
  const disk = diskWith({
    free: (folder) => {
      asked++
      return nodeDisk.free(folder)
    },
  })
  const { queue } = await openTestQueue(t, { disk })
  for (let number = 0; number < 20; number++) await queue.append(recordOf(`n${number}`), 1)
  assert.equal(asked, 1)
  await queue.append(recordOf('large', MIB), 1)
  assert.equal(asked, 2)
})

test('removes the oldest of sent/ to make space for a body', async (t) => {
  const { queue, others, names } = await openOn(t, 64 * MIB)
  await queue.append(noisyRecord('first'), 1)
  await drain(queue)
  await queue.append(recordOf('second'), 1)
  await queue.seal()
  const { bytes } = await bytesIn(queue)
  others.bytes = 64 * MIB - bytes - 1_000
  assert.equal((await queue.next(yes))?.sequence, 2)
  assert.deepEqual(await names('sent'), [])
})

test('logs once that a full queue has been accepting again for a while', async (t) => {
  let time = Date.now()
  const { queue, lines } = await openOn(t, 64 * MIB, { maxBytes: MIB, now: () => time })
  const { refusal } = await fill(queue, 'a')
  assert.equal(refusal?.status, 503)
  await drain(queue)
  await queue.append(recordOf('soon'), 1)
  assert.deepEqual(lines, ['queue: full; requests are answered 503'])
  time += 600_000
  for (const id of ['later', 'still later']) await queue.append(recordOf(id), 1)
  assert.deepEqual(lines, [
    'queue: full; requests are answered 503',
    'queue: accepting requests again',
  ])
})
