// Changes of the switches while the real process runs and the collector holds its answer. The
// request in flight is cut off, records are wiped, receipts stay, and a new epoch begins empty.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { spansIn, spansWaiting, startCollector } from '../support/collector.ts'
import {
  atEnd,
  type Child,
  execution,
  filesIn,
  type Place,
  placeOf,
  post,
  startChild,
  until,
} from '../support/sidecar.ts'

/** Accepts connections and reads bytes, but never answers. */
async function startSilentCollector(t: TestContext) {
  const ends: string[] = []
  let bytes = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('data', (chunk) => {
      bytes += chunk.length
    })
    socket.on('error', (error: NodeJS.ErrnoException) => void ends.push(error.code ?? ''))
    socket.on('end', () => void ends.push('FIN'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(t, async () => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const at = server.address()
  return {
    endpoint: `http://127.0.0.1:${typeof at === 'object' ? at?.port : 0}`,
    ends,
    sockets,
    bytes: () => bytes,
  }
}

interface Switched extends Place {
  annotate(word: string): Promise<void>
  offFile: string
}

/** A sidecar with both files of switches. The annotation is `on`. */
async function switchedPlace(t: TestContext, env: Record<string, string>): Promise<Switched> {
  const place = await placeOf(t, env)
  await mkdir(join(place.folder, 'switches'))
  const annotations = join(place.folder, 'switches/annotations')
  const offFile = join(place.folder, 'switches/off')
  const annotate = (word: string): Promise<void> =>
    writeFile(annotations, `a.example/b="c"\nusage-sidecar.dev/reporting="${word}"`)
  await annotate('on')
  return {
    ...place,
    env: { ...place.env, USAGE_ANNOTATIONS_FILE: annotations, USAGE_OFF_FILE: offFile },
    annotate,
    offFile,
  }
}

const decided = (child: Child): string[] =>
  child
    .lines()
    .filter(({ event }) => event === 'consent: mode decided')
    .map(({ mode, by }) => `${mode} by ${by}`)

/** The files in the data directory that hold spans. */
const bodiesIn = async ({ dataFolder }: Place): Promise<string[]> =>
  [...(await filesIn(dataFolder)).keys()].filter((name) => /^(queue|sending|sent)\//.test(name))

const typesIn = (bodies: readonly Buffer[]): unknown[] =>
  bodies.flatMap((body) => spansIn(body).map(({ attributes }) => attributes['execution.type']))

describe('reporting turned off while a request is in flight', { concurrency: true }, () => {
  for (const [how, turnOff, by] of [
    [
      'by the annotation',
      ({ annotate }: Switched) => annotate('off'),
      'usage-sidecar.dev/reporting',
    ],
    ['by the kill switch', ({ offFile }: Switched) => writeFile(offFile, ''), 'USAGE_OFF_FILE'],
    [
      'by a file of annotations that is gone',
      ({ env }: Switched) => rm(env.USAGE_ANNOTATIONS_FILE!),
      'USAGE_ANNOTATIONS_FILE',
    ],
  ] as const) {
    it(`${how}, cuts off the request, wipes all but the receipts and answers the application 200`, async (t) => {
      const silent = await startSilentCollector(t)
      const place = await switchedPlace(t, { USAGE_ENDPOINT: silent.endpoint })
      // A body that was delivered earlier.
      await mkdir(join(place.dataFolder, 'sent'), { recursive: true })
      const child = await startChild(t, place)
      await writeFile(join(place.dataFolder, 'sent/000000000000.otlp.gz'), '')
      assert.equal((await post(child.port, execution())).status, 200)
      await until('a request is in flight', () => silent.bytes() > 0)
      await post(child.port, execution('orchestration'))
      const receipts = await readFile(join(place.dataFolder, 'receipts.jsonl'), 'utf8')
      assert.deepEqual(
        new Set((await bodiesIn(place)).map((name) => name.split('/')[0])),
        new Set(['queue', 'sending', 'sent']),
      )
      await turnOff(place)
      await until('the request is cut off', () => silent.ends.length > 0)
      assert.deepEqual(silent.ends, ['ECONNRESET'])
      await until('all is gone', async () => (await bodiesIn(place)).length === 0)
      assert.ok(!existsSync(join(place.dataFolder, 'epoch')))
      assert.equal(await readFile(join(place.dataFolder, 'receipts.jsonl'), 'utf8'), receipts)
      assert.deepEqual(decided(child), ['on by USAGE_REPORTING', `off by ${by}`])
      assert.equal((await post(child.port, execution())).status, 200)
      assert.deepEqual([silent.sockets.size, await bodiesIn(place)], [1, []])
      assert.equal(await child.end('SIGTERM'), 0)
      assert.ok(Number(child.lines().at(-1)?.['queue.dropped.consent']) === 2)
    })
  }
})

describe('switches that change while the sidecar runs', { concurrency: true }, () => {
  it('begin another epoch when off and on again, and send nothing from before it', async (t) => {
    const collector = await startCollector(t, () => 503)
    const place = await switchedPlace(t, { USAGE_ENDPOINT: collector.endpoint })
    const child = await startChild(t, place)
    const epoch = (): Promise<string> =>
      readFile(join(place.dataFolder, 'epoch'), 'utf8').catch(() => '')
    const first = await epoch()
    await post(child.port, execution('pipeline'))
    await until('it was tried', () => collector.requests.length > 0)
    await writeFile(place.offFile, '')
    await until('it is off', async () => (await epoch()) === '')
    await post(child.port, execution('orchestration'))
    const tried = collector.requests.length
    collector.answer = () => 200
    await rm(place.offFile)
    await until('it is on', async () => (await epoch()) !== '')
    assert.notEqual(await epoch(), first)
    await post(child.port, execution('template_v1'))
    await until('a report arrived', () => collector.spans().length > 0)
    assert.deepEqual(typesIn(collector.requests.slice(tried).map(({ body }) => body)), ['other'])
    assert.equal(await child.end('SIGTERM'), 0)
  })

  it('never send in mode on what mode local kept, and keep nothing from on in local', async (t) => {
    const collector = await startCollector(t)
    const place = await switchedPlace(t, { USAGE_ENDPOINT: collector.endpoint })
    await place.annotate('local')
    const child = await startChild(t, place)
    await post(child.port, execution('pipeline'))
    assert.equal((await spansWaiting(place.dataFolder)).length, 1)
    await place.annotate('on')
    await until('it is on', () => decided(child).length === 2)
    await until('the preview is gone', async () => (await bodiesIn(place)).length === 0)
    await until('a report arrived', async () => {
      await post(child.port, execution('orchestration'))
      return collector.spans().length > 0
    })
    assert.deepEqual(
      [...new Set(typesIn(collector.requests.map(({ body }) => body)))],
      ['orchestration'],
    )
    await place.annotate('local')
    await until('it is local', () => decided(child).length === 3)
    await until('what was sent is gone', async () => (await bodiesIn(place)).length === 0)
    const sent = collector.requests.length
    await until('a preview is there', async () => {
      await post(child.port, execution('pipeline'))
      return (await spansWaiting(place.dataFolder)).length > 2
    })
    assert.deepEqual(
      [
        ...new Set(
          (await spansWaiting(place.dataFolder)).map(
            ({ attributes }) => attributes['execution.type'],
          ),
        ),
      ],
      ['pipeline'],
    )
    assert.equal(collector.requests.length, sent)
    assert.deepEqual(decided(child), [
      'local by usage-sidecar.dev/reporting',
      'on by USAGE_REPORTING',
      'local by usage-sidecar.dev/reporting',
    ])
  })

  it('create identity and data directory only once reporting is on', async (t) => {
    const collector = await startCollector(t)
    const place = await switchedPlace(t, { USAGE_ENDPOINT: collector.endpoint })
    await writeFile(place.offFile, 'on')
    const child = await startChild(t, place)
    assert.equal((await post(child.port, execution())).status, 200)
    assert.deepEqual(await readdir(place.folder), ['switches'])
    await rm(place.offFile)
    await until('a report arrived', async () => {
      assert.equal((await post(child.port, execution())).status, 200)
      return collector.spans().length > 0
    })
    assert.ok(existsSync(join(place.identityFolder, 'secret')))
  })

  it('end the epoch when its file is removed, and never send what was kept in it', async (t) => {
    const collector = await startCollector(t, () => 503)
    const place = await switchedPlace(t, { USAGE_ENDPOINT: collector.endpoint })
    const child = await startChild(t, place)
    await post(child.port, execution('pipeline'))
    await until('it was tried', () => collector.requests.length > 0)
    const tried = collector.requests.length
    await rm(join(place.dataFolder, 'epoch'))
    await until('another epoch began', () => existsSync(join(place.dataFolder, 'epoch')))
    const triedBefore = collector.requests.length
    assert.ok(triedBefore <= tried + 1)
    collector.answer = () => 200
    await post(child.port, execution('orchestration'))
    await until('a report arrived', () => collector.spans().length > 0)
    assert.deepEqual(typesIn(collector.requests.slice(triedBefore).map(({ body }) => body)), [
      'orchestration',
    ])
  })
})
