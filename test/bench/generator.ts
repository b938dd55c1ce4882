// The load, from a process of its own: raw sockets that write requests made beforehand and read as
// little of the answer as tells whether it is a 200, so that the sender costs a small part of what
// it measures. Closed loop, one request in flight on each connection, or a fixed rate. Prints what
// it did as one line of JSON.
import { connect, type Socket } from 'node:net'
import { bodies, quantile } from './load.ts'

export interface LoadOptions {
  port: number
  connections: number
  /** In each request. */
  spans: number
  seconds: number
  /** Ends the load before its time. */
  requests?: number
  /** Requests a second over all connections; as fast as answers come where it is not given. */
  rate?: number
  /** Another gives other spans. */
  seed?: number
}

export interface LoadResult {
  requests: number
  refused: number
  /** Connections that were cut off: the program was killed. */
  cut: number
  seconds: number
  /** Of a core that this sender used. */
  cpu: number
  /**
   * Milliseconds until the 200, from when the request was due where its connection was still busy
   * then.
   */
  p50: number
  p99: number
}

/** So many that none comes twice within the reach of gzip. */
const DISTINCT_SPANS = 12_800
const HEAD_END = Buffer.from('\r\n\r\n')
const OK = Buffer.from('HTTP/1.1 200')
const LENGTH = Buffer.from('ontent-')

function requestOf(body: Buffer): Buffer {
  const head = `POST /v1/traces HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-protobuf\r\ncontent-length: ${body.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), body])
}

/**
 * Whether an answer is whole, by its Content-Length; ours has none to read, the Collector's two
 * bytes.
 */
function isWhole(answer: Buffer): boolean {
  const end = answer.indexOf(HEAD_END)
  if (end < 0) return false
  const body = answer.length - end - HEAD_END.length
  for (let at = answer.indexOf(LENGTH); at >= 0 && at < end; at = answer.indexOf(LENGTH, at + 1)) {
    const [, length] =
      /^ontent-length: (\d+)\r/i.exec(
        answer.toString('latin1', at, Math.min(at + 40, answer.length)),
      ) ?? []
    if (length !== undefined) return body >= Number(length)
  }
  return true
}

async function load(options: LoadOptions): Promise<LoadResult> {
  const requests = bodies(DISTINCT_SPANS / options.spans, options.spans, options.seed).map(
    requestOf,
  )
  const result = { requests: 0, refused: 0, cut: 0 }
  const waits: number[] = []
  let next = 0
  const began = performance.now()
  const cpuBefore = process.cpuUsage()
  const until = began + options.seconds * 1000
  const last = options.requests ?? Number.POSITIVE_INFINITY

  await Promise.all(
    Array.from({ length: options.connections }, async () => {
      const socket: Socket = connect(options.port, '127.0.0.1')
      socket.setNoDelay(true)
      let from = 0
      let answer: Buffer = Buffer.alloc(0)
      const write = (): void => {
        const now = performance.now()
        if (now >= until || next >= last) {
          socket.end()
          return
        }
        const due = options.rate === undefined ? now : began + (next / options.rate) * 1000
        const request = requests[next++ % requests.length]!
        const send = (): void => {
          // A timer that fires late is the sender's fault, a connection that is still busy the
          // other side's.
          from = due < now ? due : performance.now()
          socket.write(request)
        }
        if (due - now > 1) setTimeout(send, due - now)
        else send()
      }
      const closed = new Promise<void>((resolve) => {
        socket.on('close', () => resolve())
        socket.on('error', () => void result.cut++)
      })
      socket.on('connect', write)
      socket.on('data', (chunk: Buffer) => {
        answer = answer.length === 0 ? chunk : Buffer.concat([answer, chunk])
        if (!isWhole(answer)) return
        if (answer.subarray(0, OK.length).equals(OK)) {
          result.requests++
          waits.push(performance.now() - from)
        } else result.refused++
        answer = Buffer.alloc(0)
        write()
      })
      await closed
    }),
  )
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpuBefore)
  return {
    ...result,
    seconds,
    cpu: (user + system) / 1e6 / seconds,
    p50: quantile(waits, 0.5),
    p99: quantile(waits, 0.99),
  }
}

if (import.meta.main)
  process.stdout.write(
    `${JSON.stringify(await load(JSON.parse(process.argv[2]!) as LoadOptions))}\n`,
  )
