// Compiles the actions of the policy language: a value goes in, the bytes of the outgoing attribute
// come out. The results of keep, buckets and constant are encoded when the policy compiles, and
// versions when first seen. Outside `exact` no byte of the input is ever copied into the output.

import type { Field, Fold, Scalar, Source, VersionLevel } from '../../policy/policy.ts'
import { BOOL, DOUBLE, INT, type InputValue, MALFORMED, STRING } from '../attribute-slots.ts'
import { BoundedCache } from '../bounded-cache.ts'
import { ByteTable, NOT_ASCII } from '../byte-table.ts'
import {
  type Apply,
  type Encode,
  type EncodedAttribute,
  encodeAttribute,
} from '../encoded-attribute.ts'
import { decodeText, folded } from '../text.ts'
import { exactNumber, exactText } from './exact.ts'
import { keyedHash, type PseudonymContext, plainHash, pseudonyms } from './hash.ts'

export interface CompiledAction {
  apply: Apply
  /** Sent for a value that is not listed or not valid; `undefined`: the attribute is dropped. */
  otherwise: EncodedAttribute
  /** The same for a value that a step refused: only a keep has it. */
  failed: EncodedAttribute
}

/**
 * `fold` is given where nothing else has to be done before the action: a keep folds while it looks
 * up.
 */
export function compileAction(
  { name, action }: Field,
  outer: number,
  fold: Fold,
  context: PseudonymContext,
  resolve: (source: Source) => InputValue,
): CompiledAction {
  const encode: Encode = (value) => encodeAttribute(outer, name, value)
  const plain = (apply: Apply, otherwise?: EncodedAttribute): CompiledAction => ({
    apply,
    otherwise,
    failed: undefined,
  })
  switch (action.kind) {
    case 'keep': {
      const otherwise = action.otherwise === undefined ? undefined : encode(action.otherwise)
      return { apply: keep(action.values, fold, otherwise, encode), otherwise, failed: otherwise }
    }
    case 'buckets':
      return plain(buckets(action.bounds, encode))
    case 'version': {
      const other = encode('other')
      return plain(version(action.level, other, encode), other)
    }
    case 'pseudonym':
      return plain(pseudonyms(name, action.period, context, encode))
    case 'constant': {
      const encoded = encode(action.value)
      return plain(() => encoded)
    }
    case 'hash':
      return plain(plainHash(action.algorithm, encode))
    case 'hmac':
      return plain(keyedHash(action.algorithm, resolve(action.key), encode))
    case 'exact':
      return plain(
        action.what === 'number'
          ? exactNumber(outer, name)
          : exactText(action.what, action.maxBytes, encode),
      )
  }
}

function keep(
  values: readonly Scalar[],
  fold: Fold,
  otherwise: EncodedAttribute,
  encode: Encode,
): Apply {
  const encoded = values.map(encode)
  if (typeof values[0] === 'string') {
    const table = new ByteTable(
      values.map((value) => Buffer.from(String(value), 'utf8')),
      fold,
    )
    return (value) => {
      if (value.kind !== STRING) return value.kind === MALFORMED ? undefined : otherwise
      let index = table.find(value.bytes, value.start, value.end)
      if (index >= 0) return encoded[index]
      const text = decodeText(value)
      // promise: keep-utf8
      if (text === undefined) return undefined
      if (index === NOT_ASCII) {
        index = values.indexOf(folded(text, fold))
        if (index >= 0) return encoded[index]
      }
      return otherwise
    }
  }
  const kind = typeof values[0] === 'boolean' ? BOOL : INT
  const byNumber = new Map(values.map((value, index) => [Number(value), encoded[index]!]))
  return (value) =>
    value.kind === kind
      ? (byNumber.get(value.number) ?? otherwise)
      : value.kind === MALFORMED
        ? undefined
        : otherwise
}

function buckets(bounds: readonly number[], encode: Encode): Apply {
  const encoded = bounds.map(encode)
  return (value) => {
    if (value.kind !== INT && value.kind !== DOUBLE) return undefined
    let low = 0
    let high = bounds.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (bounds[middle]! <= value.number) low = middle + 1
      else high = middle
    }
    return encoded[Math.max(0, low - 1)]
  }
}

function version(level: VersionLevel, other: Uint8Array, encode: Encode): Apply {
  const seen = new BoundedCache<Uint8Array>()
  return (value) => {
    if (value.kind !== STRING || value.start === value.end) return undefined
    const known = seen.get(value)
    if (known !== undefined) return known
    const text = decodeText(value)
    // promise: version-utf8
    if (text === undefined) return undefined
    const short = shortVersion(text, level)
    const encoded = short === undefined ? other : encode(short)
    seen.set(value, encoded)
    return encoded
  }
}

/**
 * `v1.31.4-gke.100` gives `1`, `1.31` or `1.31.4`; `undefined` where a part is missing or is not a
 * plain number below 10000.
 */
export function shortVersion(text: string, level: VersionLevel): string | undefined {
  const parts = text
    .replace(/^v/, '')
    .split(/[-+]/, 1)[0]!
    .split('.')
    .slice(0, level === 'major' ? 1 : level === 'minor' ? 2 : 3)
  if (parts.length < (level === 'major' ? 1 : level === 'minor' ? 2 : 3)) return undefined
  return parts.every((part) => /^(0|[1-9][0-9]{0,3})$/.test(part)) ? parts.join('.') : undefined
}
