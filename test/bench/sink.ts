// The collector of the benchmarks, a process of its own: inflates what it gets, as a collector must, and counts the
// batches in it (one for each request that was taken in), so that a run can tell when everything has arrived.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { Cursor } from '../../src/otlp/wire.ts'

let batches = 0

function count(body: Buffer): void {
  const inflated = gunzipSync(body)
  // The sidecar's own sign of life comes in a body of its own, and no request made it.
  if (inflated.includes('usage.heartbeat')) return
  const cursor = new Cursor(inflated)
  while (cursor.pos < cursor.end) {
    cursor.skip(cursor.tag())
    batches++
  }
}

const server = createServer((incoming, response) => {
  const chunks: Buffer[] = []
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
  incoming.on('end', () => {
    if (incoming.method === 'POST') count(Buffer.concat(chunks))
    response.end(incoming.method === 'POST' ? '' : String(batches))
  })
})
server.listen(0, '127.0.0.1', () => process.stdout.write(`{"port":${(server.address() as AddressInfo).port}}\n`))
