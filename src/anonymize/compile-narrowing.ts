// Applies an overlay to encoded attributes: it maps one to another or drops it. It sees nothing but
// the encoded attribute, so it cannot distinguish two inputs that the policy makes equal.

import type { Field, Narrowing, Scalar, VersionLevel } from '../policy/policy.ts'
import { shortVersion } from './actions/compile-action.ts'
import { ByteTable, MISS } from './byte-table.ts'
import { type EncodedAttribute, encodeAttribute } from './encoded-attribute.ts'

export type NarrowEncoded = (encoded: Uint8Array) => EncodedAttribute

/** Versions that are remembered; beyond that they are made anew each time. */
const MAX_CACHED_VERSIONS = 4096

/** `outer` is the number of the field that holds the KeyValue. */
export function compileNarrowing(field: Field, outer: number): NarrowEncoded | undefined {
  const { narrow, action, name } = field
  const encode = (value: Scalar): Uint8Array => encodeAttribute(outer, name, value)
  if (narrow === undefined) return undefined
  // promise: overlay-drops-attribute
  if (narrow.kind === 'drop') return () => undefined
  if (narrow.kind === 'version') return narrowVersion(narrow.level, encode(''), encode)
  const pairs = narrow.kind === 'keep' ? keepPairs(field, narrow) : bucketPairs(field, narrow)
  if (action.kind !== narrow.kind) return () => undefined
  const table = new ByteTable(pairs.map(([from]) => encode(from)))
  const replacements = pairs.map(([, to]) => (to === undefined ? undefined : encode(to)))
  return (encoded) => {
    const index = table.find(encoded, 0, encoded.length)
    return index === MISS ? encoded : replacements[index]
  }
}

/** Values that the overlay does not list, and the `else` that takes their place. */
function keepPairs(
  { action }: Field,
  { values }: Narrowing & { kind: 'keep' },
): [Scalar, Scalar | undefined][] {
  if (action.kind !== 'keep') return []
  // promise: overlay-value-becomes-else
  return action.values
    .filter((value) => !values.includes(value))
    .map((value) => [value, action.otherwise])
}

/** Each bound of the policy, and the largest of the overlay's that is not above it. */
function bucketPairs(
  { action }: Field,
  { bounds }: Narrowing & { kind: 'buckets' },
): [Scalar, Scalar][] {
  if (action.kind !== 'buckets') return []
  return action.bounds.map((bound) => [
    bound,
    bounds.findLast((kept) => kept <= bound) ?? bounds[0]!,
  ])
}

/**
 * `empty` is the attribute with an empty text: what it is longer by is the text, which stands at
 * the end.
 */
function narrowVersion(
  level: VersionLevel,
  empty: Uint8Array,
  encode: (value: Scalar) => Uint8Array,
): NarrowEncoded {
  const seen = new Map<string, Uint8Array>()
  return (encoded) => {
    const text = Buffer.from(
      encoded.buffer,
      encoded.byteOffset + empty.length,
      encoded.length - empty.length,
    ).toString('latin1')
    const known = seen.get(text)
    if (known !== undefined) return known
    const short = shortVersion(text, level)
    const narrowed = short === undefined ? encoded : encode(short)
    if (seen.size < MAX_CACHED_VERSIONS) seen.set(text, narrowed)
    return narrowed
  }
}
