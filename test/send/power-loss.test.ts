// Cuts the power after every single file operation of a sidecar that sends: the real sender and
// queue, a collector with every kind of answer, and consent that ends during a request. After
// recovery, everything is sent to a collector that accepts it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { sha256Of } from '../../src/queue/body.ts'
import { type Disk, openQueue, type Queue } from '../../src/queue/queue.ts'
import type { Poster } from '../../src/send/post.ts'
import { Sender } from '../../src/send/send.ts'
import { Counters } from '../../src/support/counters.ts'
import { createLog } from '../../src/support/log.ts'
import { seeded } from '../nightly/fleet.ts'
import { countOf } from '../support/counts.ts'
import { MemoryDisk, type Operation, powerLosses } from '../support/memory-disk.ts'
import { idsIn, queueOptions, recordOf } from '../support/queue-records.ts'
import { queueWith } from '../support/sender.ts'

const FOLDER = '/data'
const DAY = 86_400_000
/** Power losses for each operation. */
const MOST = countOf('lossesInSender')
/** Every n-th operation fails, or is followed by a power loss. */
const STEP = countOf('stepOfFailure')

type Answering = number | (() => Promise<number>)

interface Living {
  disk: MemoryDisk
  queue: Queue
  /** One drain whose requests get these answers. The last answer repeats. */
  drain(...answers: Answering[]): Promise<void>
  append(...ids: string[]): Promise<void>
}

/** Repeats a failed attempt once, like the pipeline. */
const again = <T>(attempt: () => Promise<T>): Promise<T> => attempt().catch(attempt)

async function live(
  disk: MemoryDisk,
  wipe: boolean,
  allowed: () => boolean = () => true,
  on: Disk = disk,
): Promise<Living> {
  let time = 1_790_000_000_000
  const options = queueOptions(FOLDER, {
    disk: on,
    wipe: () => wipe,
    now: () => time,
    maxAgeMs: Number.MAX_SAFE_INTEGER,
  })
  const queue = await again(() => openQueue(options))
  const recordOutcome: Queue['recordOutcome'] = async (body, outcome) => {
    const settles = outcome.result !== 'retry'
    const ids = idsIn(gunzipSync(body.content))
    if (settles) disk.event('settling', ids)
    await queue.recordOutcome(body, outcome)
    if (settles) disk.event('settled', ids)
  }
  let answers: Answering[] = []
  const sender = new Sender({
    queue: queueWith(queue, { recordOutcome }),
    destination: {} as never,
    intervalMs: 1_000,
    notBefore: 0,
    allowed,
    rejectedSpans: () => 0,
    counters: new Counters(),
    log: createLog('error', () => undefined),
    now: () => time,
    random: seeded(5),
    open: () => posterOn(disk, () => (answers.length > 1 ? answers.shift()! : answers[0]!)),
  })
  return {
    disk,
    queue,
    drain: async (...given) => {
      answers = given
      time += DAY
      await sender.drainIfDue()
    },
    append: (...ids) => append(disk, queue, ids),
  }
}

/** Records what is posted as an event of the disk. */
const posterOn = (disk: MemoryDisk, nextAnswer: () => Answering): Poster => ({
  post: async (content) => {
    disk.event('posted', [sha256Of(content), ...idsIn(gunzipSync(content))])
    const answer = nextAnswer()
    return {
      status: typeof answer === 'number' ? answer : await answer(),
      code: '',
      retryAfter: undefined,
      body: Buffer.alloc(0),
    }
  },
  close: () => undefined,
})

async function append(disk: MemoryDisk, queue: Queue, ids: readonly string[]): Promise<void> {
  disk.event('appended', ids)
  const done = async (id: string): Promise<void> => {
    await queue.append(recordOf(id), 1).then(
      () => disk.event('acknowledged', [id]),
      () => undefined,
    )
  }
  await Promise.all(ids.map(done))
}

/** Consent ends: the epoch ends durably, then the queue is wiped. A restart wipes, too. */
async function turnOff({ disk, queue }: Living): Promise<void> {
  disk.event('off')
  await again(() => queue.wipe())
  disk.event('wiped')
}

async function life(fails: (disk: MemoryDisk) => Disk = (disk) => disk): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const on = fails(disk)
  let consent = true
  let one = await live(disk, false, () => consent, on)
  await one.append('a1', 'a2')
  await one.drain(503)
  await one.append('a3')
  await one.drain(0)
  await one.drain(200, 429)
  await one.append('a4', 'a5')
  await one.drain(400, 200)
  await one.append('a6')
  await one.drain(0)
  await one.queue.close().catch(() => undefined)

  one = await live(disk, false, () => consent, on)
  await one.append('b1')
  await one.drain(200, 502)
  await one.append('b2')
  // Consent ends while the collector has the request and has not answered.
  const endConsent = async (): Promise<number> => {
    consent = false
    await turnOff(one)
    return 200
  }
  await one.drain(endConsent)
  if (consent) await endConsent()
  await one.queue.close().catch(() => undefined)

  disk.event('on')
  consent = true
  one = await live(disk, true, () => consent, on)
  disk.event('begun')
  await one.append('c1')
  await one.drain(503)
  await one.append('c2')
  await one.drain(200)
  await one.append('c3')
  await one.queue.close().catch(() => undefined)
  return disk
}

function promises(history: readonly Operation[]) {
  const may = new Set<string>()
  const must = new Set<string>()
  const gone = new Set<string>()
  /** The digest of the body in which a collector may have each id. */
  let posted = new Map<string, string>()
  /** Digests of the bodies that the admin can see. One may be lost on its way to sent/. */
  let seen = new Set<string>()
  let wipe = false
  for (const operation of history) {
    if (operation.kind !== 'event') continue
    const { event, ids } = operation
    if (event === 'posted') {
      for (const id of ids.slice(1)) posted.set(id, ids[0]!)
      seen.add(ids[0]!)
    }
    if (event === 'off') {
      wipe = true
      must.clear()
      posted = new Map()
      seen = new Set()
    }
    if (event === 'wiped') for (const id of may) gone.add(id)
    if (event === 'begun') wipe = false
    for (const id of ids) {
      if (event === 'appended') may.add(id)
      if (event === 'acknowledged') must.add(id)
      const sha256 = posted.get(id)
      if (event === 'settling') {
        must.delete(id)
        if (sha256 !== undefined) seen.delete(sha256)
      }
      if (event === 'settled') {
        gone.add(id)
        if (sha256 !== undefined) seen.add(sha256)
      }
    }
  }
  return { may, must, gone, posted, seen, wipe }
}

async function bytesIn(disk: MemoryDisk, ...places: string[]): Promise<Buffer[]> {
  const found: Buffer[] = []
  for (const place of places)
    for (const name of await disk.list(`${FOLDER}/${place}`))
      found.push(await disk.read(`${FOLDER}/${place}/${name}`))
  return found
}

const idsOf = (bytes: Buffer): string[] => idsIn(bytes[0] === 0x1f ? gunzipSync(bytes) : bytes)

async function check(history: readonly Operation[], random: () => number): Promise<number> {
  const { may, must, gone, posted, seen, wipe } = promises(history)
  const losses = powerLosses(history, MOST, random)
  for (const fates of losses) {
    const where = `power loss after operation ${history.length} (${JSON.stringify(history.at(-1))}), fates ${JSON.stringify([...fates])}`
    const disk = MemoryDisk.replay(history, fates)
    const after = await live(disk, wipe)
    const receipts = (
      await disk.read(`${FOLDER}/receipts.jsonl`).catch(() => Buffer.alloc(0))
    ).toString()
    const bodies = (await bytesIn(disk, 'sending', 'sent')).map(sha256Of)
    for (const sha256 of posted.values())
      assert.ok(receipts.includes(sha256), `a sent body has no receipt: ${where}`)
    for (const sha256 of seen)
      assert.ok(bodies.includes(sha256), `a sent body is in no folder: ${where}`)
    if (wipe)
      assert.deepEqual(
        (await bytesIn(disk, 'queue', 'sending', 'sent')).flatMap(idsOf),
        [],
        `a record is left although consent ended: ${where}`,
      )
    const before = disk.operations.length
    await after.drain(200)
    await after.queue.close()
    const left = new Map<string, string>()
    for (const operation of disk.operations.slice(before)) {
      if (operation.kind !== 'event' || operation.event !== 'posted') continue
      const [sha256, ...ids] = operation.ids
      for (const id of ids) {
        assert.ok(!left.has(id), `${id} leaves twice: ${where}`)
        left.set(id, sha256!)
      }
    }
    for (const id of must)
      assert.ok(left.has(id), `${id} was acknowledged and is not sent: ${where}`)
    for (const [id, sha256] of left) {
      assert.ok(may.has(id) && !gone.has(id), `${id} leaves and may not: ${where}`)
      const earlier = posted.get(id)
      if (earlier !== undefined)
        assert.equal(sha256, earlier, `${id} leaves again in other bytes: ${where}`)
    }
  }
  return losses.length
}

test('after power loss at any operation, every span that may leave is sent in the same bytes', async (t) => {
  const { operations } = await life()
  const random = seeded(1)
  let recoveries = 0
  for (let length = 0; length <= operations.length; length++)
    recoveries += await check(operations.slice(0, length), random)
  assert.ok(recoveries > 21 * MOST, `only ${recoveries} states were recovered`)
  t.diagnostic(`${recoveries} states after a power loss were recovered`)
})

test('bodies sent after one power loss survive the next', async () => {
  const { operations } = await life()
  const random = seeded(2)
  // Not after every operation, because each needs a restart of its own.
  for (let length = 0; length <= operations.length; length += 3 * STEP) {
    const history = operations.slice(0, length)
    const losses = powerLosses(history, 3, random)
    for (const fates of losses) {
      const disk = MemoryDisk.replay(history, fates)
      const start = disk.operations.length
      const { wipe } = promises(history)
      const second = await live(disk, wipe)
      if (wipe) disk.event('wiped')
      disk.event('begun')
      await second.append('z1')
      await second.drain(503, 200)
      await second.drain(200, 0)
      await second.queue.close()
      // The second loss does not restore what the first one removed.
      const all = disk.operations.map(
        (operation, index): Operation =>
          fates.get(index) === 'lost' ? { kind: 'event', event: 'lost', ids: [] } : operation,
      )
      for (let cut = start; cut <= all.length; cut += 4) await check(all.slice(0, cut), random)
    }
  }
})

const MAY_FAIL = [
  'create',
  'openFile',
  'write',
  'sync',
  'truncate',
  'rename',
  'unlink',
  'syncFolder',
  'read',
  'list',
  'stat',
] as const

/**
 * A disk whose operation number `place` fails: a write half done, any other one before or after its
 * effect. It counts the operations.
 */
function failingOnce(
  place: number,
  code: string,
  when: 'before' | 'after',
  count: { operations: number },
): (disk: MemoryDisk) => Disk {
  return (disk) => {
    const failing: Disk = Object.assign({}, disk)
    for (const name of MAY_FAIL) {
      const operation = disk[name] as (...given: unknown[]) => Promise<unknown>
      const failed = async (...given: unknown[]): Promise<unknown> => {
        if (count.operations++ !== place) return await operation(...given)
        if (name === 'write') disk.failNext = 'write'
        if (name === 'sync') disk.failNext = 'sync'
        if (name === 'write' || name === 'sync' || when === 'after')
          await operation(...given).catch(() => undefined)
        throw Object.assign(new Error(code), { code })
      }
      Object.assign(failing, { [name]: failed })
    }
    return failing
  }
}

const FAILURES = [
  ['ENOSPC', 'before'],
  ['EIO', 'before'],
  ['EIO', 'after'],
] as const

test('sends each acknowledged span once although any one disk operation fails', async (t) => {
  const random = seeded(3)
  const whole = { operations: 0 }
  await life(failingOnce(-1, '', 'before', whole))
  assert.ok(whole.operations > 150)
  let lives = 0
  for (const [first, [code, when]] of FAILURES.entries()) {
    for (let place = first % STEP; place < whole.operations; place += STEP) {
      lives++
      const { operations } = await life(failingOnce(place, code, when, { operations: 0 }))
      const { must } = promises(operations)
      const context = `operation ${place} of ${whole.operations} fails with ${code} ${when} its effect`
      assert.ok(
        must.has('c3') || must.size > 0 || place > whole.operations - 10,
        `the queue keeps no more records: ${context}`,
      )
      await check(operations, random).catch((error: unknown) =>
        assert.fail(`${context}: ${String(error)}`),
      )
    }
  }
  t.diagnostic(`${lives} lives with one failing operation`)
})
