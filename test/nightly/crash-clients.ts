// Applications that lose no span themselves: the official exporters, which retry as their SDK does,
// and a raw client that repeats the same bytes until it gets 200. Each records which spans were
// acknowledged, and how often each was sent.
import { type Tracer, trace } from '@opentelemetry/api'
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { post } from '../support/sidecar.ts'
import { attribute, int, policyText, request, span } from '../support/spans.ts'

const DIGITS = 4
const BASE = 100

/** A policy that keeps the number of a span digit by digit, because `keep` needs a list. */
export const POLICY = policyText(
  `execution:\n  attributes:\n${Array.from(
    { length: DIGITS },
    (_, place) =>
      `    d${place}: {keep: [${Array.from({ length: BASE }, (__, digit) => digit).join(', ')}], reason: A test.}\n`,
  ).join('')}`,
)
const digitsOf = (number: number): [key: string, digit: number][] =>
  Array.from({ length: DIGITS }, (_, place) => [
    `d${place}`,
    Math.floor(number / BASE ** place) % BASE,
  ])
export const numberOf = (attributes: Readonly<Record<string, unknown>>): number =>
  digitsOf(0).reduce((sum, [key], place) => sum + Number(attributes[key]) * BASE ** place, 0)

export interface Ledger {
  /** The numbers of acknowledged spans, and their clients. */
  acknowledged: Map<number, string>
  /** How often each span was sent. */
  sent: Map<number, number>
  next: () => number
  stopped: () => boolean
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const count = ({ sent }: Ledger, numbers: readonly number[]): void => {
  for (const number of numbers) sent.set(number, (sent.get(number) ?? 0) + 1)
}

/** Sends several spans in a request, until it is acknowledged or finally refused. */
export async function rawClient(port: number, ledger: Ledger, random: () => number): Promise<void> {
  while (!ledger.stopped()) {
    const numbers = Array.from({ length: 1 + Math.floor(random() * 20) }, ledger.next)
    const body = request(
      ...numbers.map((number) =>
        span({
          spanId: idOf(number),
          more: digitsOf(number).map(([key, digit]) => attribute(key, int(digit))),
        }),
      ),
    )
    for (;;) {
      count(ledger, numbers)
      const status = await post(port, body).then(
        (answer) => answer.status,
        () => 0,
      )
      if (status === 200) for (const number of numbers) ledger.acknowledged.set(number, 'raw')
      if ((status !== 0 && status !== 503) || ledger.stopped()) break
      await pause(20 + random() * 50)
    }
    await pause(random() * 10)
  }
}

function idOf(number: number): Buffer {
  const id = Buffer.alloc(8)
  id.writeBigUInt64BE(BigInt(number + 1))
  return id
}

type Span = Parameters<JsonExporter['export']>[0][number]

/** Collects spans of the real SDK in place of a batch processor, so that each export is seen. */
export function startSdk(): { tracer: Tracer; take(): Span[]; stop(): Promise<void> } {
  let ended: Span[] = []
  const sdk = new NodeSDK({
    autoDetectResources: false,
    metricReaders: [],
    logRecordProcessors: [],
    textMapPropagator: null,
    spanProcessors: [
      {
        onStart: () => undefined,
        onEnd: (one) => void ended.push(one),
        forceFlush: () => Promise.resolve(),
        shutdown: () => Promise.resolve(),
      },
    ],
  })
  sdk.start()
  return {
    tracer: trace.getTracer('crash'),
    take: () => {
      const taken = ended
      ended = []
      return taken
    },
    stop: () => sdk.shutdown(),
  }
}

export async function officialClient(
  encoding: 'json' | 'protobuf',
  port: number,
  ledger: Ledger,
  random: () => number,
  sdk: ReturnType<typeof startSdk>,
): Promise<void> {
  let numbers: number[] = []
  const exporter = new (encoding === 'json' ? JsonExporter : ProtobufExporter)({
    url: `http://127.0.0.1:${port}/v1/traces`,
    timeoutMillis: 8_000,
    // Called for every attempt.
    headers: async () => {
      count(ledger, numbers)
      return {}
    },
  })
  while (!ledger.stopped()) {
    numbers = Array.from({ length: 1 + Math.floor(random() * 5) }, ledger.next)
    // Nothing is awaited between the start of the spans and the take, so no others are among them.
    for (const number of numbers)
      sdk.tracer.startSpan('execution', { attributes: Object.fromEntries(digitsOf(number)) }).end()
    const spans = sdk.take()
    const code = await new Promise<number>((resolve) =>
      exporter.export(spans, (result) => resolve(result.code)),
    )
    if (code === 0) for (const number of numbers) ledger.acknowledged.set(number, encoding)
    await pause(random() * 20)
  }
  await exporter.shutdown()
}
