// Cuts the power after every single file operation of the queue, in every way in which a disk may
// lose unsynced data, and recovers with the real code. No acknowledged record is missing, and no
// removed record is back.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { sha256Of } from '../../src/queue/body.ts'
import { type Body, openQueue, type Queue } from '../../src/queue/queue.ts'
import { countOf } from '../support/counts.ts'
import { MemoryDisk, type Operation, powerLosses } from '../support/memory-disk.ts'
import { idsIn, idsOf, queueOptions, recordOf } from '../support/queue-records.ts'

const FOLDER = '/data'
/** Power losses for each operation. */
const MOST = countOf('lossesInQueue')
/** The same, where each operation is checked more than once. */
const MOST_LATER = countOf('lossesInQueueLater')
const NOW = 1_790_000_000_000

function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const open = (disk: MemoryDisk, policyDigest: string, wipe = false): Promise<Queue> =>
  openQueue(
    queueOptions(FOLDER, {
      disk,
      policyDigest,
      wipe: () => wipe,
      now: () => NOW,
      maxAgeMs: Number.MAX_SAFE_INTEGER,
    }),
  )

async function append(disk: MemoryDisk, queue: Queue, ...ids: string[]): Promise<void> {
  disk.event('appended', ids)
  await Promise.all(
    ids.map((id) =>
      queue.append(recordOf(id), 1).then(
        () => disk.event('acknowledged', [id]),
        () => undefined,
      ),
    ),
  )
}

const idsOfBody = (body: Body): string[] => idsIn(gunzipSync(body.content))

async function attempt(disk: MemoryDisk, queue: Queue): Promise<Body> {
  const body = await queue.next(() => true)
  assert.ok(body !== undefined)
  await queue.recordAttempt(body)
  disk.event('attempted', [body.sha256])
  return body
}

async function settle(
  disk: MemoryDisk,
  queue: Queue,
  body: Body,
  result: 'delivered' | 'refused',
): Promise<void> {
  disk.event('may-go', idsOfBody(body))
  disk.event('moving', [body.sha256])
  await queue.recordOutcome(body, { result, status: result === 'delivered' ? 200 : 400 })
  disk.event('gone', idsOfBody(body))
  disk.event('moved', [body.sha256])
}

/** Everything appended until now may be removed, or is removed. */
function everything(disk: MemoryDisk, event: 'may-go' | 'gone'): void {
  disk.event(
    event,
    disk.operations.flatMap((operation) =>
      operation.kind === 'event' && operation.event === 'appended' ? operation.ids : [],
    ),
  )
}

/** Failed writes, every outcome, and a switch of the policy while the queue is open. */
async function appendAndSwitch(disk: MemoryDisk): Promise<void> {
  const queue = await open(disk, 'policy-a')
  await append(disk, queue, 'a1')
  await append(disk, queue, 'a2', 'a3', 'a4')
  disk.failNext = 'write'
  await append(disk, queue, 'a5', 'a6')
  await append(disk, queue, 'a7')
  disk.failNext = 'sync'
  await append(disk, queue, 'a8')
  disk.failNext = undefined
  await append(disk, queue, 'a9')
  await append(disk, queue, 'a10')
  await queue.seal()
  const first = await attempt(disk, queue)
  await queue.recordOutcome(first, { result: 'retry', status: 503 })
  await queue.recordAttempt(first)
  await settle(disk, queue, first, 'delivered')
  await append(disk, queue, 'a11')
  await settle(disk, queue, await attempt(disk, queue), 'refused')
  const unanswered = await attempt(disk, queue)

  everything(disk, 'may-go')
  disk.event('may-go', ['b0-waits'])
  disk.event('moving', [unanswered.sha256])
  disk.event('switchPolicy', ['policy-a', 'policy-b'])
  await Promise.all([append(disk, queue, 'b0-waits'), queue.switchPolicy('policy-b')])
  disk.event('gone', ['a1', 'a2', 'a3', 'a4', 'a7', 'a9', 'a10', 'a11', 'b0-waits'])
  disk.event('moved', [unanswered.sha256])
  disk.event('switchPolicy', ['policy-b'])
  await append(disk, queue, 'b1', 'b2')
  await queue.seal()
  await append(disk, queue, 'b3')
  await attempt(disk, queue).then((body) => settle(disk, queue, body, 'delivered'))
  await queue.seal()
  await queue.next(() => true)
  await queue.close()
}

/** Opens under another policy, and wipes the open queue twice. */
async function reopenAndWipe(disk: MemoryDisk): Promise<void> {
  everything(disk, 'may-go')
  disk.event('switchPolicy', ['policy-b', 'policy-c'])
  const queue = await open(disk, 'policy-c')
  everything(disk, 'gone')
  disk.event('switchPolicy', ['policy-c'])
  await append(disk, queue, 'c1', 'c2')
  await queue.seal()
  await attempt(disk, queue)
  await append(disk, queue, 'c3')
  everything(disk, 'may-go')
  disk.event('wiping')
  await queue.wipe()
  everything(disk, 'gone')
  disk.event('wiped')
  await append(disk, queue, 'd1')
  await queue.seal()
  await attempt(disk, queue).then((body) => settle(disk, queue, body, 'delivered'))
  disk.event('wiping')
  await queue.wipe()
  disk.event('wiped')
  await append(disk, queue, 'd2')
  await queue.close()
}

async function reopenWithWipe(disk: MemoryDisk): Promise<void> {
  everything(disk, 'may-go')
  disk.event('wiping')
  const queue = await open(disk, 'policy-c', true)
  everything(disk, 'gone')
  disk.event('wiped')
  await append(disk, queue, 'e1', 'e2')
  await queue.close()
}

/** Everything that a queue does, once. */
async function life(): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  await appendAndSwitch(disk)
  await reopenAndWipe(disk)
  await reopenWithWipe(disk)
  return disk
}

/** What the events of a history promise. */
function promises(history: readonly Operation[]) {
  const appended = new Set<string>()
  const acknowledged = new Set<string>()
  const mayGo = new Set<string>()
  const gone = new Set<string>()
  const attempted = new Set<string>()
  const bodies = new Set<string>()
  const wiped = new Set<string>()
  let digests: readonly string[] = ['policy-a']
  for (const operation of history) {
    if (operation.kind !== 'event') continue
    const { event, ids } = operation
    if (event === 'switchPolicy') digests = ids
    if (event === 'wiping') bodies.clear()
    if (event === 'wiped') for (const sha256 of attempted) wiped.add(sha256)
    for (const id of ids) {
      if (event === 'appended') appended.add(id)
      if (event === 'acknowledged') acknowledged.add(id)
      if (event === 'may-go') mayGo.add(id)
      if (event === 'gone') gone.add(id)
      if (event === 'attempted') attempted.add(id)
      if (event === 'forgotten') attempted.delete(id)
      if (event === 'attempted' || event === 'moved') bodies.add(id)
      if (event === 'moving') bodies.delete(id)
    }
  }
  const kept = [...acknowledged].filter((id) => !mayGo.has(id))
  return { appended, kept, gone, attempted, bodies, wiped, digests }
}

async function filesOf(disk: MemoryDisk, ...folders: string[]): Promise<Buffer[]> {
  const files: Buffer[] = []
  for (const folder of folders)
    for (const name of await disk.list(`${FOLDER}/${folder}`))
      files.push(await disk.read(`${FOLDER}/${folder}/${name}`))
  return files
}

const textOf = (disk: MemoryDisk, name: string): Promise<string> =>
  disk.read(`${FOLDER}/${name}`).then(
    (bytes) => bytes.toString(),
    () => '',
  )

/** Recovers after each power loss, and compares with the promises. Gives the recoveries. */
async function check(
  history: readonly Operation[],
  most: number,
  random: () => number,
): Promise<number> {
  const { appended, kept, gone, attempted, bodies, wiped, digests } = promises(history)
  const losses = powerLosses(history, most, random)
  for (const fates of losses) {
    for (const digest of digests) {
      const disk = MemoryDisk.replay(history, fates)
      const where = `power loss after operation ${history.length} (${JSON.stringify(history.at(-1))}), fates ${JSON.stringify([...fates])}, policy ${digest}`
      const queue = await open(disk, digest)
      const waiting = [
        ...(await idsOf(disk, `${FOLDER}/queue`)),
        ...(await idsOf(disk, `${FOLDER}/sending`)),
      ]
      await queue.close()
      for (const id of kept)
        assert.ok(waiting.includes(id), `${id} was acknowledged and is missing: ${where}`)
      for (const id of waiting) {
        assert.ok(appended.has(id), `${id} was never appended: ${where}`)
        assert.ok(!gone.has(id), `${id} was removed and is back: ${where}`)
      }
      assert.equal(new Set(waiting).size, waiting.length, `a record is there twice: ${where}`)
      const receipts = `${await textOf(disk, 'receipts.old.jsonl')}${await textOf(disk, 'receipts.jsonl')}`
      for (const sha256 of attempted)
        assert.ok(receipts.includes(sha256), `the receipt of an attempt is missing: ${where}`)
      const digests = (await filesOf(disk, 'sending', 'sent')).map(sha256Of)
      for (const sha256 of wiped)
        assert.ok(!digests.includes(sha256), `a body that was wiped is back: ${where}`)
      for (const sha256 of bodies)
        assert.ok(
          digests.includes(sha256),
          `an attempted body is in neither sending/ nor sent/: ${where}`,
        )
    }
  }
  return losses.length * digests.length
}

test('after power loss at any operation, no acknowledged record is missing or back', async (t) => {
  const { operations } = await life()
  const random = seeded(1)
  let recoveries = 0
  for (let length = 0; length <= operations.length; length++)
    recoveries += await check(operations.slice(0, length), MOST, random)
  assert.ok(recoveries > 80 * MOST, `only ${recoveries} states were recovered`)
  t.diagnostic(`${recoveries} states after a power loss were recovered`)
})

test('records recovered after kill -9 survive a power loss soon after', async () => {
  const { operations } = await life()
  const random = seeded(2)
  for (let length = 0; length <= operations.length; length++) {
    const history = operations.slice(0, length)
    const digest = promises(history).digests.at(-1)!
    // A kill keeps every operation, but not all of them are durable.
    const disk = MemoryDisk.replay(history)
    if (promises(history).digests.length > 1) everything(disk, 'may-go')
    disk.event('switchPolicy', [digest])
    const queue = await open(disk, digest)
    await append(disk, queue, 'k1')
    await check(disk.operations, MOST_LATER, random)
    await queue.seal()
    for (
      let body = await queue.next(() => true);
      body !== undefined;
      body = await queue.next(() => true)
    ) {
      await queue.recordAttempt(body)
      disk.event('attempted', [body.sha256])
      await check(disk.operations, MOST_LATER, random)
      await settle(disk, queue, body, 'delivered')
      await check(disk.operations, MOST_LATER, random)
    }
    await queue.close()
  }
})

test('a rotation of receipts keeps every line that recovery needs', async () => {
  const disk = new MemoryDisk()
  // Almost 1 MiB, so that the lines of one body exceed the bound.
  const fill = async (file: number, at: number): Promise<void> => {
    await disk.write(file, Buffer.from(`${'x'.repeat(1024 * 1024 - 300)}\n`), at)
    await disk.sync(file)
  }
  await fill(await disk.create(`${FOLDER}/receipts.jsonl`), 0)
  await disk.syncFolder(FOLDER)
  const settled: string[] = []
  for (const id of ['r1', 'r2', 'r3', 'r4']) {
    const queue = await open(disk, 'policy-a')
    await append(disk, queue, id)
    await queue.seal()
    if (id === 'r3') disk.event('forgotten', settled)
    const body = await attempt(disk, queue)
    await settle(disk, queue, body, 'delivered')
    settled.push(body.sha256)
    await queue.close()
    if (id === 'r2')
      await fill(
        await disk.openFile(`${FOLDER}/receipts.jsonl`),
        (await disk.read(`${FOLDER}/receipts.jsonl`)).length,
      )
  }
  assert.ok(
    !(await textOf(disk, 'receipts.old.jsonl')).includes(settled[0]!),
    'the first receipt is not forgotten yet',
  )
  const random = seeded(3)
  for (let length = 5; length <= disk.operations.length; length++)
    await check(disk.operations.slice(0, length), MOST_LATER, random)
})
