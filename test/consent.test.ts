// May we report: the lowest switch decides, what is not understood is off. And the epoch: whole and durable before
// anything relies on it, gone and durably so before anything else happens.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { beginEpoch, decide, endEpoch, readEpoch } from '../src/consent/consent.ts'
import { temporaryFolder } from './queue-here.ts'

const NOW = Date.UTC(2026, 9, 5, 13, 47, 11, 42)

test('the lowest switch decides, and says so', () => {
  const off = ['1', 'true', 'TRUE', 'yes', 'no', 'off', 'x', ' 1 ', '00', '-0']
  const unsaid = [undefined, '', '0', 'false', 'False', ' ', ' 0 ']
  for (const reporting of ['off', 'local', 'on']) {
    for (const doNotTrack of off) assert.deepEqual(decide({ reporting, doNotTrack }), { mode: 'off', by: 'DO_NOT_TRACK' }, doNotTrack)
    for (const doNotTrack of unsaid) assert.deepEqual(decide({ reporting, doNotTrack }), { mode: reporting, by: 'USAGE_REPORTING' })
  }
})

test('a mode that nobody knows is off', () => {
  for (const reporting of ['', 'ON', 'On', ' on', 'on\n', 'true', '1', 'yes', 'enabled', 'onn', '__proto__'])
    assert.deepEqual(decide({ reporting, doNotTrack: undefined }), { mode: 'off', by: 'USAGE_REPORTING' }, reporting)
})

test('an epoch that was begun is read as it is, and each is another one', async (t) => {
  const folder = join(await temporaryFolder(t), 'data', 'deep')
  assert.equal(readEpoch(folder), undefined)
  const first = beginEpoch(folder, NOW)
  assert.match(first.id, /^[0-9a-f]{32}$/)
  assert.equal(first.since, NOW)
  assert.deepEqual(readEpoch(folder), first)
  const second = beginEpoch(folder, NOW + 1)
  assert.notEqual(second.id, first.id)
  assert.deepEqual(readEpoch(folder), second)
  assert.deepEqual(await readdir(folder), ['epoch'])
  assert.equal((await stat(join(folder, 'epoch'))).mode & 0o777, 0o600)
  assert.equal((await stat(folder)).mode & 0o777, 0o700)
})

test('an epoch file that is torn anywhere, or is garbage, is none', async (t) => {
  const folder = await temporaryFolder(t)
  beginEpoch(folder, NOW)
  const path = join(folder, 'epoch')
  const whole = await readFile(path, 'utf8')
  for (let length = 0; length < whole.length; length++) {
    await writeFile(path, whole.slice(0, length))
    assert.equal(readEpoch(folder), undefined, `${length} bytes`)
    await writeFile(path, whole.slice(0, length) + '\0'.repeat(whole.length - length))
    assert.equal(readEpoch(folder), undefined, `${length} bytes and zeros`)
  }
  const [id, since] = whole.trimEnd().split('\n') as [string, string]
  for (const garbage of [
    `${whole}x`,
    `\n${whole}`,
    whole.toUpperCase(),
    `${id}\n2026-99-99T13:47:11.042Z\n`,
    `${id.slice(1)}g\n${since}\n`,
    `${id} ${since}\n`,
    'on\n',
    Buffer.alloc(54, 0xff),
  ]) {
    await writeFile(path, garbage)
    assert.equal(readEpoch(folder), undefined, String(garbage))
  }
  await writeFile(path, whole)
  assert.equal(readEpoch(folder)?.id, id)
  await rm(path)
  await fs.promises.mkdir(path)
  assert.equal(readEpoch(folder), undefined)
})

/** What is done to the disk while `act` runs, in its order: the operation and the name of the file. */
function operations(t: TestContext, act: () => void): string[] {
  const done: string[] = []
  const opened = new Map<number, string>()
  const name = (what: unknown): string => basename(typeof what === 'number' ? (opened.get(what) ?? '') : String(what))
  for (const operation of ['openSync', 'writeSync', 'fsyncSync', 'renameSync', 'unlinkSync'] as const) {
    const real = fs[operation] as (...given: unknown[]) => unknown
    t.mock.method(fs, operation, (...given: unknown[]) => {
      const result = real(...given)
      if (operation === 'openSync') opened.set(result as number, String(given[0]))
      else done.push(`${operation.replace('Sync', '')} ${name(given[0])}${operation === 'renameSync' ? ` ${name(given[1])}` : ''}`)
      return result
    })
  }
  // Named imports of node:fs see the replacements from here on.
  syncBuiltinESMExports()
  try {
    act()
  } finally {
    t.mock.restoreAll()
    syncBuiltinESMExports()
  }
  return done
}

test('an epoch is on disk whole before it has its name, and durable when it has begun', async (t) => {
  const folder = join(await temporaryFolder(t), 'data')
  assert.deepEqual(
    operations(t, () => beginEpoch(folder, NOW)),
    ['write epoch.tmp', 'fsync epoch.tmp', 'rename epoch.tmp epoch', 'fsync data'],
  )
})

test('an epoch that has ended cannot come back, also where its file was gone already', async (t) => {
  const folder = join(await temporaryFolder(t), 'data')
  beginEpoch(folder, NOW)
  assert.deepEqual(
    operations(t, () => endEpoch(folder)),
    ['unlink epoch', 'fsync data'],
  )
  assert.deepEqual(await readdir(folder), [])
  // A process that was killed between the two leaves the first one without the second.
  assert.deepEqual(
    operations(t, () => endEpoch(folder)),
    ['fsync data'],
  )
})

test('ending an epoch where nothing was ever begun makes nothing', async (t) => {
  const parent = await temporaryFolder(t)
  endEpoch(join(parent, 'data'))
  assert.deepEqual(await readdir(parent), [])
})

test('an epoch that cannot be ended is told', async (t) => {
  const folder = await temporaryFolder(t)
  await fs.promises.mkdir(join(folder, 'epoch'))
  assert.throws(() => endEpoch(folder))
})
