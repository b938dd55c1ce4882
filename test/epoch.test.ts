// The file of the epoch: whole or not at all, durable when it is said to be, and gone for good when it has ended.
import assert from 'node:assert/strict'
import fs, { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { beginEpoch, endEpoch, readEpoch, renewEpoch } from '../src/consent/epoch.ts'
import { failure } from './queue-here.ts'
import { temporaryFolder } from './sidecar.ts'

const NOW = Date.UTC(2026, 9, 5, 13, 47, 11, 7)
const POLICY = 'a'.repeat(64)

async function folderHere(t: TestContext): Promise<string> {
  const folder = join(await temporaryFolder(t), 'data')
  mkdirSync(folder)
  return folder
}

/** What is done to the folder, in its order. */
function record(t: TestContext, fails: (operation: string) => boolean = () => false): string[] {
  const operations: string[] = []
  const names = new Map<number, string>()
  const { openSync, fsyncSync, renameSync, unlinkSync } = fs
  const did = (operation: string): void => {
    if (fails(operation)) throw failure('EIO')
    operations.push(operation)
  }
  t.mock.method(fs, 'openSync', (path: string, flags: string, mode?: number) => {
    const file = openSync(path, flags, mode)
    names.set(file, basename(path))
    return file
  })
  t.mock.method(fs, 'fsyncSync', (file: number) => {
    did(`sync ${names.get(file)}`)
    fsyncSync(file)
  })
  t.mock.method(fs, 'renameSync', (from: string, to: string) => {
    did(`rename ${basename(from)} ${basename(to)}`)
    renameSync(from, to)
  })
  t.mock.method(fs, 'unlinkSync', (path: string) => {
    unlinkSync(path)
    did(`unlink ${basename(path)}`)
  })
  return operations
}

test('an epoch is read as it was begun, and no part of its file is one', async (t) => {
  const folder = await folderHere(t)
  assert.equal(readEpoch(folder), undefined)
  const begun = beginEpoch(folder, 'on', POLICY, NOW)
  assert.match(begun.id, /^[0-9a-f]{32}$/)
  assert.deepEqual(begun, { id: begun.id, mode: 'on', since: NOW, policy: POLICY, policySince: NOW })
  assert.deepEqual(readEpoch(folder), begun)
  assert.equal(statSync(join(folder, 'epoch')).mode & 0o777, 0o600)
  const renewed = renewEpoch(folder, begun, 'b', NOW + 1)
  assert.deepEqual(readEpoch(folder), { ...begun, policy: 'b', policySince: NOW + 1 })
  assert.deepEqual(renewed, readEpoch(folder))
  const text = readFileSync(join(folder, 'epoch'), 'utf8')
  for (const wrong of [
    ...Array.from(text, (_, length) => text.slice(0, length)),
    `${text}\n`,
    text.replace(' on', ' off'),
    text.replace('2026-10', '2026-99'),
  ]) {
    writeFileSync(join(folder, 'epoch'), wrong)
    assert.equal(readEpoch(folder), undefined, JSON.stringify(wrong))
  }
  const other = beginEpoch(folder, 'local', POLICY, NOW)
  assert.deepEqual([readEpoch(folder)?.mode, other.id === begun.id], ['local', false])
})

test('an epoch is on disk before it takes its name, and its name before it counts', async (t) => {
  const folder = await folderHere(t)
  const operations = record(t)
  beginEpoch(folder, 'on', POLICY, NOW)
  assert.deepEqual(operations, ['sync epoch.tmp', 'rename epoch.tmp epoch', 'sync data'])
})

test('an epoch that has ended is gone for good, also where the disk failed at first', async (t) => {
  const folder = await folderHere(t)
  beginEpoch(folder, 'on', POLICY, NOW)
  // As a process leaves it that is killed while it writes.
  writeFileSync(join(folder, 'epoch.tmp'), 'half')
  let fails = true
  const operations = record(t, (operation) => fails && operation === 'sync data')
  assert.throws(() => endEpoch(folder), { code: 'EIO' })
  fails = false
  endEpoch(folder)
  assert.deepEqual([operations, readdirSync(folder)], [['unlink epoch', 'unlink epoch.tmp', 'sync data'], []])
})

test('where there is no folder nothing ends, and none is made', async (t) => {
  const folder = join(await temporaryFolder(t), 'data')
  endEpoch(folder)
  assert.ok(!existsSync(folder))
})
