// Both sides do the same job: what each makes of the same spans is the same, up to ids and
// pseudonyms, which must have the same form and never be the incoming ones. Without this, the
// figures beside each other would say nothing.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { type Left, spansIn } from '../../support/collector.ts'
import { bodies } from '../load.ts'
import type { Running } from '../processes.ts'
import { begin, type Name } from './contenders.ts'

const SPANS = 400
const ARRIVAL_MS = 30_000

async function madeBy(name: Name, body: Buffer): Promise<Left[]> {
  const left: Left[] = []
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
    incoming.on('end', () => {
      left.push(
        ...spansIn(Buffer.concat(chunks)).filter(({ span }) => span.name !== 'usage.heartbeat'),
      )
      response.end()
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const sink = { port: (server.address() as AddressInfo).port } as Running
  const program = await begin(name, sink)
  try {
    const headers = { 'content-type': 'application/x-protobuf' }
    const { status } = await fetch(`http://127.0.0.1:${program.port}/v1/traces`, {
      method: 'POST',
      headers,
      body: new Uint8Array(body),
    })
    assert.equal(status, 200)
    for (const began = Date.now(); left.length < SPANS && Date.now() - began < ARRIVAL_MS; )
      await wait(50)
  } finally {
    await program.stop()
    server.closeAllConnections()
    server.close()
  }
  return left
}

/** Everything that left with one span; ids and pseudonyms by their form, the batch's id as well. */
function plain({ resource, attributes, span }: Left): string {
  const form = (value: unknown): unknown =>
    typeof value === 'string' && /^[0-9a-f]{32}$/.test(value) ? 'PSEUDONYM' : value
  const sorted = (all: Record<string, unknown>): string[] =>
    Object.entries(all)
      .map(([key, value]) => `${key}=${JSON.stringify(form(value))}`)
      .sort()
  const { 'usage.batch.id': _, ...rest } = resource
  const { traceId, spanId, parentSpanId, attributes: __, ...fields } = span
  const lengths = [traceId, spanId, parentSpanId].map((id) => id.length)
  return JSON.stringify(
    [sorted(rest), sorted(attributes), lengths, fields],
    (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value),
  )
}

/** Throws with the first span that only one of them made. */
export async function proveSameJob(): Promise<string> {
  const body = bodies(1, SPANS, 7)[0]!
  const came = new Set(spansIn(body).flatMap(({ span }) => [span.traceId, span.spanId]))
  const [ours, theirs] = [await madeBy('ours', body), await madeBy('durable', body)]
  assert.equal(ours.length, SPANS)
  for (const { span } of [...ours, ...theirs])
    for (const id of [span.traceId, span.spanId]) assert.ok(!came.has(id), 'an incoming id left')
  assert.deepEqual(theirs.map(plain).sort(), ours.map(plain).sort())
  const different = new Set(ours.map(plain)).size
  return `Of ${SPANS} spans both made the same ${SPANS} (${different} different ones), up to ids and pseudonyms.`
}

if (import.meta.main) process.stdout.write(`${await proveSameJob()}\n`)
