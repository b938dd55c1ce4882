// The spans of a batch leave in the order of their ids, which are random or a keyed function of the
// incoming ones: in which order the application ended or handed them on is not told, and the same
// spans in another order are the same bytes.
import { Cursor } from '../otlp/wire.ts'

/**
 * Where a span's id begins behind its length, as the span writer lays it out: trace id with head
 * (18), head (2).
 */
const SPAN_ID_AT = 20
/** A key is 31 bits of the id and the place in the list: both fit into a double. */
const PLACES = 2 ** 21
/** Places of so many spans are kept for the next batch. */
const KEPT = 1024

const keptStarts = new Uint32Array(KEPT + 1)
const keptKeys = new Float64Array(KEPT)

/** Copies `count` ScopeSpans.spans fields, one after the other in `spans`, to `out` at `pos`. */
export function copyInOrder(spans: Buffer, count: number, out: Buffer, pos: number): void {
  if (count < 2 || count > PLACES) {
    spans.copy(out, pos)
    return
  }
  const isFew = count <= KEPT
  const starts = isFew ? keptStarts : new Uint32Array(count + 1)
  const keys = isFew ? keptKeys.subarray(0, count) : new Float64Array(count)
  const cursor = new Cursor(spans)
  for (let i = 0; i < count; i++) {
    starts[i] = cursor.pos
    cursor.tag()
    const length = cursor.length()
    const at = cursor.pos + SPAN_ID_AT
    keys[i] = (spans.readUInt32BE(at) >>> 1) * PLACES + i
    cursor.pos += length
  }
  starts[count] = cursor.pos
  // promise: span-order-hidden
  keys.sort()
  for (const key of keys) {
    const i = key % PLACES
    const end = starts[i + 1]!
    for (let at = starts[i]!; at < end; at++) out[pos++] = spans[at]!
  }
}
