// The action of compat policies that sends a number, a version or a short text unchanged. Besides
// `before`, `after` and exact times, this is the only place where input is sent. So it is bounded:
// longer values, control characters and other kinds are dropped.
import { FIXED64, lenField, tag, varintField } from '../../otlp/wire.ts'
import { DOUBLE, INT, type InputValue, STRING } from '../attribute-slots.ts'
import { BoundedCache } from '../bounded-cache.ts'
import type { Apply, Encode } from '../encoded-attribute.ts'
import { decodeText } from '../text.ts'

/**
 * Digits joined by dots, with or without `v` before and something behind: v1.31.4-gke.100, 1.32,
 * 2.0.0+build.7.
 */
const VERSION_FORM = /^v?[0-9]+(?:\.[0-9]+)*(?:[-+~_][0-9A-Za-z.+~_-]*)?$/

export function exactText(what: 'version' | 'text', maxBytes: number, encode: Encode): Apply {
  const made = new BoundedCache<Uint8Array>()
  return (value) => {
    if (value.kind !== STRING || value.start === value.end || value.end - value.start > maxBytes)
      return undefined
    const known = made.get(value)
    if (known !== undefined) return known
    const text = decodeText(value)
    if (
      text === undefined ||
      /\p{Cc}/u.test(text) ||
      (what === 'version' && !VERSION_FORM.test(text))
    )
      return undefined
    const encoded = encode(text)
    made.set(value, encoded)
    return encoded
  }
}

/** An integer stays one, over all 64 bits, and a double stays one. */
export function exactNumber(outer: number, key: string): Apply {
  const keyField = lenField(1, Buffer.from(key, 'utf8'))
  const encode = (anyValue: Uint8Array): Uint8Array =>
    lenField(outer, Buffer.concat([keyField, lenField(2, anyValue)]))
  return (value) => {
    if (value.kind === INT) return encode(varintField(3, integer(value)))
    if (value.kind !== DOUBLE) return undefined
    const bytes = Buffer.alloc(9)
    bytes[0] = tag(4, FIXED64)
    bytes.writeDoubleLE(value.number, 1)
    return encode(bytes)
  }
}

/** Beyond 2^53 a double is not exact any more; then the varint that was read says it. */
function integer({ number, bytes, start, end }: InputValue): number | bigint {
  if (Number.isSafeInteger(number)) return number
  let result = 0n
  for (let i = end - 1; i >= start; i--) result = (result << 7n) | BigInt(bytes[i]! & 0x7f)
  return result
}
