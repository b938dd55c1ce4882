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
import { createLog } from '../../src/support/log.ts'
import { diskWith } from '../queue/queue-setup.ts'
import { idsOf, queueOptions, recordOf } from '../support/queue-records.ts'
import { atEnd, temporaryFolder } from '../support/sidecar.ts'

export const DELAY_MS = 86_400_000
export const RETRY_MS = 5_000

interface Opened {
  queue: Queue
  notBefore: number
  allowed: () => boolean
  stopped: boolean
}

export async function modesHere(
  t: TestContext,
  {
    folder = '',
    disk = diskWith({}),
    at = { now: 1_790_000_000_000 },
    goal,
    started = true,
  }: Partial<Here> = {},
) {
  const here = {
    folder: folder || join(await temporaryFolder(t), 'data'),
    at,
    goal: goal ?? { mode: 'on', policyDigest: 'a' },
  }
  const senders: Opened[] = []
  const events: string[] = []
  const lastWord = { of: Promise.resolve() }
  const lines: string[] = []
  let logged = 0
  const counters = new Counters()
  const modes = new ModeController({
    folder: here.folder,
    desiredState: () => ({ ...here.goal }) as DesiredState,
    openQueue: ({ policyDigest, mode, wipe }) =>
      openQueue(
        queueOptions(here.folder, {
          policyDigest,
          wipe,
          full: mode === 'local' ? 'ring' : 'refuse',
          disk,
          counters,
        }),
      ),
    lockFolder: () => lockFolder(here.folder, disk),
    wipeFolder: () => wipeFiles(here.folder, counters, disk, 'consent'),
    openSender: (queue, notBefore, allowed) => {
      const opened: Opened = { queue, notBefore, allowed, stopped: false }
      senders.push(opened)
      const stop = async (): Promise<void> => {
        opened.stopped = true
        events.push('cancel')
        await lastWord.of
      }
      return { start: () => undefined, stop } as Partial<Sender> as Sender
    },
    firstSendDelay: DELAY_MS,
    // So that the log holds no repeated line back.
    log: createLog(
      'info',
      (line) => void lines.push(line),
      () => 60_000 * logged++,
    ),
    now: () => here.at.now,
  })
  atEnd(t, () => modes.stop())
  const starting = modes.start()
  if (started) await starting
  const turn = (next: Partial<DesiredState>): void => {
    here.goal = { ...here.goal, ...next }
    modes.reconcile()
  }
  const append = async (id: string): Promise<boolean> => {
    const queue = modes.queueFor(performance.now())
    await queue?.append(recordOf(id), 1)
    return queue !== undefined
  }
  const ids = async (): Promise<string[]> => {
    try {
      return (
        await Promise.all(
          ['queue', 'sending', 'sent'].map((place) =>
            idsOf(diskWith({}), join(here.folder, place)),
          ),
        )
      ).flat()
    } catch (error) {
      // A file was removed while the files were read.
      if (errorCode(error) === 'ENOENT') return ids()
      throw error
    }
  }
  const epoch = (): Promise<string> =>
    readFile(join(here.folder, 'epoch'), 'utf8').then(
      (text) => text.slice(0, 32),
      () => '',
    )
  const told = (event: string): number => lines.filter((line) => line.includes(event)).length
  return { ...here, modes, senders, events, lastWord, turn, append, ids, epoch, told }
}

interface Here {
  folder: string
  disk: Disk
  at: { now: number }
  goal: DesiredState
  /** Whether to wait for the first attempt to open the directory. */
  started: boolean
}

/** Like `until`, for tests whose clock stands still. */
export async function happens(
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
export async function turns(): Promise<void> {
  for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
}
