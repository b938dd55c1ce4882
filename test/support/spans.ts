// Hand-made OTLP for tests: small encoders that let a test say every byte, and the sample policy.
import { readFileSync } from 'node:fs'
import { lenField, varintField } from '../../src/otlp/wire.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import type { Policy } from '../../src/policy/policy.ts'

export const DEFAULT_POLICY_FILE = new URL('../../deploy/policies/default.yaml', import.meta.url)
  .pathname
export const defaultPolicy = (): Policy => parsePolicy(readFileSync(DEFAULT_POLICY_FILE, 'utf8'))
/** 00 01 … 1f, the secret of the published vectors. */
export const SECRET = Buffer.from(Array.from({ length: 32 }, (_, i) => i))

/** A policy with these spans and resource lines, for tests of one rule. */
export function policyText(spans: string, resource = ''): string {
  const head =
    'apiVersion: usage-sidecar.dev/v1\nproject: example.org/demo\nversion: 1\npurpose: A test.\ncontact: a@example.org\nretention: 1d\nexpires: 2999-12-31\n'
  return `${head}${resource === '' ? '' : `resource:\n${indent(resource)}`}spans:\n${indent(spans)}`
}

const indent = (text: string): string =>
  text
    .split('\n')
    .map((line) => `  ${line}\n`)
    .join('')

export const text = (value: string): Buffer => lenField(1, Buffer.from(value, 'utf8'))
export const bool = (value: boolean): Buffer => varintField(2, value ? 1 : 0)
export const int = (value: number | bigint): Buffer => varintField(3, value)
export function double(value: number): Buffer {
  const bytes = Buffer.alloc(9)
  bytes[0] = 0x21
  bytes.writeDoubleLE(value, 1)
  return bytes
}
export const keyValue = (key: string, anyValue: Uint8Array): Buffer =>
  Buffer.concat([lenField(1, Buffer.from(key)), lenField(2, anyValue)])
export const attribute = (key: string, anyValue: Uint8Array): Buffer =>
  lenField(9, keyValue(key, anyValue))

export function fixed64(field: number, value: bigint): Buffer {
  const bytes = Buffer.alloc(9)
  bytes[0] = (field << 3) | 1
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value), 1)
  return bytes
}

export const START = BigInt(Date.UTC(2026, 9, 5, 13, 47, 11)) * 1_000_000n

export interface SpanParts {
  traceId?: Uint8Array
  spanId?: Uint8Array
  parentId?: Uint8Array
  name?: string
  start?: bigint
  end?: bigint
  more?: readonly Uint8Array[]
}

/** A Span with sound ids; `more` are whole fields behind the rest. */
export function span({
  traceId = Buffer.alloc(16, 7),
  spanId = Buffer.alloc(8, 9),
  parentId,
  name = 'execution',
  start = START,
  end = START,
  more = [],
}: SpanParts = {}): Buffer {
  return Buffer.concat([
    lenField(1, traceId),
    lenField(2, spanId),
    ...(parentId === undefined ? [] : [lenField(4, parentId)]),
    lenField(5, Buffer.from(name)),
    fixed64(7, start),
    fixed64(8, end),
    ...more,
  ])
}

/** An ExportTraceServiceRequest with one ResourceSpans and one ScopeSpans. */
export const request = (...spans: readonly Uint8Array[]): Buffer =>
  lenField(1, lenField(2, Buffer.concat(spans.map((one) => lenField(2, one)))))
