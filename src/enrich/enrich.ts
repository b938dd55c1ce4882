// Wraps the spans of a request in one ResourceSpans: one Resource, then one ScopeSpans. The
// Resource names the project, its policy and a batch id, by which the collector counts a batch
// once, and then the facts that the policy names. How the spans came in is not visible in it.
import { randomFillSync } from 'node:crypto'
import type { Anonymizer, Passed } from '../anonymize/anonymize.ts'
import { encodeAttribute, RESOURCE_ATTRIBUTES } from '../anonymize/encoded-attribute.ts'
import type { Random } from '../anonymize/ids.ts'
import { Cursor, LEN, putVarint, tag, varintSize } from '../otlp/wire.ts'
import type { Policy } from '../policy/policy.ts'
import { release } from '../support/memory.ts'
import { BATCH_ID_BYTES, BatchIds } from './batch-ids.ts'
import { copyInOrder } from './order.ts'

/**
 * ExportTraceServiceRequest.resource_spans, ResourceSpans.resource and ResourceSpans.scope_spans.
 */
const RESOURCE_SPANS = tag(1, LEN)
const RESOURCE = tag(1, LEN)
const SCOPE_SPANS = tag(2, LEN)
/** A larger result gets a buffer of its own. */
const KEPT_BUFFER = 64 * 1024

export class Enricher {
  readonly #policy: Policy
  readonly #digest: string
  readonly #anonymizer: Anonymizer
  readonly #batchIds: BatchIds
  /**
   * One buffer for all results. If memory outside the heap came and went with each request, V8
   * would collect garbage more often.
   */
  readonly #buffer = Buffer.allocUnsafeSlow(KEPT_BUFFER)
  #large: Buffer | undefined
  /** The encoded Resource of `#day`: pseudonyms change at midnight. */
  #resource: Buffer = Buffer.alloc(0)
  #day = ''
  /** Where the batch id stands in `#resource`. */
  #batchIdAt = 0

  /** `digest` is sent as `usage.policy.digest`: the digest of the policy, or `custom`. */
  constructor(
    policy: Policy,
    digest: string,
    anonymizer: Anonymizer,
    random: Random = randomFillSync,
  ) {
    this.#policy = policy
    this.#digest = digest
    this.#anonymizer = anonymizer
    this.#batchIds = new BatchIds(random)
  }

  /**
   * Field 1 of an ExportTraceServiceRequest. The result is a view that the next call overwrites.
   * `passed` is not valid any more.
   */
  wrapResourceSpans({ bytes, spans }: Passed): Buffer {
    // promise: resource-of-the-day
    if (this.#anonymizer.day() !== this.#day) this.#encodeResource()
    const resource = this.#resource
    const inner =
      1 +
      varintSize(resource.length) +
      resource.length +
      1 +
      varintSize(bytes.length) +
      bytes.length
    const size = 1 + varintSize(inner) + inner
    this.#large = size > KEPT_BUFFER ? Buffer.allocUnsafeSlow(size) : undefined
    const out = this.#large ?? this.#buffer.subarray(0, size)
    out[0] = RESOURCE_SPANS
    let pos = putVarint(out, 1, inner)
    out[pos] = RESOURCE
    pos = putVarint(out, pos + 1, resource.length)
    resource.copy(out, pos)
    this.#batchIds.write(out, pos + this.#batchIdAt)
    pos += resource.length
    out[pos] = SCOPE_SPANS
    pos = putVarint(out, pos + 1, bytes.length)
    copyInOrder(bytes, spans, out, pos)
    this.#anonymizer.done()
    return out
  }

  /** The last result is not needed any more: frees its memory if it is large. */
  done(): void {
    if (this.#large !== undefined) release(this.#large)
    this.#large = undefined
  }

  #encodeResource(): void {
    const attribute = (key: string, value: string | number): Uint8Array =>
      encodeAttribute(RESOURCE_ATTRIBUTES, key, value)
    const head = Buffer.concat([
      attribute('usage.project', this.#policy.project),
      attribute('usage.policy.version', this.#policy.version),
      attribute('usage.policy.digest', this.#digest),
      attribute('usage.batch.id', '0'.repeat(2 * BATCH_ID_BYTES)),
    ])
    this.#batchIdAt = head.length - 2 * BATCH_ID_BYTES
    this.#resource = Buffer.concat([head, this.#anonymizer.resource()])
    this.#day = this.#anonymizer.day()
  }
}

/** The 32 hex digits of the batch id in a result of `wrapResourceSpans`. */
export function batchIdOf(record: Uint8Array): Uint8Array {
  const cursor = new Cursor(record)
  const enter = (times: number): void => {
    for (let i = 0; i < times; i++) {
      cursor.tag()
      cursor.length()
    }
  }
  enter(2)
  // The batch id is the fourth attribute of the Resource.
  for (let i = 0; i < 3; i++) cursor.skip(cursor.tag())
  // Resource.attributes, then past KeyValue.key into the value and its string.
  enter(1)
  cursor.skip(cursor.tag())
  enter(2)
  return record.subarray(cursor.pos, cursor.pos + 2 * BATCH_ID_BYTES)
}
