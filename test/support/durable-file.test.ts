// Durable files: the order of the operations on disk, and what stays when another process is first.
import assert from 'node:assert/strict'
import fs, { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createDurably, writeDurably } from '../../src/support/durable-file.ts'
import { failure } from '../queue/queue-setup.ts'
import { temporaryFolder } from './sidecar.ts'

/** Records the operations that make a file durable. */
function record(t: TestContext, fails = ''): string[] {
  const operations: string[] = []
  const names = new Map<number, string>()
  const { openSync, fsyncSync, renameSync, linkSync } = fs
  const plain = (path: string): string => basename(path).replace(/-[0-9a-f]{16}$/, '-RANDOM')
  const did = (operation: string): void => {
    operations.push(operation)
    if (operation === fails) throw failure('EIO')
  }
  t.mock.method(fs, 'openSync', (path: string, flags: string, mode?: number) => {
    const file = openSync(path, flags, mode)
    names.set(file, plain(path))
    return file
  })
  t.mock.method(fs, 'fsyncSync', (file: number) => {
    did(`sync ${names.get(file)}`)
    fsyncSync(file)
  })
  t.mock.method(fs, 'renameSync', (from: string, to: string) => {
    did(`rename ${plain(from)} ${plain(to)}`)
    renameSync(from, to)
  })
  t.mock.method(fs, 'linkSync', (from: string, to: string) => {
    did(`link ${plain(from)} ${plain(to)}`)
    linkSync(from, to)
  })
  return operations
}

test('syncs the content before the rename and the folder after it', async (t) => {
  const folder = await temporaryFolder(t)
  const operations = record(t)
  writeDurably(join(folder, 'file'), 'new')
  assert.deepEqual(operations, [
    'sync file.tmp',
    'rename file.tmp file',
    `sync ${basename(folder)}`,
  ])
  assert.equal(readFileSync(join(folder, 'file'), 'utf8'), 'new')
})

test('keeps the old content if the new one cannot be synced', async (t) => {
  const folder = await temporaryFolder(t)
  writeDurably(join(folder, 'file'), 'old')
  record(t, 'sync file.tmp')
  assert.throws(() => writeDurably(join(folder, 'file'), 'new'), { code: 'EIO' })
  assert.equal(readFileSync(join(folder, 'file'), 'utf8'), 'old')
})

test('syncs the content before the file gets its name and the folder after it', async (t) => {
  const folder = await temporaryFolder(t)
  const operations = record(t)
  createDurably(join(folder, 'file'), 'new')
  assert.deepEqual(operations, [
    'sync .file-RANDOM',
    'link .file-RANDOM file',
    `sync ${basename(folder)}`,
  ])
  assert.deepEqual(readdirSync(folder), ['file'])
})

test('keeps a file that another process has created first', async (t) => {
  const folder = await temporaryFolder(t)
  writeFileSync(join(folder, 'file'), 'first')
  createDurably(join(folder, 'file'), 'second')
  assert.equal(readFileSync(join(folder, 'file'), 'utf8'), 'first')
  assert.deepEqual(readdirSync(folder), ['file'])
})

test('leaves nothing behind if the file cannot get its name', async (t) => {
  const folder = await temporaryFolder(t)
  record(t, 'link .file-RANDOM file')
  assert.throws(() => createDurably(join(folder, 'file'), 'new'), { code: 'EIO' })
  assert.deepEqual(readdirSync(folder), [])
})

test('lets only the user of the process read the file', async (t) => {
  const folder = await temporaryFolder(t)
  const before = process.umask(0)
  t.after(() => process.umask(before))
  writeDurably(join(folder, 'written'), '')
  createDurably(join(folder, 'created'), '')
  for (const name of ['written', 'created'])
    assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600)
})
