// A collector on a free port that keeps its requests, and a sender to it whose clock the test
// moves.
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { Destination } from '../../src/send/post.ts'
import { Sender, type SenderOptions, type SendQueue } from '../../src/send/send.ts'
import { Counters } from '../../src/support/counters.ts'
import type { LogFields, LogLevel } from '../../src/support/log.ts'
import { openTestQueue } from '../queue/queue-setup.ts'

export interface Got {
  method: string
  url: string
  /** Names and values in turns, as received. */
  rawHeaders: readonly string[]
  body: Buffer
}

export interface Collecting {
  port: number
  server: Server
  got: Got[]
  connections: () => number
}

/** Answers when the whole request is received. */
export async function startTestCollector(
  t: TestContext,
  answer: RequestListener,
  tls?: ServerOptions,
): Promise<Collecting> {
  const got: Got[] = []
  let connections = 0
  const listener: RequestListener = (request, response) => {
    const chunks: Buffer[] = []
    request.on('error', () => undefined)
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url = '', rawHeaders } = request
      got.push({ method, url, rawHeaders, body: Buffer.concat(chunks) })
      answer(request, response)
    })
  }
  const server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener)
  server.on(tls === undefined ? 'connection' : 'secureConnection', () => connections++)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.closeAllConnections()
    return new Promise((resolve) => server.close(resolve))
  })
  return {
    port: (server.address() as AddressInfo).port,
    server,
    got,
    connections: () => connections,
  }
}

/** Answers with these statuses in turn. The last one repeats. */
export function statuses(...list: (number | [number, Record<string, string>])[]): RequestListener {
  return (_request, response) => {
    const next = list.length > 1 ? list.shift()! : list[0]!
    const [status, headers] = typeof next === 'number' ? [next, {}] : next
    if (status === 0) response.destroy()
    else response.writeHead(status, headers).end()
  }
}

export const destinationOf = (
  endpoint: string,
  changes: Partial<Destination> = {},
): Destination => ({
  endpoint,
  headersFile: undefined,
  caFile: undefined,
  clientCertFile: undefined,
  clientKeyFile: undefined,
  proxy: undefined,
  ...changes,
})

/** What the sender uses of a queue, with some operations replaced. */
export const queueWith = (queue: SendQueue, changes: Partial<SendQueue>): SendQueue => ({
  halfFull: () => queue.halfFull(),
  next: (allowed) => queue.next(allowed),
  seal: () => queue.seal(),
  recordAttempt: (body) => queue.recordAttempt(body),
  recordOutcome: (body, outcome) => queue.recordOutcome(body, outcome),
  ...changes,
})

const TICK_MS = 250
export const START_MS = Date.UTC(2026, 9, 5, 13, 47, 11)

/** A sender whose clock stands still between the calls of `advance`. */
export function startTestSender(
  t: TestContext,
  queue: SendQueue,
  changes: Partial<SenderOptions> = {},
) {
  t.mock.timers.enable({ apis: ['setInterval'] })
  let now = START_MS
  let drains = 0
  let looked = false
  const counters = new Counters()
  const logged: LogFields[] = []
  const say =
    (level: LogLevel) =>
    (event: string, fields: LogFields = {}): void =>
      void logged.push({ level, event, ...fields })
  const sender = new Sender({
    queue: queueWith(queue, {
      next: (isAllowed) => {
        if (looked) drains++
        looked = false
        return queue.next(isAllowed)
      },
    }),
    destination: destinationOf('http://127.0.0.1:9'),
    intervalMs: 3_600_000,
    notBefore: 0,
    allowed: () => true,
    rejectedSpans: () => 0,
    counters,
    log: { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') },
    now: () => now,
    random: () => 0.5,
    ...changes,
  })
  sender.start()
  t.after(() => sender.stop())
  return {
    sender,
    counters,
    logged,
    now: () => now,
    /** How many drains have begun. */
    drains: () => drains,
    /** Moves the clock by `ms`, then lets the sender compare it. */
    advance: (ms: number) => {
      now += ms
      looked = true
      t.mock.timers.tick(TICK_MS)
    },
  }
}

/** A queue on disk, a sender whose first moment is now, and a collector with this answer. */
export async function startTestDelivery(
  t: TestContext,
  answer: RequestListener,
  changes: Partial<SenderOptions> = {},
) {
  const stored = await openTestQueue(t)
  const collecting = await startTestCollector(t, answer)
  const destination = destinationOf(`http://127.0.0.1:${collecting.port}`)
  return {
    ...stored,
    ...collecting,
    ...startTestSender(t, stored.queue, { destination, random: () => 0, ...changes }),
  }
}
