// The load, from a process of its own: raw sockets that write requests made beforehand and read as little of the answer
// as tells whether it is a 200, so that the sender costs a small part of what it measures. Closed loop, one request in
// flight on each connection, or a fixed rate. Prints what it did as one line of JSON.
import { connect, type Socket } from 'node:net'
import { bodies } from './load.ts'

export interface LoadOptions {
  port: number
  connections: number
  /** In each request. */
  spans: number
  seconds: number
  /** Requests a second over all connections; as fast as answers come where it is not given. */
  rate?: number
}

export interface LoadResult {
  requests: number
  refused: number
  seconds: number
  /** Of a core that this sender used. */
  cpu: number
}

/** So many that none comes twice within the reach of gzip. */
const DISTINCT_SPANS = 12_800
const HEAD_END = Buffer.from('\r\n\r\n')
const OK = Buffer.from('HTTP/1.1 200')

function requestOf(body: Buffer): Buffer {
  const head = `POST /v1/traces HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-protobuf\r\ncontent-length: ${body.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), body])
}

async function load(options: LoadOptions): Promise<LoadResult> {
  const requests = bodies(DISTINCT_SPANS / options.spans, options.spans).map(requestOf)
  const result = { requests: 0, refused: 0 }
  let next = 0
  const began = performance.now()
  const cpuBefore = process.cpuUsage()
  const until = began + options.seconds * 1000

  const write = (socket: Socket): void => {
    if (performance.now() >= until) {
      socket.end()
      return
    }
    const wait = options.rate === undefined ? 0 : began + (next / options.rate) * 1000 - performance.now()
    const request = requests[next++ % requests.length]!
    if (wait > 1) setTimeout(() => socket.write(request), wait)
    else socket.write(request)
  }

  await Promise.all(
    Array.from({ length: options.connections }, async () => {
      const socket = connect(options.port, '127.0.0.1')
      socket.setNoDelay(true)
      const closed = new Promise((resolve, reject) => socket.on('close', resolve).on('error', reject))
      socket.on('connect', () => write(socket))
      socket.on('data', (answer: Buffer) => {
        // The answers are shorter than a segment and arrive whole; the empty body of a 200 ends with its head.
        if (answer.subarray(0, OK.length).equals(OK) && answer.subarray(-HEAD_END.length).equals(HEAD_END)) result.requests++
        else result.refused++
        write(socket)
      })
      await closed
    }),
  )
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpuBefore)
  return { ...result, seconds, cpu: (user + system) / 1e6 / seconds }
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(await load(JSON.parse(process.argv[2]!) as LoadOptions))}\n`)
