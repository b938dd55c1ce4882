// Writes a decoded request as OTLP/JSON (https://opentelemetry.io/docs/specs/otlp, JSON Protobuf
// Encoding) in the ways that senders do: members in any order, unknown members, null for what is
// absent, numbers as texts and as numbers; and with members that occur twice, of which it says what
// they mean.
import { inspect } from 'node:util'
import type { ResourceFaults, SpanFaults } from './oracle-policy.ts'
import type { ExportTraceServiceRequest } from './otlp-generated/opentelemetry/proto/collector/trace/v1/trace_service.ts'
import type { AnyValue, KeyValue } from './otlp-generated/opentelemetry/proto/common/v1/common.ts'
import type { Resource } from './otlp-generated/opentelemetry/proto/resource/v1/resource.ts'
import type {
  ResourceSpans,
  ScopeSpans,
  Span,
} from './otlp-generated/opentelemetry/proto/trace/v1/trace.ts'
import type { Rng } from './rng.ts'

export interface JsonForm {
  text: string
  faults: Map<number, SpanFaults>
  /** A repeated list: the whole request is refused. */
  refused: boolean
}

type Member = [name: string, text: string]

export function jsonForm(message: ExportTraceServiceRequest, rng: Rng): JsonForm {
  const form: JsonForm = { text: '', faults: new Map(), refused: false }
  let index = -1
  const list = <T>(name: string, items: readonly T[], write: (item: T) => string): Member[] => {
    const text = `[${items.map(write).join(',')}]`
    if (rng.chance(0.3)) {
      form.refused = true
      return [
        [name, '[]'],
        [name, text],
      ]
    }
    return [[name, text]]
  }
  const fault = (): SpanFaults => {
    const found: SpanFaults = form.faults.get(index) ?? { attributes: new Map() }
    form.faults.set(index, found)
    return found
  }
  const span = (item: Span, resource: ResourceFaults | undefined): string => {
    index++
    if (resource !== undefined) fault().resource = resource
    const members: Member[] = spanMembers(item, rng)
    if (rng.chance(2) && members.length > 0) {
      const again = rng.pick(members)
      members.push(again)
      if (again[0] === 'events' || again[0] === 'links') form.refused = true
      else fault().rejected = 'repeated-span-field'
    }
    const attribute = (keyValue: KeyValue): string => {
      const { text, broken } = keyValueText(keyValue, rng)
      if (broken) fault().attributes.set(keyValue.key, 'repeated-member')
      return text
    }
    return object([...members, ...list('attributes', item.attributes, attribute)], rng)
  }
  const resourceSpans = (item: ResourceSpans): string => {
    const { members, faults } = resourceMembers(item.resource, rng)
    const scope = (one: ScopeSpans): string =>
      object(
        [['scope', '{"name":"secret"}'], ...list('spans', one.spans, (each) => span(each, faults))],
        rng,
      )
    return object([...members, ...list('scopeSpans', item.scopeSpans, scope)], rng)
  }
  form.text = object(list('resourceSpans', message.resourceSpans, resourceSpans), rng)
  return form
}

/**
 * The resource, or none, or two of it; and its attributes once, or in two lists of which a reader
 * takes the last.
 */
function resourceMembers(
  resource: Resource | undefined,
  rng: Rng,
): { members: Member[]; faults: ResourceFaults | undefined } {
  if (resource === undefined)
    return { members: rng.chance(50) ? [] : [['resource', 'null']], faults: undefined }
  const faults: ResourceFaults = { attributes: new Map() }
  const texts = resource.attributes.map((keyValue) => {
    const { text, broken } = keyValueText(keyValue, rng)
    if (broken) faults.attributes.set(keyValue.key, 'repeated-member')
    return text
  })
  const lists: Member[] = [['attributes', `[${texts.join(',')}]`]]
  if (rng.chance(3)) {
    faults.whole = 'repeated-member'
    lists.push(rng.chance(50) ? ['attributes', '[]'] : lists[0]!)
  }
  const text = object(
    [...lists, ...(rng.chance(10) ? [['droppedAttributesCount', '3'] satisfies Member] : [])],
    rng,
  )
  const members: Member[] = [['resource', text]]
  if (rng.chance(3)) {
    faults.whole = 'repeated-resource'
    members.push(rng.pick<Member>([members[0]!, ['resource', '{}'], ['resource', 'null']]))
  }
  return {
    members,
    faults: faults.whole === undefined && faults.attributes.size === 0 ? undefined : faults,
  }
}

function object(members: readonly Member[], rng: Rng): string {
  const all = members.map(
    ([name, text]) => `${JSON.stringify(name)}:${rng.chance(5) ? ' ' : ''}${text}`,
  )
  if (rng.chance(4))
    all.push(
      rng.pick([
        '"unknown":{"a":[1,2,{"b":null}]}',
        '"kínd":1',
        '"__proto__":{"name":"secret"}',
        '"attributes_":[]',
      ]),
    )
  if (rng.chance(25)) all.reverse()
  return `{${all.join(rng.chance(10) ? ',\n' : ',')}}`
}

function spanMembers(span: Span, rng: Rng): Member[] {
  const hex = (id: Uint8Array): string => {
    const text = Buffer.from(id).toString('hex')
    return JSON.stringify(rng.chance(20) ? text.toUpperCase() : text)
  }
  const time = (value: bigint): string =>
    value < 2n ** 53n && rng.chance(50) ? String(value) : `"${value}"`
  const members: Member[] = [
    ['traceId', hex(span.traceId)],
    ['spanId', hex(span.spanId)],
    ['name', JSON.stringify(span.name)],
    ['startTimeUnixNano', time(span.startTimeUnixNano)],
    ['endTimeUnixNano', time(span.endTimeUnixNano)],
  ]
  if (span.parentSpanId.length > 0 || rng.chance(50))
    members.push(['parentSpanId', hex(span.parentSpanId)])
  if (span.kind !== 0) members.push(['kind', String(span.kind)])
  if (rng.chance(10))
    members.push(['traceState', '"secret=1"'], ['flags', '257'], ['droppedAttributesCount', '3'])
  if (rng.chance(10))
    members.push(
      ['events', '[{"timeUnixNano":"1","name":"secret","attributes":[]}]'],
      ['links', '[]'],
    )
  if (span.status !== undefined) {
    const message: Member[] = rng.chance(50) ? [['message', '"secret"']] : []
    members.push([
      'status',
      object(
        [
          ...message,
          ...(span.status.code === 0 && rng.chance(50)
            ? []
            : [['code', String(span.status.code)] satisfies Member]),
        ],
        rng,
      ),
    ])
  } else if (rng.chance(10)) members.push(['status', 'null'])
  return members
}

function keyValueText({ key, value }: KeyValue, rng: Rng): { text: string; broken: boolean } {
  const anyValue = anyValueMembers(value, rng)
  const members: Member[] =
    value === undefined
      ? [['key', JSON.stringify(key)]]
      : [
          ['key', JSON.stringify(key)],
          ['value', object(anyValue, rng)],
        ]
  if (!rng.chance(3)) return { text: object(members, rng), broken: false }
  if (anyValue.length > 0 && rng.chance(50)) {
    members[1] = [
      'value',
      object([...anyValue, rng.chance(50) ? anyValue[0]! : ['stringValue', '"secret"']], rng),
    ]
  } else {
    members.push(rng.pick(members))
  }
  return { text: object(members, rng), broken: true }
}

function anyValueMembers(value: AnyValue | undefined, rng: Rng): Member[] {
  if (value === undefined) return []
  if (value.stringValue !== undefined) return [['stringValue', JSON.stringify(value.stringValue)]]
  if (value.boolValue !== undefined) return [['boolValue', String(value.boolValue)]]
  if (value.intValue !== undefined) {
    const exact = value.intValue < 2n ** 53n && value.intValue > -(2n ** 53n)
    return [['intValue', exact && rng.chance(50) ? String(value.intValue) : `"${value.intValue}"`]]
  }
  if (value.doubleValue !== undefined)
    return [
      [
        'doubleValue',
        Number.isFinite(value.doubleValue) ? inspect(value.doubleValue) : `"${value.doubleValue}"`,
      ],
    ]
  if (value.arrayValue !== undefined)
    return [
      [
        'arrayValue',
        `{"values":[${value.arrayValue.values.map((item) => object(anyValueMembers(item, rng), rng)).join(',')}]}`,
      ],
    ]
  if (value.kvlistValue !== undefined)
    return [['kvlistValue', '{"values":[{"key":"a","value":{"intValue":"1"}}]}']]
  if (value.bytesValue !== undefined)
    return [['bytesValue', JSON.stringify(Buffer.from(value.bytesValue).toString('base64'))]]
  return value.stringValueStrindex === undefined
    ? []
    : [['stringValueStrindex', String(value.stringValueStrindex)]]
}
