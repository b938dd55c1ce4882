// Runs the program with a data directory on a small volume that is full, filled by others, or
// read-only. It keeps running, answers 503 if it cannot keep a span, logs the reason once, and
// resumes when it can.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type Collector, spansIn, startCollector } from '../support/collector.ts'
import { post, until } from '../support/sidecar.ts'
import { attribute, request, span, text } from '../support/spans.ts'
import { type Sidecar, startSidecar, temporaryFolder } from './processes.ts'

const MIB = 1024 * 1024
const SPANS = 2_000
const BODY = request(
  ...Array.from({ length: SPANS }, (_, i) =>
    span({ spanId: idOf(i), more: [attribute('execution.status', text('succeeded'))] }),
  ),
)

function idOf(number: number): Buffer {
  const id = Buffer.alloc(8, 1)
  id.writeUInt32BE(number)
  return id
}

/**
 * Starts a sidecar in its own mount namespace with a tmpfs as data directory. Both end with its
 * process.
 */
async function startOnVolume(t: TestContext, collector: Collector, megabytes: number, mount = '') {
  const folder = await temporaryFolder(t)
  const data = join(folder, 'volume')
  await mkdir(data)
  const script = `mount -t tmpfs -o size=${megabytes}m tmpfs "$0" ${mount} && exec "$@"`
  const before = ['unshare', '--mount', '/bin/sh', '-c', script, data]
  const env = {
    USAGE_REPORTING: 'on',
    USAGE_ENDPOINT: collector.endpoint,
    USAGE_SEND_INTERVAL: '200ms',
    USAGE_DATA_DIR: data,
  }
  const sidecar = await startSidecar(t, { folder, env, before })
  const { pid } = sidecar.child
  return {
    sidecar,
    /** The same folder, as this process sees it. */
    inside: `/proc/${pid}/root${data}`,
    remount: (how: 'ro' | 'rw') =>
      execFileSync('nsenter', ['-t', String(pid), '-m', 'mount', '-o', `remount,${how}`, data]),
  }
}

/**
 * Number of spans that it has received, without the heartbeat. Each body is read once, because
 * there are many.
 */
function countOf(collector: Collector): () => number {
  let looked = 0
  let spans = 0
  return () => {
    for (; looked < collector.requests.length; looked++) {
      const { verdict, body } = collector.requests[looked]!
      if (verdict === 200)
        spans += spansIn(body).filter(({ span: one }) => one.name === 'execution').length
    }
    return spans
  }
}

const isAlive = async (sidecar: Sidecar): Promise<boolean> =>
  (await fetch(`http://127.0.0.1:${sidecar.healthPort}/livez`)).status === 200
const said = (sidecar: Sidecar, event: string): number =>
  sidecar.log.filter((line) => line.event === event).length

test('a volume that is full refuses spans with 503, sends what it has, and takes spans in again', async (t) => {
  const collector = await startCollector(t, () => 503)
  const taken = countOf(collector)
  const { sidecar } = await startOnVolume(t, collector, 8)
  for (let round = 1; round <= 2; round++) {
    const before = taken()
    collector.answer = () => 503
    let acknowledged = 0
    let last = await post(sidecar.port, BODY)
    for (; last.status === 200 && acknowledged < 200; acknowledged++)
      last = await post(sidecar.port, BODY)
    assert.deepEqual([last.status, last.headers['retry-after']], [503, '60'])
    assert.ok(acknowledged > 10, `${acknowledged} requests acknowledged`)
    assert.ok(await isAlive(sidecar))
    collector.answer = () => 200
    await until('all of it arrived', () => taken() === before + acknowledged * SPANS)
  }
  assert.equal(said(sidecar, 'queue: full; requests are answered 503'), 1)
})

test('a volume that others fill costs no span that was acknowledged', async (t) => {
  const collector = await startCollector(t, () => 503)
  const taken = countOf(collector)
  const { sidecar, inside } = await startOnVolume(t, collector, 16)
  assert.equal((await post(sidecar.port, BODY)).status, 200)
  // As much as fits.
  await writeFile(join(inside, 'others'), Buffer.alloc(32 * MIB)).catch(() => undefined)
  await until('a request is refused', async () => (await post(sidecar.port, BODY)).status === 503)
  await rm(join(inside, 'others'))
  let acknowledged = taken()
  collector.answer = () => 200
  await until('a request is taken', async () => {
    const { status } = await post(sidecar.port, BODY)
    if (status === 200) acknowledged += SPANS
    return status === 200
  })
  await until('what was taken before and after arrived', () => taken() >= acknowledged + SPANS)
  assert.ok(await isAlive(sidecar))
})

test('a volume that is read-only at the start keeps nothing, and is used when it can be written', async (t) => {
  const collector = await startCollector(t)
  const taken = countOf(collector)
  const { sidecar, remount } = await startOnVolume(t, collector, 16, '&& mount -o remount,ro "$0"')
  assert.equal((await post(sidecar.port, BODY)).status, 200, 'the application is not troubled')
  assert.equal(said(sidecar, 'cannot use the data directory'), 1)
  remount('rw')
  await until('reports arrive', async () => {
    await post(
      sidecar.port,
      request(span({ more: [attribute('execution.status', text('succeeded'))] })),
    )
    return taken() > 0
  })
})
