// The switches that are files, on a real disk. refresh() sees a change at once, and the watch sees
// it within two seconds. Unreadable means off, and no mix of two states is taken for `on`.
import assert from 'node:assert/strict'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { mock, type TestContext, test } from 'node:test'
import { type ConsentSources, type Decision, watchConsent } from '../../src/consent/consent.ts'
import { watchFile } from '../../src/support/watch.ts'
import { atEnd, temporaryFolder, until } from '../support/sidecar.ts'

const { mkdir, rename, rm, symlink, writeFile } = promises
const annotated = (word: string): string => `usage-sidecar.dev/reporting="${word}"`

async function watchSwitches(
  t: TestContext,
  prepare: (folder: string) => Promise<Partial<ConsentSources>>,
) {
  const folder = await temporaryFolder(t)
  const reported: Decision[] = []
  const sources = {
    reporting: 'on',
    doNotTrack: undefined,
    annotationsFile: undefined,
    offFile: undefined,
    hasInvalidSettings: false,
  }
  const consent = watchConsent(
    { ...sources, ...(await prepare(folder)) },
    (decision) => void reported.push(decision),
  )
  atEnd(t, async () => consent.stop())
  return { folder, reported, consent }
}

test('refresh reads the annotation anew and reports a change before it returns', async (t) => {
  const { folder, reported, consent } = await watchSwitches(t, async (at) => {
    await writeFile(join(at, 'annotations'), annotated('on'))
    return { annotationsFile: join(at, 'annotations') }
  })
  const path = join(folder, 'annotations')
  assert.deepEqual(consent.decision(), { mode: 'on', by: 'USAGE_REPORTING' })
  await writeFile(path, annotated('local'))
  assert.deepEqual(consent.refresh(), { mode: 'local', by: 'usage-sidecar.dev/reporting' })
  await rm(path)
  assert.deepEqual(consent.refresh(), { mode: 'off', by: 'USAGE_ANNOTATIONS_FILE' })
  await mkdir(path)
  assert.equal(consent.refresh().mode, 'off')
  assert.deepEqual(
    reported.map(({ mode }) => mode),
    ['local', 'off'],
  )
})

test('the kill switch means off if anything has its name or the name cannot be checked', async (t) => {
  const { folder, consent } = await watchSwitches(t, async (at) => {
    await mkdir(join(at, 'switch'))
    return { offFile: join(at, 'switch/off') }
  })
  const path = join(folder, 'switch/off')
  const expect = (mode: string, what: string): void =>
    assert.equal(consent.refresh().mode, mode, what)
  expect('on', 'nothing there')
  await writeFile(path, '')
  expect('off', 'an empty file')
  await rm(path)
  expect('on', 'nothing there again')
  await symlink('/nowhere', path)
  expect('off', 'a link to nothing')
  await rm(path)
  await mkdir(path)
  expect('off', 'a folder')
  await rm(join(folder, 'switch'), { recursive: true })
  expect('on', 'no folder above it')
  await writeFile(join(folder, 'switch'), '')
  expect('off', 'a file where the folder should be')
})

test('the watch sees a volume that swaps its link and a file that appears', async (t) => {
  const publish = async (folder: string, version: string, text: string): Promise<void> => {
    await mkdir(join(folder, version))
    await writeFile(join(folder, version, 'annotations'), text)
    await symlink(version, join(folder, '..data_tmp'))
    await rename(join(folder, '..data_tmp'), join(folder, '..data'))
  }
  const { folder, reported } = await watchSwitches(t, async (at) => {
    await publish(at, '..1', annotated('on'))
    await symlink('..data/annotations', join(at, 'annotations'))
    return { annotationsFile: join(at, 'annotations'), offFile: join(at, 'off') }
  })
  await publish(folder, '..2', annotated('local'))
  await until('the new volume is seen', () => reported.length === 1)
  await writeFile(join(folder, 'off'), 'on')
  await until('the kill switch is seen', () => reported.length === 2)
  assert.deepEqual(reported, [
    { mode: 'local', by: 'usage-sidecar.dev/reporting' },
    { mode: 'off', by: 'USAGE_OFF_FILE' },
  ])
})

test('a switch that rises while another falls never gives on', async (t) => {
  const { folder, reported, consent } = await watchSwitches(t, async (at) => {
    await writeFile(join(at, 'annotations'), annotated('off'))
    return { annotationsFile: join(at, 'annotations'), offFile: join(at, 'off') }
  })
  await writeFile(join(folder, 'off'), '')
  await writeFile(join(folder, 'annotations'), annotated('on'))
  await until('it is seen', () => reported.length > 0)
  await writeFile(join(folder, 'annotations'), annotated('off'))
  await rm(join(folder, 'off'))
  consent.refresh()
  assert.deepEqual(reported, [
    { mode: 'off', by: 'USAGE_OFF_FILE' },
    { mode: 'off', by: 'usage-sidecar.dev/reporting' },
  ])
})

test('a slow read that began before a look does not replace its result', async (t) => {
  const path = join(await temporaryFolder(t), 'file')
  await writeFile(path, 'old')
  const { promise: looked, resolve: lookedAt } = Promise.withResolvers<void>()
  let reads = 0
  const { open } = promises
  const read = mock.method(promises, 'open', async (...given: Parameters<typeof open>) => {
    const file = await open(...given)
    const bytes = await file.readFile()
    reads++
    await looked
    return Object.assign(file, { readFile: async () => bytes })
  })
  syncBuiltinESMExports()
  atEnd(t, async () => {
    read.mock.restore()
    syncBuiltinESMExports()
  })
  const reported: (string | undefined)[] = []
  const watch = watchFile(path, (content) => void reported.push(content), 1)
  atEnd(t, async () => watch.stop())
  await until('a read is under way', () => reads === 1)
  await writeFile(path, 'new')
  assert.equal(watch.look(), 'new')
  lookedAt()
  await until('it has come, and the next one', () => reads > 1)
  assert.deepEqual(reported, ['new'])
})
