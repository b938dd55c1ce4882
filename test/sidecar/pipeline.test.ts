// The whole pipeline in its three modes. `on` reports, `local` keeps what would be reported, and
// `off` is silent. The application gets its 200 in each.
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { Cursor, LEN } from '../../src/otlp/wire.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { policyDigest } from '../../src/policy/policy.ts'
import { spansIn, spansWaiting, startCollector } from '../support/collector.ts'
import {
  execution,
  filesIn,
  type Place,
  placeOf,
  post,
  startChild,
  startHere,
  until,
} from '../support/sidecar.ts'
import { request, span } from '../support/spans.ts'

const TELL_CONNECTIONS = new URL('../fixtures/pipeline/report-connections.ts', import.meta.url).href

/** A data directory with one body in sent/ and one in the queue, as mode on leaves it. */
async function placeWithReports(t: Parameters<typeof placeOf>[0]) {
  const collector = await startCollector(t)
  const place = await placeOf(t, { USAGE_ENDPOINT: collector.endpoint })
  const sidecar = await startHere(t, place)
  await post(sidecar.port(), execution('pipeline'))
  await until('the first report is in sent/', () => sidecar.counters.get('sent.bodies') === 1)
  collector.answer = () => 503
  await post(sidecar.port(), execution('orchestration'))
  await until('the second one was tried', () => collector.requests.length === 2)
  await sidecar.stop()
  assert.equal((await spansWaiting(place.dataFolder)).length, 1)
  return { place, collector }
}

const withMode = (place: Place, mode: string, more: Record<string, string> = {}): Place => ({
  ...place,
  env: { ...place.env, USAGE_REPORTING: mode, ...more },
})

/** The files of a data directory except the receipts, the lock and the policy digest. */
const heldIn = async (dataFolder: string): Promise<string[]> =>
  [...(await filesIn(dataFolder)).keys()].filter(
    (name) => !['receipts.jsonl', 'lock', 'policy'].includes(name),
  )

describe('mode on', { concurrency: true }, () => {
  it('reports what the policy names in each request, and nothing else', async (t) => {
    const collector = await startCollector(t)
    const place = await placeOf(t, {
      USAGE_ENDPOINT: collector.endpoint,
      USAGE_FACTS: '{"k8s.nodes": 12}',
    })
    const sidecar = await startHere(t, place)
    const unlisted = span({ name: 'GET /users/7' })
    for (const body of [execution('pipeline'), request(unlisted), execution('made up')]) {
      assert.deepEqual(
        await post(sidecar.port(), body).then(({ status, body: answer }) => [
          status,
          answer.length,
        ]),
        [200, 0],
      )
    }
    await until('both arrived', () => collector.spans().length === 2)
    const types = ['pipeline', 'other']
    const [first, second] = types.map((type) =>
      collector.spans().find(({ attributes }) => attributes['execution.type'] === type),
    )
    assert.deepEqual(
      [first, second].map((left) => left?.attributes),
      types.map((type) => ({
        'execution.type': type,
        'execution.status': 'succeeded',
        'execution.duration': 0,
      })),
    )
    const { 'usage.batch.id': batchId, ...resource } = first!.resource
    assert.match(String(batchId), /^[0-9a-f]{32}$/)
    assert.notEqual(batchId, second!.batchId)
    assert.deepEqual(resource, {
      'usage.project': 'example.org/demo',
      'usage.policy.version': 3,
      'usage.policy.digest': 'custom',
      'k8s.nodes': 10,
      'host.arch': 'amd64',
    })
    assert.deepEqual(
      [first!.span.name, first!.span.startTimeUnixNano % 86_400_000_000_000n],
      ['execution', 0n],
    )
    for (const { url } of collector.requests) assert.equal(url, '/v1/traces')
    await until('both are counted', () => sidecar.counters.get('sent.spans') === 2)
  })

  it('names the digest of the policy that its maintainers ship', async (t) => {
    const collector = await startCollector(t)
    const place = await placeOf(t, { USAGE_ENDPOINT: collector.endpoint })
    const digest = policyDigest(parsePolicy(await readFile(place.env.USAGE_POLICY!, 'utf8')))
    const sidecar = await startHere(t, {
      ...place,
      env: { ...place.env, USAGE_POLICY_DIGEST: digest },
    })
    await post(sidecar.port(), execution())
    await until('a report arrived', () => collector.spans().length === 1)
    assert.equal(collector.spans()[0]?.resource['usage.policy.digest'], digest)
  })

  it('tells the application about invalid spans and reports the others', async (t) => {
    const collector = await startCollector(t)
    const sidecar = await startHere(t, await placeOf(t, { USAGE_ENDPOINT: collector.endpoint }))
    const { status, body } = await post(
      sidecar.port(),
      Buffer.concat([request(span({ traceId: Buffer.alloc(16) })), execution()]),
    )
    assert.equal(status, 200)
    const cursor = new Cursor(body)
    assert.equal(cursor.tag(), (1 << 3) | LEN)
    cursor.length()
    assert.deepEqual([cursor.tag(), body[cursor.pos]], [1 << 3, 1], 'rejected_spans is 1')
    await until('the valid one arrived', () => collector.spans().length === 1)
  })

  it('answers 503 with Retry-After once the queue is full, and loses nothing that it accepted', async (t) => {
    const collector = await startCollector(t, () => 503)
    const place = await placeOf(t, { USAGE_ENDPOINT: collector.endpoint, USAGE_QUEUE_MAX: '64KiB' })
    const sidecar = await startHere(t, place)
    let taken = 0
    let last = await post(sidecar.port(), execution())
    for (; last.status === 200 && taken < 1000; taken++)
      last = await post(sidecar.port(), execution())
    assert.deepEqual([last.status, last.headers['retry-after']], [503, '60'])
    assert.equal((await spansWaiting(place.dataFolder)).length, taken)
    collector.answer = () => 200
    await until('all of it arrived', () => collector.spans().length === taken)
  })
})

describe('mode local', { concurrency: true }, () => {
  it('keeps on disk what would be reported and opens no connection', async (t) => {
    const silent = await startCollector(t)
    const place = await placeOf(t, { USAGE_ENDPOINT: silent.endpoint, USAGE_REPORTING: 'local' })
    const sidecar = await startHere(t, place)
    assert.equal((await post(sidecar.port(), execution())).status, 200)
    const [waiting] = await spansWaiting(place.dataFolder)
    assert.equal(waiting?.attributes['execution.type'], 'pipeline')
    // A second sidecar in mode on shows that enough time has passed: it has sent three times.
    const collector = await startCollector(t)
    const other = await startHere(t, await placeOf(t, { USAGE_ENDPOINT: collector.endpoint }))
    for (let sent = 1; sent <= 3; sent++) {
      await post(other.port(), execution())
      await until('the other one has sent', () => collector.requests.length === sent)
    }
    await sidecar.stop()
    assert.equal(silent.connections, 0)
    assert.equal((await spansWaiting(place.dataFolder)).length, 1)
    assert.match(await readFile(join(place.dataFolder, 'epoch'), 'utf8'), / local\n/)
  })

  it('drops the oldest records when the queue is full and refuses nothing', async (t) => {
    const place = await placeOf(t, { USAGE_REPORTING: 'local', USAGE_QUEUE_MAX: '64KiB' })
    const sidecar = await startHere(t, place)
    let posted = 0
    for (; sidecar.counters.get('queue.dropped.full') === 0 && posted < 1000; posted++) {
      assert.equal((await post(sidecar.port(), execution('pipeline'))).status, 200)
    }
    assert.equal((await post(sidecar.port(), execution('orchestration'))).status, 200)
    const waiting = await spansWaiting(place.dataFolder)
    assert.equal(waiting.at(-1)?.attributes['execution.type'], 'orchestration')
    assert.equal(waiting.length, posted + 1 - sidecar.counters.get('queue.dropped.full'))
    const bytes = [...(await filesIn(join(place.dataFolder, 'queue'))).values()].reduce(
      (sum, { length }) => sum + length,
      0,
    )
    assert.ok(bytes <= 65_536, `${bytes} bytes`)
  })

  it('is the default', async (t) => {
    const place = await placeOf(t, { USAGE_REPORTING: '' })
    const sidecar = await startHere(t, place)
    await post(sidecar.port(), execution())
    assert.equal((await spansWaiting(place.dataFolder)).length, 1)
  })
})

describe('mode off', { concurrency: true }, () => {
  it('opens no connection, looks up no name, creates no file, and answers 200', async (t) => {
    const collector = await startCollector(t)
    const start = async (mode: string) => {
      const place = await placeOf(t, {
        USAGE_REPORTING: mode,
        USAGE_ENDPOINT: `http://localhost:${collector.port}`,
      })
      const child = await startChild(t, place, ['--import', TELL_CONNECTIONS])
      assert.equal((await post(child.port, execution())).status, 200)
      const end = async (): Promise<string[]> => {
        assert.equal(await child.end('SIGTERM'), 0)
        return [...(await filesIn(place.folder)).keys()]
      }
      return { end, output: child.output }
    }
    const silent = await start('off')
    // Shows that enough time has passed, and that the test would see a connection.
    const on = await start('on')
    await until('it has sent', () => collector.requests.length === 1)
    assert.deepEqual(on.output.stdout.trimEnd().split('\n').sort(), [
      'dns.lookup',
      'net.client.socket',
    ])
    const made = await on.end()
    assert.ok(made.includes('data/epoch') && made.includes('identity/instance-id'))
    assert.deepEqual(await silent.end(), [])
    assert.equal(silent.output.stdout, '')
    assert.equal(collector.connections, 1)
  })

  it('wipes all but the receipts of an earlier process, and sends nothing of it', async (t) => {
    const { place, collector } = await placeWithReports(t)
    const receipts = await readFile(join(place.dataFolder, 'receipts.jsonl'), 'utf8')
    const off = await startHere(t, withMode(place, 'off'))
    assert.equal((await post(off.port(), execution())).status, 200)
    assert.deepEqual(await heldIn(place.dataFolder), [])
    assert.equal(await readFile(join(place.dataFolder, 'receipts.jsonl'), 'utf8'), receipts)
    assert.equal(off.counters.get('queue.dropped.consent'), 1)
    await off.stop()

    collector.answer = () => 200
    const on = await startHere(t, place)
    await post(on.port(), execution('made up'))
    await until('what came later arrived', () => collector.requests.length === 3)
    await on.stop()
    assert.deepEqual(
      collector.requests.map(({ body }) =>
        spansIn(body).map(({ attributes }) => attributes['execution.type']),
      ),
      [['pipeline'], ['orchestration'], ['other']],
    )
  })

  it('wipes in mode local what was accepted in mode on', async (t) => {
    const { place } = await placeWithReports(t)
    const local = await startHere(t, withMode(place, 'local'))
    assert.deepEqual(await heldIn(place.dataFolder), ['epoch'])
    assert.equal(local.counters.get('queue.dropped.consent'), 1)
  })

  for (const [value, silent] of [
    ['1', true],
    ['yes', true],
    ['0', false],
    ['false', false],
  ] as const) {
    it(`DO_NOT_TRACK=${value} ${silent ? 'turns reporting off, whatever the setting says' : 'changes nothing'}`, async (t) => {
      const collector = await startCollector(t)
      const place = await placeOf(t, { USAGE_ENDPOINT: collector.endpoint, DO_NOT_TRACK: value })
      const sidecar = await startHere(t, place)
      assert.equal((await post(sidecar.port(), execution())).status, 200)
      const [line] = sidecar.lines().filter(({ event }) => event === 'consent: mode decided')
      assert.deepEqual(
        [line?.mode, line?.by],
        silent ? ['off', 'DO_NOT_TRACK'] : ['on', 'USAGE_REPORTING'],
      )
      if (silent) assert.deepEqual(await readdir(place.folder), [])
      else await until('it arrived', () => collector.spans().length === 1)
      assert.equal(sidecar.counters.get('requests.discarded'), silent ? 1 : 0)
    })
  }
})
