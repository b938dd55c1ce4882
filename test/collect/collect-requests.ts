// Builds OTLP requests byte by byte for the tests of the collector, valid and invalid ones.
import { randomBytes } from 'node:crypto'
import { lenField, varintField } from '../../src/otlp/wire.ts'

export type Value = string | number | boolean | string[]
export interface TestSpan {
  name?: string
  traceId?: string
  spanId?: string
  parentId?: string
  /** Milliseconds since 1970. */
  at?: number
  status?: number
  attributes?: Record<string, Value> | [string, Value][]
}

export const hexId = (bytes: number): string => randomBytes(bytes).toString('hex')

function anyValue(value: Value): Buffer {
  if (typeof value === 'string') return lenField(1, Buffer.from(value))
  if (typeof value === 'boolean') return varintField(2, value ? 1 : 0)
  if (typeof value === 'number') return varintField(3, value)
  return lenField(5, Buffer.concat(value.map((item) => lenField(1, anyValue(item)))))
}

function keyValues(field: number, attributes: Record<string, Value> | [string, Value][]): Buffer {
  const pairs = Array.isArray(attributes) ? attributes : Object.entries(attributes)
  return Buffer.concat(
    pairs.map(([key, value]) =>
      lenField(field, Buffer.concat([lenField(1, Buffer.from(key)), lenField(2, anyValue(value))])),
    ),
  )
}

function fixed64(field: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(9)
  bytes[0] = (field << 3) | 1
  bytes.writeBigUInt64LE(value, 1)
  return bytes
}

function spanMessage(span: TestSpan): Buffer {
  const time = BigInt(span.at ?? Date.UTC(2026, 10, 20)) * 1_000_000n
  return Buffer.concat([
    lenField(1, Buffer.from(span.traceId ?? hexId(16), 'hex')),
    lenField(2, Buffer.from(span.spanId ?? hexId(8), 'hex')),
    span.parentId === undefined ? Buffer.alloc(0) : lenField(4, Buffer.from(span.parentId, 'hex')),
    lenField(5, Buffer.from(span.name ?? 'execution')),
    fixed64(7, time),
    fixed64(8, time),
    keyValues(9, span.attributes ?? {}),
    span.status === undefined ? Buffer.alloc(0) : lenField(15, varintField(3, span.status)),
  ])
}

/** One ResourceSpans; a request is any number of them one after the other. */
export function resourceSpans(resource: Record<string, Value>, spans: TestSpan[]): Buffer {
  const scopeSpans = lenField(2, Buffer.concat(spans.map((span) => lenField(2, spanMessage(span)))))
  return lenField(1, Buffer.concat([lenField(1, keyValues(1, resource)), scopeSpans]))
}

/** What a sidecar sends for one accepted request. */
export function batch(spans: TestSpan[], more: Record<string, Value> = {}): Buffer {
  const usage = {
    'usage.project': 'example.org/demo',
    'usage.policy.version': 3,
    'usage.policy.digest': 'custom',
  }
  return resourceSpans({ ...usage, 'usage.batch.id': hexId(16), ...more }, spans)
}

/** Spans whose ids are fixed, so that a second body can hold the same ones. */
export const spansWithIds = (count: number, span: TestSpan = {}): TestSpan[] =>
  Array.from({ length: count }, () => ({ ...span, traceId: hexId(16), spanId: hexId(8) }))
