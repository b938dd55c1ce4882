// An outgoing attribute as the bytes of a whole KeyValue. Nearly all of them are encoded when the
// policy compiles.
import { lenField, varintField } from '../otlp/wire.ts'
import type { Scalar } from '../policy/policy.ts'
import type { InputValue } from './attribute-slots.ts'

/**
 * Encoded KeyValues with the tag of the field that holds them; `undefined`: the attribute is left
 * out.
 */
export type EncodedAttribute = Uint8Array | undefined
/** An action: what is made of one value. */
export type Apply = (value: InputValue) => EncodedAttribute
export type Encode = (value: Scalar) => Uint8Array

/** Numbers of the field that holds a KeyValue: Resource.attributes, Span.attributes. */
export const RESOURCE_ATTRIBUTES = 1
export const SPAN_ATTRIBUTES = 9

export function encodeAttribute(outer: number, key: string, value: Scalar): Uint8Array {
  const anyValue =
    typeof value === 'string'
      ? lenField(1, Buffer.from(value, 'utf8'))
      : typeof value === 'boolean'
        ? varintField(2, value ? 1 : 0)
        : varintField(3, value)
  return lenField(
    outer,
    Buffer.concat([lenField(1, Buffer.from(key, 'utf8')), lenField(2, anyValue)]),
  )
}
