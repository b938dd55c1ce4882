// The baseline of the whole program: the least that any durable relay in Node does. Bare
// `node:http` that appends each body as it came with a shared synced write (O_DSYNC), acknowledges
// after it, and sends files of 1 MiB on, compressed once (gzip level 1). No policy, no limits, no
// receipts, no recovery: the distance from here is what the sidecar's promises cost.
import fs, { constants } from 'node:fs'
import { Agent, createServer, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { gzip, constants as zlib } from 'node:zlib'

const [folder, collector] = process.argv.slice(2) as [string, string]
const SEAL_BYTES = 1024 * 1024
/** A file that is not full goes out after this time, as the sidecar's does in this benchmark. */
const SEND_EVERY_MS = 1000

const agent = new Agent({ keepAlive: true })
let sequence = 0
let file = 0
let path = ''
let written: Buffer[] = []
let bytes = 0
let bodies: Buffer[] = []
let responses: ServerResponse[] = []
let isBusy = false

function open(): void {
  path = join(folder, String(++sequence))
  file = fs.openSync(
    path,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_DSYNC,
  )
  const directory = fs.openSync(folder, 'r')
  fs.fsyncSync(directory)
  fs.closeSync(directory)
}

function seal(): void {
  if (bytes === 0) return
  const sealed = path
  fs.closeSync(file)
  gzip(Buffer.concat(written), { level: zlib.Z_BEST_SPEED }, (error, zipped) => {
    if (error !== null) throw error
    const headers = {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'gzip',
      'content-length': zipped.length,
    }
    const post = request(collector, { method: 'POST', agent, headers }, (answer) => {
      answer.resume()
      answer.on('end', () => fs.unlinkSync(sealed))
    })
    post.end(zipped)
  })
  written = []
  bytes = 0
  open()
}

function commit(): void {
  const group = bodies
  const acknowledged = responses
  bodies = []
  responses = []
  fs.writev(file, group, (error) => {
    if (error !== null) throw error
    for (const response of acknowledged)
      response
        .writeHead(200, { 'content-type': 'application/x-protobuf', 'content-length': 0 })
        .end()
    for (const body of group) {
      written.push(body)
      bytes += body.length
    }
    if (bytes >= SEAL_BYTES) seal()
    isBusy = false
    if (bodies.length > 0) commitSoon()
  })
}

/** After all requests that arrive in this round of the event loop: they share the commit. */
function commitSoon(): void {
  if (isBusy) return
  isBusy = true
  setImmediate(commit)
}

open()
setInterval(() => {
  if (!isBusy) seal()
}, SEND_EVERY_MS)
const server = createServer((incoming, response) => {
  const chunks: Buffer[] = []
  incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
  incoming.on('end', () => {
    bodies.push(...chunks)
    responses.push(response)
    commitSoon()
  })
})
server.listen(0, '127.0.0.1', () =>
  process.stdout.write(`{"port":${(server.address() as AddressInfo).port}}\n`),
)
process.on('SIGTERM', () => process.exit())
