// The attacker's side: requests on many connections, slow bodies, and a collector with a chosen
// behaviour. It counts the status of each answer. A connection that breaks without an answer counts
// as status 0.
import { createServer, request, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { TestContext } from 'node:test'
import { close, listen } from '../../src/net/listen.ts'
import { atEnd } from './processes.ts'

export interface Shot {
  body: Uint8Array
  type: 'application/x-protobuf' | 'application/json'
  gzip?: boolean
}

/** Number of answers by status. */
export type Statuses = Map<number, number>

/** Sends one request on its own connection. */
export function shoot(port: number, { body, type, gzip = false }: Shot): Promise<number> {
  return new Promise((resolve) => {
    const headers = {
      'content-type': type,
      'content-length': body.length,
      ...(gzip ? { 'content-encoding': 'gzip' } : {}),
    }
    const sent = request(
      { host: '127.0.0.1', port, method: 'POST', path: '/v1/traces', headers, agent: false },
      (response) => {
        const status = response.statusCode ?? 0
        // A 503 must carry Retry-After.
        const honest = status !== 503 || response.headers['retry-after'] !== undefined
        response.resume().on('end', () => resolve(honest ? status : 0))
        response.on('error', () => resolve(0))
      },
    )
    sent.on('error', () => resolve(0))
    sent.end(body)
  })
}

/** Sends `rounds` requests in turn on each of `connections` connections. */
export async function flood(
  port: number,
  connections: number,
  rounds: number,
  shot: (at: number) => Shot,
): Promise<Statuses> {
  const statuses: Statuses = new Map()
  const client = async (at: number): Promise<void> => {
    for (let round = 0; round < rounds; round++) {
      const status = await shoot(port, shot(at * rounds + round))
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  }
  await Promise.all(Array.from({ length: connections }, (_, at) => client(at)))
  return statuses
}

/**
 * Announces `announced` bytes on each of `connections`. Then sends them one by one until
 * `whileOpen` is settled.
 */
export async function trickle(
  port: number,
  connections: number,
  announced: number,
  whileOpen: () => Promise<void>,
): Promise<void> {
  const head = `POST /v1/traces HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/x-protobuf\r\ncontent-length: ${announced}\r\n\r\n`
  const sockets = Array.from({ length: connections }, () =>
    connect(port, '127.0.0.1').on('error', () => undefined),
  )
  for (const socket of sockets) {
    socket.setNoDelay(true)
    socket.resume().write(head)
  }
  const timer = setInterval(() => {
    for (const socket of sockets)
      if (socket.writable && socket.writableLength < 64) socket.write('\n')
  }, 5)
  try {
    await whileOpen()
  } finally {
    clearInterval(timer)
    for (const socket of sockets) socket.destroy()
  }
}

export type Mood = 'takes' | 'away' | 'endless'

export interface Moody {
  url: string
  mood: Mood
  bodies: number
}

/** A collector that accepts bodies, breaks every connection, or sends endless answers. */
export async function startMoodyCollector(t: TestContext): Promise<Moody> {
  const moody: Moody = { url: '', mood: 'takes', bodies: 0 }
  const block = Buffer.alloc(64 * 1024, 'x')
  const pour = (response: ServerResponse): void => {
    while (!response.destroyed && response.write(block));
    if (!response.destroyed) response.once('drain', () => pour(response))
  }
  const server = createServer((incoming, response) => {
    if (moody.mood === 'away') {
      incoming.socket.destroy()
      return
    }
    response.on('error', () => undefined)
    incoming.resume().on('end', () => {
      moody.bodies++
      if (moody.mood === 'endless')
        pour(response.writeHead(200, { 'content-type': 'application/x-protobuf' }))
      else response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
    })
  })
  const at = await listen(server, { host: '127.0.0.1', port: 0 })
  moody.url = `http://127.0.0.1:${at.port}`
  atEnd(t, async () => {
    server.closeAllConnections()
    await close(server)
  })
  return moody
}
