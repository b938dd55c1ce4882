// A usage collector for tests: records what it gets and answers as it is told; and what left, as
// plain spans.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { type Attribute, type DecodedSpan, decodeRequest } from '../../src/otlp/decode.ts'
import { atEnd, filesIn } from './sidecar.ts'

/** One span as it left, with the Resource it came under. */
export interface Left {
  batchId: string
  resource: Record<string, unknown>
  attributes: Record<string, unknown>
  span: DecodedSpan
}

const plain = (attributes: readonly Attribute[]): Record<string, unknown> =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      value.kind === 'int' ? Number(value.value) : value.value,
    ]),
  )

/** The spans of a request or of a file of the queue, packed or not. */
export function spansIn(bytes: Buffer): Left[] {
  const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b
  return decodeRequest(isGzip ? gunzipSync(bytes) : bytes).resourceSpans.flatMap(
    ({ attributes, scopeSpans }) => {
      const resource = plain(attributes)
      const batchId = String(resource['usage.batch.id'])
      const spans = scopeSpans.flatMap((scope) => scope.spans)
      return spans.map((one) => ({
        batchId,
        resource,
        attributes: plain(one.attributes),
        span: one,
      }))
    },
  )
}

/** The spans that wait in a data folder. */
export async function spansWaiting(dataFolder: string): Promise<Left[]> {
  const files = await filesIn(dataFolder)
  return [...files]
    .filter(([name]) => /^(queue|sending)\/\d+\.otlp(\.gz)?$/.test(name))
    .flatMap(([, bytes]) => spansIn(bytes))
}

/** `close` ends the connection without an answer. */
export type Verdict = number | 'close'

export interface Collected {
  url: string
  rawHeaders: readonly string[]
  /** As it came. */
  body: Buffer
  /** `undefined` until it is answered. */
  verdict: Verdict | undefined
}

export interface Collector {
  endpoint: string
  port: number
  /** Those that came whole, in their order. */
  requests: Collected[]
  connections: number
  /** What the next request is answered; may be changed at any time. */
  answer: () => Verdict | Promise<Verdict>
  /** What it accepted with 200. */
  spans(): Left[]
}

export async function startCollector(
  t: TestContext,
  answer: Collector['answer'] = () => 200,
  host = '127.0.0.1',
): Promise<Collector> {
  const finish = async (
    incoming: IncomingMessage,
    response: ServerResponse,
    body: Buffer,
  ): Promise<void> => {
    const { url = '', rawHeaders } = incoming
    const request: Collected = { url, rawHeaders, body, verdict: undefined }
    collector.requests.push(request)
    request.verdict = await collector.answer()
    if (request.verdict === 'close') incoming.socket.destroy()
    else response.writeHead(request.verdict, { 'content-type': 'application/x-protobuf' }).end()
  }
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = []
    incoming.on('error', () => undefined)
    incoming.on('data', (chunk: Buffer) => void chunks.push(chunk))
    incoming.on('end', () => void finish(incoming, response, Buffer.concat(chunks)))
  })
  const collector: Collector = {
    endpoint: '',
    port: 0,
    requests: [],
    connections: 0,
    answer,
    spans: () =>
      collector.requests
        .filter(({ verdict }) => verdict === 200)
        .flatMap(({ body }) => spansIn(body)),
  }
  server.on('connection', () => void collector.connections++)
  server.listen(0, host)
  await once(server, 'listening')
  atEnd(t, async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  collector.port = (server.address() as AddressInfo).port
  collector.endpoint = `http://${host}:${collector.port}`
  return collector
}
