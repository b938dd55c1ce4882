// Makes the sidecar's own span, once per UTC day, as an application would send it. It goes through
// the same policy. It says that an installation is alive, and nothing else.
import { FIXED64, lenField, tag } from '../otlp/wire.ts'
import { HEARTBEAT } from '../policy/policy.ts'
import type { Random } from './ids.ts'

/**
 * A Span (opentelemetry/proto/trace/v1/trace.proto) with fresh ids, no parent, no attributes; it
 * begins and ends now.
 */
export function heartbeatSpan(nowMs: number, random: Random): Buffer {
  const ids = Buffer.alloc(24)
  random(ids)
  // Ids of zeros would be invalid.
  ids[0] = ids[0]! | 1
  ids[16] = ids[16]! | 1
  const times = Buffer.alloc(18)
  for (const [at, field] of [
    [0, 7],
    [9, 8],
  ] as const) {
    times[at] = tag(field, FIXED64)
    times.writeBigUInt64LE(BigInt(nowMs) * 1_000_000n, at + 1)
  }
  return Buffer.concat([
    lenField(1, ids.subarray(0, 16)),
    lenField(2, ids.subarray(16)),
    lenField(5, Buffer.from(HEARTBEAT)),
    times,
  ])
}
