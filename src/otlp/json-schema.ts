// The messages of a trace request by their JSON names (lowerCamelCase,
// https://opentelemetry.io/docs/specs/otlp, JSON Protobuf Encoding). They say which field a member
// becomes and what kind of value it has. Other names are ignored.
import { FIXED32, FIXED64, LEN, tag, VARINT } from './wire.ts'

export type Kind =
  | 'text'
  | 'traceId'
  | 'spanId'
  | 'enum'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'fixed32'
  | 'fixed64'
  | 'bool'
  | 'double'
  | 'bytes'
  | 'message'
  | 'list'

export interface Member {
  name: Uint8Array
  kind: Kind
  tag: number
  /** The same field with an impossible wire type. The protobuf reader treats it as malformed. */
  wrongTag: number
  /** Bit in the mask of the members that have occurred. */
  bit: number
  /** The message of a `message`, or of the items of a `list`. */
  message: Message | undefined
}

export interface Message {
  /**
   * Part of the envelope (test/fixtures/malformed.md). A value of a wrong kind or a repeated list
   * refuses the request.
   */
  isEnvelope: boolean
  /** Whether the message can contain itself, like arrays and maps. */
  nests: boolean
  /** Bytes reserved for the unknown length; see Output.close. */
  reserve: number
  /** Members by the length of their names. */
  byLength: Member[][]
}

const WIRE_TYPES: Record<Kind, number> = {
  text: LEN,
  traceId: LEN,
  spanId: LEN,
  enum: VARINT,
  int32: VARINT,
  uint32: VARINT,
  int64: VARINT,
  fixed32: FIXED32,
  fixed64: FIXED64,
  bool: VARINT,
  double: FIXED64,
  bytes: LEN,
  message: LEN,
  list: LEN,
}

type Fields = Record<string, readonly [field: number, kind: Kind, message?: Message]>

function addMembers(message: Message, fields: Fields): Message {
  for (const [name, [field, kind, of]] of Object.entries(fields)) {
    const wireType = WIRE_TYPES[kind]
    const wrong = wireType === LEN ? VARINT : LEN
    const member: Member = {
      name: Buffer.from(name),
      kind,
      tag: tag(field, wireType),
      wrongTag: tag(field, wrong),
      bit: 1 << field,
      message: of,
    }
    while (message.byLength.length <= name.length) message.byLength.push([])
    message.byLength[name.length]!.push(member)
  }
  return message
}

const empty = (isEnvelope: boolean, reserve: number, nests = false): Message => ({
  isEnvelope,
  nests,
  reserve,
  byLength: [],
})
const part = (reserve: number, fields: Fields): Message => addMembers(empty(false, reserve), fields)
const envelope = (reserve: number, fields: Fields): Message =>
  addMembers(empty(true, reserve), fields)

const arrayValue = empty(false, 1, true)
const keyValueList = empty(false, 1, true)
const anyValue = part(1, {
  stringValue: [1, 'text'],
  boolValue: [2, 'bool'],
  intValue: [3, 'int64'],
  doubleValue: [4, 'double'],
  arrayValue: [5, 'message', arrayValue],
  kvlistValue: [6, 'message', keyValueList],
  bytesValue: [7, 'bytes'],
  stringValueStrindex: [8, 'int32'],
})
const keyValue = part(1, {
  key: [1, 'text'],
  value: [2, 'message', anyValue],
  keyStrindex: [3, 'int32'],
})
addMembers(arrayValue, { values: [1, 'list', anyValue] })
addMembers(keyValueList, { values: [1, 'list', keyValue] })

const resource = part(2, {
  attributes: [1, 'list', keyValue],
  droppedAttributesCount: [2, 'uint32'],
})
const scope = part(2, {
  name: [1, 'text'],
  version: [2, 'text'],
  attributes: [3, 'list', keyValue],
  droppedAttributesCount: [4, 'uint32'],
})
const event = part(2, {
  timeUnixNano: [1, 'fixed64'],
  name: [2, 'text'],
  attributes: [3, 'list', keyValue],
  droppedAttributesCount: [4, 'uint32'],
})
const link = part(2, {
  traceId: [1, 'traceId'],
  spanId: [2, 'spanId'],
  traceState: [3, 'text'],
  attributes: [4, 'list', keyValue],
  droppedAttributesCount: [5, 'uint32'],
  flags: [6, 'fixed32'],
})
const status = part(1, { message: [2, 'text'], code: [3, 'enum'] })
const span = envelope(2, {
  traceId: [1, 'traceId'],
  spanId: [2, 'spanId'],
  traceState: [3, 'text'],
  parentSpanId: [4, 'spanId'],
  name: [5, 'text'],
  kind: [6, 'enum'],
  startTimeUnixNano: [7, 'fixed64'],
  endTimeUnixNano: [8, 'fixed64'],
  attributes: [9, 'list', keyValue],
  droppedAttributesCount: [10, 'uint32'],
  events: [11, 'list', event],
  droppedEventsCount: [12, 'uint32'],
  links: [13, 'list', link],
  droppedLinksCount: [14, 'uint32'],
  status: [15, 'message', status],
  flags: [16, 'fixed32'],
})
const scopeSpans = envelope(5, {
  scope: [1, 'message', scope],
  spans: [2, 'list', span],
  schemaUrl: [3, 'text'],
})
const resourceSpans = envelope(5, {
  resource: [1, 'message', resource],
  scopeSpans: [2, 'list', scopeSpans],
  schemaUrl: [3, 'text'],
})

/** ExportTraceServiceRequest. */
export const REQUEST = envelope(5, { resourceSpans: [1, 'list', resourceSpans] })

/**
 * Finds the member whose name lies in `bytes`. Names are compared as bytes, so case and spelling
 * count.
 */
export function memberNamed(
  { byLength }: Message,
  bytes: Uint8Array,
  start: number,
  stop: number,
): Member | undefined {
  const candidates = byLength[stop - start]
  if (candidates === undefined) return undefined
  for (const member of candidates) {
    const { name } = member
    let i = name.length - 1
    while (i >= 0 && name[i] === bytes[start + i]) i--
    if (i < 0) return member
  }
  return undefined
}
