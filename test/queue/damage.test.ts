// Every file of a small data directory is cut off and changed at every byte. The queue still opens,
// sends nothing that was not appended, loses only what the damage hit, and keeps later records.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { openQueue, type Queue } from '../../src/queue/queue.ts'
import { type CounterName, Counters } from '../../src/support/counters.ts'
import { countOf } from '../support/counts.ts'
import { MemoryDisk } from '../support/memory-disk.ts'
import { idsIn, queueOptions, recordOf } from '../support/queue-records.ts'

const FOLDER = '/data'
/** Each kind of damage hits every n-th byte, and different bytes than the next kind. */
const STEP = countOf('stepOfDamage')
const NOW = 1_790_000_000_000

const open = (disk: MemoryDisk, counters = new Counters()): Promise<Queue> =>
  openQueue(
    queueOptions(FOLDER, { disk, counters, now: () => NOW, maxAgeMs: Number.MAX_SAFE_INTEGER }),
  )

/**
 * Two files in queue/, one of them with two records, an attempted body in sending/, one in sent/.
 */
async function smallFolder(): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  const queue = await open(disk)
  for (const [id, result] of [
    ['delivered', 'delivered'],
    ['attempted', 'retry'],
  ] as const) {
    await queue.append(recordOf(id), 1)
    await queue.seal()
    const body = await queue.next(() => true)
    await queue.recordAttempt(body!)
    await queue.recordOutcome(body!, { result, status: 0 })
  }
  await queue.append(recordOf('first'), 1)
  await queue.append(recordOf('second'), 1)
  await queue.seal()
  await queue.append(recordOf('third'), 1)
  await queue.close()
  return disk
}

type Damage = (bytes: Buffer, at: number) => Buffer
const changed =
  (change: (byte: number) => number): Damage =>
  (bytes, at) => {
    const damaged = Buffer.from(bytes)
    damaged[at] = change(damaged[at]!)
    return damaged
  }
const DAMAGES: Readonly<Record<string, Damage>> = {
  'cut off before': (bytes, at) => bytes.subarray(0, at),
  'with one bit changed at': changed((byte) => byte ^ 1),
  'with another digit at': changed((byte) =>
    byte >= 0x30 && byte <= 0x38 ? byte + 1 : byte ^ 0x10,
  ),
  'with all bits changed at': changed((byte) => byte ^ 0xff),
  'with a zero at': changed(() => 0),
  'with something put in at': (bytes, at) =>
    Buffer.concat([bytes.subarray(0, at), Buffer.from('9'), bytes.subarray(at)]),
}

async function overwrite(disk: MemoryDisk, path: string, bytes: Buffer): Promise<void> {
  const file = await disk.openFile(path)
  await disk.truncate(file, 0)
  await disk.write(file, bytes, 0)
}

/** The ids that would be sent, body by body. */
async function wouldLeave(queue: Queue): Promise<string[]> {
  const ids: string[] = []
  await queue.seal()
  for (
    let body = await queue.next(() => true);
    body !== undefined;
    body = await queue.next(() => true)
  ) {
    ids.push(...idsIn(gunzipSync(body.content)))
    await queue.recordAttempt(body)
    await queue.recordOutcome(body, { result: 'delivered', status: 200 })
  }
  return ids
}

/** The ids that may be lost when this file is damaged at this byte. */
function atRisk(path: string, at: number): readonly string[] {
  if (path.endsWith('/policy')) return ['attempted', 'first', 'second', 'third']
  if (path.includes('/sending/')) return ['attempted']
  if (path.endsWith('queue/000000000003.otlp'))
    return at < recordOf('first').length + 5 ? ['first', 'second'] : ['second']
  return path.endsWith('queue/000000000004.otlp') ? ['third'] : []
}

const WAITING = ['attempted', 'first', 'second', 'third']
const FILES = [
  'policy',
  'receipts.jsonl',
  'queue/000000000003.otlp',
  'queue/000000000004.otlp',
  'sending/000000000002.otlp.gz',
]

for (const name of FILES) {
  test(`opens although ${name} is cut off or changed at any byte`, async () => {
    const whole = await smallFolder()
    const path = `${FOLDER}/${name}`
    const bytes = await whole.read(path)
    assert.ok(bytes.length > 10)
    for (const [first, [how, damage]] of Object.entries(DAMAGES).entries()) {
      for (let at = first % STEP; at < bytes.length; at += STEP) {
        const where = `${name} ${how} byte ${at}`
        const disk = MemoryDisk.replay(whole.operations)
        await overwrite(disk, path, damage(bytes, at))
        const queue = await open(disk).catch((error: unknown) =>
          assert.fail(`${where}: ${String(error)}`),
        )
        await queue.append(recordOf('later'), 1)
        await queue.close()

        const again = await open(disk)
        const ids = await wouldLeave(again)
        await again.close()
        const risk = atRisk(path, at)
        for (const id of WAITING)
          if (!risk.includes(id)) assert.ok(ids.includes(id), `${id} is lost: ${where}`)
        assert.ok(ids.includes('later'), `a later record is lost: ${where}`)
        // A damaged receipt may not name its body. It may never let another body be sent again.
        for (const id of ids)
          assert.ok([...WAITING, 'later'].includes(id), `${id} leaves: ${where}`)
        assert.equal(new Set(ids).size, ids.length, `something leaves twice: ${where}`)
      }
    }
  })
}

test('counts every span that damage costs', async () => {
  const costs: Readonly<Record<string, [CounterName, number]>> = {
    policy: ['queue.dropped.format', 4],
    'queue/000000000003.otlp': ['queue.dropped.corrupt', 1],
    'sending/000000000002.otlp.gz': ['queue.dropped.corrupt', 1],
  }
  for (const [name, [counter, count]] of Object.entries(costs)) {
    const disk = await smallFolder()
    const path = `${FOLDER}/${name}`
    const bytes = await disk.read(path)
    await overwrite(disk, path, changed((byte) => byte ^ 0xff)(bytes, name === 'policy' ? 0 : 12))
    const counters = new Counters()
    const queue = await open(disk, counters)
    await wouldLeave(queue)
    await queue.close()
    assert.equal(counters.get(counter), count, name)
  }
})

test('empties a directory of another format, counts it, keeps its receipts', async () => {
  for (const label of ['2 policy-a', 'policy-a', '', '1', '1 policy-a and more']) {
    const disk = await smallFolder()
    await overwrite(disk, `${FOLDER}/policy`, Buffer.from(label === '' ? '' : `${label}\n`))
    const receipts = await disk.read(`${FOLDER}/receipts.jsonl`)
    const counters = new Counters()
    const queue = await open(disk, counters)
    assert.equal(counters.get('queue.dropped.format'), 4, label)
    assert.deepEqual(await disk.read(`${FOLDER}/receipts.jsonl`), receipts)
    assert.equal((await disk.read(`${FOLDER}/policy`)).toString(), '1 policy-a\n')
    await queue.append(recordOf('new'), 1)
    await queue.close()
    const again = await open(disk)
    assert.deepEqual(await wouldLeave(again), ['new'])
    await again.close()
  }
})

test('finds every file again, whatever sequence a receipt names', async () => {
  for (const sequence of [
    999_999_999_998,
    999_999_999_999,
    10 ** 12,
    10 ** 15,
    Number.MAX_SAFE_INTEGER,
    -5,
  ]) {
    const disk = await smallFolder()
    const text = (await disk.read(`${FOLDER}/receipts.jsonl`)).toString()
    await overwrite(
      disk,
      `${FOLDER}/receipts.jsonl`,
      Buffer.from(text.replaceAll('"sequence":1,', `"sequence":${sequence},`)),
    )
    const queue = await open(disk)
    for (const id of ['a', 'b', 'c']) {
      await queue.append(recordOf(id), 1)
      await queue.seal()
    }
    await queue.close()
    const again = await open(disk)
    const ids = await wouldLeave(again)
    for (const id of ['a', 'b', 'c']) assert.ok(ids.includes(id), `${id} after ${sequence}`)
    await again.close()
  }
})
