// The epoch file: whole or absent, durable when a call returns, and gone for good when the epoch
// has ended.
import assert from 'node:assert/strict'
import fs, {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { beginEpoch, endEpoch, readEpoch, renewEpoch } from '../../src/consent/epoch.ts'
import { failure } from '../queue/queue-setup.ts'
import { temporaryFolder } from '../support/sidecar.ts'

const NOW = Date.UTC(2026, 9, 5, 13, 47, 11, 7)
const POLICY = 'a'.repeat(64)

async function folderHere(t: TestContext): Promise<string> {
  const folder = join(await temporaryFolder(t), 'data')
  mkdirSync(folder)
  return folder
}

/** The operations on the directory in their order. */
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

test('reads an epoch as it was written', async (t) => {
  const folder = await folderHere(t)
  assert.equal(readEpoch(folder), undefined)
  const begun = beginEpoch(folder, 'on', POLICY, NOW)
  assert.match(begun.id, /^[0-9a-f]{32}$/)
  assert.deepEqual(begun, {
    id: begun.id,
    mode: 'on',
    since: NOW,
    policy: POLICY,
    policySince: NOW,
  })
  assert.deepEqual(readEpoch(folder), begun)
  assert.equal(statSync(join(folder, 'epoch')).mode & 0o777, 0o600)
  const renewed = renewEpoch(folder, begun, 'b', NOW + 1)
  assert.deepEqual(readEpoch(folder), { ...begun, policy: 'b', policySince: NOW + 1 })
  assert.deepEqual(renewed, readEpoch(folder))
  const other = beginEpoch(folder, 'local', POLICY, NOW)
  assert.deepEqual([readEpoch(folder), other.mode, other.id === begun.id], [other, 'local', false])
})

test('takes a torn or malformed epoch file for no epoch', async (t) => {
  const folder = await folderHere(t)
  const path = join(folder, 'epoch')
  beginEpoch(folder, 'on', POLICY, NOW)
  const whole = readFileSync(path, 'utf8')
  const torn = Array.from(whole, (_, length) => [
    whole.slice(0, length),
    whole.slice(0, length) + '\0'.repeat(whole.length - length),
  ]).flat()
  const [first, since, policy] = whole.trimEnd().split('\n') as [string, string, string]
  const garbage = [
    `${whole}\n`,
    `${whole}x`,
    `\n${whole}`,
    whole.toUpperCase(),
    whole.replace(' on', ' off'),
    whole.replace(' on', ''),
    `${first}\n2026-99-99T13:47:11.042Z\n${policy}\n`,
    `${first}\n${since}\n${policy.replace('2026-10', '2026-99')}\n`,
    `${first.slice(1)}\n${since}\n${policy}\n`,
    `${first}\n${since}\n`,
  ]
  for (const wrong of [...torn, ...garbage]) {
    writeFileSync(path, wrong)
    assert.equal(readEpoch(folder), undefined, JSON.stringify(wrong))
  }
  writeFileSync(path, whole)
  assert.equal(readEpoch(folder)?.id, first.slice(0, 32))
  rmSync(path)
  mkdirSync(path)
  assert.equal(readEpoch(folder), undefined)
  assert.throws(() => endEpoch(folder), 'reports an epoch that cannot be ended')
})

test('syncs the content, renames the file and syncs the directory', async (t) => {
  const folder = await folderHere(t)
  const operations = record(t)
  beginEpoch(folder, 'on', POLICY, NOW)
  assert.deepEqual(operations, ['sync epoch.tmp', 'rename epoch.tmp epoch', 'sync data'])
})

test('removes an ended epoch for good, also if the disk fails at first', async (t) => {
  const folder = await folderHere(t)
  beginEpoch(folder, 'on', POLICY, NOW)
  // The state after a kill during a write.
  writeFileSync(join(folder, 'epoch.tmp'), 'half')
  let fails = true
  const operations = record(t, (operation) => fails && operation === 'sync data')
  assert.throws(() => endEpoch(folder), { code: 'EIO' })
  fails = false
  endEpoch(folder)
  assert.deepEqual(
    [operations, readdirSync(folder)],
    [['unlink epoch', 'unlink epoch.tmp', 'sync data'], []],
  )
})

test('creates no directory to end an epoch', async (t) => {
  const folder = join(await temporaryFolder(t), 'data')
  endEpoch(folder)
  assert.ok(!existsSync(folder))
})
