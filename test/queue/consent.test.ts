// What is removed when the policy changes or consent ends. Nothing is left behind.
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { nodeDisk } from '../../src/queue/disk.ts'
import { openQueue, wipeFolder } from '../../src/queue/queue.ts'
import { Counters } from '../../src/support/counters.ts'
import { idsIn, queueOptions, recordOf } from '../support/queue-records.ts'
import {
  appendAndTake,
  diskWith,
  failure,
  openTestQueue,
  receiptsIn,
  temporaryFolder,
  yes,
} from './queue-setup.ts'

test('switchPolicy drops earlier appends and keeps later ones', {
  timeout: 10_000,
}, async (t) => {
  const { folder, counters, queue, ids, names } = await openTestQueue(t)
  const attempted = await appendAndTake(queue, 'tried')
  await queue.recordAttempt(attempted)
  await queue.append(recordOf('old'), 1)
  const waiting = queue.append(recordOf('waiting'), 5)
  const switched = queue.switchPolicy('policy-b')
  const after = queue.append(recordOf('new'), 1)
  await Promise.all([waiting, switched, after])
  assert.deepEqual(
    [await ids('queue'), await names('sending'), await ids('sent')],
    [['new'], [], ['tried']],
  )
  assert.equal(counters.get('queue.dropped.policy'), 7)
  assert.equal(await readFile(join(folder, 'policy'), 'utf8'), '1 policy-b\n')
  await assert.rejects(queue.recordAttempt(attempted), { code: 'ECANCELED' })
  await queue.recordAttempt(await appendAndTake(queue))
  assert.equal((await receiptsIn(folder)).at(-1)?.policy, 'policy-b')
})

test('the same policy drops nothing, and the last of two switches wins', async (t) => {
  const { folder, queue, ids } = await openTestQueue(t)
  await queue.append(recordOf('one'), 1)
  await queue.switchPolicy('policy-a')
  assert.deepEqual(await ids('queue'), ['one'])
  await Promise.all([queue.switchPolicy('policy-b'), queue.switchPolicy('policy-a')])
  assert.deepEqual(await ids('queue'), [])
  assert.equal(await readFile(join(folder, 'policy'), 'utf8'), '1 policy-a\n')
})

test('accepts and sends nothing after a failed switch of policy until it succeeds', async (t) => {
  let fail = false
  const disk = diskWith({
    unlink: (path) => (fail ? Promise.reject(failure('EIO')) : nodeDisk.unlink(path)),
  })
  const { queue, ids } = await openTestQueue(t, { disk })
  const body = await appendAndTake(queue, 'old')
  fail = true
  await assert.rejects(queue.switchPolicy('policy-b'), { code: 'EIO' })
  await assert.rejects(queue.append(recordOf('new'), 1), { status: 503 })
  assert.equal(await queue.next(yes), undefined)
  await assert.rejects(queue.recordAttempt(body), { code: 'ECANCELED' })
  fail = false
  await queue.switchPolicy('policy-b')
  await queue.append(recordOf('new'), 1)
  assert.deepEqual(await ids('queue'), ['new'])
})

test('writes the policy file at the next try after a failure', async (t) => {
  let fail = false
  const disk = diskWith({
    rename: (from, to) => (fail ? Promise.reject(failure('EIO')) : nodeDisk.rename(from, to)),
  })
  const { folder, queue } = await openTestQueue(t, { disk })
  fail = true
  await assert.rejects(queue.switchPolicy('policy-b'), { code: 'EIO' })
  fail = false
  await queue.switchPolicy('policy-b')
  assert.equal(await readFile(join(folder, 'policy'), 'utf8'), '1 policy-b\n')
})

test('a switch of policy removes both files of a commit that failed half way', async (t) => {
  let fail = false
  const disk = diskWith({
    syncFolder: (path) => (fail ? Promise.reject(failure('EIO')) : nodeDisk.syncFolder(path)),
  })
  const { queue, names } = await openTestQueue(t, { disk })
  await queue.append(recordOf('old'), 1)
  await queue.seal()
  fail = true
  await assert.rejects(queue.next(yes), { code: 'EIO' })
  fail = false
  assert.deepEqual(
    [await names('queue'), await names('sending')],
    [['000000000001.otlp'], ['000000000001.otlp.gz']],
  )
  await queue.switchPolicy('policy-b')
  assert.deepEqual([await names('queue'), await names('sending')], [[], []])
})

test('accepts nothing after a failed wipe until it succeeds', async (t) => {
  let fail = false
  const disk = diskWith({
    unlink: (path) => (fail ? Promise.reject(failure('EIO')) : nodeDisk.unlink(path)),
  })
  const { queue, ids } = await openTestQueue(t, { disk })
  await queue.append(recordOf('old'), 1)
  fail = true
  await assert.rejects(queue.wipe(), { code: 'EIO' })
  await assert.rejects(queue.append(recordOf('new'), 1), { status: 503 })
  fail = false
  await queue.wipe()
  await queue.append(recordOf('new'), 1)
  assert.deepEqual(await ids('queue'), ['new'])
})

test('opening under another policy drops the records of the old one', async (t) => {
  const { folder, queue } = await openTestQueue(t)
  await appendAndTake(queue, 'one', 'two')
  await queue.append(recordOf('three'), 1)
  await queue.close()
  const again = await openTestQueue(t, { folder, policyDigest: 'policy-b' })
  assert.deepEqual([await again.names('queue'), await again.names('sending')], [[], []])
  assert.equal(again.counters.get('queue.dropped.policy'), 3)
})

test('wipe removes every body, keeps the receipts, settles waiting appends', async (t) => {
  const written: string[] = []
  const disk = diskWith({
    write: (file, bytes, at) =>
      nodeDisk.write(file, bytes, at).then(() => void written.push(...idsIn(bytes))),
  })
  const { folder, counters, queue, ids, names } = await openTestQueue(t, { disk })
  await queue.recordOutcome(await appendAndTake(queue, 'delivered'), {
    result: 'delivered',
    status: 200,
  })
  const body = await appendAndTake(queue, 'committed')
  await queue.recordAttempt(body)
  await queue.append(recordOf('queued'), 1)
  await queue.seal()
  await queue.append(recordOf('growing'), 1)
  const waiting = queue.append(recordOf('waiting'), 1)
  await Promise.all([waiting, queue.wipe()])
  assert.deepEqual(
    written,
    ['delivered', 'committed', 'queued', 'growing'],
    'what waits never reaches the disk',
  )
  for (const place of ['queue', 'sending', 'sent']) assert.deepEqual(await names(place), [], place)
  assert.equal(counters.get('queue.dropped.consent'), 4)
  assert.equal((await receiptsIn(folder)).length, 2)
  await queue.recordOutcome(body, { result: 'delivered', status: 200 })
  assert.deepEqual(await names('sent'), [])
  assert.deepEqual(queue.status(), { bytes: 0, files: 0, waitingBytes: 0, sentBytes: 0 })
  await queue.append(recordOf('after'), 1)
  assert.deepEqual(await ids('queue'), ['after'])
})

test('a wipe during next() leaves no file behind', async (t) => {
  const { queue, names } = await openTestQueue(t)
  await queue.append(recordOf('one'), 1)
  await queue.seal()
  await Promise.all([queue.next(yes), queue.wipe(), queue.next(yes)])
  for (const place of ['queue', 'sending', 'sent']) assert.deepEqual(await names(place), [], place)
})

test('opening with wipe, and wipeFolder, remove bodies and keep receipts', async (t) => {
  for (const how of ['open', 'folder']) {
    const { folder, queue, names } = await openTestQueue(t)
    await queue.recordAttempt(await appendAndTake(queue, 'one'))
    await queue.append(recordOf('two'), 1)
    await queue.close()
    const counters = new Counters()
    if (how === 'open')
      await (await openQueue(queueOptions(folder, { wipe: () => true, counters }))).close()
    else await wipeFolder(folder, counters)
    for (const place of ['queue', 'sending', 'sent'])
      assert.deepEqual(await names(place), [], place)
    assert.equal(counters.get('queue.dropped.consent'), 2)
    assert.equal((await receiptsIn(folder)).length, 1)
  }
})

test('wipeFolder creates nothing', async (t) => {
  const folder = await temporaryFolder(t)
  await wipeFolder(folder)
  assert.deepEqual(await readdir(folder), [])
})
