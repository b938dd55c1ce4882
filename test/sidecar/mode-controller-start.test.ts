// How an epoch begins: the states that a start can find, changes while the directory is being
// opened, and the time from which the first report waits.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { readEpoch } from '../../src/consent/epoch.ts'
import { diskWith } from '../queue/queue-setup.ts'
import { until } from '../support/sidecar.ts'
import { DELAY_MS, eventually, startController } from './mode-controller-setup.ts'

test('wipes the directory if reporting is off for a moment while the queue opens', async (t) => {
  for (const [mode, isUsed] of [
    ['on', true],
    ['local', true],
    ['on', false],
  ] as const) {
    const first = await startController(t, { desired: { mode, policyDigest: 'a' } })
    await first.append('one')
    const epoch = await first.epoch()
    await first.controller.stop()
    const folder = isUsed ? first.folder : join(first.folder, 'fresh')
    const gate = Promise.withResolvers<void>()
    let opening = false
    const { list } = diskWith({})
    const disk = diskWith({
      list: async (path) => {
        opening = true
        await gate.promise
        return list(path)
      },
    })
    const second = await startController(t, {
      folder,
      disk,
      desired: { mode, policyDigest: 'a' },
      started: false,
    })
    await until('it is opened', () => opening)
    second.set({ mode: 'off' })
    const atOnce = await second.epoch()
    second.set({ mode })
    gate.resolve()
    await eventually('it is open', () => second.append('two'))
    await until('it may leave', () => second.senders.length > 0 || mode === 'local')
    assert.equal(atOnce, '', 'the epoch ends on disk at once')
    assert.deepEqual(await second.ids(), ['two'])
    assert.match(await second.epoch(), /^[0-9a-f]{32}$/)
    assert.notEqual(await second.epoch(), epoch)
  }
})

test('begins another epoch if the epoch file is removed while the queue opens', async (t) => {
  const first = await startController(t)
  const epoch = await first.epoch()
  await first.controller.stop()
  const gate = Promise.withResolvers<void>()
  let opening = false
  const { list } = diskWith({})
  const disk = diskWith({
    list: async (path) => {
      opening = true
      await gate.promise
      return list(path)
    },
  })
  // Under another policy, which is written into an epoch that continues.
  const second = await startController(t, {
    folder: first.folder,
    disk,
    desired: { mode: 'on', policyDigest: 'b' },
    started: false,
  })
  await until('it is opened', () => opening)
  await rm(join(first.folder, 'epoch'))
  gate.resolve()
  await until('it is open', () => second.senders.length > 0)
  assert.notEqual(await second.epoch(), epoch)
})

test('keeps records under the policy that comes into force while the queue opens', async (t) => {
  const gate = Promise.withResolvers<void>()
  let opening = false
  const { list } = diskWith({})
  const disk = diskWith({
    list: async (path) => {
      opening = true
      await gate.promise
      return list(path)
    },
  })
  const { set, append, folder, ids } = await startController(t, { disk, started: false })
  await until('it is opened', () => opening)
  set({ policyDigest: 'b' })
  gate.resolve()
  await until('it is open', () => append('one'))
  assert.deepEqual(
    [await ids(), await readFile(join(folder, 'policy'), 'utf8')],
    [['one'], '1 b\n'],
  )
})

test('continues an epoch of the same mode and wipes the directory in any other case', async (t) => {
  for (const [before, after, kept] of [
    ['on', 'on', true],
    ['local', 'local', true],
    ['on', 'local', false],
    ['local', 'on', false],
  ] as const) {
    const first = await startController(t, { desired: { mode: before, policyDigest: 'a' } })
    await first.append('one')
    const epoch = await first.epoch()
    await first.controller.stop()
    const { unlink } = diskWith({})
    const disk = diskWith({
      unlink: (path) => {
        assert.ok(
          !path.endsWith('.otlp') || !existsSync(join(first.folder, 'epoch')),
          'wiped before the epoch was ended',
        )
        return unlink(path)
      },
    })
    const second = await startController(t, {
      folder: first.folder,
      disk,
      desired: { mode: after, policyDigest: 'a' },
    })
    assert.deepEqual(
      [await second.ids(), (await second.epoch()) === epoch],
      [kept ? ['one'] : [], kept],
      `${before} to ${after}`,
    )
    await second.controller.stop()
    await writeFile(join(first.folder, 'epoch'), 'cut o')
    const third = await startController(t, {
      folder: first.folder,
      desired: { mode: after, policyDigest: 'a' },
    })
    assert.deepEqual(await third.ids(), [])
  }
})

test('delays the first report from the start of the epoch or policy, also after restarts', async (t) => {
  const at = { now: 1_790_000_000_000 }
  const later = (): number => {
    at.now += 1_000
    return at.now
  }
  const began = at.now
  let here = await startController(t, { at })
  const { folder } = here
  const waitsFrom = (expected: number, what: string): void =>
    assert.equal(here.senders.at(-1)!.notBefore - DELAY_MS, expected, what)
  const restart = async (policy: string): Promise<void> => {
    await here.controller.stop()
    here = await startController(t, { folder, at, desired: { mode: 'on', policyDigest: policy } })
  }
  const sender = (count: number) =>
    until('there is another sender', () => here.senders.length === count)
  waitsFrom(began, 'the start')
  later()
  await restart('a')
  waitsFrom(began, 'a restart')

  const changed = later()
  here.set({ policyDigest: 'b' })
  assert.equal(readEpoch(folder)?.policy, 'b', 'on disk at once')
  assert.ok(here.senders[0]!.stopped, 'a request under the old policy is cancelled')
  await sender(2)
  waitsFrom(changed, 'another policy')
  later()
  await restart('b')
  waitsFrom(changed, 'a restart under it')

  const unseen = later()
  await restart('c')
  waitsFrom(unseen, 'a policy that changed while nothing ran')

  const back = later()
  here.set({ policyDigest: 'd' })
  here.set({ policyDigest: 'c' })
  await sender(2)
  waitsFrom(back, 'a policy that comes back')
  later()
  here.set({ policyDigest: undefined })
  here.set({ policyDigest: 'c' })
  assert.ok(!here.senders[1]!.stopped)
  waitsFrom(back, 'one that could not be read for a while')

  here.set({ mode: 'local' })
  const again = later()
  here.set({ mode: 'on' })
  await sender(3)
  waitsFrom(again, 'turned on again')

  at.now -= 3_600_000
  await restart('c')
  waitsFrom(at.now, 'a clock that was in the future')
})
