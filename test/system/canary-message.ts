// An OTLP message as its fields in order, and its two encodings.
import { FIXED32, GROUP_END, GROUP_START, tag } from '../../src/otlp/wire.ts'
import type { FieldDefinition } from '../support/otlp-definitions.ts'
import { double, fixed64, integer, len, utf8, varint } from '../support/otlp-pieces.ts'

export type Value =
  | { text: string }
  | { bytes: Buffer }
  | { integer: bigint }
  | { double: number }
  | { fixed64: bigint }
  | { fixed32: number }
  | { message: readonly Entry[] }

export interface Entry {
  field: FieldDefinition
  value: Value
}

/** A field of a type that OTLP does not have, or an invented field. */
export const fieldOf = (name: string, number: number, type: string, value: Value): Entry => ({
  field: { name, number, type, repeated: false, oneof: false },
  value,
})

export const toProtobuf = (message: readonly Entry[]): Buffer =>
  Buffer.from(message.flatMap(fieldBytes))

function fieldBytes({ field: { number, type }, value }: Entry): number[] {
  if ('text' in value) return len(number, utf8(value.text))
  if ('bytes' in value) return len(number, [...value.bytes])
  if ('integer' in value) return integer(number, value.integer)
  if ('fixed64' in value) return fixed64(number, value.fixed64)
  if ('double' in value) return double(number, value.double)
  if ('fixed32' in value) {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(value.fixed32)
    return [...varint(tag(number, FIXED32)), ...bytes]
  }
  const content = value.message.flatMap(fieldBytes)
  if (type !== 'group') return len(number, content)
  return [...varint(tag(number, GROUP_START)), ...content, ...varint(tag(number, GROUP_END))]
}

/** OTLP/JSON: lowerCamelCase names, ids in hex, other bytes in base64, 64 bits as text. */
export const toJson = (message: readonly Entry[]): string => JSON.stringify(objectOf(message))

function objectOf(message: readonly Entry[]): Record<string, unknown> {
  const object: Record<string, unknown> = {}
  for (const { field, value } of message) {
    const name = field.name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
    const plain = plainOf(field, value)
    object[name] = field.repeated
      ? [...((object[name] as unknown[] | undefined) ?? []), plain]
      : plain
  }
  return object
}

function plainOf({ name, type }: FieldDefinition, value: Value): unknown {
  if ('text' in value) return value.text
  if ('bytes' in value) return value.bytes.toString(name.endsWith('_id') ? 'hex' : 'base64')
  if ('integer' in value)
    return type === 'bool'
      ? true
      : type.endsWith('64')
        ? String(value.integer)
        : Number(value.integer)
  if ('fixed64' in value) return String(value.fixed64)
  if ('double' in value) return value.double
  if ('fixed32' in value) return value.fixed32
  return objectOf(value.message)
}
