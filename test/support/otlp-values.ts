// Attributes as an application might send them, and as it must not: values near what a policy
// names, all kinds of AnyValue, legal but unusual encodings, and the classes of malformed.md that
// concern one attribute.
import {
  type Bytes,
  double,
  fixed32,
  integer,
  len,
  type Piece,
  short,
  utf8,
  varint,
} from './otlp-pieces.ts'
import { WORDS } from './otlp-texts.ts'
import type { Rng } from './rng.ts'

const text = (value: string): Bytes => len(1, utf8(value))
const int = (value: bigint | number): Bytes => integer(3, value)
const bool = (value: boolean): Bytes => integer(2, value ? 1 : 0)

const nested = (levels: number): Bytes => {
  let content: number[] = []
  for (let level = 0; level < levels; level++)
    content = level % 2 === 0 ? len(5, len(1, content)) : len(6, len(1, len(2, content)))
  return content
}
const DEEP = [2, 33, 70, 400].map(nested)
const SHALLOW = nested(1)
/** Its length takes three bytes. */
const LONG = text('b'.repeat(17_000))
export const INTS = [
  0n,
  1n,
  2n,
  -1n,
  7n,
  2n ** 53n - 1n,
  2n ** 53n,
  -(2n ** 53n) + 1n,
  -(2n ** 53n),
  2n ** 63n - 1n,
  -(2n ** 63n),
  2n ** 31n,
  2n ** 32n,
  -(2n ** 31n),
]
export const DOUBLES = [
  0,
  -0,
  0.5,
  2,
  1,
  3,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  1e308,
  -1e308,
  5e-324,
  2 ** 53,
  2 ** 63,
]
export const NOT_UTF8: Bytes[] = [
  [0xff],
  [0xc0, 0x80],
  [0xed, 0xa0, 0x80],
  [0xe2, 0x82],
  [0x80],
  [0xf5, 0x80, 0x80, 0x80],
]

/** Contents of an AnyValue of any kind; `clean` where the codec cannot read it. */
function anyContent(rng: Rng): { wire: Bytes; clean?: Bytes } {
  if (rng.chance(0.1)) return { wire: LONG }
  const roll = rng.below(100)
  if (roll < 20)
    return {
      wire: text(rng.chance(70) ? rng.pick(WORDS) : String.fromCharCode(97 + rng.below(26))),
    }
  if (roll < 26) return { wire: text('') }
  if (roll < 33)
    return {
      wire: rng.chance(10)
        ? integer(2, 2n ** 64n - 1n)
        : integer(2, rng.below(3), rng.chance(20) ? rng.below(10) : 0),
    }
  if (roll < 48) {
    const value = rng.pick(INTS)
    return { wire: integer(3, value, rng.chance(20) ? rng.below(11 - varint(value).length) : 0) }
  }
  if (roll < 68) return { wire: double(4, rng.pick(DOUBLES)) }
  if (roll < 72) return { wire: len(7, rng.bytes(rng.below(4))) }
  if (roll < 76) return { wire: [] }
  if (roll < 83) return { wire: integer(8, rng.pick([0, 1, 5, 2n ** 31n - 1n])) }
  if (roll < 90) return { wire: SHALLOW }
  return { wire: rng.pick(DEEP), clean: SHALLOW }
}

/** What takes the place of an attribute that the codec must not see: it still counts as one. */
const placeholder = (field: number): Bytes => len(field, [])

type Fault = { class: string; content: number[]; keys?: readonly string[] }

/**
 * One KeyValue in field 9 of Span or 1 of Resource. `listed`: whether its key is read by the rule
 * of its span.
 */
export function attribute(
  rng: Rng,
  key: string,
  values: readonly Bytes[],
  listed: boolean,
  otherKey: string,
  field = 9,
): Piece {
  const name = utf8(key)
  const value: { wire: Bytes; clean?: Bytes } =
    values.length > 0 && rng.chance(66) ? { wire: rng.pick(values) } : anyContent(rng)
  const pad = rng.chance(4) ? rng.below(4) : 0
  if (rng.chance(8)) {
    const fault = broken(rng, name, value.wire, key, otherKey)
    const wire = len(field, fault.content, pad)
    if (!listed && fault.keys === undefined)
      return { wire, clean: placeholder(field), ignored: unlistedClass(fault.class) }
    return {
      wire,
      clean: placeholder(field),
      fault: { class: fault.class, outcome: 'attribute', keys: fault.keys ?? [key] },
    }
  }
  if (rng.chance(1)) {
    const wire = len(field, len(1, name))
    return { wire, clean: wire }
  }
  const content = (anyValue: Bytes): number[] => {
    const keyField = len(1, name, pad)
    const valueField = len(2, anyValue, pad)
    return turned
      ? [...valueField, ...strindex, ...keyField]
      : [...keyField, ...strindex, ...valueField]
  }
  const strindex = rng.chance(3) ? integer(3, rng.below(9)) : []
  const turned = rng.chance(8)
  const wire = len(field, content(value.wire), pad)
  const piece: Piece = {
    wire,
    clean: value.clean === undefined ? wire : len(field, content(value.clean)),
  }
  return strindex.length > 0 && listed ? { ...piece, ignored: 'strindex' } : piece
}

function unlistedClass(faultClass: string): string {
  return faultClass === 'utf8-listed'
    ? 'utf8-unlisted'
    : faultClass === 'truncation-attribute'
      ? 'truncation-unlisted'
      : `${faultClass} (unlisted)`
}

function broken(rng: Rng, name: Bytes, value: Bytes, key: string, otherKey: string): Fault {
  const keyField = len(1, name)
  const inValue = (content: Bytes): number[] =>
    rng.chance(15) ? [...len(2, content), ...keyField] : [...keyField, ...len(2, content)]
  const inKeyValue = (...fields: Bytes[]): number[] => [...keyField, ...fields.flat()]
  switch (rng.below(7)) {
    case 0: {
      const cut = rng.below(6)
      if (cut === 0)
        return {
          class: 'truncation-attribute',
          content: inKeyValue([0x12], varint(value.length + 1 + rng.below(50)), value),
        }
      if (cut === 1)
        return { class: 'truncation-attribute', content: inKeyValue(len(2, value), [0x12]) }
      return {
        class: 'truncation-attribute',
        content: inValue(
          rng.pick([
            [0x0a],
            [0x0a, 5, 97],
            [0x18],
            [0x18, 0x80],
            [0x21, 1, 2, 3],
            [0x2a, 1],
            [0x8a],
          ]),
        ),
      }
    }
    case 1: {
      const odd = [
        integer(1, 5),
        len(2, [1]),
        double(3, 1),
        integer(4, 1),
        fixed32(5),
        integer(7, 1),
        len(8, [1]),
        [0x0b, 0x0c],
        [0x0c],
      ]
      if (rng.chance(60)) return { class: 'wire-type-attribute', content: inValue(rng.pick(odd)) }
      const field = rng.pick([integer(2, 1), double(2, 1), len(3, [1]), integer(1, 3), fixed32(1)])
      return {
        class: 'wire-type-attribute',
        content: rng.chance(50) ? [...field, ...inValue(value)] : [...inValue(value), ...field],
      }
    }
    case 2: {
      const unknown = rng.pick([
        integer(9, 1),
        len(12, text('secret')),
        double(77, 2),
        fixed32(2000),
        [0x4b, 0x08, 0x01, 0x4c],
      ])
      if (rng.chance(50))
        return {
          class: 'unknown-field-attribute',
          content: inValue(rng.chance(50) ? [...unknown, ...value] : [...value, ...unknown]),
        }
      return {
        class: 'unknown-field-attribute',
        content: rng.chance(50) ? [...unknown, ...inValue(value)] : [...inValue(value), ...unknown],
      }
    }
    case 3: {
      const way = rng.below(4)
      if (way === 0) {
        const both = rng.chance(50)
          ? [...keyField, ...len(1, utf8(otherKey))]
          : [...len(1, utf8(otherKey)), ...keyField]
        return {
          class: 'repeated-member',
          content: rng.chance(50) ? [...both, ...len(2, value)] : [...len(2, value), ...both],
          keys: [key, otherKey],
        }
      }
      if (way === 1)
        return {
          class: 'repeated-member',
          content: inKeyValue(len(2, value), len(2, text('secret'))),
        }
      if (way === 2)
        return { class: 'repeated-member', content: inValue([...text('red'), ...text('secret')]) }
      return {
        class: 'repeated-member',
        content: inValue([
          ...rng.pick([text('red'), bool(true), SHALLOW]),
          ...rng.pick([int(1), double(4, 1)]),
        ]),
      }
    }
    case 4:
    case 5:
      return {
        class: 'utf8-listed',
        content: inValue(len(1, [...(rng.chance(50) ? utf8('red') : []), ...rng.pick(NOT_UTF8)])),
      }
    default: {
      const tooLong = rng.pick([
        [0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02],
        [...varint(2n ** 64n - 1n).slice(0, 9), 0x7f],
        Array.from({ length: 10 }, () => 0x80).concat(0),
      ])
      return {
        class: 'int-overlong',
        content: inValue([...short(rng.pick([2, 3, 3, 8]) * 8), ...tooLong]),
      }
    }
  }
}

/** KeyValues whose key no policy can name: no key, the empty key, a key that is not UTF-8. */
export function oddKey(rng: Rng): Piece {
  if (rng.chance(50))
    return {
      wire: len(9, [...len(1, rng.pick(NOT_UTF8)), ...len(2, text('secret'))]),
      clean: placeholder(9),
      ignored: 'utf8-unlisted',
    }
  const wire = len(
    9,
    rng.pick<Bytes>([
      [],
      len(2, text('secret')),
      [...len(1, []), ...len(2, text('x'))],
      len(1, utf8('only.key')),
    ]),
  )
  return { wire, clean: wire }
}
