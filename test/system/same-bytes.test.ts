// The bytes on disk are the bytes on the wire. The file in sending/ and sent/, the body of the
// request and the digests of `show` and the receipt are the same.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { type Collector, spansIn, startCollector, type Verdict } from '../support/collector.ts'
import {
  execution,
  filesIn,
  type Place,
  placeOf,
  post,
  startHere,
  until,
} from '../support/sidecar.ts'

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname
const NAME = '000000000001.otlp.gz'

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** The request that the collector holds until `answer` is called. */
async function heldRequest(collector: Collector, start: () => Promise<void>) {
  const { promise, resolve } = Promise.withResolvers<Verdict>()
  collector.answer = () => promise
  const before = collector.requests.length
  await start()
  await until('a request came', () => collector.requests.length > before)
  return { request: collector.requests[before]!, answer: resolve }
}

const receiptsOf = async ({ dataFolder }: Place): Promise<Record<string, unknown>[]> =>
  (await readFile(join(dataFolder, 'receipts.jsonl'), 'utf8'))
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

/** Whether `folder` holds exactly this file and `show` prints it. */
async function assertShown(place: Place, folder: string, body: Buffer): Promise<void> {
  const files = await filesIn(join(place.dataFolder, folder))
  assert.deepEqual([...files], [[NAME, body]])
  const { status, stdout } = spawnSync(
    process.execPath,
    [MAIN, 'show', join(place.dataFolder, folder, NAME)],
    { encoding: 'utf8' },
  )
  assert.equal(status, 0)
  assert.equal(stdout.trimEnd().split('\n').at(-1), `sha256 ${sha256(body)}  ${body.length} bytes`)
  const batches = new Set(spansIn(body).map(({ batchId }) => batchId))
  for (const batchId of batches) assert.ok(stdout.includes(batchId))
  assert.equal(stdout.match(/^ {2}span execution$/gm)?.length, spansIn(body).length)
}

describe('one body', { concurrency: true }, () => {
  for (const [verdict, result] of [
    [200, 'delivered'],
    [400, 'refused'],
  ] as const) {
    it(`that is ${result} is the same on the wire, on disk, in the receipt and in show`, async (t) => {
      const collector = await startCollector(t)
      const place = await placeOf(t, { USAGE_ENDPOINT: collector.endpoint })
      // Three batches in one body: one process accepts them, the next one sends them.
      const first = await startHere(t, {
        ...place,
        env: { ...place.env, USAGE_FIRST_SEND_DELAY: '1d' },
      })
      for (const type of ['pipeline', 'orchestration', 'made up'])
        await post(first.port(), execution(type))
      await first.stop()
      const { request, answer } = await heldRequest(
        collector,
        async () => void (await startHere(t, place)),
      )
      const { body } = request
      const digest = { sequence: 1, sha256: sha256(body) }
      const [attempt, ...none] = await receiptsOf(place)
      const counts = { bytes: body.length, batches: 3, spans: 3 }
      assert.deepEqual({ ...attempt, ...digest, ...counts, event: 'attempt' }, attempt)
      assert.deepEqual(none, [])
      await assertShown(place, 'sending', body)

      answer(verdict)
      await until(
        'it is in sent/',
        async () => (await filesIn(join(place.dataFolder, 'sent'))).size === 1,
      )
      await assertShown(place, 'sent', body)
      const outcome = (await receiptsOf(place))[1]
      assert.deepEqual({ ...outcome, ...digest, result, status: verdict, rejected: 0 }, outcome)
      assert.equal((await filesIn(join(place.dataFolder, 'sending'))).size, 0)
    })
  }

  it('that is sent again, also after a restart, is the same each time', async (t) => {
    const collector = await startCollector(t)
    const place = await placeOf(t, { USAGE_ENDPOINT: collector.endpoint })
    const first = await startHere(t, place)
    const { request, answer } = await heldRequest(
      collector,
      async () => void (await post(first.port(), execution())),
    )
    answer(503)
    await until('it is tried again', () => collector.requests.length > 1)
    await first.stop()
    const second = await startHere(t, place)
    collector.answer = () => 200
    await until('it is delivered', () => second.counters.get('sent.bodies') === 1)
    assert.ok(collector.requests.length >= 3)
    for (const { body } of collector.requests) assert.deepEqual(body, request.body)
    await assertShown(place, 'sent', request.body)
    const receipts = await receiptsOf(place)
    assert.deepEqual(
      new Set(receipts.map(({ sha256: digest }) => digest)),
      new Set([sha256(request.body)]),
    )
    assert.equal(receipts.filter(({ event }) => event === 'attempt').length, 1)
    assert.equal(receipts.at(-1)?.result, 'delivered')
  })
})
