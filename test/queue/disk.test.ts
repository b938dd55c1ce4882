// The real disk of the queue, call by call. Everything it calls durable was synced, and an error is
// never taken for a missing file.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { nodeDisk, readIfThere, unlinkIfThere } from '../../src/queue/disk.ts'
import { temporaryFolder } from './queue-setup.ts'

/** The inodes of files and folders that are synced from now on. */
function synced(t: TestContext): number[] {
  const inodes: number[] = []
  for (const name of ['fsync', 'fdatasync'] as const) {
    const sync = fs[name]
    t.mock.method(fs, name, (file: number, done: fs.NoParamCallback) => {
      inodes.push(fs.fstatSync(file).ino)
      sync(file, done)
    })
  }
  return inodes
}

const inodeOf = async (path: string): Promise<number> => (await stat(path)).ino

test('syncs reach the disk', async (t) => {
  const folder = await temporaryFolder(t)
  const inodes = synced(t)
  const file = await nodeDisk.create(join(folder, 'a'))
  await nodeDisk.write(file, Buffer.from('a'), 0)
  assert.deepEqual(inodes, [])
  await nodeDisk.sync(file)
  await nodeDisk.close(file)
  await nodeDisk.syncFolder(folder)
  assert.deepEqual(inodes, [await inodeOf(join(folder, 'a')), await inodeOf(folder)])
})

test('opens a file for appends with O_DSYNC, and no later file with its number', async (t) => {
  const folder = await temporaryFolder(t)
  const inodes = synced(t)
  const appends = await nodeDisk.create(join(folder, 'a'), 'appends')
  await nodeDisk.write(appends, Buffer.from('a'), 0)
  await nodeDisk.sync(appends)
  if (process.platform === 'linux') {
    const flags = /^flags:\s+(\d+)$/m.exec(
      await readFile(`/proc/self/fdinfo/${appends}`, 'utf8'),
    )![1]!
    assert.notEqual(Number.parseInt(flags, 8) & fs.constants.O_DSYNC, 0)
    assert.deepEqual(inodes, [])
  } else assert.deepEqual(inodes, [await inodeOf(join(folder, 'a'))])
  await nodeDisk.close(appends)
  inodes.length = 0
  const next = await nodeDisk.create(join(folder, 'b'))
  assert.equal(next, appends)
  await nodeDisk.sync(next)
  await nodeDisk.close(next)
  assert.deepEqual(inodes, [await inodeOf(join(folder, 'b'))])
  await assert.rejects(nodeDisk.create(join(folder, 'a'), 'appends'), { code: 'EEXIST' })
})

test('makes a folder and its parents durable', async (t) => {
  const folder = await temporaryFolder(t)
  const inodes = synced(t)
  await nodeDisk.makeFolder(join(folder, 'a/b/c'))
  assert.deepEqual(inodes, [
    await inodeOf(join(folder, 'a/b')),
    await inodeOf(join(folder, 'a')),
    await inodeOf(folder),
  ])
  await nodeDisk.makeFolder(join(folder, 'a/b/c'))
  assert.equal(inodes.length, 3)
})

test('creates a file only where there is none', async (t) => {
  const path = join(await temporaryFolder(t), 'a')
  await writeFile(path, 'there')
  await assert.rejects(nodeDisk.create(path), { code: 'EEXIST' })
  assert.equal(await readFile(path, 'utf8'), 'there')
})

test('completes a write that the system takes in parts', async (t) => {
  const path = join(await temporaryFolder(t), 'a')
  const { write } = fs
  const inParts = (
    file: number,
    bytes: Uint8Array,
    from: number,
    length: number,
    at: number,
    done: () => void,
  ): void => write(file, bytes, from, Math.min(length, 3), at, done)
  t.mock.method(fs, 'write', inParts as typeof fs.write)
  const file = await nodeDisk.create(path)
  await nodeDisk.write(file, Buffer.from('0123'), 0)
  await nodeDisk.write(file, Buffer.from('abcdefgh'), 2)
  await nodeDisk.close(file)
  assert.equal(await readFile(path, 'utf8'), '01abcdefgh')
})

test('tells a failed read or unlink from a missing file', async (t) => {
  const folder = await temporaryFolder(t)
  const file = join(folder, 'file')
  await writeFile(file, '')
  const none = join(folder, 'none')
  assert.deepEqual([await nodeDisk.list(none), await readIfThere(nodeDisk, none)], [[], undefined])
  await unlinkIfThere(nodeDisk, none)
  await assert.rejects(nodeDisk.list(file), { code: 'ENOTDIR' })
  await assert.rejects(readIfThere(nodeDisk, folder), { code: 'EISDIR' })
  await assert.rejects(unlinkIfThere(nodeDisk, join(file, 'below')), { code: 'ENOTDIR' })
})
