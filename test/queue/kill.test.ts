// A process that appends is killed at random instants, again and again on the same directory.
// Every acknowledged record is on disk. The page cache survives a kill. power-loss.test.ts removes
// that, too.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { nodeDisk } from '../../src/queue/disk.ts'
import { openQueue } from '../../src/queue/queue.ts'
import { countOf } from '../support/counts.ts'
import { idsOf, queueOptions } from '../support/queue-records.ts'

const KILLS = countOf('kills')
const CHILD = new URL('../fixtures/queue/append-forever.ts', import.meta.url).pathname

/** Kills a child after `acknowledged` lines and `extraMs`. Gives the numbers that it printed. */
async function runAndKill(
  folder: string,
  first: number,
  acknowledged: number,
  extraMs: number,
): Promise<number[]> {
  const child = spawn(process.execPath, [CHILD, folder, String(first)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  let killing = false
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    if (killing || output.split('\n').length <= acknowledged) return
    killing = true
    setTimeout(() => child.kill('SIGKILL'), extraMs)
  })
  const [, signal] = await once(child, 'close')
  assert.equal(signal, 'SIGKILL', 'the child ended by itself')
  return output.split('\n').slice(0, -1).map(Number)
}

test('every acknowledged record is on disk after kills', async () => {
  const seed = Math.floor(Math.random() * 2 ** 32)
  let state = seed
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
  const folder = await mkdtemp(join(tmpdir(), 'queue-kill-'))
  const acknowledged: number[] = []
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      const soon = kill % 4 === 0
      acknowledged.push(
        ...(await runAndKill(
          folder,
          kill * 1_000_000,
          soon ? 1 : 1 + random() * 200,
          soon ? 0 : random() * 20,
        )),
      )
    }
    const queue = await openQueue(queueOptions(folder))
    await queue.close()
    const there = new Set([
      ...(await idsOf(nodeDisk, join(folder, 'queue'))),
      ...(await idsOf(nodeDisk, join(folder, 'sending'))),
    ])
    assert.ok(acknowledged.length >= KILLS)
    const missing = acknowledged.filter((number) => !there.has(`n${number}`))
    assert.deepEqual(
      missing,
      [],
      `seed ${seed}: ${missing.length} of ${acknowledged.length} acknowledged records are missing`,
    )
  } finally {
    await rm(folder, { recursive: true })
  }
})
