// How one time of a mode ends: the order of the steps, and what a failure of each of them leads to.
import assert from 'node:assert/strict'
import fs, { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Disk } from '../../src/queue/queue.ts'
import { diskWith, failure } from '../queue/queue-setup.ts'
import { atEnd, temporaryFolder, until } from '../support/sidecar.ts'
import { happens, modesHere, RETRY_MS, turns } from './mode-controller-setup.ts'

/** Tells of what happens to the epoch file and to its folder, and may make it fail. */
function watchEpoch(t: TestContext, events: string[], fails: () => boolean = () => false): void {
  const { unlinkSync, fsyncSync } = fs
  t.mock.method(fs, 'unlinkSync', (path: string) => {
    if (!path.endsWith('/epoch')) return unlinkSync(path)
    if (fails()) throw failure('EIO')
    unlinkSync(path)
    events.push('unlink epoch')
  })
  t.mock.method(fs, 'fsyncSync', (file: number) => {
    events.push('fsync')
    fsyncSync(file)
  })
}

const recording = (events: string[], name: string): Disk => {
  const { unlink } = diskWith({})
  return diskWith({
    unlink: (path) => {
      if (path.endsWith('.otlp')) events.push(name)
      return unlink(path)
    },
  })
}

test('the epoch ends on disk, then the request is cancelled, then, when its sender has said all, what was kept is wiped', async (t) => {
  const wiped: string[] = []
  const { turn, append, ids, events, lastWord } = await modesHere(t, {
    disk: recording(wiped, 'wipe'),
  })
  const gate = Promise.withResolvers<void>()
  lastWord.of = gate.promise
  atEnd(t, async () => gate.resolve())
  assert.ok(await append('one'))
  watchEpoch(t, events)
  turn({ mode: 'off' })
  assert.deepEqual([events, wiped], [['unlink epoch', 'fsync', 'cancel'], []])
  await turns()
  assert.deepEqual([await ids(), wiped], [['one'], []])
  gate.resolve()
  await until('it is wiped', async () => (await ids()).length === 0)
  assert.deepEqual(wiped, ['wipe'])
})

for (const [what, step] of [
  ['an epoch that cannot be ended', 'end'],
  ['a folder that cannot be wiped', 'wipe'],
] as const) {
  test(`${what} lets nothing in and nothing out, also when reporting is turned on again, until it can`, async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    let fails = false
    const { unlink } = diskWith({})
    const disk = diskWith({
      unlink: (path) =>
        fails && step === 'wipe' && path.endsWith('.otlp')
          ? Promise.reject(failure('EIO'))
          : unlink(path),
    })
    const { turn, append, ids, epoch, senders, told } = await modesHere(t, { disk })
    watchEpoch(t, [], () => fails && step === 'end')
    await append('one')
    const first = await epoch()
    fails = true
    turn({ mode: 'off' })
    assert.ok(senders[0]!.stopped)
    assert.equal(senders[0]!.allowed(), false)
    const failed = (times: number) =>
      happens('the failure is told', () => told('cannot wipe the data directory') === times)
    await failed(1)
    turn({ mode: 'on' })
    for (const times of [2, 3]) {
      await failed(times)
      assert.equal(await append('two'), false)
      assert.deepEqual([senders.length, senders[0]!.allowed(), await ids()], [1, false, ['one']])
      if (times === 2) t.mock.timers.tick(RETRY_MS)
    }
    fails = false
    t.mock.timers.tick(RETRY_MS)
    await happens('it goes on', () => senders.length === 2)
    assert.notEqual(await epoch(), first)
    assert.equal(senders[0]!.allowed(), false)
    assert.ok(await append('three'))
    assert.deepEqual([await ids(), senders[1]!.allowed()], [['three'], true])
  })
}

test('a mode that ended while its folder could not be opened is wiped at once', async (t) => {
  const first = await modesHere(t)
  await first.append('one')
  await first.modes.stop()
  // Only a next try after a while would need it.
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const gate = Promise.withResolvers<void>()
  let opening = false
  const { list } = diskWith({})
  const disk = diskWith({
    list: async (path) => {
      if (opening) return list(path)
      opening = true
      await gate.promise
      throw failure('EIO')
    },
  })
  const { turn, ids } = await modesHere(t, { folder: first.folder, disk, started: false })
  await happens('it is opened', () => opening)
  turn({ mode: 'off' })
  gate.resolve()
  await happens('it is wiped', async () => (await ids()).length === 0)
})

test('an epoch that cannot begin lets nothing in, and frees the folder until it can', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const rename = t.mock.method(fs, 'renameSync', () => {
    throw failure('ENOSPC')
  })
  const { append, senders, told } = await modesHere(t)
  assert.deepEqual(
    [await append('one'), senders.length, told('cannot use the data directory')],
    [false, 0, 1],
  )
  rename.mock.restore()
  t.mock.timers.tick(RETRY_MS)
  await happens('it goes on', () => senders.length === 1)
  assert.ok(await append('two'))
})

test('an epoch that somebody took away is over: what was kept in it is wiped, and another one begins', async (t) => {
  const { append, ids, senders, folder, epoch } = await modesHere(t)
  await append('one')
  const first = await epoch()
  await rm(join(folder, 'epoch'))
  assert.equal(senders[0]!.allowed(), false)
  await until('another one begins', () => senders.length === 2)
  assert.deepEqual([await ids(), senders[1]!.allowed(), senders[0]!.allowed()], [[], true, false])
  assert.notEqual(await epoch(), first)
})

test('in mode off nothing is made', async (t) => {
  const folder = join(await temporaryFolder(t), 'data')
  const { turn, append } = await modesHere(t, { folder, goal: { mode: 'off', policyDigest: 'a' } })
  turn({ policyDigest: 'b' })
  assert.equal(await append('one'), false)
  assert.ok(!existsSync(folder))
})
