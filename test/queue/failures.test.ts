// The queue on a disk that fails: it answers 503, keeps the good records, and repeats the rest.
import assert from 'node:assert/strict'
import { appendFile, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { nodeDisk } from '../../src/queue/disk.ts'
import type { Refusal } from '../../src/support/errors.ts'
import { idsIn, recordOf } from '../support/queue-records.ts'
import { appendAndTake, diskWith, failure, openTestQueue, yes } from './queue-setup.ts'

test('a failed sync answers 503, keeps earlier records, never writes that file again', async (t) => {
  let fail = false
  const disk = diskWith({
    sync: (file) => (fail ? Promise.reject(failure('EIO')) : nodeDisk.sync(file)),
  })
  const { counters, queue, ids, names } = await openTestQueue(t, { disk })
  await queue.append(recordOf('good'), 1)
  fail = true
  const results = await Promise.allSettled([
    queue.append(recordOf('bad1'), 1),
    queue.append(recordOf('bad2'), 2),
  ])
  for (const result of results)
    assert.equal(result.status === 'rejected' && (result.reason as Refusal).status, 503)
  fail = false
  await queue.append(recordOf('after'), 1)
  assert.deepEqual(await ids('queue'), ['good', 'after'])
  assert.deepEqual(await names('queue'), ['000000000001.otlp', '000000000002.otlp'])
  assert.equal(counters.get('queue.refused'), 3)
})

test('removes a new file whose first record could not be written', async (t) => {
  let fail = false
  const disk = diskWith({
    sync: (file) => (fail ? Promise.reject(failure('EIO')) : nodeDisk.sync(file)),
  })
  const { queue, names } = await openTestQueue(t, { disk })
  fail = true
  await assert.rejects(queue.append(recordOf('bad'), 1), { status: 503 })
  assert.deepEqual(await names('queue'), [])
  fail = false
  await queue.append(recordOf('good'), 1)
  assert.deepEqual(await names('queue'), ['000000000002.otlp'])
})

test('moves a settled body later if the move fails, and never sends it again', async (t) => {
  let fail = false
  const rename = (from: string, to: string): Promise<void> =>
    fail && to.includes('/sent/') ? Promise.reject(failure('EIO')) : nodeDisk.rename(from, to)
  const first = await openTestQueue(t)
  await first.queue.recordAttempt(await appendAndTake(first.queue, 'one'))
  await first.queue.close()
  const { folder } = first
  await appendFile(join(folder, 'receipts.jsonl'), `${'x'.repeat(1024 * 1024 - 400)}\n`)
  const { queue, names } = await openTestQueue(t, { folder, disk: diskWith({ rename }) })
  const body = await queue.next(yes)
  fail = true
  await queue.recordOutcome(body!, { result: 'retry', status: 503 })
  await queue.recordOutcome(body!, { result: 'delivered', status: 200 })
  await queue.recordOutcome(body!, { result: 'delivered', status: 200 })
  assert.ok(!(await names('.')).includes('receipts.old.jsonl'))
  assert.deepEqual(await names('sending'), ['000000000001.otlp.gz'])
  await assert.rejects(queue.next(yes), { code: 'EIO' })
  fail = false
  assert.equal(await queue.next(yes), undefined)
  assert.deepEqual([await names('sending'), await names('sent')], [[], ['000000000001.otlp.gz']])
})

test('sends the next body although a settled one is gone from sending/', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  const body = await appendAndTake(queue, 'one')
  await rm(join(folder, 'sending/000000000001.otlp.gz'))
  await queue.recordOutcome(body, { result: 'delivered', status: 200 })
  assert.deepEqual(idsIn(gunzipSync((await appendAndTake(queue, 'two')).content)), ['two'])
})

test('sends a body only once its file in queue/ is durably removed', async (t) => {
  let failures = 0
  const syncFolder = (path: string): Promise<void> =>
    failures > 0 && path.endsWith('/queue') && failures-- > 0
      ? Promise.reject(failure('EIO'))
      : nodeDisk.syncFolder(path)
  const { counters, queue, names } = await openTestQueue(t, { disk: diskWith({ syncFolder }) })
  await queue.append(recordOf('one'), 1)
  await queue.seal()
  failures = 2
  await assert.rejects(queue.next(yes), { code: 'EIO' })
  await assert.rejects(queue.next(yes), { code: 'EIO' })
  assert.deepEqual(idsIn(gunzipSync((await queue.next(yes))!.content)), ['one'])
  assert.deepEqual([await names('queue'), await names('sending')], [[], ['000000000001.otlp.gz']])
  assert.equal(counters.get('queue.dropped.corrupt'), 0)
})

test('repeats a commit that failed half way', async (t) => {
  let fail = false
  const disk = diskWith({
    sync: (file) => (fail ? Promise.reject(failure('EIO')) : nodeDisk.sync(file)),
  })
  const { queue, names } = await openTestQueue(t, { disk })
  await queue.append(recordOf('one'), 1)
  await queue.seal()
  fail = true
  await assert.rejects(queue.next(yes), { code: 'EIO' })
  fail = false
  assert.equal((await queue.next(yes))?.sequence, 1)
  assert.deepEqual([await names('queue'), await names('sending')], [[], ['000000000001.otlp.gz']])
})

for (const half of ['before', 'after'] as const) {
  for (const step of ['create', 'rename', 'syncFolder'] as const) {
    test(`receipts lose no line if their rotation fails at ${step}, ${half} its effect`, async (t) => {
      let fails = false
      const failing =
        <A extends unknown[], R>(operation: (...given: A) => Promise<R>) =>
        async (...given: A): Promise<R> => {
          if (!fails) return await operation(...given)
          fails = false
          if (half === 'after') await operation(...given)
          throw failure('EIO')
        }
      const first = await openTestQueue(t)
      await first.queue.recordAttempt(await appendAndTake(first.queue, 'one'))
      await first.queue.close()
      const { folder } = first
      await appendFile(join(folder, 'receipts.jsonl'), `${'x'.repeat(1024 * 1024)}\n`)
      const { queue } = await openTestQueue(t, {
        folder,
        disk: diskWith({ [step]: failing(nodeDisk[step] as () => Promise<unknown>) }),
      })
      const body = await queue.next(yes)
      fails = true
      await queue.recordOutcome(body!, { result: 'retry', status: 503 })
      assert.equal(fails, false)
      await queue.recordOutcome(body!, { result: 'retry', status: 502 })
      await queue.recordOutcome(body!, { result: 'delivered', status: 200 })
      const lines = (name: string): Promise<string> => readFile(join(folder, name), 'utf8')
      assert.match(await lines('receipts.old.jsonl'), /"event":"attempt"/)
      assert.match(await lines('receipts.jsonl'), /"status":502.*\n.*"status":200/)
    })
  }
}
