// The collector of the benchmarks, a process of its own: inflates what it gets, as a collector
// must, and counts the batches and spans in it, so that a run can tell when everything has arrived.
// Told to (GET /answer/503), it refuses. Started with `ids`, it also keeps which spans came, to
// tell what came twice.
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { gunzipSync } from 'node:zlib'
import { Cursor } from '../../src/otlp/wire.ts'

/** What GET /totals answers. */
export interface Totals {
  /** One for each ResourceSpans. */
  batches: number
  spans: number
  /** Different ones; -1 without `ids`. */
  distinct: number
  /** As they came over the connections, heads included. */
  bytes: number
}

const LEN_1 = 0x0a
const LEN_2 = 0x12
const totals: Totals = { batches: 0, spans: 0, distinct: -1, bytes: 0 }
const ids = process.argv.includes('ids') ? new Set<string>() : undefined
const sockets = new Map<Socket, number>()
let answer = 200

function count(body: Buffer, isGzip: boolean): void {
  const inflated = isGzip ? gunzipSync(body) : body
  // The sidecar's own sign of life comes in a body of its own, and no request made it.
  if (inflated.includes('usage.heartbeat')) return
  const cursor = new Cursor(inflated)
  each(cursor, LEN_1, () => {
    totals.batches++
    each(cursor, LEN_2, () => each(cursor, LEN_2, () => countSpan(cursor)))
  })
}

/** Goes into each field with this tag of the message that the cursor stands in. */
function each(cursor: Cursor, wanted: number, into: () => void): void {
  while (cursor.pos < cursor.end) {
    const found = cursor.tag()
    if (found !== wanted) {
      cursor.skip(found)
      continue
    }
    const length = cursor.length()
    const outer = cursor.end
    const end = cursor.pos + length
    cursor.end = end
    into()
    cursor.pos = end
    cursor.end = outer
  }
}

function countSpan(cursor: Cursor): void {
  totals.spans++
  if (ids === undefined) return
  const id = { trace: '', span: '' }
  const text = (): string =>
    Buffer.from(cursor.bytes.subarray(cursor.pos, cursor.end)).toString('hex')
  const from = cursor.pos
  each(cursor, LEN_1, () => {
    id.trace = text()
  })
  cursor.pos = from
  each(cursor, LEN_2, () => {
    id.span = text()
  })
  ids.add(id.trace + id.span)
}

function bytesRead(): number {
  for (const [socket, before] of sockets) {
    totals.bytes += socket.bytesRead - before
    if (socket.destroyed) sockets.delete(socket)
    else sockets.set(socket, socket.bytesRead)
  }
  return totals.bytes
}

const server = createServer((incoming, response) => {
  if (incoming.method === 'GET') {
    const [, told] = /^\/answer\/(\d+)$/.exec(incoming.url!) ?? []
    if (told !== undefined) answer = Number(told)
    const now: Totals = { ...totals, distinct: ids?.size ?? -1, bytes: bytesRead() }
    response.end(incoming.url === '/totals' ? JSON.stringify(now) : String(totals.batches))
    return
  }
  if (!sockets.has(incoming.socket)) sockets.set(incoming.socket, 0)
  const chunks: Buffer[] = []
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
  incoming.on('end', () => {
    if (answer === 200)
      count(Buffer.concat(chunks), incoming.headers['content-encoding'] === 'gzip')
    response.writeHead(answer, { 'content-type': 'application/x-protobuf' }).end()
  })
})
server.listen(0, '127.0.0.1', () =>
  process.stdout.write(`{"port":${(server.address() as AddressInfo).port}}\n`),
)
