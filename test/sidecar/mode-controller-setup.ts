// A mode controller on a real directory, with switches that the test sets and senders that only
// record what happens to them.
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { wipeFiles } from '../../src/queue/file-index.ts'
import { type Disk, lockFolder, openQueue, type Queue } from '../../src/queue/queue.ts'
import type { Sender } from '../../src/send/send.ts'
import { ModeController } from '../../src/sidecar/mode-controller.ts'
import type { DesiredState } from '../../src/sidecar/mode-state.ts'
import { Counters } from '../../src/support/counters.ts'
import { errorCode } from '../../src/support/errors.ts'
import { createLog, type Log } from '../../src/support/log.ts'
import { diskWith } from '../queue/queue-setup.ts'
import { idsOf, queueOptions, recordOf } from '../support/queue-records.ts'
import { atEnd, temporaryFolder } from '../support/sidecar.ts'

export const DELAY_MS = 86_400_000
export const RETRY_MS = 5_000
const FULL = { local: 'ring', on: 'refuse' } as const

interface Opened {
  queue: Queue
  notBefore: number
  allowed: () => boolean
  stopped: boolean
}

export async function startController(
  t: TestContext,
  {
    folder = '',
    disk = diskWith({}),
    at = { now: 1_790_000_000_000 },
    desired,
    started = true,
  }: Partial<Here> = {},
) {
  const here = {
    folder: folder || join(await temporaryFolder(t), 'data'),
    at,
    desired: desired ?? { mode: 'on', policyDigest: 'a' },
  }
  const senders: Opened[] = []
  const events: string[] = []
  const senderEnd = { of: Promise.resolve() }
  const lines: string[] = []
  const counters = new Counters()
  const controller = new ModeController({
    folder: here.folder,
    desiredState: () => ({ ...here.desired }) as DesiredState,
    openQueue: ({ policyDigest, mode, wipe }) =>
      openQueue(
        queueOptions(here.folder, { policyDigest, wipe, full: FULL[mode], disk, counters }),
      ),
    lockFolder: () => lockFolder(here.folder, disk),
    wipeFolder: () => wipeFiles(here.folder, counters, disk, 'consent'),
    openSender: (queue, notBefore, allowed) => {
      const opened: Opened = { queue, notBefore, allowed, stopped: false }
      senders.push(opened)
      return recordingSender(opened, events, senderEnd)
    },
    firstSendDelay: DELAY_MS,
    log: logTo(lines),
    now: () => here.at.now,
  })
  atEnd(t, () => controller.stop())
  const starting = controller.start()
  if (started) await starting
  const set = (next: Partial<DesiredState>): void => {
    here.desired = { ...here.desired, ...next }
    controller.reconcile()
  }
  const append = (id: string): Promise<boolean> => appendTo(controller, id)
  const logged = (event: string): number => lines.filter((line) => line.includes(event)).length
  return {
    ...here,
    controller,
    senders,
    events,
    senderEnd,
    set,
    append,
    logged,
    ids: () => idsInFolder(here.folder),
    epoch: () => epochIn(here.folder),
  }
}

/** A log whose clock jumps, so that it holds no repeated line back. */
function logTo(lines: string[]): Log {
  let now = 0
  return createLog(
    'info',
    (line) => void lines.push(line),
    () => 60_000 * now++,
  )
}

function recordingSender(opened: Opened, events: string[], end: { of: Promise<void> }): Sender {
  const stop = async (): Promise<void> => {
    opened.stopped = true
    events.push('cancel')
    await end.of
  }
  return { start: () => undefined, stop } as Partial<Sender> as Sender
}

/** Whether the controller had a queue for the record. */
async function appendTo(controller: ModeController, id: string): Promise<boolean> {
  const queue = controller.queueFor(performance.now())
  await queue?.append(recordOf(id), 1)
  return queue !== undefined
}

async function idsInFolder(folder: string): Promise<string[]> {
  try {
    const places = ['queue', 'sending', 'sent']
    return (
      await Promise.all(places.map((place) => idsOf(diskWith({}), join(folder, place))))
    ).flat()
  } catch (error) {
    // A file was removed while the files were read.
    if (errorCode(error) === 'ENOENT') return idsInFolder(folder)
    throw error
  }
}

/** The id of the epoch on disk. Empty if there is none. */
const epochIn = (folder: string): Promise<string> =>
  readFile(join(folder, 'epoch'), 'utf8').then(
    (text) => text.slice(0, 32),
    () => '',
  )

interface Here {
  folder: string
  disk: Disk
  at: { now: number }
  desired: DesiredState
  /** Whether to wait for the first attempt to open the directory. */
  started: boolean
}

/** Like `until`, for tests whose clock stands still. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = process.hrtime.bigint() + 10_000_000_000n
  while (!(await holds())) {
    assert.ok(process.hrtime.bigint() < deadline, `waited in vain until ${what}`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Long enough for anything that happens without waiting. */
export async function runPending(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
}
