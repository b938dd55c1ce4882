// How an epoch ends: the order of the steps and the result if one of them fails.
import assert from 'node:assert/strict'
import fs, { existsSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { Disk } from '../../src/queue/queue.ts'
import { diskWith, failure } from '../queue/queue-setup.ts'
import { atEnd, temporaryFolder, until } from '../support/sidecar.ts'
import { eventually, RETRY_MS, runPending, startController } from './mode-controller-setup.ts'

/** Records the operations on the epoch file and its directory, and can make them fail. */
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

test('ends the epoch on disk, then cancels the request, then wipes once the sender has ended', async (t) => {
  const wiped: string[] = []
  const { set, append, ids, events, senderEnd } = await startController(t, {
    disk: recording(wiped, 'wipe'),
  })
  const gate = Promise.withResolvers<void>()
  senderEnd.of = gate.promise
  atEnd(t, async () => gate.resolve())
  assert.ok(await append('one'))
  watchEpoch(t, events)
  set({ mode: 'off' })
  assert.deepEqual([events, wiped], [['unlink epoch', 'fsync', 'cancel'], []])
  await runPending()
  assert.deepEqual([await ids(), wiped], [['one'], []])
  gate.resolve()
  await until('it is wiped', async () => (await ids()).length === 0)
  assert.deepEqual(wiped, ['wipe'])
})

for (const [what, step] of [
  ['the epoch has ended on disk', 'end'],
  ['the directory is wiped', 'wipe'],
] as const) {
  test(`keeps and sends nothing until ${what}, also if reporting is turned on again`, async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] })
    let fails = false
    const { unlink } = diskWith({})
    const disk = diskWith({
      unlink: (path) =>
        fails && step === 'wipe' && path.endsWith('.otlp')
          ? Promise.reject(failure('EIO'))
          : unlink(path),
    })
    const { set, append, ids, epoch, senders, logged } = await startController(t, { disk })
    watchEpoch(t, [], () => fails && step === 'end')
    await append('one')
    const first = await epoch()
    fails = true
    set({ mode: 'off' })
    assert.ok(senders[0]!.stopped)
    assert.equal(senders[0]!.allowed(), false)
    const failed = (times: number) =>
      eventually('the failure is logged', () => logged('cannot wipe the data directory') === times)
    await failed(1)
    set({ mode: 'on' })
    for (const times of [2, 3]) {
      await failed(times)
      assert.equal(await append('two'), false)
      assert.deepEqual([senders.length, senders[0]!.allowed(), await ids()], [1, false, ['one']])
      if (times === 2) t.mock.timers.tick(RETRY_MS)
    }
    fails = false
    t.mock.timers.tick(RETRY_MS)
    await eventually('it goes on', () => senders.length === 2)
    assert.notEqual(await epoch(), first)
    assert.equal(senders[0]!.allowed(), false)
    assert.ok(await append('three'))
    assert.deepEqual([await ids(), senders[1]!.allowed()], [['three'], true])
  })
}

test('wipes at once if the mode ended while the directory could not be opened', async (t) => {
  const first = await startController(t)
  await first.append('one')
  await first.controller.stop()
  // A retry would need this timer, and it never fires.
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
  const { set, ids } = await startController(t, { folder: first.folder, disk, started: false })
  await eventually('it is opened', () => opening)
  set({ mode: 'off' })
  gate.resolve()
  await eventually('it is wiped', async () => (await ids()).length === 0)
})

test('keeps nothing and holds no lock until the epoch can be written', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const rename = t.mock.method(fs, 'renameSync', () => {
    throw failure('ENOSPC')
  })
  const { append, senders, logged } = await startController(t)
  assert.deepEqual(
    [await append('one'), senders.length, logged('cannot use the data directory')],
    [false, 0, 1],
  )
  rename.mock.restore()
  t.mock.timers.tick(RETRY_MS)
  await eventually('it goes on', () => senders.length === 1)
  assert.ok(await append('two'))
})

test('wipes the directory and begins another epoch if the epoch file is removed', async (t) => {
  const { append, ids, senders, folder, epoch } = await startController(t)
  await append('one')
  const first = await epoch()
  await rm(join(folder, 'epoch'))
  assert.equal(senders[0]!.allowed(), false)
  await until('another one begins', () => senders.length === 2)
  assert.deepEqual([await ids(), senders[1]!.allowed(), senders[0]!.allowed()], [[], true, false])
  assert.notEqual(await epoch(), first)
})

test('creates nothing in mode off', async (t) => {
  const folder = join(await temporaryFolder(t), 'data')
  const { set, append } = await startController(t, {
    folder,
    desired: { mode: 'off', policyDigest: 'a' },
  })
  set({ policyDigest: 'b' })
  assert.equal(await append('one'), false)
  assert.ok(!existsSync(folder))
})
