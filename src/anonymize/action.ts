// The actions of the policy language, compiled: a value goes in, the finished bytes of the outgoing attribute come out.
// All outcomes of keep, buckets and constant are encoded when the policy compiles, versions when first seen, pseudonyms
// are digits of our own making: no byte of the input is ever copied into what leaves.
import { isUtf8 } from 'node:buffer'
import { lenField, varintField } from '../otlp/wire.ts'
import type { Field, Period, Scalar, VersionLevel } from './policy.ts'
import { pseudonym, pseudonymKey } from './pseudonym.ts'
import { BOOL, DOUBLE, INT, MALFORMED, STRING, type Value } from './slots.ts'
import { ByteTable, type Fold, NOT_ASCII } from './table.ts'

/** Encoded KeyValues with the tag of the field that holds them; `undefined`: the attribute is left out. */
export type Outcome = Uint8Array | undefined
export type Apply = (value: Value) => Outcome

/** What pseudonyms need; `period` gives the current UTC day or month. */
export interface PseudonymContext {
  project: string
  secret: Uint8Array | undefined
  period: (of: Period) => string
}

/** Versions and pseudonyms that are remembered per field; beyond that they are made anew each time. */
const MAX_REMEMBERED = 4096
/** Longer texts are never remembered, so that what is remembered stays below a megabyte per field. */
const MAX_REMEMBERED_BYTES = 128

/** `outer` is the number of the field that holds the KeyValue: 1 in Resource, 9 in Span. */
export function encodeAttribute(outer: number, key: string, value: Scalar): Uint8Array {
  const anyValue =
    typeof value === 'string'
      ? lenField(1, Buffer.from(value, 'utf8'))
      : typeof value === 'boolean'
        ? varintField(2, value ? 1 : 0)
        : varintField(3, value)
  return lenField(outer, Buffer.concat([lenField(1, Buffer.from(key, 'utf8')), lenField(2, anyValue)]))
}

export function compileAction(field: Field, outer: number, context: PseudonymContext): { apply: Apply; otherwise: Outcome } {
  const encode = (value: Scalar): Uint8Array => encodeAttribute(outer, field.name, value)
  const { action, fold } = field
  switch (action.kind) {
    case 'keep': {
      const otherwise = action.otherwise === undefined ? undefined : encode(action.otherwise)
      return { apply: keep(action.values, fold, otherwise, encode), otherwise }
    }
    case 'buckets':
      return { apply: buckets(action.bounds, encode), otherwise: undefined }
    case 'version': {
      const other = encode('other')
      return { apply: version(action.level, other, encode), otherwise: other }
    }
    case 'pseudonym':
      return { apply: pseudonyms(field.name, action.period, fold, context, encode), otherwise: undefined }
    case 'constant': {
      const outcome = encode(action.value)
      return { apply: () => outcome, otherwise: undefined }
    }
    case 'hash':
    case 'hmac':
    case 'exact':
      return { apply: () => undefined, otherwise: undefined }
  }
}

function keep(values: readonly Scalar[], fold: Fold, otherwise: Outcome, encode: (value: Scalar) => Uint8Array): Apply {
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
      const text = foldedText(value, fold)
      if (text === undefined) return undefined
      if (index === NOT_ASCII) {
        index = values.indexOf(text)
        if (index >= 0) return encoded[index]
      }
      return otherwise
    }
  }
  const kind = typeof values[0] === 'boolean' ? BOOL : INT
  const byNumber = new Map(values.map((value, index) => [Number(value), encoded[index]!]))
  return (value) => (value.kind === kind ? (byNumber.get(value.number) ?? otherwise) : value.kind === MALFORMED ? undefined : otherwise)
}

function buckets(bounds: readonly number[], encode: (value: Scalar) => Uint8Array): Apply {
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

function version(level: VersionLevel, other: Uint8Array, encode: (value: Scalar) => Uint8Array): Apply {
  const seen = new Map<string, Uint8Array>()
  return (value) => {
    if (value.kind !== STRING || value.start === value.end) return undefined
    const raw = latin1(value)
    const known = seen.get(raw)
    if (known !== undefined) return known
    if (!isUtf8(value.bytes.subarray(value.start, value.end))) return undefined
    const short = shortVersion(raw, level)
    const outcome = short === undefined ? other : encode(short)
    if (seen.size < MAX_REMEMBERED && raw.length <= MAX_REMEMBERED_BYTES) seen.set(raw, outcome)
    return outcome
  }
}

/** `v1.31.4-gke.100` gives `1`, `1.31` or `1.31.4`; `undefined` where a part is missing or is not a plain number below 10000. */
export function shortVersion(text: string, level: VersionLevel): string | undefined {
  const parts = text
    .replace(/^v/, '')
    .split(/[-+]/, 1)[0]!
    .split('.')
    .slice(0, level === 'major' ? 1 : level === 'minor' ? 2 : 3)
  if (parts.length < (level === 'major' ? 1 : level === 'minor' ? 2 : 3)) return undefined
  return parts.every((part) => /^(0|[1-9][0-9]{0,3})$/.test(part)) ? parts.join('.') : undefined
}

function pseudonyms(field: string, period: Period, fold: Fold, context: PseudonymContext, encode: (value: Scalar) => Uint8Array): Apply {
  const { secret, project } = context
  if (secret === undefined) return () => undefined
  const seen = new Map<string, Uint8Array>()
  let keyPeriod = ''
  let key = pseudonymKey(secret, project, field, keyPeriod)
  return (value) => {
    if (value.kind !== STRING || value.start === value.end) return undefined
    const now = context.period(period)
    if (now !== keyPeriod) {
      keyPeriod = now
      key = pseudonymKey(secret, project, field, now)
      seen.clear()
    }
    const raw = value.end - value.start > MAX_REMEMBERED_BYTES ? undefined : latin1(value)
    const known = raw === undefined ? undefined : seen.get(raw)
    if (known !== undefined) return known
    const text = foldedText(value, fold)
    if (text === undefined) return undefined
    const outcome = encode(pseudonym(key, text))
    // Half a bound at a time would need an order; forgetting all is as good and cannot be steered.
    if (seen.size >= MAX_REMEMBERED) seen.clear()
    if (raw !== undefined) seen.set(raw, outcome)
    return outcome
  }
}

/** One character per byte: a cheap key that keeps different bytes apart. */
function latin1(value: Value): string {
  return value.bytes.toString('latin1', value.start, value.end)
}

/** The text of a STRING value, folded without a locale; `undefined` where it is not UTF-8. */
export function foldedText(value: Value, fold: Fold): string | undefined {
  const bytes = value.bytes.subarray(value.start, value.end)
  if (!isUtf8(bytes)) return undefined
  const text = bytes.toString('utf8')
  return fold === 'upper' ? text.toUpperCase() : fold === 'lower' ? text.toLowerCase() : text
}
