// The promises of the queue from append to receipt, on real folders.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { appendFile, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { Cursor, lenField, varintField } from '../../src/otlp/wire.ts'
import { nodeDisk } from '../../src/queue/disk.ts'
import type { Refusal } from '../../src/support/errors.ts'
import { idsIn, recordOf } from '../support/queue-records.ts'
import { appendAndTake, diskWith, openTestQueue, receiptsIn, yes } from './queue-setup.ts'

const full503 = (error: unknown): boolean =>
  (error as Refusal).status === 503 && (error as Refusal).retryAfterSeconds === 60

test('an acknowledged record is in queue/ as a readable request', async (t) => {
  const { folder, queue, names } = await openTestQueue(t)
  await queue.append(recordOf('one'), 1)
  await queue.append(recordOf('two'), 1)
  assert.deepEqual(await names('queue'), ['000000000001.otlp'])
  const cursor = new Cursor(await readFile(join(folder, 'queue/000000000001.otlp')))
  const fields: number[] = []
  while (cursor.pos < cursor.end) {
    const tag = cursor.tag()
    fields.push(tag >>> 3)
    cursor.skip(tag)
  }
  assert.deepEqual(fields, [1, 15, 1, 15])
})

test('folders and files are for our user only', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  await queue.recordAttempt(await appendAndTake(queue, 'one'))
  await queue.append(recordOf('two'), 1)
  const mode = async (path: string): Promise<number> =>
    (await stat(join(folder, path))).mode & 0o777
  for (const path of ['queue', 'sending', 'sent']) assert.equal(await mode(path), 0o700, path)
  for (const path of [
    'lock',
    'policy',
    'receipts.jsonl',
    'queue/000000000002.otlp',
    'sending/000000000001.otlp.gz',
  ])
    assert.equal(await mode(path), 0o600, path)
})

test('copies the bytes of a record at once', async (t) => {
  const { queue, ids } = await openTestQueue(t)
  const record = recordOf('original')
  const appended = queue.append(record, 1)
  record.fill(0)
  await appended
  assert.deepEqual(await ids('queue'), ['original'])
})

test('waiting appends share one write and one sync', async (t) => {
  let writes = 0
  let syncs = 0
  const disk = diskWith({
    write: (...given) => nodeDisk.write(...given).finally(() => writes++),
    sync: (...given) => nodeDisk.sync(...given).finally(() => syncs++),
  })
  const { queue, ids } = await openTestQueue(t, { disk })
  await queue.append(recordOf('first'), 1)
  writes = syncs = 0
  // One callback each, like requests, and more than the first buffer of a group holds.
  const later = (id: string): Promise<void> =>
    new Promise<void>((resolve) => void setImmediate(resolve)).then(() =>
      queue.append(recordOf(id, 20_000), 1),
    )
  await Promise.all(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map(later))
  assert.deepEqual({ writes, syncs }, { writes: 1, syncs: 1 })
  assert.deepEqual(await ids('queue'), ['first', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'])
})

test('seals a file at 1 MiB', async (t) => {
  const { queue, names } = await openTestQueue(t)
  await queue.append(recordOf('large', 1024 * 1024), 1)
  await queue.append(recordOf('small'), 1)
  assert.deepEqual(await names('queue'), ['000000000001.otlp', '000000000002.otlp'])
})

test('next gives the oldest sealed file, sorted, as exactly the bytes in sending/', async (t) => {
  const { folder, queue, names } = await openTestQueue(t)
  for (const id of ['c', 'a', 'b']) await queue.append(recordOf(id), 1)
  assert.equal(await queue.next(yes), undefined, 'the active file is not given')
  await queue.seal()
  await queue.append(recordOf('later'), 1)
  const body = await queue.next(yes)
  assert.ok(body !== undefined)
  assert.deepEqual(idsIn(gunzipSync(body.content)), ['a', 'b', 'c'])
  assert.deepEqual(
    gunzipSync(body.content),
    Buffer.concat(['a', 'b', 'c'].map((id) => recordOf(id))),
  )
  const file = await readFile(join(folder, 'sending/000000000001.otlp.gz'))
  assert.deepEqual(body.content, file)
  const sha256 = createHash('sha256').update(file).digest('hex')
  assert.deepEqual(
    { ...body, content: 0 },
    { sequence: 1, content: 0, sha256, batches: 3, spans: 3 },
  )
  assert.deepEqual(await names('queue'), ['000000000002.otlp'])
  assert.deepEqual(
    { ...(await queue.next(yes)) },
    { ...body },
    'it stays the oldest until it is settled',
  )
})

test('next commits nothing once it is not allowed, also between its two checks', async (t) => {
  const { queue, names } = await openTestQueue(t)
  await queue.append(recordOf('one'), 1)
  await queue.seal()
  assert.equal(await queue.next(() => false), undefined)
  let looks = 0
  assert.equal(await queue.next(() => ++looks === 1), undefined)
  assert.equal(looks, 2)
  assert.deepEqual([await names('sending'), await names('queue')], [[], ['000000000001.otlp']])
})

test('receipts name the attempt once and every outcome; a settled body moves', async (t) => {
  const { folder, queue, names } = await openTestQueue(t)
  const body = await appendAndTake(queue, 'one', 'two')
  await queue.recordAttempt(body)
  await queue.recordOutcome(body, { result: 'retry', status: 503 })
  await queue.recordAttempt(body)
  assert.deepEqual(await names('sending'), ['000000000001.otlp.gz'])
  await queue.recordOutcome(body, { result: 'delivered', status: 200, rejected: 1 })
  assert.deepEqual([await names('sending'), await names('sent')], [[], ['000000000001.otlp.gz']])
  const lines = await receiptsIn(folder)
  for (const line of lines) assert.match(String(line.time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  const { sha256 } = body
  assert.deepEqual(
    lines.map((line) => ({ ...line, time: '' })),
    [
      {
        time: '',
        sequence: 1,
        sha256,
        bytes: body.content.length,
        batches: 2,
        spans: 2,
        policy: 'policy-a',
        event: 'attempt',
      },
      { time: '', sequence: 1, sha256, result: 'retry', status: 503, rejected: 0 },
      { time: '', sequence: 1, sha256, result: 'delivered', status: 200, rejected: 1 },
    ],
  )
})

test('receipts over 1 MiB become receipts.old.jsonl', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  await queue.recordAttempt(await appendAndTake(queue, 'one'))
  await queue.close()
  await appendFile(join(folder, 'receipts.jsonl'), `${'x'.repeat(1024 * 1024)}\n`)
  const again = await openTestQueue(t, { folder })
  const body = await again.queue.next(yes)
  await again.queue.recordOutcome(body!, { result: 'delivered', status: 200 })
  assert.equal((await receiptsIn(folder)).length, 1)
  assert.ok((await stat(join(folder, 'receipts.old.jsonl'))).size > 1024 * 1024)
})

test('counts spans, and no other field that looks like one', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  const spans = Buffer.concat([
    lenField(1, lenField(2, Buffer.from('scope'))),
    lenField(2, lenField(2, Buffer.alloc(8))),
    lenField(2, Buffer.alloc(0)),
  ])
  const resource = lenField(1, lenField(2, Buffer.from('resource')))
  await queue.append(
    lenField(
      1,
      Buffer.concat([
        resource,
        lenField(2, spans),
        varintField(2, 300),
        lenField(3, Buffer.from('url')),
      ]),
    ),
    2,
  )
  assert.equal((await appendAndTake(queue)).spans, 2)
  await queue.close()
  assert.equal((await (await openTestQueue(t, { folder })).queue.next(yes))?.spans, 2)
})

test('sent/ keeps the last 16 MiB', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  await queue.close()
  for (let sequence = 1; sequence <= 17; sequence++)
    await writeFile(
      join(folder, 'sent', `${String(sequence).padStart(12, '0')}.otlp.gz`),
      Buffer.alloc(1024 * 1024),
    )
  const again = await openTestQueue(t, { folder })
  const body = await appendAndTake(again.queue, 'one')
  assert.equal(body.sequence, 18, 'the sequence goes on from sent/')
  await again.queue.recordOutcome(body, { result: 'refused', status: 400 })
  const names = await again.names('sent')
  assert.deepEqual(
    [names.length, names[0], names.at(-1)],
    [16, '000000000003.otlp.gz', '000000000018.otlp.gz'],
  )
})

test('continues the sequence from the receipts when every file is gone', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  const body = await appendAndTake(queue, 'one')
  await queue.recordAttempt(body)
  await queue.wipe()
  await queue.close()
  const again = await openTestQueue(t, { folder })
  assert.equal((await appendAndTake(again.queue, 'two')).sequence, 2)
})

test('a full queue answers 503 with Retry-After 60, and accepts again when empty', async (t) => {
  const { counters, queue, ids } = await openTestQueue(t, { maxBytes: 2_000 })
  await queue.append(recordOf('one', 1_500), 1)
  assert.ok(queue.halfFull())
  await assert.rejects(queue.append(recordOf('two', 1_500), 3), full503)
  assert.equal(counters.get('queue.refused'), 3)
  await queue.recordOutcome(await appendAndTake(queue), { result: 'delivered', status: 200 })
  assert.ok(!queue.halfFull())
  await queue.append(recordOf('three', 1_500), 1)
  assert.deepEqual(await ids('queue'), ['three'])
})

test('a full queue that refuses drops nothing, even if a body outgrows its records', async (t) => {
  const noise = (): Buffer => lenField(1, lenField(2, lenField(2, randomBytes(1_000))))
  const { queue, names } = await openTestQueue(t, { maxBytes: 2 * (noise().length + 5) })
  await queue.append(noise(), 1)
  await queue.seal()
  const [body] = await Promise.all([queue.next(yes), queue.append(noise(), 1)])
  assert.ok(body!.content.length > noise().length + 5)
  assert.deepEqual(
    [await names('sending'), await names('queue')],
    [['000000000001.otlp.gz'], ['000000000002.otlp']],
  )
})

test('counts records that wait for the disk as queued', async (t) => {
  const { queue, ids } = await openTestQueue(t, { maxBytes: 2_000 })
  const first = queue.append(recordOf('first', 1_500), 1)
  assert.ok(queue.halfFull())
  await assert.rejects(queue.append(recordOf('second', 1_500), 1), full503)
  await first
  assert.deepEqual(await ids('queue'), ['first'])
})

for (const full of ['drop-oldest', 'ring'] as const) {
  test(`with ${full}, drops and counts the oldest files`, async (t) => {
    const { counters, queue, ids } = await openTestQueue(t, { maxBytes: 4_000, full })
    await queue.append(recordOf('one', 1_500), 2)
    await queue.seal()
    await queue.append(recordOf('two', 1_500), 1)
    await queue.append(recordOf('three', 1_500), 1)
    await queue.append(recordOf('too-large', 5_000), 4)
    assert.deepEqual(await ids('queue'), ['two', 'three'])
    assert.equal(counters.get('queue.dropped.full'), 6)
    assert.ok(queue.status().bytes <= 4_000)
    await queue.append(recordOf('four', 1_500), 1)
    assert.deepEqual(await ids('queue'), ['four'], 'the active file can be the oldest')
    assert.equal(counters.get('queue.dropped.full'), 8)
  })
}

test('bounds the records that wait in memory', async (t) => {
  const { queue } = await openTestQueue(t)
  const large = recordOf('large', 5 * 1024 * 1024)
  const results = await Promise.allSettled([
    queue.append(large, 1),
    queue.append(large, 1),
    queue.append(recordOf('small'), 1),
  ])
  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  await queue.append(recordOf('larger than the bound', 9 * 1024 * 1024), 1)
})
