// Copies the spans of a batch in the order of their ids, which are random or a keyed function of
// the incoming ids. So nothing shows in which order the application ended its spans, and the same
// spans in another order give the same bytes.
import { Cursor } from '../otlp/wire.ts'

/**
 * Offset of the span id after the span's length, as the span writer writes it: the trace id with
 * its head (18 bytes), then the head of the span id (2 bytes).
 */
const SPAN_ID_AT = 20
/** A key is 31 bits of the id and the index of the span. Both fit into a double. */
const MAX_SPANS = 2 ** 21
/** The arrays for this many spans are kept for the next batch. */
const KEPT_SPANS = 1024

const keptStarts = new Uint32Array(KEPT_SPANS + 1)
const keptKeys = new Float64Array(KEPT_SPANS)

/** Copies the `count` ScopeSpans.spans fields in `spans` to `out` at `pos`. */
export function copyInOrder(spans: Buffer, count: number, out: Buffer, pos: number): void {
  if (count < 2 || count > MAX_SPANS) {
    spans.copy(out, pos)
    return
  }
  const isFew = count <= KEPT_SPANS
  const starts = isFew ? keptStarts : new Uint32Array(count + 1)
  const keys = isFew ? keptKeys.subarray(0, count) : new Float64Array(count)
  const cursor = new Cursor(spans)
  for (let i = 0; i < count; i++) {
    starts[i] = cursor.pos
    cursor.tag()
    const length = cursor.length()
    const at = cursor.pos + SPAN_ID_AT
    keys[i] = (spans.readUInt32BE(at) >>> 1) * MAX_SPANS + i
    cursor.pos += length
  }
  starts[count] = cursor.pos
  // promise: span-order-hidden
  keys.sort()
  for (const key of keys) {
    const i = key % MAX_SPANS
    const end = starts[i + 1]!
    for (let at = starts[i]!; at < end; at++) out[pos++] = spans[at]!
  }
}
