// What really stands on the wire, for the test of the data sheet: every field of an outgoing
// request by the name that the sheet has for it, walked from the bytes along the definitions of
// OTLP.
import { Cursor, FIXED32, FIXED64, LEN, VARINT } from '../../src/otlp/wire.ts'
import {
  type Definitions,
  type FieldDefinition,
  readDefinitions,
} from '../support/otlp-definitions.ts'

const definitions: Definitions = readDefinitions()

export interface Found {
  /** `resource.KEY`, `span.attributes.KEY`, `span.trace_id`. */
  wire: string
  value: string | number | bigint | boolean
}

export interface FoundSpan {
  name: string
  fields: Found[]
}

export interface FoundBatch {
  resource: Found[]
  spans: FoundSpan[]
}

type Message = readonly [field: FieldDefinition, value: Found['value'] | Buffer][]

/**
 * Fields in the order of the wire; throws where one is not defined, or not of the type that it is
 * defined with.
 */
function read(name: string, bytes: Buffer): Message {
  const cursor = new Cursor(bytes)
  const fields: [FieldDefinition, Found['value'] | Buffer][] = []
  while (cursor.pos < cursor.end) {
    const tag = cursor.tag()
    const field = definitions.messages.get(name)?.find(({ number }) => number === tag >>> 3)
    if (field === undefined) throw new Error(`${name} has no field ${tag >>> 3}`)
    fields.push([field, contentOf(field, tag & 7, cursor, bytes)])
  }
  return fields
}

function contentOf(
  field: FieldDefinition,
  wireType: number,
  cursor: Cursor,
  bytes: Buffer,
): Found['value'] | Buffer {
  const start = cursor.pos
  if (wireType === FIXED64) {
    cursor.pos += 8
    return field.type === 'double' ? bytes.readDoubleLE(start) : bytes.readBigUInt64LE(start)
  }
  if (wireType === LEN) {
    const length = cursor.length()
    const content = bytes.subarray(cursor.pos, cursor.pos + length)
    cursor.pos += length
    return field.type === 'string' ? content.toString('utf8') : content
  }
  if (wireType === VARINT) {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[cursor.pos++]!
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    return field.type === 'bool' ? value === 1n : BigInt.asIntN(64, value)
  }
  throw new Error(`${field.name} has the wire type ${wireType === FIXED32 ? 'fixed32' : wireType}`)
}

const inside = (message: Message, name: string): Buffer[] =>
  message.flatMap(([field, value]) =>
    field.name === name && Buffer.isBuffer(value) ? [value] : [],
  )

/** The only fields that containers may have. */
function only(message: Message, ...names: string[]): void {
  for (const [{ name }] of message)
    if (!names.includes(name)) throw new Error(`${name} is on the wire`)
}

export function onTheWire(request: Buffer): FoundBatch {
  const root = read('ExportTraceServiceRequest', request)
  const [batch, ...others] = inside(root, 'resource_spans').map((bytes) =>
    read('ResourceSpans', bytes),
  )
  if (batch === undefined || others.length > 0) throw new Error('not one ResourceSpans')
  only(batch, 'resource', 'scope_spans')
  const [resource, ...more] = inside(batch, 'resource').map((bytes) => read('Resource', bytes))
  const scopes = inside(batch, 'scope_spans').map((bytes) => read('ScopeSpans', bytes))
  if (resource === undefined || more.length > 0 || scopes.length !== 1)
    throw new Error('not one Resource and one ScopeSpans')
  only(resource, 'attributes')
  only(scopes[0]!, 'spans')
  return {
    resource: inside(resource, 'attributes').map((bytes) => keyValue('resource', bytes)),
    spans: inside(scopes[0]!, 'spans').map(spanOf),
  }
}

function spanOf(bytes: Buffer): FoundSpan {
  const message = read('Span', bytes)
  const fields = message.flatMap(([{ name }, value]): Found[] => {
    if (!Buffer.isBuffer(value)) return [{ wire: `span.${name}`, value }]
    if (name === 'attributes') return [keyValue('span.attributes', value)]
    if (name === 'status')
      return read('Status', value).map(([inner, code]) => ({
        wire: `span.status.${inner.name}`,
        value: plain(code),
      }))
    return [{ wire: `span.${name}`, value: value.toString('hex') }]
  })
  return { name: String(fields.find(({ wire }) => wire === 'span.name')?.value), fields }
}

function keyValue(where: string, bytes: Buffer): Found {
  const message = read('KeyValue', bytes)
  only(message, 'key', 'value')
  const key = String(message.find(([{ name }]) => name === 'key')?.[1])
  const [value, ...others] = read('AnyValue', inside(message, 'value')[0]!)
  if (value === undefined || others.length > 0) throw new Error(`${key} has not one value`)
  return { wire: `${where}.${key}`, value: plain(value[1]) }
}

function plain(value: Found['value'] | Buffer): Found['value'] {
  if (Buffer.isBuffer(value)) throw new Error('a value is no scalar')
  return value
}
