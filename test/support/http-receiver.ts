// An HTTP receiver on a free port with a `handle` of the test, and a client that sends raw bytes.
import { type Agent, request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { Budget } from '../../src/accept/budget.ts'
import { HttpReceiver, type ReceiverOptions } from '../../src/accept/http-receiver.ts'
import type { Encoding } from '../../src/otlp/answer.ts'
import { Cursor } from '../../src/otlp/wire.ts'
import { Counters } from '../../src/support/counters.ts'
import { createLog } from '../../src/support/log.ts'
import { until } from './wait.ts'

export const KIB = 1024
export const TYPES: Record<Encoding, string> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
}

export interface Sent {
  method?: string
  path?: string
  headers?: Record<string, string>
  /** A list is sent chunked. */
  body?: Uint8Array | string | readonly Uint8Array[]
  agent?: Agent
}

export interface Reply {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/** When the test ends the receiver is closed, and the budget must have everything back. */
export async function openReceiver(t: TestContext, changes: Partial<ReceiverOptions> = {}) {
  const bodies: Buffer[] = []
  const logged: string[] = []
  const counters = new Counters()
  const budget = changes.budget ?? new Budget(1024 * KIB)
  const accept = new HttpReceiver({
    listen: { host: '127.0.0.1', port: 0 },
    maxBody: 256 * KIB,
    maxJsonBody: 128 * KIB,
    handle: async (body) => {
      bodies.push(Buffer.from(body))
      return { rejected: 0, message: '' }
    },
    counters,
    log: createLog('debug', (line) => logged.push(line)),
    ...changes,
    budget,
  })
  const { port } = await accept.start()
  const sockets: Socket[] = []
  t.after(async () => {
    for (const socket of sockets) socket.destroy()
    await accept.stop()
    await until(() => budget.used === 0)
  })
  const open = async (): Promise<Line> => {
    const line = await openLine(port)
    sockets.push(line.socket)
    return line
  }
  return {
    accept,
    port,
    budget,
    counters,
    logged,
    bodies,
    send: (sent: Sent) => send(port, sent),
    open,
  }
}

function send(
  port: number,
  { method = 'POST', path = '/v1/traces', headers = {}, body = '', agent }: Sent,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const chunks = body instanceof Uint8Array || typeof body === 'string' ? undefined : body
    const framing =
      chunks === undefined
        ? { 'content-length': Buffer.byteLength(body as Uint8Array | string) }
        : {}
    const request = httpRequest({
      port,
      host: '127.0.0.1',
      method,
      path,
      agent: agent ?? false,
      headers: { ...framing, ...headers },
    })
    request.on('error', reject)
    request.on('response', (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part))
      response.on('error', reject)
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(parts),
        }),
      )
    })
    for (const chunk of chunks ?? []) request.write(chunk)
    request.end(chunks === undefined ? body : undefined)
  })
}

/** A bare connection, and all that came back on it. */
export interface Line {
  socket: Socket
  answer: () => string
  ended: Promise<void>
}

async function openLine(port: number): Promise<Line> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', (part) => {
    text += part.toString('latin1')
  })
  socket.on('error', () => undefined)
  const ended = new Promise<void>((resolve) => socket.on('close', () => resolve()))
  await new Promise((resolve) => socket.once('connect', resolve))
  return { socket, answer: () => text, ended }
}

/** google.rpc.Status: code = 1, message = 2 (google/rpc/status.proto). */
export function readStatus(encoding: Encoding, body: Buffer): { code: number; message: string } {
  if (encoding === 'json')
    return JSON.parse(body.toString('utf8')) as { code: number; message: string }
  const cursor = new Cursor(body)
  const status = { code: 0, message: '' }
  while (cursor.pos < cursor.end) {
    const field = cursor.tag() >>> 3
    const value = cursor.length()
    if (field === 1) {
      status.code = value
      continue
    }
    if (field === 2) status.message = body.toString('utf8', cursor.pos, cursor.pos + value)
    cursor.pos += value
  }
  return status
}
