// The queue opens a directory that is torn, damaged, half committed, expired, or in use by another
// process.
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import {
  appendFile,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { gunzipSync, gzipSync } from 'node:zlib'
import { openQueue } from '../../src/queue/queue.ts'
import { idsIn, queueOptions, recordOf } from '../support/queue-records.ts'
import { appendAndTake, openTestQueue, receiptsIn, temporaryFolder, yes } from './queue-setup.ts'

test('cuts a torn tail behind the last record with a right checksum', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  for (const id of ['one', 'two', 'three']) await queue.append(recordOf(id), 1)
  await queue.close()
  const path = join(folder, 'queue/000000000001.otlp')
  const { size } = await stat(path)
  await truncate(path, size - 2)
  const again = await openTestQueue(t, { folder })
  assert.deepEqual(await again.ids('queue'), ['one', 'two'])
  assert.equal((await stat(path)).size, 2 * (recordOf('one').length + 5))
  assert.equal(again.counters.get('queue.recovered.torn'), 1)
  assert.equal((await appendAndTake(again.queue)).spans, 2)
})

test('removes a file without a whole record', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  await queue.close()
  await writeFile(join(folder, 'queue/000000000007.otlp'), recordOf('half').subarray(0, 5))
  const again = await openTestQueue(t, { folder })
  assert.deepEqual(await again.names('queue'), [])
})

test('keeps the records before damage in a file and counts the rest once', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  for (const id of ['one', 'two', 'three']) await queue.append(recordOf(id), 1)
  await queue.close()
  const path = join(folder, 'queue/000000000001.otlp')
  const bytes = await readFile(path)
  bytes[bytes.indexOf('<two>') + 1]! ^= 1
  await writeFile(path, bytes)
  const again = await openTestQueue(t, { folder })
  assert.deepEqual(await again.ids('queue'), ['one'])
  assert.deepEqual(
    [again.counters.get('queue.dropped.corrupt'), again.counters.get('queue.recovered.torn')],
    [1, 0],
  )
})

test('takes the unfinished tail of a power loss for torn, not damaged', async (t) => {
  const zeros = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc(40)])
  const wrong = (bytes: Buffer): Buffer =>
    Buffer.concat([bytes, recordOf('two'), Buffer.from([0x7d, 0, 0, 0, 0])])
  for (const spoil of [zeros, wrong]) {
    const { folder, queue } = await openTestQueue(t)
    await queue.append(recordOf('one'), 1)
    await queue.close()
    const path = join(folder, 'queue/000000000001.otlp')
    await writeFile(path, spoil(await readFile(path)))
    const again = await openTestQueue(t, { folder })
    assert.deepEqual(await again.ids('queue'), ['one'])
    assert.deepEqual(
      [again.counters.get('queue.dropped.corrupt'), again.counters.get('queue.recovered.torn')],
      [0, 1],
    )
  }
})

test('a receipt that was cut off does not damage the next one', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  await queue.recordAttempt(await appendAndTake(queue, 'one'))
  await queue.close()
  await appendFile(join(folder, 'receipts.jsonl'), `{"time":"${'x'.repeat(1000)}`)
  const again = await openTestQueue(t, { folder })
  await again.queue.recordAttempt(await appendAndTake(again.queue, 'two'))
  await again.queue.recordOutcome((await again.queue.next(yes))!, {
    result: 'delivered',
    status: 200,
  })
  assert.deepEqual(
    (await receiptsIn(folder)).map(({ sequence, event, result }) => [sequence, event ?? result]),
    [
      [1, 'attempt'],
      [1, 'delivered'],
    ],
  )
})

test('leaves files of others as they are', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  await queue.close()
  const theirs = ['queue/x000000000009.otlp', 'sending/notes.txt', 'sent/notes.txt']
  for (const name of theirs) await writeFile(join(folder, name), 'theirs')
  const again = await openTestQueue(t, { folder })
  for (const name of theirs) assert.equal(await readFile(join(folder, name), 'utf8'), 'theirs')
  assert.equal((await appendAndTake(again.queue, 'one')).sequence, 1)
})

test('continues the sequence from the files on disk, and sends the oldest first', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  for (const id of ['one', 'two', 'three']) {
    await queue.append(recordOf(id), 1)
    await queue.seal()
  }
  const first = await queue.next(yes)
  await queue.close()
  await rename(join(folder, 'queue/000000000003.otlp'), join(folder, 'queue/000000000007.otlp'))
  const again = await openTestQueue(t, { folder })
  await again.queue.append(recordOf('eight'), 1)
  assert.deepEqual(await again.names('queue'), [
    '000000000002.otlp',
    '000000000007.otlp',
    '000000000008.otlp',
  ])
  await again.queue.close()
  await rename(
    join(folder, 'sending/000000000001.otlp.gz'),
    join(folder, 'sending/000000000020.otlp.gz'),
  )
  const third = await openTestQueue(t, { folder })
  assert.equal((await third.queue.next(yes))?.sequence, 2)
  await third.queue.append(recordOf('last'), 1)
  assert.equal((await third.names('queue')).at(-1), '000000000021.otlp')
  assert.equal(first?.sequence, 1)
})

test('never sends a body that the old receipts call settled, by its digest', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  for (const result of ['delivered', 'refused', 'delivered', 'retry'] as const) {
    const body = await appendAndTake(queue, result)
    await queue.recordAttempt(body)
    await queue.recordOutcome(body, { result, status: 0 })
  }
  await queue.close()
  await rename(join(folder, 'receipts.jsonl'), join(folder, 'receipts.old.jsonl'))
  for (const sequence of [1, 2, 3])
    await rename(
      join(folder, `sent/00000000000${sequence}.otlp.gz`),
      join(folder, `sending/00000000000${sequence}.otlp.gz`),
    )
  await writeFile(join(folder, 'sending/000000000003.otlp.gz'), gzipSync(recordOf('another')))
  const again = await openTestQueue(t, { folder })
  assert.deepEqual(await again.ids('sending'), ['another', 'retry'])
  await again.queue.switchPolicy('policy-b')
  assert.deepEqual(
    await again.ids('sent'),
    ['delivered', 'refused', 'retry'],
    'what was attempted is kept to be seen',
  )
})

test('a damaged or missing file does not hold up the files behind it', async (t) => {
  const { folder, queue, counters } = await openTestQueue(t)
  await queue.append(recordOf('one'), 1)
  await queue.append(recordOf('uno'), 1)
  await queue.seal()
  const second = await appendAndTake(queue, 'two').then(async () => {
    await writeFile(join(folder, 'sending/000000000001.otlp.gz'), 'not gzip')
    return await queue.next(yes)
  })
  assert.deepEqual(idsIn(gunzipSync(second!.content)), ['two'])
  assert.equal(counters.get('queue.dropped.corrupt'), 1)
  await rm(join(folder, 'sending/000000000002.otlp.gz'))
  assert.deepEqual(idsIn(gunzipSync((await appendAndTake(queue, 'three')).content)), ['three'])
})

test('recovery prefers sending/, removes temporary files, moves settled bodies', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  await queue.append(recordOf('one'), 1)
  const copy = await readFile(join(folder, 'queue/000000000001.otlp'))
  const first = await appendAndTake(queue)
  await queue.recordAttempt(first)
  await queue.recordOutcome(first, { result: 'delivered', status: 200 })
  const second = await appendAndTake(queue, 'two')
  await queue.close()
  await writeFile(join(folder, 'sending/000000000001.otlp.gz'), first.content)
  await rm(join(folder, 'sent/000000000001.otlp.gz'))
  await writeFile(join(folder, 'queue/000000000001.otlp'), copy)
  await writeFile(join(folder, 'queue/000000000002.otlp'), copy)
  await writeFile(join(folder, 'sending/000000000002.otlp.gz.tmp'), 'half')
  await writeFile(join(folder, 'policy.tmp'), 'half')
  const again = await openTestQueue(t, { folder })
  assert.deepEqual(
    [await again.names('queue'), await again.names('sending'), await again.names('sent')],
    [[], ['000000000002.otlp.gz'], ['000000000001.otlp.gz']],
  )
  assert.ok(!(await again.names('.')).includes('policy.tmp'))
  assert.deepEqual(await again.queue.next(yes), second)
})

test('drops and counts files over the age limit at seal, next and open', async (t) => {
  let time = Date.now()
  const changes = { maxAgeMs: 1_000, now: () => time }
  const { folder, counters, queue, names } = await openTestQueue(t, changes)
  await queue.append(recordOf('one'), 2)
  time += 1_001
  await queue.seal()
  assert.deepEqual([await names('queue'), counters.get('queue.dropped.age')], [[], 2])
  const body = await appendAndTake(queue, 'two')
  await queue.recordAttempt(body)
  time += 1_001
  assert.equal(await queue.next(yes), undefined)
  assert.deepEqual(
    [await names('sending'), await names('sent')],
    [[], ['000000000002.otlp.gz']],
    'an attempted body is kept to be seen',
  )
  await queue.append(recordOf('three'), 1)
  await queue.close()
  await utimes(join(folder, 'queue/000000000003.otlp'), time / 1000 - 2, time / 1000 - 2)
  const again = await openTestQueue(t, { ...changes, folder })
  assert.deepEqual([await again.names('queue'), again.counters.get('queue.dropped.age')], [[], 1])
})

test('the age of a file is that of its oldest record, also after commit and restart', async (t) => {
  let time = Date.now() - 30_000
  const changes = { maxAgeMs: 8_000, now: () => time }
  const { folder, counters, queue, ids, names } = await openTestQueue(t, changes)
  await queue.append(recordOf('one'), 1)
  time += 8_001
  await queue.append(recordOf('two'), 1)
  assert.deepEqual(
    [await ids('queue'), counters.get('queue.dropped.age')],
    [['two'], 1],
    'the file that grows can be too old',
  )
  time += 1_001
  await queue.append(recordOf('three'), 1)
  await queue.append(recordOf('four'), 1)
  assert.equal(
    (await names('queue')).length,
    2,
    'a file that has grown for an eighth of the limit grows no more',
  )
  time += 7_000
  await queue.append(recordOf('five'), 1)
  assert.deepEqual([await ids('queue'), counters.get('queue.dropped.age')], [['four', 'five'], 3])
  assert.equal((await appendAndTake(queue)).sequence, 3)
  await queue.close()
  const again = await openTestQueue(t, { ...changes, folder, now: Date.now })
  assert.deepEqual([await again.names('sending'), again.counters.get('queue.dropped.age')], [[], 2])
})

test('tells a directory that cannot be locked from one in use, and unlocks it', async (t) => {
  const folder = await temporaryFolder(t)
  await mkdir(join(folder, 'lock'))
  await assert.rejects(openQueue(queueOptions(folder)), { code: 'ENOLCK' })
  await rmdir(join(folder, 'lock'))
  await writeFile(join(folder, 'sending'), '')
  await assert.rejects(openQueue(queueOptions(folder)), { code: 'EEXIST' })
  await rm(join(folder, 'sending'))
  await openTestQueue(t, { folder })
})

test('keeps a second process out until the first closes, silent on stderr', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  const program = `
    import { openQueue } from ${JSON.stringify(new URL('../../src/queue/queue.ts', import.meta.url).href)}
    import { queueOptions } from ${JSON.stringify(new URL('../support/queue-records.ts', import.meta.url).href)}
    const queue = await openQueue(queueOptions(${JSON.stringify(folder)})).catch((error) => console.log(error.code, error.message))
    if (queue !== undefined) { console.log('opened'); await queue.close() }`
  const second = (): Promise<{ stdout: string; stderr: string }> =>
    promisify(execFile)(process.execPath, ['--input-type=module', '-e', program])
  const out = await second()
  assert.match(out.stdout, /^EBUSY Another process uses this data directory\./)
  assert.equal(out.stderr, '')
  await assert.rejects(openQueue(queueOptions(folder)), { code: 'EBUSY' })
  assert.deepEqual((await readdir(folder)).sort(), ['lock', 'policy', 'queue', 'sending', 'sent'])
  await queue.close()
  assert.equal((await second()).stdout, 'opened\n')
})

test('a closed queue accepts nothing', async (t) => {
  const { queue, names } = await openTestQueue(t)
  const last = queue.append(recordOf('last'), 1)
  await queue.close()
  await last
  await assert.rejects(queue.append(recordOf('late'), 1), { status: 503 })
  assert.deepEqual(await names('queue'), ['000000000001.otlp'])
})
