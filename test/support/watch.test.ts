// A watched file: its content as it is now, a word for every change and none without one, and
// nothing that could hurt.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import promises, { mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { WATCH_EVERY_MS, watchFile } from '../../src/support/watch.ts'
import { temporaryFolder } from '../queue/queue-setup.ts'
import { until } from './wait.ts'

const MIB = 1024 * 1024

/** A watch that looks often, and what it told. */
function watchHere(t: TestContext, path: string) {
  const told: (string | undefined)[] = []
  const watch = watchFile(path, (content) => told.push(content), 1)
  t.after(() => watch.stop())
  const next = async (): Promise<string | undefined> => {
    const before = told.length
    await until(() => told.length > before)
    return told.at(-1)
  }
  return { watch, told, next }
}

/** Puts a file in place whole, so that no watch sees a half of it. */
async function put(path: string, content: string | Buffer): Promise<void> {
  await writeFile(`${path}.new`, content)
  await rename(`${path}.new`, path)
}

/** Counts the looks at files from here on; each may be held. */
function countLooks(t: TestContext, hold: Promise<void> = Promise.resolve()): () => number {
  let looks = 0
  const real = promises.open
  t.mock.method(promises, 'open', async (...given: Parameters<typeof real>) => {
    looks++
    await hold
    return real(...given)
  })
  syncBuiltinESMExports()
  t.after(() => {
    t.mock.restoreAll()
    syncBuiltinESMExports()
  })
  return () => looks
}

test('the content is there at once, and every change is told', async (t) => {
  const path = join(await temporaryFolder(t), 'policy')
  await writeFile(path, 'one')
  const { watch, told, next } = watchHere(t, path)
  assert.equal(watch.current(), 'one')
  for (const content of ['two', '', 'thrée', 'one']) {
    const changed = next()
    await put(path, content)
    assert.equal(await changed, content)
    assert.equal(watch.current(), content)
  }
  assert.deepEqual(told, ['two', '', 'thrée', 'one'])
})

test('a file that goes is told as undefined, and one that comes by its content', async (t) => {
  const path = join(await temporaryFolder(t), 'policy')
  const { watch, told, next } = watchHere(t, path)
  assert.equal(watch.current(), undefined)
  let changed = next()
  await put(path, 'one')
  assert.equal(await changed, 'one')
  changed = next()
  await rm(path)
  assert.equal(await changed, undefined)
  assert.equal(watch.current(), undefined)
  changed = next()
  await put(path, 'one')
  assert.equal(await changed, 'one')
  assert.deepEqual(told, ['one', undefined, 'one'])
})

test('the swap of ..data in a volume of Kubernetes is told', async (t) => {
  const volume = await temporaryFolder(t)
  for (const [version, content] of [
    ['..1', 'one'],
    ['..2', 'two'],
  ] as const) {
    await mkdir(join(volume, version))
    await writeFile(join(volume, version, 'policy'), content)
  }
  await symlink('..1', join(volume, '..data'))
  await symlink(join('..data', 'policy'), join(volume, 'policy'))
  const { watch, told, next } = watchHere(t, join(volume, 'policy'))
  assert.equal(watch.current(), 'one')
  const changed = next()
  await symlink('..2', join(volume, '..data_tmp'))
  await rename(join(volume, '..data_tmp'), join(volume, '..data'))
  await rm(join(volume, '..1'), { recursive: true })
  assert.equal(await changed, 'two')
  assert.deepEqual(told, ['two'])
})

test('the same content is told once, however often it is written', async (t) => {
  const path = join(await temporaryFolder(t), 'policy')
  await put(path, 'one')
  const { told, next } = watchHere(t, path)
  const looks = countLooks(t)
  for (let i = 0; i < 5; i++) {
    await put(path, 'one')
    const before = looks()
    await until(() => looks() >= before + 2)
  }
  const changed = next()
  await put(path, 'two')
  await changed
  const before = looks()
  await until(() => looks() >= before + 2)
  assert.deepEqual(told, ['two'])
})

test('it looks every two seconds, and not while a look goes on', async (t) => {
  const path = join(await temporaryFolder(t), 'policy')
  await put(path, 'one')
  const held = Promise.withResolvers<void>()
  const looks = countLooks(t, held.promise)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const watch = watchFile(path, () => undefined)
  t.after(() => watch.stop())
  assert.equal(WATCH_EVERY_MS, 2_000)
  t.mock.timers.tick(WATCH_EVERY_MS - 1)
  assert.equal(looks(), 0)
  t.mock.timers.tick(1)
  assert.equal(looks(), 1)
  t.mock.timers.tick(10 * WATCH_EVERY_MS)
  assert.equal(looks(), 1)
  held.resolve()
  await until(() => {
    t.mock.timers.tick(WATCH_EVERY_MS)
    return looks() === 2
  })
})

test('what is larger than 1 MiB, not UTF-8 or no file is unreadable', async (t) => {
  const folder = await temporaryFolder(t)
  const path = join(folder, 'policy')
  const readable = ['x'.repeat(MIB), 'ü']
  const unreadable = [
    Buffer.alloc(MIB + 1, 0x78),
    Buffer.from('abc\xff', 'latin1'),
    Buffer.from([0xed, 0xa0, 0x80]),
    Buffer.from([0xc3]),
  ]
  for (const content of readable) {
    await writeFile(path, content)
    const watch = watchFile(path, () => undefined)
    watch.stop()
    assert.equal(watch.current(), content)
  }
  for (const content of unreadable) {
    await writeFile(path, content)
    const watch = watchFile(path, () => undefined)
    watch.stop()
    assert.equal(watch.current(), undefined)
  }
  const watch = watchFile(folder, () => undefined)
  watch.stop()
  assert.equal(watch.current(), undefined)
})

test('a pipe is unreadable and not waited for', { timeout: 20_000 }, async (t) => {
  const path = join(await temporaryFolder(t), 'policy')
  execFileSync('mkfifo', [path])
  const { watch } = watchHere(t, path)
  const looks = countLooks(t)
  await until(() => looks() >= 3)
  assert.equal(watch.current(), undefined)
})

test('a file that becomes unreadable in these ways is told as undefined', async (t) => {
  const path = join(await temporaryFolder(t), 'policy')
  const { next } = watchHere(t, path)
  for (const content of [Buffer.alloc(MIB + 1, 0x78), Buffer.from('abc\xff', 'latin1')]) {
    for (const [bytes, told] of [
      [Buffer.from('good'), 'good'],
      [content, undefined],
    ] as const) {
      const changed = next()
      await put(path, bytes)
      assert.ok((await changed) === told)
    }
  }
})

test('a large file is never read into memory', async (t) => {
  const path = join(await temporaryFolder(t), 'policy')
  await writeFile(path, '')
  await truncate(path, 1024 * MIB)
  const before = process.resourceUsage().maxRSS
  const { watch } = watchHere(t, path)
  const looks = countLooks(t)
  await until(() => looks() >= 3)
  assert.equal(watch.current(), undefined)
  // In KiB.
  assert.ok(process.resourceUsage().maxRSS - before < 256 * 1024)
})

test('a watch that is stopped tells nothing more, also of a look that is under way', async (t) => {
  const path = join(await temporaryFolder(t), 'policy')
  await put(path, 'one')
  const held = Promise.withResolvers<void>()
  const looks = countLooks(t, held.promise)
  const { watch, told } = watchHere(t, path)
  await until(() => looks() === 1)
  await put(path, 'two')
  watch.stop()
  held.resolve()
  const other = watchHere(t, path)
  await until(() => looks() >= 4)
  assert.deepEqual([told, other.told], [[], []])
})

test('a watch keeps no process alive', async (t) => {
  const path = join(await temporaryFolder(t), 'policy')
  const source = `import { watchFile } from ${JSON.stringify(new URL('../../src/support/watch.ts', import.meta.url))}
    watchFile(${JSON.stringify(path)}, () => undefined, 1)
    setTimeout(() => undefined, 20)`
  const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', source], {
    timeout: 20_000,
  })
  assert.equal(status, 0)
})
