// Puts the Resource before the policed spans: which project and policy made them, a batch id by
// which the collector counts a batch once, and the facts that the policy names. Encoded once per
// UTC day (pseudonyms roll), with a hole for the batch id. However the input was grouped, the
// result is one ResourceSpans with one Resource and one ScopeSpans.
import { randomFillSync } from 'node:crypto'
import type { Anonymizer, Passed } from '../anonymize/anonymize.ts'
import { encodeAttribute, RESOURCE_ATTRIBUTES } from '../anonymize/encoded-attribute.ts'
import type { Random } from '../anonymize/ids.ts'
import { Cursor, LEN, putVarint, tag, varintSize } from '../otlp/wire.ts'
import type { Policy } from '../policy/policy.ts'
import { release } from '../support/memory.ts'
import { copyInOrder } from './order.ts'

/**
 * ExportTraceServiceRequest.resource_spans, ResourceSpans.resource and ResourceSpans.scope_spans.
 */
const RESOURCE_SPANS = tag(1, LEN)
const RESOURCE = tag(1, LEN)
const SCOPE_SPANS = tag(2, LEN)
const BATCH_ID_BYTES = 16
const POOL_BYTES = 4096
/** A larger frame takes a buffer of its own. */
const KEPT_BUFFER = 64 * 1024
const HEX = Buffer.from('0123456789abcdef', 'ascii')

export interface Enricher {
  /**
   * One field 1 of an ExportTraceServiceRequest; a view, valid until the next frame. `passed` is
   * not any more.
   */
  frame(passed: Passed): Buffer
  /** The last frame is not needed any more: its memory is given back where it is much. */
  done(): void
}

/** `digest` is what goes out as `usage.policy.digest`: the policy's own, or the word `custom`. */
export function createEnricher(
  policy: Policy,
  digest: string,
  anonymizer: Anonymizer,
  random: Random = randomFillSync,
): Enricher {
  const pool = Buffer.alloc(POOL_BYTES)
  let poolAt = POOL_BYTES
  let day = ''
  let resource: Buffer = Buffer.alloc(0)
  let hole = 0
  // One buffer for all frames: memory outside of V8's heap that comes and goes with each request
  // makes it collect garbage.
  const buffer = Buffer.allocUnsafeSlow(KEPT_BUFFER)
  let large: Buffer | undefined

  const encodeResource = (): void => {
    const attribute = (key: string, value: string | number): Uint8Array =>
      encodeAttribute(RESOURCE_ATTRIBUTES, key, value)
    const head = Buffer.concat([
      attribute('usage.project', policy.project),
      attribute('usage.policy.version', policy.version),
      attribute('usage.policy.digest', digest),
      attribute('usage.batch.id', '0'.repeat(2 * BATCH_ID_BYTES)),
    ])
    hole = head.length - 2 * BATCH_ID_BYTES
    resource = Buffer.concat([head, anonymizer.resource()])
    day = anonymizer.day()
  }

  const writeBatchId = (out: Buffer, at: number): void => {
    if (poolAt === POOL_BYTES) {
      random(pool)
      poolAt = 0
    }
    for (let i = 0; i < BATCH_ID_BYTES; i++) {
      const byte = pool[poolAt + i]!
      out[at + 2 * i] = HEX[byte >>> 4]!
      out[at + 2 * i + 1] = HEX[byte & 15]!
    }
    pool.fill(0, poolAt, poolAt + BATCH_ID_BYTES)
    // promise: batch-id-once
    poolAt += BATCH_ID_BYTES
  }

  return {
    frame({ bytes, spans }) {
      // promise: resource-of-the-day
      if (anonymizer.day() !== day) encodeResource()
      const inner =
        1 +
        varintSize(resource.length) +
        resource.length +
        1 +
        varintSize(bytes.length) +
        bytes.length
      const size = 1 + varintSize(inner) + inner
      large = size > KEPT_BUFFER ? Buffer.allocUnsafeSlow(size) : undefined
      const out = large ?? buffer.subarray(0, size)
      out[0] = RESOURCE_SPANS
      let pos = putVarint(out, 1, inner)
      out[pos] = RESOURCE
      pos = putVarint(out, pos + 1, resource.length)
      resource.copy(out, pos)
      writeBatchId(out, pos + hole)
      pos += resource.length
      out[pos] = SCOPE_SPANS
      pos = putVarint(out, pos + 1, bytes.length)
      copyInOrder(bytes, spans, out, pos)
      anonymizer.done()
      return out
    },
    done() {
      if (large !== undefined) release(large)
      large = undefined
    },
  }
}

/**
 * The batch id, as its 32 hex digits, of a record that `frame` made: the fourth attribute of its
 * Resource.
 */
export function batchIdOf(record: Uint8Array): Uint8Array {
  const cursor = new Cursor(record)
  const enter = (times: number): void => {
    for (let i = 0; i < times; i++) {
      cursor.tag()
      cursor.length()
    }
  }
  enter(2)
  for (let i = 0; i < 3; i++) cursor.skip(cursor.tag())
  // Resource.attributes, then over KeyValue.key into its value and the string in it.
  enter(1)
  cursor.skip(cursor.tag())
  enter(2)
  return record.subarray(cursor.pos, cursor.pos + 2 * BATCH_ID_BYTES)
}
