// The heartbeat: once per UTC day also across restarts, marked before it is appended, and never in
// one body with spans of the application.
import assert from 'node:assert/strict'
import fs from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { Heartbeat } from '../../src/sidecar/heartbeat.ts'
import { Counters } from '../../src/support/counters.ts'
import { createLog } from '../../src/support/log.ts'
import { type Left, spansIn, spansWaiting, startCollector } from '../support/collector.ts'
import {
  execution,
  filesIn,
  placeOf,
  post,
  startHere,
  temporaryFolder,
  until,
} from '../support/sidecar.ts'
import { DEFAULT_POLICY_FILE, request, span } from '../support/spans.ts'

async function heartbeats(t: TestContext) {
  const folder = await temporaryFolder(t)
  const counters = new Counters()
  const log = createLog('error', () => undefined)
  const days: string[] = []
  const start = (where: string | undefined = folder) => {
    const heartbeat = new Heartbeat({ folder: where, counters, log })
    return (day: string): void => heartbeat.recordIfDue(day, () => async () => void days.push(day))
  }
  return { folder, counters, log, days, start }
}

describe('a heartbeat', () => {
  it('is recorded once a day, also across restarts, and never for a day that is over', async (t) => {
    const { days, start } = await heartbeats(t)
    const record = start()
    for (const day of ['2026-10-05', '2026-10-05', '2026-10-06', '2026-10-05', '2026-10-06'])
      record(day)
    assert.deepEqual(days, ['2026-10-05', '2026-10-06'])
    const again = start()
    for (const day of ['2026-10-06', '2026-10-05', '2026-10-07']) again(day)
    assert.deepEqual(days, ['2026-10-05', '2026-10-06', '2026-10-07'])
  })

  it('is marked on disk before its record is appended', async (t) => {
    const { folder, counters, log } = await heartbeats(t)
    let marked: Promise<string> | undefined
    new Heartbeat({ folder, counters, log }).recordIfDue('2026-10-05', () => () => {
      marked = readFile(join(folder, 'heartbeat'), 'utf8')
      return Promise.resolve()
    })
    assert.equal(await marked, '2026-10-05\n')
    await until('the heartbeat is counted', () => counters.get('heartbeats.kept') === 1)
  })

  it('is still due on a day on which an earlier policy had none', async (t) => {
    const { folder, counters, log, days, start } = await heartbeats(t)
    const heartbeat = new Heartbeat({ folder, counters, log })
    heartbeat.recordIfDue('2026-10-05', () => undefined)
    heartbeat.recordIfDue('2026-10-05', () => async () => void days.push('2026-10-05'))
    assert.deepEqual(days, ['2026-10-05'])
    new Heartbeat({ folder, counters, log }).recordIfDue('2026-10-06', () => undefined)
    start()('2026-10-06')
    assert.deepEqual(days, ['2026-10-05', '2026-10-06'])
  })

  it('is counted as lost if it cannot be appended, and not repeated', async (t) => {
    const { folder, counters, log, days, start } = await heartbeats(t)
    new Heartbeat({ folder, counters, log }).recordIfDue(
      '2026-10-05',
      () => () => Promise.reject(new Error('full')),
    )
    await until('the heartbeat is counted', () => counters.get('heartbeats.lost') === 1)
    start()('2026-10-05')
    assert.deepEqual(days, [])
    assert.equal(counters.get('heartbeats.kept'), 0)
  })

  it('is not recorded if its day cannot be marked', async (t) => {
    const { folder, counters, days, start } = await heartbeats(t)
    await writeFile(join(folder, 'file'), '')
    const record = start(join(folder, 'file'))
    for (const day of ['2026-10-05', '2026-10-05', '2026-10-06']) record(day)
    assert.deepEqual(days, [])
    assert.equal(counters.get('heartbeats.lost'), 2)
  })

  it('is not recorded if the earlier mark cannot be read', async (t) => {
    const { counters, days, start } = await heartbeats(t)
    start()('2026-10-05')
    t.mock.method(fs, 'readFileSync', () => {
      throw Object.assign(new Error('A disk that fails.'), { code: 'EIO' })
    })
    syncBuiltinESMExports()
    t.after(() => {
      t.mock.restoreAll()
      syncBuiltinESMExports()
    })
    start()('2026-10-05')
    assert.deepEqual([days, counters.get('heartbeats.lost')], [['2026-10-05'], 1])
  })

  it('leaves no mark in mode local', async (t) => {
    const { folder, counters, log, days } = await heartbeats(t)
    for (let i = 0; i < 2; i++)
      new Heartbeat({ folder: undefined, counters, log }).recordIfDue(
        '2026-10-05',
        () => async () => void days.push('2026-10-05'),
      )
    assert.deepEqual(days, ['2026-10-05', '2026-10-05'])
    await assert.rejects(readFile(join(folder, 'heartbeat')), { code: 'ENOENT' })
  })
})

const isHeartbeat = ({ span: { name } }: Left): boolean => name === 'usage.heartbeat'

describe('the heartbeat of a sidecar', { concurrency: true }, () => {
  it('is sent in a body of its own, once across a restart, with a monthly pseudonym', async (t) => {
    const collector = await startCollector(t)
    const place = await placeOf(t, {
      USAGE_ENDPOINT: collector.endpoint,
      USAGE_POLICY: DEFAULT_POLICY_FILE,
    })
    for (let life = 1; life <= 2; life++) {
      const sidecar = await startHere(t, place)
      for (let i = 0; i < 3; i++)
        assert.equal((await post(sidecar.port(), execution())).status, 200)
      await until('all of it arrived', () => collector.spans().length === 1 + 3 * life)
      await sidecar.stop()
    }
    const bodies = collector.requests
      .map(({ body }) => spansIn(body))
      .filter((spans) => spans.some(isHeartbeat))
    assert.equal(bodies.length, 1)
    assert.equal(bodies[0]!.length, 1)
    const [{ attributes, resource, span: sent }] = bodies[0] as [Left]
    assert.match(String(attributes['installation.id']), /^[0-9a-f]{32}$/)
    assert.equal(resource['host.arch'], 'amd64')
    assert.equal(BigInt(sent.startTimeUnixNano) % 86_400_000_000_000n, 0n)
  })

  it('is kept in mode local, and a heartbeat from the application is dropped and counted', async (t) => {
    const place = await placeOf(t, { USAGE_REPORTING: 'local', USAGE_POLICY: DEFAULT_POLICY_FILE })
    const sidecar = await startHere(t, place)
    assert.equal(
      (await post(sidecar.port(), request(span({ name: 'usage.heartbeat' })))).status,
      200,
    )
    await until(
      'the heartbeat is kept',
      async () => (await spansWaiting(place.dataFolder)).length > 0,
    )
    await sidecar.stop()
    assert.deepEqual((await spansWaiting(place.dataFolder)).map(isHeartbeat), [true])
    await assert.rejects(readFile(join(place.dataFolder, 'heartbeat')), { code: 'ENOENT' })
    assert.equal(sidecar.counters.get('heartbeats.foreign'), 1)
  })

  it('is not recorded if USAGE_HEARTBEAT is off', async (t) => {
    const settings = {
      USAGE_REPORTING: 'local',
      USAGE_POLICY: DEFAULT_POLICY_FILE,
      USAGE_HEARTBEAT: 'off',
    }
    const place = await placeOf(t, settings)
    const sidecar = await startHere(t, place)
    assert.equal((await post(sidecar.port(), execution())).status, 200)
    await sidecar.stop()
    assert.deepEqual((await spansWaiting(place.dataFolder)).map(isHeartbeat), [false])
  })

  it('shares no file of the queue with spans that the application sends after it', async (t) => {
    const place = await placeOf(t, { USAGE_REPORTING: 'local', USAGE_POLICY: DEFAULT_POLICY_FILE })
    const sidecar = await startHere(t, place)
    await until(
      'the heartbeat is kept',
      async () => (await spansWaiting(place.dataFolder)).length > 0,
    )
    assert.equal((await post(sidecar.port(), execution())).status, 200)
    await sidecar.stop()
    const files = [...(await filesIn(place.dataFolder))].filter(([name]) =>
      /^(queue|sending)\//.test(name),
    )
    assert.deepEqual(
      files.map(([, bytes]) => spansIn(bytes).map(isHeartbeat)),
      [[true], [false]],
    )
  })
})
