// Consent as the application and the collector see it. The application gets its 200 even if consent
// ends meanwhile. Nothing is kept of a request that began in another epoch, and nothing is sent
// before the first send delay is over.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import fs from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Collector, spansWaiting, startCollector } from '../support/collector.ts'
import {
  atEnd,
  execution,
  type Place,
  PROTOBUF,
  placeOf,
  post,
  type Sidecar,
  startHere,
  temporaryFolder,
  until,
} from '../support/sidecar.ts'
import { policyText } from '../support/spans.ts'

const POLICY = policyText(
  'execution:\n  attributes:\n    execution.type: {keep: [pipeline], reason: A test.}',
)
const HOUR_MS = 3_600_000

const modeOf = (sidecar: Sidecar): unknown =>
  sidecar
    .lines()
    .filter(({ event }) => event === 'consent: mode decided')
    .at(-1)?.mode

async function localPlace(t: TestContext): Promise<Place & { offFile: string }> {
  const offFile = join(await temporaryFolder(t), 'off')
  return { ...(await placeOf(t, { USAGE_REPORTING: 'local', USAGE_OFF_FILE: offFile })), offFile }
}

test('answers 200 to a request that could not be kept if reporting was turned off meanwhile', async (t) => {
  const place = await localPlace(t)
  const sidecar = await startHere(t, place)
  const { write } = fs
  type Done = (error: Error | null) => void
  const held: Done[] = []
  // Only writes to files of the queue.
  const hold = (
    file: number,
    bytes: Uint8Array,
    from: number,
    length: number,
    at: number,
    done: Done,
  ): void =>
    Buffer.from(bytes).includes('usage.batch.id')
      ? void held.push(done)
      : write(file, bytes, from, length, at, done)
  const writing = t.mock.method(fs, 'write', hold as typeof fs.write)
  const fail = (): void => held.pop()!(Object.assign(new Error('EIO'), { code: 'EIO' }))
  const refused = post(sidecar.port(), execution())
  await until('it waits for the disk', () => held.length === 1)
  fail()
  assert.equal((await refused).status, 503)
  const answered = post(sidecar.port(), execution())
  await until('it waits for the disk', () => held.length === 1)
  await writeFile(place.offFile, '')
  await until('off is seen', () => modeOf(sidecar) === 'off')
  fail()
  assert.equal((await answered).status, 200)
  writing.mock.mockImplementation(write)
})

test('keeps nothing of a request that began in another epoch', async (t) => {
  const place = await localPlace(t)
  const sidecar = await startHere(t, place)
  const kept = (): number => sidecar.counters.get('spans.kept')
  const body = execution()
  const outgoing = httpRequest({
    host: '127.0.0.1',
    port: sidecar.port(),
    path: '/v1/traces',
    method: 'POST',
    agent: false,
    headers: PROTOBUF,
  })
  outgoing.write(body.subarray(0, 10))
  await post(sidecar.port(), execution())
  assert.equal(kept(), 1)
  await writeFile(place.offFile, '')
  await until('off is seen', () => modeOf(sidecar) === 'off')
  await rm(place.offFile)
  await until('spans are kept again', async () => {
    await post(sidecar.port(), execution())
    return kept() > 1
  })
  const before = kept()
  const response = once(outgoing, 'response')
  outgoing.end(body.subarray(10))
  const [{ statusCode }] = (await response) as [{ statusCode: number }]
  assert.deepEqual([statusCode, kept()], [200, before])
  assert.equal((await spansWaiting(place.dataFolder)).length, before - 1)
})

/** A wall clock that the test moves forward. */
function runClock(t: TestContext): (ms: number) => void {
  const start = Date.now()
  const began = performance.now()
  let ahead = 0
  const uptime = performance.now.bind(performance)
  const now = (): number => Math.floor(start + ahead + uptime() - began)
  // The monotonic clock moves as well.
  t.mock.method(performance, 'now', () => uptime() + ahead)
  t.mock.timers.enable({ apis: ['Date'], now: now() })
  const ticking = setInterval(() => t.mock.timers.setTime(now()), 5)
  atEnd(t, async () => clearInterval(ticking))
  return (ms) => {
    ahead += ms
    t.mock.timers.setTime(now())
  }
}

test('sends nothing before USAGE_FIRST_SEND_DELAY, also after a restart or a change of the policy', async (t) => {
  t.mock.method(Math, 'random', () => 0)
  const pass = runClock(t)
  const collector = await startCollector(t)
  const path = join(await temporaryFolder(t), 'policy.yaml')
  await writeFile(path, POLICY)
  const place = await placeOf(t, {
    USAGE_ENDPOINT: collector.endpoint,
    USAGE_POLICY: path,
    USAGE_FIRST_SEND_DELAY: '1h',
  })
  const arrived = (at: Collector): number => at.spans().length
  /** A second sidecar, without a delay, shows that enough time has passed. */
  const others = await startCollector(t)
  const other = await startHere(t, await placeOf(t, { USAGE_ENDPOINT: others.endpoint }))
  const nothingLeaves = async (when: string): Promise<void> => {
    for (let sent = arrived(others) + 1, reports = 0; reports < 3; sent++, reports++) {
      await post(other.port(), execution())
      await until('the other one has sent', () => arrived(others) === sent)
    }
    assert.equal(arrived(collector), 0, when)
  }
  const first = await startHere(t, place)
  await post(first.port(), execution())
  await nothingLeaves('at once')
  pass(HOUR_MS - 60_000)
  await nothingLeaves('a minute too soon')
  await first.stop()
  const second = await startHere(t, place)
  await nothingLeaves('after a restart')
  await writeFile(path, POLICY.replace('version: 1', 'version: 2'))
  await until('the policy has changed', () => second.counters.get('queue.dropped.policy') === 1)
  await post(second.port(), execution())
  pass(HOUR_MS - 60_000)
  await nothingLeaves('a minute too soon for the new policy')
  assert.equal((await spansWaiting(place.dataFolder)).length, 1)
  pass(60_000)
  await until('the first report arrived', () => arrived(collector) === 1)
  assert.deepEqual(
    collector.spans().map(({ resource }) => resource['usage.policy.version']),
    [2],
  )
})
