// One process after the other, and two at a time, on the same data directory.
import assert from 'node:assert/strict'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { spansWaiting, startCollector } from '../support/collector.ts'
import {
  errorsIn,
  execution,
  filesIn,
  placeOf,
  post,
  startChild,
  startHere,
  until,
} from '../support/sidecar.ts'
import { policyText } from '../support/spans.ts'

const POLICY = policyText(
  'execution:\n  attributes:\n    execution.type: {keep: [pipeline], reason: A test.}',
)

describe('a data directory', { concurrency: true }, () => {
  it('is used by the next process, which continues the epoch and sends the queue once', async (t) => {
    const collector = await startCollector(t, () => 503)
    const place = await placeOf(t, { USAGE_ENDPOINT: collector.endpoint })
    const first = await startChild(t, place)
    for (const type of ['pipeline', 'orchestration'])
      assert.equal((await post(first.port, execution(type))).status, 200)
    await until('it was tried', () => collector.requests.length > 0)
    assert.equal(await first.end('SIGTERM'), 0)
    const stopped = first.lines().find(({ event }) => event === 'run: stopped')
    assert.equal(stopped?.['spans.kept'], 2)
    const epoch = await readFile(join(place.dataFolder, 'epoch'), 'utf8')
    const waiting = (await spansWaiting(place.dataFolder)).map(({ batchId }) => batchId).sort()
    assert.equal(waiting.length, 2)

    collector.answer = () => 200
    const second = await startChild(t, place)
    await post(second.port, execution('made up'))
    await until('all three arrived', () => collector.spans().length === 3)
    await until('all is settled', async () => (await spansWaiting(place.dataFolder)).length === 0)
    assert.equal(await second.end('SIGTERM'), 0)
    assert.equal(await readFile(join(place.dataFolder, 'epoch'), 'utf8'), epoch)
    const arrived = collector.spans().map(({ batchId }) => batchId)
    assert.deepEqual(arrived.filter((id) => waiting.includes(id)).sort(), waiting)
    assert.equal(new Set(arrived).size, 3)
  })

  it('is unlocked by a stop, which ends the request in flight', async (t) => {
    const gate = Promise.withResolvers<number>()
    const collector = await startCollector(t, () => gate.promise)
    const place = await placeOf(t, { USAGE_ENDPOINT: collector.endpoint })
    const first = await startHere(t, place)
    await post(first.port(), execution())
    await until('it was tried', () => collector.requests.length === 1)
    await first.stop()
    gate.resolve(200)
    const second = await startHere(t, place)
    await until('it was tried again', () => collector.requests.length === 2)
    await until('it is settled', () => second.counters.get('sent.bodies') === 1)
    assert.deepEqual(collector.requests[1]!.body, collector.requests[0]!.body)
    assert.deepEqual(errorsIn(first.lines()), [])
    assert.equal(first.counters.get('sent.bodies'), 0)
  })

  it('is emptied and counted at the start if another policy filled it', async (t) => {
    const collector = await startCollector(t, () => 503)
    const place = await placeOf(t, { USAGE_ENDPOINT: collector.endpoint })
    const first = await startHere(t, place)
    await post(first.port(), execution())
    await until('it was tried', () => collector.requests.length > 0)
    await first.stop()
    collector.answer = () => 200
    const { USAGE_POLICY: _, ...others } = place.env
    const second = await startHere(t, { ...place, env: { ...others, USAGE_POLICY_TEXT: POLICY } })
    assert.equal(second.counters.get('queue.dropped.policy'), 1)
    await post(second.port(), execution())
    await until('a report arrived', () => collector.spans().length > 0)
    assert.deepEqual(
      collector.spans().map(({ resource }) => resource['usage.policy.version']),
      [1],
    )
  })

  it('is emptied before anything of it is read if its epoch is missing', async (t) => {
    const collector = await startCollector(t, () => 503)
    const place = await placeOf(t, { USAGE_ENDPOINT: collector.endpoint })
    const first = await startHere(t, place)
    await post(first.port(), execution())
    await until('it was tried', () => collector.requests.length > 0)
    await first.stop()
    const epoch = join(place.dataFolder, 'epoch')
    const before = await readFile(epoch, 'utf8')
    // The state after a kill between the end of the epoch and the wipe.
    await rm(epoch)
    const second = await startHere(t, place)
    assert.equal(second.counters.get('queue.dropped.consent'), 1)
    assert.deepEqual(await spansWaiting(place.dataFolder), [])
    assert.notEqual(await readFile(epoch, 'utf8'), before)
  })

  it('belongs to one process: a second one answers 200, keeps nothing, says why, and takes over when the first has ended', async (t) => {
    const collector = await startCollector(t)
    const place = await placeOf(t, {
      USAGE_ENDPOINT: collector.endpoint,
      USAGE_SEND_INTERVAL: '1h',
    })
    const first = await startChild(t, place)
    assert.equal((await post(first.port, execution('pipeline'))).status, 200)
    const before = [...(await filesIn(join(place.dataFolder, 'queue'))).values()]
    const second = await startChild(t, {
      ...place,
      env: { ...place.env, USAGE_SEND_INTERVAL: '100ms' },
    })
    assert.equal((await post(second.port, execution('orchestration'))).status, 200)
    assert.deepEqual(errorsIn(second.lines()), ['cannot use the data directory'])
    const line = second.lines().find(({ level }) => level === 'error')
    assert.deepEqual([line?.code, line?.reason], ['EBUSY', 'another process uses it'])
    assert.deepEqual([...(await filesIn(join(place.dataFolder, 'queue'))).values()], before)

    assert.equal(await first.end('SIGKILL'), 'SIGKILL')
    await until('the second one sends what the first one had', () => collector.spans().length === 1)
    assert.equal(collector.spans()[0]?.attributes['execution.type'], 'pipeline')
    await post(second.port, execution('orchestration'))
    await until('it keeps and sends its own', () => collector.spans().length === 2)
    assert.equal(await second.end('SIGTERM'), 0)
    assert.equal(
      second.lines().find(({ event }) => event === 'run: stopped')?.['requests.discarded'],
      1,
    )
  })

  const seconds: Record<string, Record<string, string>> = {
    off: { USAGE_REPORTING: 'off' },
    'switched off': { DO_NOT_TRACK: '1' },
    local: { USAGE_REPORTING: 'local' },
    'on under another policy': { USAGE_POLICY: '', USAGE_POLICY_TEXT: POLICY },
  }
  for (const [what, env] of Object.entries(seconds)) {
    it(`is not touched by a second process while the first runs (${what})`, async (t) => {
      const collector = await startCollector(t)
      const place = await placeOf(t, {
        USAGE_ENDPOINT: collector.endpoint,
        USAGE_SEND_INTERVAL: '1h',
      })
      const first = await startChild(t, place)
      assert.equal((await post(first.port, execution('pipeline'))).status, 200)
      const before = await filesIn(place.dataFolder)
      assert.ok(before.has('epoch') && before.has('queue/000000000001.otlp'))
      const second = await startHere(t, { ...place, env: { ...place.env, ...env } })
      assert.equal((await post(second.port(), execution('orchestration'))).status, 200)
      assert.equal(second.lines().find(({ level }) => level === 'error')?.code, 'EBUSY')
      const { problems } = (await (
        await fetch(`http://127.0.0.1:${second.pagePort()}/status.json`)
      ).json()) as { problems: string[] }
      assert.match(problems.join(), /another process uses it/)
      assert.deepEqual(await filesIn(place.dataFolder), before)
      await second.stop()
      assert.deepEqual(await filesIn(place.dataFolder), before)
    })

    it(`follows the switches of the second process once the first has ended (${what})`, async (t) => {
      const collector = await startCollector(t)
      const place = await placeOf(t, {
        USAGE_ENDPOINT: collector.endpoint,
        USAGE_SEND_INTERVAL: '1h',
      })
      const first = await startChild(t, place)
      assert.equal((await post(first.port, execution('pipeline'))).status, 200)
      const second = await startHere(t, { ...place, env: { ...place.env, ...env } })
      assert.equal(await first.end('SIGKILL'), 'SIGKILL')
      await until(
        'what the first had is gone',
        async () => (await spansWaiting(place.dataFolder)).length === 0,
      )
      await second.stop()
      assert.deepEqual(collector.spans(), [])
    })
  }

  it('is used again by the first process if its epoch did not end', async (t) => {
    const collector = await startCollector(t)
    const place = await placeOf(t, {
      USAGE_ENDPOINT: collector.endpoint,
      USAGE_SEND_INTERVAL: '1h',
    })
    const first = await startChild(t, place)
    assert.equal((await post(first.port, execution('pipeline'))).status, 200)
    const second = await startHere(t, { ...place, env: { ...place.env, USAGE_REPORTING: 'off' } })
    await second.stop()
    await first.end('SIGKILL')
    await startHere(t, { ...place, env: { ...place.env, USAGE_SEND_INTERVAL: '100ms' } })
    await until('what it had is sent', () => collector.spans().length === 1)
  })
})
