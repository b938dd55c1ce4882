// The load of the benchmarks: execution and stage spans of some 450 bytes with ten attributes, as
// the demo's application sends them, with fresh ids and changing values. Deterministic, so that
// every side of a comparison gets the same bytes.

import { lenField } from '../../src/otlp/wire.ts'
import { attribute, int, request, span, text } from '../support/spans.ts'

export const STATUSES = ['SUCCEEDED', 'TERMINAL', 'CANCELED', 'SUCCEEDED']
const TYPES = ['bake', 'deploy', 'wait', 'manualJudgment', 'runJob', 'webhook']
const PROVIDERS = ['aws', 'gce', 'kubernetes', 'azure']

export function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state
  }
}

/** Bodies of `spans` spans each; every fourth span is an execution, the rest are its stages. */
export function bodies(count: number, spans: number, seed = 1): Buffer[] {
  const next = numbers(seed)
  const id = (bytes: number): Buffer => {
    const out = Buffer.alloc(bytes)
    for (let i = 0; i < bytes; i += 4) out.writeUInt32LE(next() || 1, i)
    return out
  }
  const start = BigInt(Date.now() - 60_000) * 1_000_000n
  return Array.from({ length: count }, () => {
    let traceId = id(16)
    let parentId = id(8)
    const list = Array.from({ length: spans }, (_, i) => {
      if (i % 4 === 0) {
        traceId = id(16)
        parentId = id(8)
      }
      const common = [
        attribute(
          'http.url',
          text(
            `https://ci.acme.example/job/${next() % 100_000}/run?token=${id(8).toString('hex')}`,
          ),
        ),
        attribute('user.email', text(`person-${next() % 5000}@acme.example`)),
        attribute('retry.count', int(next() % 5)),
        attribute('thread.name', text(`worker-${next() % 64}`)),
        attribute(
          'message',
          text(`step finished in region eu-west-${next() % 4}, see the log for more`),
        ),
      ]
      const end = start + BigInt(next() % 4000) * 1_000_000_000n
      if (i % 4 === 0) {
        const more = [
          attribute('execution.type', text('PIPELINE')),
          attribute('execution.status', text(STATUSES[next() % 4]!)),
          attribute('application.name', text(`application-${next() % 300}`)),
          attribute('execution.id', text(id(12).toString('hex'))),
          attribute('trigger', text('manual')),
          ...common,
          lenField(15, Buffer.from([0x18, 1])),
        ]
        return span({ traceId, spanId: parentId, name: 'execution', start, end, more })
      }
      const more = [
        attribute('stage.type', text(TYPES[next() % TYPES.length]!)),
        attribute('stage.cloud_provider', text(PROVIDERS[next() % 4]!)),
        attribute('stage.name', text(`Deploy application-${next() % 300} to production`)),
        attribute('stage.id', text(id(12).toString('hex'))),
        attribute('attempt', int(1)),
        ...common,
      ]
      return span({ traceId, spanId: id(8), parentId, name: 'stage', start, end, more })
    })
    return request(...list)
  })
}

export const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1]!
/** The smallest value that at least this part of them does not exceed. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? Number.NaN
}
export const range = (values: readonly number[], digits = 0): string =>
  `${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)}`
