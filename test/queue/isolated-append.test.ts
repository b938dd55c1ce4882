// An isolated record. Records appended before, after or at the same time are in other files.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { nodeDisk } from '../../src/queue/disk.ts'
import { idsIn, idsOf, recordOf } from '../support/queue-records.ts'
import { diskWith, failure, openTestQueue, yes } from './queue-setup.ts'

describe('an isolated record', () => {
  it('shares its file with nothing appended before, after or at the same time', async (t) => {
    const { queue, folder } = await openTestQueue(t)
    await queue.append(recordOf('before'), 1)
    await Promise.all([
      queue.append(recordOf('with-1'), 1),
      queue.appendIsolated(recordOf('alone'), 1),
      queue.append(recordOf('with-2'), 1),
      queue.appendIsolated(recordOf('alone-too'), 1),
      queue.append(recordOf('with-3'), 1),
    ])
    await queue.append(recordOf('after'), 1)
    await queue.seal()
    const files: string[][] = []
    for (const name of await nodeDisk.list(join(folder, 'queue')))
      files.push(idsIn(await nodeDisk.read(join(folder, 'queue', name))))
    for (const id of ['alone', 'alone-too'])
      assert.deepEqual(
        files.filter((ids) => ids.includes(id)),
        [[id]],
      )
    assert.deepEqual(files.flat().sort(), [
      'after',
      'alone',
      'alone-too',
      'before',
      'with-1',
      'with-2',
      'with-3',
    ])
  })

  it('is refused by a full queue and dropped by one that can never hold it', async (t) => {
    const full = await openTestQueue(t, { maxBytes: 100 })
    await assert.rejects(full.queue.appendIsolated(recordOf('x', 200), 1), { status: 503 })
    assert.equal(full.counters.get('queue.refused'), 1)
    const ring = await openTestQueue(t, { maxBytes: 100, full: 'ring' })
    await ring.queue.appendIsolated(recordOf('x', 200), 1)
    assert.equal(ring.counters.get('queue.dropped.full'), 1)
  })

  it('never reaches the disk if consent ends or the policy changes meanwhile', async (t) => {
    const { queue, folder, counters } = await openTestQueue(t)
    const writes: string[] = []
    const watched = await openTestQueue(t, {
      disk: diskWith({
        write: (file, bytes, position) => {
          writes.push(...idsIn(bytes))
          return nodeDisk.write(file, bytes, position)
        },
      }),
    })
    const waiting = watched.queue.appendIsolated(recordOf('secret'), 2)
    const wiped = watched.queue.wipe()
    await Promise.all([waiting, wiped])
    assert.deepEqual(writes, [])
    assert.equal(watched.counters.get('queue.dropped.consent'), 2)

    const old = queue.appendIsolated(recordOf('old'), 3)
    const switched = queue.switchPolicy('policy-b')
    await queue.appendIsolated(recordOf('new'), 1)
    await Promise.all([old, switched])
    assert.deepEqual(await idsOf(nodeDisk, join(folder, 'queue')), ['new'])
    assert.equal(counters.get('queue.dropped.policy'), 3)
  })

  it('is answered 503 when its write fails, and later records are kept', async (t) => {
    let failing = false
    const { queue, ids } = await openTestQueue(t, {
      disk: diskWith({
        sync: (file) => (failing ? Promise.reject(failure('EIO')) : nodeDisk.sync(file)),
      }),
    })
    failing = true
    await assert.rejects(queue.appendIsolated(recordOf('lost'), 1), { status: 503 })
    failing = false
    await queue.appendIsolated(recordOf('kept'), 1)
    assert.deepEqual(await ids('queue'), ['kept'])
    assert.ok((await queue.next(yes)) !== undefined)
  })
})
