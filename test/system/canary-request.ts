// Trace requests with a secret in every place that can hold one, as protobuf and as JSON, made from
// the definitions of OTLP. A field of an unknown kind is an error, so that new fields of OTLP are
// not missed.

import {
  type Definitions,
  type FieldDefinition,
  readDefinitions,
} from '../support/otlp-definitions.ts'
import { type Entry, fieldOf, type Value } from './canary-message.ts'
import type { Secrets } from './canary-search.ts'

const DAY = Date.UTC(2026, 9, 5)
const DAY_MS = 86_400_000
/** The length of each bytes field. */
const LENGTHS: Record<string, number> = {
  'Span.trace_id': 16,
  'Span.span_id': 8,
  'Span.parent_span_id': 8,
  'Link.trace_id': 16,
  'Link.span_id': 8,
  'AnyValue.bytes_value': 20,
}
/** The depth of arrays and maps in a value. */
const MAX_DEPTH = 1

/** Values for fields that hold no secret, by message and name. */
export type Given = Record<string, readonly Value[]>

export class CanaryRequests {
  readonly #secrets: Secrets
  readonly #definitions: Definitions = readDefinitions()
  readonly #form: 'protobuf' | 'json'
  readonly #what: string
  #count = 0

  /** `what` names the request in the places of its secrets. */
  constructor(secrets: Secrets, form: 'protobuf' | 'json', what: string = form) {
    this.#secrets = secrets
    this.#form = form
    this.#what = what
  }

  /** The kinds of a value, as OTLP names them. */
  get kinds(): string[] {
    return this.#fields('AnyValue').map(({ name }) => name)
  }

  #fields(message: string): readonly FieldDefinition[] {
    const fields = this.#definitions.messages.get(message)
    if (fields === undefined) throw new Error(`OTLP has no message ${message}`)
    return fields
  }

  /** Such as `json Span.name 3`. */
  #place(where: string): string {
    return `${this.#what} ${where} ${++this.#count}`
  }

  /**
   * A message with a secret in each of its fields and below, and in fields that it does not have.
   */
  message(name: string, given: Given = {}, depth = 0): Entry[] {
    const entries = this.#fields(name).flatMap((field): Entry[] => {
      const values = given[`${name}.${field.name}`] ?? this.#values(name, field, given, depth)
      return values.map((value) => ({ field, value }))
    })
    return [...entries, ...this.#unknown(name)]
  }

  #values(name: string, field: FieldDefinition, given: Given, depth: number): Value[] {
    const place = `${name}.${field.name}`
    if (field.type === 'KeyValue')
      return this.#kinds(depth).map((kind) => this.keyValue(undefined, kind, depth))
    if (name === 'ArrayValue')
      return this.#kinds(depth).map((kind) => ({ message: [this.#ofKind(kind, depth)] }))
    if (this.#definitions.messages.has(field.type))
      return [{ message: this.message(field.type, given, depth) }]
    const value = this.#scalar(place, field)
    return value === undefined ? [] : [value]
  }

  #scalar(place: string, { type }: FieldDefinition): Value | undefined {
    if (this.#definitions.enums.has(type)) return { integer: 1n }
    switch (type) {
      case 'string':
        return { text: this.#secrets.text(this.#place(place)) }
      case 'bytes': {
        const length = LENGTHS[place]
        if (length === undefined) throw new Error(`say how long ${place} is`)
        return { bytes: this.#secrets.bytes(this.#place(place), length) }
      }
      case 'int64':
        return { integer: this.#secrets.integer(this.#place(place)) }
      case 'double':
        return { double: this.#secrets.double(this.#place(place)) }
      case 'fixed64': {
        const later = place === 'Span.end_time_unix_nano' ? DAY_MS : 0
        return {
          fixed64: this.#secrets.time(this.#place(place), DAY + later, DAY + later + DAY_MS),
        }
      }
      // Too few bits for a secret that can be recognized with certainty.
      case 'uint32':
      case 'int32':
        return { integer: 3n }
      case 'fixed32':
        return { fixed32: 0x101 }
      case 'bool':
        return { integer: 1n }
      default:
        throw new Error(`say what a secret of the type ${type} in ${place} is`)
    }
  }

  #kinds(depth: number): string[] {
    return depth < MAX_DEPTH
      ? this.kinds
      : this.kinds.filter((kind) => !['array_value', 'kvlist_value'].includes(kind))
  }

  /** One attribute with a value of this kind; its key is a secret unless one is given. */
  keyValue(key: string | undefined, kind: string, depth = 0): Value {
    const text = key ?? this.#secrets.text(this.#place('KeyValue.key'))
    const value = { message: [this.#ofKind(kind, depth)] }
    const known = [fieldOf('key', 1, 'string', { text }), fieldOf('value', 2, 'AnyValue', value)]
    // A listed attribute with an unknown field would be dropped before its value is read.
    return { message: key === undefined ? [...known, ...this.#unknown('KeyValue')] : known }
  }

  /** A listed attribute whose text is `before` and a secret. */
  textAttribute(key: string, before: string): Value {
    const text = before + this.#secrets.text(this.#place(`${key} behind "${before}"`))
    const value = { message: [fieldOf('string_value', 1, 'string', { text })] }
    return {
      message: [fieldOf('key', 1, 'string', { text: key }), fieldOf('value', 2, 'AnyValue', value)],
    }
  }

  #ofKind(kind: string, depth: number): Entry {
    const field = this.#fields('AnyValue').find(({ name }) => name === kind)!
    const [value] = this.#definitions.messages.has(field.type)
      ? [{ message: this.message(field.type, {}, depth + 1) }]
      : this.#values('AnyValue', field, {}, depth)
    return { field, value: value! }
  }

  #unknown(name: string): Entry[] {
    const secret = (what: string): string => this.#secrets.text(this.#place(`${name}, ${what}`))
    // Only JSON has field names.
    const nameOf = (what: string): string =>
      this.#form === 'json' ? secret(`name of ${what}`) : what
    const inner = [fieldOf(nameOf('inner'), 1, 'string', { text: secret('unknown group') })]
    return [
      fieldOf(nameOf('text'), 100, 'string', { text: secret('unknown text') }),
      fieldOf(nameOf('number'), 101, 'int64', {
        integer: this.#secrets.integer(this.#place(`${name}, unknown integer`)),
      }),
      fieldOf(nameOf('group'), 102, 'group', { message: inner }),
    ]
  }
}
