// A gRPC receiver on a free port with a `handle` of the test, and calls over node:http2.
import { type ClientHttp2Session, connect } from 'node:http2'
import type { TestContext } from 'node:test'
import { Budget } from '../../src/accept/budget.ts'
import { GrpcReceiver } from '../../src/accept/grpc-receiver.ts'
import type { ExportResult } from '../../src/otlp/answer.ts'
import { Counters } from '../../src/support/counters.ts'
import { createLog } from '../../src/support/log.ts'
import { EXPORT } from './raw-http2.ts'
import { atEnd } from './sidecar.ts'
import { request, span } from './spans.ts'

export const METRICS = '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export'
export const LOGS = '/opentelemetry.proto.collector.logs.v1.LogsService/Export'
export const MAX_BODY = 100_000
export const BODY = request(span())

export interface TestReceiver {
  port: number
  url: string
  got: Buffer[]
  counters: Counters
  budget: Budget
  lines: string[]
  stop(): Promise<void>
}

export async function openReceiver(
  t: TestContext,
  handle: (body: Buffer) => Promise<ExportResult> | ExportResult = () => ({
    rejected: 0,
    message: '',
  }),
  maxBody = MAX_BODY,
): Promise<TestReceiver> {
  const got: Buffer[] = []
  const lines: string[] = []
  const counters = new Counters()
  const budget = new Budget(20 * maxBody)
  const receiver = new GrpcReceiver({
    listen: { host: '127.0.0.1', port: 0 },
    maxBody,
    budget,
    handle: async (body) => {
      got.push(Buffer.from(body))
      return await handle(Buffer.from(body))
    },
    counters,
    log: createLog('debug', (line) => lines.push(line)),
  })
  const { port } = await receiver.start()
  atEnd(t, () => receiver.stop())
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    got,
    counters,
    budget,
    lines,
    stop: () => receiver.stop(),
  }
}

export interface Answer {
  status: number
  grpc: string | undefined
  message: string
  /** A google.rpc.Status; empty where there is none. */
  details: Buffer
  body: Buffer
  headers: Record<string, unknown>
}

export function connected(t: TestContext, url: string): ClientHttp2Session {
  const session = connect(url)
  session.on('error', () => undefined)
  atEnd(t, async () => session.destroy())
  return session
}

export function call(
  session: ClientHttp2Session,
  body: Uint8Array,
  { path = EXPORT, ...more }: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
      ...more,
    })
    const chunks: Buffer[] = []
    let headers: Record<string, unknown> = {}
    stream.on('response', (head) => (headers = { ...headers, ...head }))
    stream.on('trailers', (trailers) => (headers = { ...headers, ...trailers }))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('error', reject)
    stream.on('close', () =>
      resolve({
        status: Number(headers[':status']),
        grpc: headers['grpc-status'] as string | undefined,
        message: decodeURIComponent((headers['grpc-message'] as string | undefined) ?? ''),
        details: Buffer.from(
          (headers['grpc-status-details-bin'] as string | undefined) ?? '',
          'base64',
        ),
        body: Buffer.concat(chunks),
        headers,
      }),
    )
    stream.end(body)
  })
}
