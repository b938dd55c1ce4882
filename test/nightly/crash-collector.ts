// A faulty usage collector. It accepts a body, accepts it and loses the answer, refuses it, asks
// for a retry, breaks the connection, hangs, or is unreachable. It counts accepted spans like a
// real collector.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { spansIn } from '../support/collector.ts'
import { numberOf } from './crash-clients.ts'

/** What can happen to a body, in percent. */
const VERDICTS = [
  ['taken', 42],
  ['taken, answer lost', 10],
  ['429', 6],
  ['502', 6],
  ['503', 8],
  ['400', 4],
  ['broken off', 12],
  ['hangs', 6],
  ['takes a while', 6],
] as const
export type Verdict = (typeof VERDICTS)[number][0]

const AWAY_MS = 400

export interface Taken {
  batchId: string
  spanId: string
  /** The number that the client gave the span. */
  number: number
  /** Of the body that held it. */
  sha256: string
}

export interface CrashCollector {
  port: number
  taken: Taken[]
  /** The numbers of spans that it refused with 400. They are lost on purpose. */
  refused: Set<number>
  met: Map<Verdict, number>
  /** From now on it is reachable and accepts everything. */
  behave(): Promise<void>
  close(): Promise<void>
}

export async function startCrashCollector(random: () => number): Promise<CrashCollector> {
  const taken: Taken[] = []
  const refused = new Set<number>()
  const met = new Map<Verdict, number>()
  let behaving = false
  let server: Server
  let port = 0
  let timer: NodeJS.Timeout | undefined

  const choose = (): Verdict => {
    if (behaving) return 'taken'
    let rest = random() * 100
    for (const [verdict, share] of VERDICTS) {
      rest -= share
      if (rest < 0) return verdict
    }
    return 'taken'
  }

  const remember = (body: Buffer, into: 'taken' | 'refused'): void => {
    const sha256 = createHash('sha256').update(body).digest('hex')
    for (const { batchId, span, attributes } of spansIn(body)) {
      const number = numberOf(attributes)
      if (into === 'taken') taken.push({ batchId, spanId: span.spanId, number, sha256 })
      else refused.add(number)
    }
  }

  const answer = (verdict: Verdict, body: Buffer, response: ServerResponse): void => {
    const end = (status: number): void =>
      void response
        .writeHead(status, { 'content-type': 'application/x-protobuf', 'retry-after': '0' })
        .end()
    if (verdict === 'taken') {
      remember(body, 'taken')
      end(200)
    } else if (verdict === 'takes a while') {
      remember(body, 'taken')
      setTimeout(() => end(200), random() * 300)
    } else if (verdict === 'taken, answer lost') {
      remember(body, 'taken')
      response.socket?.destroy()
    } else if (verdict === '400') {
      remember(body, 'refused')
      end(400)
    } else if (verdict !== 'hangs') end(Number(verdict))
  }

  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    const verdict = choose()
    met.set(verdict, (met.get(verdict) ?? 0) + 1)
    const chunks: Buffer[] = []
    request.on('error', () => undefined)
    if (verdict === 'broken off') {
      request.once('data', () => request.socket.destroy())
      return
    }
    request.on('data', (chunk: Buffer) => void chunks.push(chunk))
    // A body that its killed sender did not finish does not count.
    request.on('end', () => {
      if (request.complete) answer(verdict, Buffer.concat(chunks), response)
    })
  }

  const open = async (): Promise<void> => {
    server = createServer(handle)
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  }
  const shut = async (): Promise<void> => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  /** Unreachable for a moment, now and then. */
  const goAway = async (): Promise<void> => {
    await shut()
    await new Promise((resolve) => {
      timer = setTimeout(resolve, random() * AWAY_MS)
    })
    await open()
    stay()
  }
  const stay = (): void => {
    if (behaving) return
    timer = setTimeout(
      () => {
        leaving = goAway()
      },
      1_000 + random() * 4_000,
    )
  }
  let leaving: Promise<void> = Promise.resolve()

  await open()
  stay()
  return {
    port,
    taken,
    refused,
    met,
    behave: async () => {
      behaving = true
      clearTimeout(timer)
      // An unreachable collector returns by its timer, which may just have been cleared.
      await Promise.race([leaving, new Promise((resolve) => setTimeout(resolve, 2 * AWAY_MS))])
      if (!server.listening) await open()
      server.closeAllConnections()
    },
    close: shut,
  }
}
