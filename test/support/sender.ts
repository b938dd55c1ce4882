// A collector of the test's own on a free port, that keeps what it got; and a sender before it
// whose clock the test moves.
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import type { Destination } from '../../src/send/post.ts'
import { Sender, type SenderOptions, type SendQueue } from '../../src/send/send.ts'
import { Counters } from '../../src/support/counters.ts'
import type { LogFields, LogLevel } from '../../src/support/log.ts'
import { openHere } from '../queue/queue-setup.ts'

export interface Got {
  method: string
  url: string
  /** Name, value, name, value … as they came. */
  rawHeaders: readonly string[]
  body: Buffer
}

export interface Collecting {
  port: number
  server: Server
  got: Got[]
  connections: () => number
}

/** Answers when the body of a request is there. */
export async function collectHere(
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

/** Answers with these statuses, one after the other; the last one again and again. */
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

/** A sender whose clock stands still between the calls of `pass`. */
export function senderHere(t: TestContext, queue: SendQueue, changes: Partial<SenderOptions> = {}) {
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
    /** The time goes on by `ms` at once, then the sender looks at its clock. */
    pass: (ms: number) => {
      now += ms
      looked = true
      t.mock.timers.tick(TICK_MS)
    },
  }
}

/** A queue on disk, with a sender whose first moment is now, before a collector that answers so. */
export async function roadHere(
  t: TestContext,
  answer: RequestListener,
  changes: Partial<SenderOptions> = {},
) {
  const stored = await openHere(t)
  const collecting = await collectHere(t, answer)
  const destination = destinationOf(`http://127.0.0.1:${collecting.port}`)
  return {
    ...stored,
    ...collecting,
    ...senderHere(t, stored.queue, { destination, random: () => 0, ...changes }),
  }
}
