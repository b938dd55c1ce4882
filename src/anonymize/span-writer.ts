// Writes the outgoing spans field by field into one buffer that is reused for every request. It
// writes ids that the sidecar makes, names from the policy, rounded times, encoded attributes and a
// status code.

import { putVarint, varintSize } from '../otlp/wire.ts'
import { Refusal } from '../support/errors.ts'
import { release } from '../support/memory.ts'
import { ABSENT, InputValue, STRING } from './attribute-slots.ts'
import type { CompiledCondition, CompiledRule } from './compile.ts'
import type { NarrowEncoded } from './compile-narrowing.ts'
import { applyAction, type CompiledField, evaluate, sourceValue } from './compiled-field.ts'
import { Ids, type Random } from './ids.ts'
import { NO_ID, type SpanOffsets } from './span-offsets.ts'
import { decodeText } from './text.ts'

/**
 * ScopeSpans.spans (2), Span.trace_id (1), span_id (2), parent_span_id (4), attributes begin behind
 * them.
 */
const SPANS_TAG = 0x12
const TRACE_ID_HEAD = [0x0a, 16] as const
const SPAN_ID_HEAD = [0x12, 8] as const
const PARENT_ID_HEAD = [0x22, 8] as const
const IDS_SIZE = 18 + 10
const PARENT_SIZE = 10
const STATUS_SIZE = 4
/** More parts than this and the split attribute is left out. */
const MAX_SPLIT_PARTS = 16
/** A buffer that had to grow beyond this is given back after the request. */
const KEPT_OUTPUT_BYTES = 1024 * 1024
const FIRST_OUTPUT_BYTES = 64 * 1024

export class SpanWriter {
  readonly ids: Ids
  readonly #maxBytes: number
  #out: Buffer
  #pos = 0
  #count = 0
  /** Outcomes of the present span in the policy's order, and the numbers of their fields. */
  readonly #encoded: (Uint8Array | undefined)[] = []
  readonly #fieldIndexes: number[] = []
  /** What an overlay makes of the attributes. */
  readonly #narrowed: (Uint8Array | undefined)[] = []
  readonly #wanted: number[] = []
  readonly #part = new InputValue()

  /** At most `maxBytes` are written for one request. */
  constructor(project: string, secret: Uint8Array | undefined, maxBytes: number, random: Random) {
    this.ids = new Ids(project, secret, random)
    this.#maxBytes = maxBytes
    this.#out = Buffer.allocUnsafeSlow(FIRST_OUTPUT_BYTES)
  }

  begin(): void {
    // A refused request never calls `done`.
    this.done()
    this.#pos = 0
    this.#count = 0
    this.ids.begin()
  }

  /** What `finish` gave is not looked at any more. */
  done(): void {
    if (this.#out.length <= KEPT_OUTPUT_BYTES) return
    release(this.#out)
    this.#out = Buffer.allocUnsafeSlow(FIRST_OUTPUT_BYTES)
  }

  /**
   * What was written since `begin`: ScopeSpans.spans, one after the other. A view, valid until
   * `done`.
   */
  finish(): { bytes: Buffer; spans: number } {
    this.ids.finish(this.#out)
    return { bytes: this.#out.subarray(0, this.#pos), spans: this.#count }
  }

  /**
   * Encodes the attributes of the span whose slots are filled. Writes the span once, or once for
   * each part of a split.
   */
  write(rule: CompiledRule, body: Uint8Array, offsets: SpanOffsets, statusCode: number): void {
    const attributes = this.#encoded
    let count = 0
    let size = 0
    let splitAt = -1
    let splitField: CompiledField | undefined
    const { fields, splits } = rule
    const taken = rule.wanted.take(this.#wanted)
    for (let i = 0; i < taken; i++) {
      const index = this.#wanted[i]!
      const field = fields[index]!
      if (index === splits) {
        splitAt = count
        splitField = field
        this.#fieldIndexes[count] = index
        attributes[count++] = undefined
        continue
      }
      const encoded = evaluate(field)
      if (encoded === undefined) continue
      this.#fieldIndexes[count] = index
      attributes[count++] = encoded
      size += encoded.length
    }
    if (splitField === undefined) this.#writeCopy(rule, body, offsets, statusCode, count, size, 0)
    else this.#writeSplit(rule, body, offsets, statusCode, count, size, splitAt, splitField)
  }

  #writeSplit(
    rule: CompiledRule,
    body: Uint8Array,
    offsets: SpanOffsets,
    status: number,
    count: number,
    size: number,
    at: number,
    field: CompiledField,
  ): void {
    const value = sourceValue(field)
    let copy = 0
    const put = (encoded: Uint8Array | undefined): void => {
      this.#encoded[at] = encoded
      this.#writeCopy(rule, body, offsets, status, count, size + (encoded?.length ?? 0), copy++)
    }
    if (value.kind === ABSENT || value.kind !== STRING || isOnePart(value, field.split!)) {
      put(value.kind === ABSENT ? field.absent : applyAction(field, value))
      return
    }
    const text = decodeText(value)
    const parts = (text ?? '')
      .split(field.split!)
      .map((part) => part.trim())
      .filter((part) => part !== '')
    if (parts.length === 0 || parts.length > MAX_SPLIT_PARTS) {
      field.stepFailed.split.count++
      put(undefined)
      return
    }
    for (const part of parts) {
      const bytes = Buffer.from(part, 'utf8')
      this.#part.set(STRING, bytes, 0, bytes.length, 0)
      put(applyAction(field, this.#part))
    }
  }

  #writeCopy(
    rule: CompiledRule,
    body: Uint8Array,
    offsets: SpanOffsets,
    statusCode: number,
    count: number,
    size: number,
    copy: number,
  ): void {
    // promise: only-drops-spans
    if (!this.#meetsAll(rule.only, this.#encoded, count)) {
      rule.skipped.count++
      return
    }
    let attributes = this.#encoded
    if (rule.narrows !== undefined) {
      attributes = this.#narrowed
      size = this.#narrow(rule.narrows, count)
    }
    if (!this.#meetsAll(rule.onlyNarrowed, attributes, count)) {
      rule.skipped.count++
      return
    }
    this.#writeSpan(rule, body, offsets, statusCode, attributes, count, size, copy)
  }

  #writeSpan(
    rule: CompiledRule,
    body: Uint8Array,
    offsets: SpanOffsets,
    statusCode: number,
    attributes: readonly (Uint8Array | undefined)[],
    count: number,
    size: number,
    copy: number,
  ): void {
    const hasParent = rule.linked && offsets.parentId !== NO_ID
    // promise: status-by-policy-only
    const hasStatus = rule.keepStatus && statusCode !== 0
    const { name, time } = rule
    const length =
      IDS_SIZE +
      (hasParent ? PARENT_SIZE : 0) +
      name.length +
      time.encoded.length +
      size +
      (hasStatus ? STATUS_SIZE : 0)
    this.#ensure(1 + varintSize(length) + length)
    const out = this.#out
    out[this.#pos] = SPANS_TAG
    let pos = putVarint(out, this.#pos + 1, length)
    out[pos++] = TRACE_ID_HEAD[0]
    out[pos++] = TRACE_ID_HEAD[1]
    const traceAt = pos
    pos += 16
    out[pos++] = SPAN_ID_HEAD[0]
    out[pos++] = SPAN_ID_HEAD[1]
    const spanAt = pos
    pos += 8
    let parentAt = NO_ID
    if (hasParent) {
      out[pos++] = PARENT_ID_HEAD[0]
      out[pos++] = PARENT_ID_HEAD[1]
      parentAt = pos
      pos += 8
    }
    const { traceId, spanId, parentId } = offsets
    // promise: ids-linked-by-policy-only
    if (rule.linked) this.ids.link(body, traceId, spanId, parentId, copy, traceAt, spanAt, parentAt)
    else this.ids.invent(traceAt, spanAt)
    pos = put(out, pos, name)
    pos = put(out, pos, time.encoded)
    for (let i = 0; i < count; i++) {
      const attribute = attributes[i]
      if (attribute !== undefined) pos = put(out, pos, attribute)
    }
    if (hasStatus) pos = putStatus(out, pos, statusCode)
    this.#pos = pos
    this.#count++
    if (this.ids.full) this.ids.finish(this.#out)
  }

  /** Each of the outgoing attributes is there and has one of the values. */
  #meetsAll(
    tests: readonly CompiledCondition[],
    attributes: readonly (Uint8Array | undefined)[],
    count: number,
  ): boolean {
    for (const { field, allowed } of tests) {
      let found = false
      for (let i = 0; i < count && !found; i++) {
        const attribute = this.#fieldIndexes[i] === field ? attributes[i] : undefined
        found = attribute !== undefined && allowed.find(attribute, 0, attribute.length) >= 0
      }
      if (!found) return false
    }
    return true
  }

  /** Gives the bytes of what is left. */
  #narrow(narrows: readonly (NarrowEncoded | undefined)[], count: number): number {
    let size = 0
    for (let i = 0; i < count; i++) {
      const attribute = this.#encoded[i]
      const narrow = narrows[this.#fieldIndexes[i]!]
      const narrowed =
        attribute === undefined || narrow === undefined ? attribute : narrow(attribute)
      this.#narrowed[i] = narrowed
      size += narrowed?.length ?? 0
    }
    return size
  }

  #ensure(more: number): void {
    const needed = this.#pos + more
    if (needed <= this.#out.length) return
    // promise: output-bounded
    if (needed > this.#maxBytes) {
      throw new Refusal(
        413,
        'What the policy makes of this request is larger than a body may be. Send smaller batches.',
      )
    }
    const grown = Buffer.allocUnsafeSlow(
      Math.min(this.#maxBytes, Math.max(needed, this.#out.length * 2)),
    )
    this.#out.copy(grown, 0, 0, this.#pos)
    release(this.#out)
    this.#out = grown
  }
}

/** Span.status (15) of two bytes: Status.code (3). */
function putStatus(out: Uint8Array, pos: number, statusCode: number): number {
  out[pos] = 0x7a
  out[pos + 1] = 2
  out[pos + 2] = 0x18
  out[pos + 3] = statusCode
  return pos + STATUS_SIZE
}

function put(out: Uint8Array, pos: number, attribute: Uint8Array): number {
  // Attributes are some dozens of bytes: a loop is faster than a native copy.
  for (let i = 0; i < attribute.length; i++) out[pos + i] = attribute[i]!
  return pos + attribute.length
}

/**
 * Plain ASCII without the separator's first byte and without blanks: `split` would give it back as
 * it is.
 */
function isOnePart(value: InputValue, separator: string): boolean {
  const first = separator.charCodeAt(0)
  for (let i = value.start; i < value.end; i++) {
    const byte = value.bytes[i]!
    if (byte <= 0x20 || byte >= 0x7f || byte === first) return false
  }
  return value.start < value.end
}
