// How one time of a mode ends and the next begins: the order of the steps, what a failure of each of them leads to, and
// from when the first report waits.
import assert from 'node:assert/strict'
import fs, { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Counters } from '../src/counters.ts'
import { createLog } from '../src/log.ts'
import { createModes, type Goal } from '../src/modes.ts'
import { type Disk, openQueue, type Queue } from '../src/queue/queue.ts'
import { wipeFolder } from '../src/queue/shelf.ts'
import type { Sender } from '../src/send/send.ts'
import { diskWith, failure } from './queue-here.ts'
import { idsOf, queueOptions, recordOf } from './queue-records.ts'
import { atEnd, temporaryFolder, until } from './sidecar.ts'

const DELAY = 86_400_000
const RETRY_MS = 5_000

interface Opened {
  queue: Queue
  notBefore: number
  allowed: () => boolean
  stopped: boolean
}

/** The machine over a real folder; senders are only told of. */
async function modesHere(
  t: TestContext,
  { folder = '', disk = diskWith({}), at = { now: 1_790_000_000_000 }, goal, started = true }: Partial<Here> = {},
) {
  const here = { folder: folder || join(await temporaryFolder(t), 'data'), at, goal: goal ?? { mode: 'on', policy: 'a' } }
  const senders: Opened[] = []
  const events: string[] = []
  const lines: string[] = []
  const counters = new Counters()
  const modes = createModes({
    folder: here.folder,
    goal: () => ({ ...here.goal }) as Goal,
    openQueue: ({ policy, mode, wipe }) =>
      openQueue(queueOptions(here.folder, { label: policy, wipe, full: mode === 'local' ? 'ring' : 'refuse', disk, counters })),
    wipeFolder: () => wipeFolder(here.folder, counters, disk),
    openSender: (queue, notBefore, allowed) => {
      const opened: Opened = { queue, notBefore, allowed, stopped: false }
      senders.push(opened)
      const stop = async (): Promise<void> => {
        opened.stopped = true
        events.push('cancel')
      }
      return { start: () => undefined, stop } as Partial<Sender> as Sender
    },
    firstSendDelay: DELAY,
    log: createLog('info', (line) => void lines.push(line)),
    now: () => here.at.now,
  })
  atEnd(t, () => modes.stop())
  const starting = modes.start()
  if (started) await starting
  const turn = (next: Partial<Goal>): void => {
    here.goal = { ...here.goal, ...next }
    modes.look()
  }
  const append = async (id: string): Promise<boolean> => {
    const queue = modes.queueFor(performance.now())
    await queue?.append(recordOf(id), 1)
    return queue !== undefined
  }
  const ids = async (): Promise<string[]> =>
    (await Promise.all(['queue', 'sending', 'sent'].map((place) => idsOf(diskWith({}), join(here.folder, place))))).flat()
  const epoch = (): Promise<string> =>
    readFile(join(here.folder, 'epoch'), 'utf8').then(
      (text) => text.slice(0, 32),
      () => '',
    )
  const told = (event: string): boolean => lines.some((line) => line.includes(event))
  return { ...here, modes, senders, events, turn, append, ids, epoch, told }
}

interface Here {
  folder: string
  disk: Disk
  at: { now: number }
  goal: Goal
  /** Whether the first attempt to open the folder is waited for. */
  started: boolean
}

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

test('the epoch ends on disk, then the request is cancelled, then what was kept is wiped', async (t) => {
  const wiped: string[] = []
  const { turn, append, ids, events } = await modesHere(t, { disk: recording(wiped, 'wipe') })
  assert.ok(await append('one'))
  watchEpoch(t, events)
  turn({ mode: 'off' })
  assert.deepEqual([events, wiped], [['unlink epoch', 'fsync', 'cancel'], []])
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
      unlink: (path) => (fails && step === 'wipe' && path.endsWith('.otlp') ? Promise.reject(failure('EIO')) : unlink(path)),
    })
    const { turn, append, ids, epoch, senders, told } = await modesHere(t, { disk })
    watchEpoch(t, [], () => fails && step === 'end')
    await append('one')
    const first = await epoch()
    fails = true
    turn({ mode: 'off' })
    assert.ok(senders[0]!.stopped)
    assert.equal(senders[0]!.allowed(), false)
    // Real time goes on, and nothing but what it waits for may end the wait.
    const happens = async (what: string, holds: () => boolean | Promise<boolean>): Promise<void> => {
      for (let turns = 0; !(await holds()); turns++) {
        assert.ok(turns < 10_000, what)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await happens('the failure is told', () => told('could not be wiped; it is tried again'))
    turn({ mode: 'on' })
    for (let again = 0; again < 2; again++) {
      assert.equal(await append('two'), false)
      assert.deepEqual([senders.length, senders[0]!.allowed(), await ids()], [1, false, ['one']])
      t.mock.timers.tick(RETRY_MS)
      for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => setImmediate(resolve))
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

test('off that comes and goes while the folder is opened wipes it all the same', async (t) => {
  for (const mode of ['on', 'local'] as const) {
    const first = await modesHere(t, { goal: { mode, policy: 'a' } })
    await first.append('one')
    const epoch = await first.epoch()
    await first.modes.stop()
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
    const second = await modesHere(t, { folder: first.folder, disk, goal: { mode, policy: 'a' }, started: false })
    await until('it is opened', () => opening)
    second.turn({ mode: 'off' })
    second.turn({ mode })
    gate.resolve()
    await until('it is open', () => second.append('two'))
    assert.deepEqual(await second.ids(), ['two'])
    assert.notEqual(await second.epoch(), epoch)
  }
})

test('a start that finds the epoch of its mode goes on; with any other, or none, it begins with nothing', async (t) => {
  for (const [before, after, kept] of [
    ['on', 'on', true],
    ['local', 'local', true],
    ['on', 'local', false],
    ['local', 'on', false],
  ] as const) {
    const first = await modesHere(t, { goal: { mode: before, policy: 'a' } })
    await first.append('one')
    const epoch = await first.epoch()
    await first.modes.stop()
    const second = await modesHere(t, { folder: first.folder, goal: { mode: after, policy: 'a' } })
    assert.deepEqual([await second.ids(), (await second.epoch()) === epoch], [kept ? ['one'] : [], kept], `${before} to ${after}`)
    await second.modes.stop()
    await writeFile(join(first.folder, 'epoch'), 'cut o')
    const third = await modesHere(t, { folder: first.folder, goal: { mode: after, policy: 'a' } })
    assert.deepEqual(await third.ids(), [])
  }
})

test('the first report waits from the begin of the epoch, and again from a change of the policy, over every restart', async (t) => {
  const at = { now: 1_790_000_000_000 }
  const later = (): number => {
    at.now += 1_000
    return at.now
  }
  const began = at.now
  let here = await modesHere(t, { at })
  const { folder } = here
  const waitsFrom = (expected: number, what: string): void => assert.equal(here.senders.at(-1)!.notBefore - DELAY, expected, what)
  const restart = async (policy: string): Promise<void> => {
    await here.modes.stop()
    here = await modesHere(t, { folder, at, goal: { mode: 'on', policy } })
  }
  const sender = (count: number) => until('there is another sender', () => here.senders.length === count)
  waitsFrom(began, 'the start')
  later()
  await restart('a')
  waitsFrom(began, 'a restart')

  const changed = later()
  here.turn({ policy: 'b' })
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
  here.turn({ policy: 'd' })
  here.turn({ policy: 'c' })
  await sender(2)
  waitsFrom(back, 'a policy that comes back')
  later()
  here.turn({ policy: undefined })
  here.turn({ policy: 'c' })
  assert.ok(!here.senders[1]!.stopped)
  waitsFrom(back, 'one that could not be read for a while')

  here.turn({ mode: 'local' })
  const again = later()
  here.turn({ mode: 'on' })
  await sender(3)
  waitsFrom(again, 'turned on again')

  at.now -= 3_600_000
  await restart('c')
  waitsFrom(at.now, 'a clock that was in the future')
})

test('in mode off nothing is made', async (t) => {
  const folder = join(await temporaryFolder(t), 'data')
  const { turn, append } = await modesHere(t, { folder, goal: { mode: 'off', policy: 'a' } })
  turn({ policy: 'b' })
  assert.equal(await append('one'), false)
  assert.ok(!existsSync(folder))
})
