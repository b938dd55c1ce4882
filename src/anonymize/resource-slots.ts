// Fills the slots of the incoming resource (`resource:KEY`), once per ResourceSpans and before its
// spans, because the Resource may follow them on the wire. Decoders merge two Resources or keep the
// last. So two of them, or an invalid one, make every attribute that reads from it MALFORMED.
import { Cursor, LEN, VARINT } from '../otlp/wire.ts'
import type { AttributeSlots } from './attribute-slots.ts'

/** ResourceSpans.resource. */
const RESOURCE_FIELD = 1
/** Resource.attributes, dropped_attributes_count and entity_refs, by their wire types. */
const RESOURCE_WIRE_TYPES = [-1, LEN, VARINT, LEN]

/** `resourceSpans` is not moved. Throws a 400 where its frame is malformed. */
export function fillResourceSlots(
  slots: AttributeSlots,
  bytes: Buffer,
  resourceSpans: Cursor,
): void {
  // promise: resource-without-earlier-values
  slots.clear()
  const cursor = new Cursor(bytes, resourceSpans.pos, resourceSpans.end)
  let sound = true
  let start = -1
  while (cursor.pos < cursor.end) {
    const fieldTag = cursor.tag()
    if (fieldTag >>> 3 !== RESOURCE_FIELD || (fieldTag & 7) !== LEN) {
      cursor.skip(fieldTag)
      continue
    }
    const length = cursor.length()
    if (start >= 0) sound = false
    start = cursor.pos
    cursor.pos += length
    sound = fillFromResource(slots, bytes, start, cursor.pos) && sound
  }
  if (!sound) slots.markAll()
}

/** False where the Resource is cut off or has a field of a wrong wire type. */
function fillFromResource(
  slots: AttributeSlots,
  bytes: Buffer,
  start: number,
  end: number,
): boolean {
  const cursor = new Cursor(bytes, start, end)
  try {
    while (cursor.pos < end) {
      const fieldTag = cursor.tag()
      const field = fieldTag >>> 3
      if (field <= 3 && RESOURCE_WIRE_TYPES[field] !== (fieldTag & 7)) return false
      if (field !== 1) {
        cursor.skip(fieldTag)
        continue
      }
      const length = cursor.length()
      slots.readKeyValue(bytes, cursor.pos, cursor.pos + length)
      cursor.pos += length
    }
    return true
  } catch {
    return false
  }
}
