// A wire tap: a proxy between a client and a port that keeps the bytes of the client.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { atEnd } from './processes.ts'

export interface Tap {
  port: number
  received(): Buffer
}

export async function startTap(t: TestContext, port: number): Promise<Tap> {
  const chunks: Buffer[] = []
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(one)
      one.on('error', () => other.destroy())
      one.pipe(other)
    }
    near.on('data', (chunk: Buffer) => void chunks.push(chunk))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(t, async () => {
    server.close()
    for (const socket of sockets) socket.destroy()
    await once(server, 'close')
  })
  return { port: (server.address() as AddressInfo).port, received: () => Buffer.concat(chunks) }
}
