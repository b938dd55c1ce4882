// Compiles a policy for the pass. Each incoming key that matters gets a numbered slot, each
// outgoing attribute a bit in a set, and each possible attribute is encoded in advance. One slot
// can feed several attributes.

import {
  type Condition,
  HEARTBEAT,
  type Policy,
  placesRead,
  type Source,
  type SourcePlace,
  type SpanRule,
} from '../policy/policy.ts'
import type { Cell } from '../support/counters.ts'
import { ABSENT, AttributeSlots, DOUBLE, InputValue, MALFORMED, STRING } from './attribute-slots.ts'
import { ByteTable } from './byte-table.ts'
import { compileNarrowing, type NarrowEncoded } from './compile-narrowing.ts'
import {
  type CompileContext,
  type CompiledField,
  compileField,
  evaluate,
} from './compiled-field.ts'
import { fixedValue, JoinedValue, needsAttribute } from './compiled-source.ts'
import { encodeAttribute, RESOURCE_ATTRIBUTES, SPAN_ATTRIBUTES } from './encoded-attribute.ts'
import { FieldSet } from './field-set.ts'
import { TimeCut } from './time-cut.ts'

/** The outgoing attribute of this number is there and has one of the values. */
export interface CompiledCondition {
  field: number
  allowed: ByteTable
}

export interface CompiledRule {
  slots: AttributeSlots
  fields: readonly CompiledField[]
  wanted: FieldSet
  /** By slot: the fields that read it. */
  readers: readonly (readonly number[])[]
  /** Slots whose presence leaves the span out. */
  skip: readonly InputValue[]
  only: readonly CompiledCondition[]
  /** Of the overlay, by field, and its conditions; `undefined`: there is none. */
  narrows: readonly (NarrowEncoded | undefined)[] | undefined
  onlyNarrowed: readonly CompiledCondition[]
  /** Number of the field that splits, or -1. */
  splits: number
  linked: boolean
  keepStatus: boolean
  time: TimeCut
  /** Span.name, encoded. */
  name: Uint8Array
  duration: InputValue | undefined
  status: InputValue | undefined
  /** Lists of sources, joined anew for every span. */
  joined: readonly JoinedValue[]
  skipped: Cell
}

export interface RuleTable {
  names: ByteTable
  rules: readonly CompiledRule[]
  /** Attributes of the incoming resource that some rule reads; `undefined`: none does. */
  resource: AttributeSlots | undefined
  /** Index of the rule of the sidecar's own span, or MISS. */
  heartbeat: number
}

export function compileSpans(policy: Policy, context: CompileContext): RuleTable {
  const resource = slotsFor(policy.spans.flatMap(readPlaces), 'resource')
  return {
    names: new ByteTable(policy.spans.map((rule) => Buffer.from(rule.name, 'utf8'))),
    rules: policy.spans.map((rule) => compileRule(rule, context, resource)),
    resource: resource.slots.values.length === 0 ? undefined : resource.slots,
    heartbeat: policy.spans.findIndex(({ name }) => name === HEARTBEAT),
  }
}

/**
 * The Resource's attributes of the policy, encoded, in its order; pseudonyms are those of the
 * current period.
 */
export function compileResource(policy: Policy, context: CompileContext): Uint8Array {
  const resolve = (source: Source): InputValue => fixedValue(source, context.facts)
  const encoded = policy.resource.map((field) => {
    const encoded = evaluate(compileField('', field, RESOURCE_ATTRIBUTES, context, resolve))
    const narrow = compileNarrowing(field, RESOURCE_ATTRIBUTES)
    return encoded === undefined || narrow === undefined ? encoded : narrow(encoded)
  })
  return Buffer.concat(encoded.filter((encoded) => encoded !== undefined))
}

const readPlaces = (rule: SpanRule): SourcePlace[] => rule.fields.flatMap(placesRead)

interface KeyedSlots {
  slots: AttributeSlots
  numbers: ReadonlyMap<string, number>
}

/** A slot for each key of this kind that is read, and for each of `more`. */
function slotsFor(
  places: readonly SourcePlace[],
  kind: 'attribute' | 'resource',
  more: readonly string[] = [],
): KeyedSlots {
  const keys = [
    ...new Set([...places.flatMap((place) => (place.kind === kind ? [place.key] : [])), ...more]),
  ]
  return {
    slots: new AttributeSlots(new ByteTable(keys.map((key) => Buffer.from(key, 'utf8')))),
    numbers: new Map(keys.map((key, i) => [key, i])),
  }
}

const slotOf = ({ slots, numbers }: KeyedSlots, key: string): InputValue =>
  slots.values[numbers.get(key)!]!

function compileRule(rule: SpanRule, context: CompileContext, resource: KeyedSlots): CompiledRule {
  const places = readPlaces(rule)
  const attributes = slotsFor(places, 'attribute', rule.skip)
  const spanValue = (what: 'duration' | 'status'): InputValue | undefined =>
    places.some((place) => place.kind === 'span' && place.what === what)
      ? new InputValue()
      : undefined
  const duration = spanValue('duration')
  const status = spanValue('status')
  const joined: JoinedValue[] = []
  const resolvePlace = (place: SourcePlace): InputValue => {
    if (place.kind === 'attribute') return slotOf(attributes, place.key)
    if (place.kind === 'resource') return slotOf(resource, place.key)
    if (place.kind === 'span') return (place.what === 'duration' ? duration : status)!
    return fixedValue(place, context.facts)
  }
  const resolve = (source: Source): InputValue => {
    if (source.kind !== 'list') return resolvePlace(source)
    const list = new JoinedValue(source.places.map(resolvePlace))
    joined.push(list)
    return list.value
  }
  const fields = rule.fields.map((field) =>
    compileField(rule.name, field, SPAN_ATTRIBUTES, context, resolve),
  )
  return {
    slots: attributes.slots,
    fields,
    wanted: new FieldSet(fields.length, alwaysEvaluated(rule)),
    readers: fieldsBySlot(rule, attributes),
    skip: rule.skip.map((key) => slotOf(attributes, key)),
    only: compileConditions(rule, rule.only),
    narrows: rule.fields.some(({ narrow }) => narrow)
      ? rule.fields.map((field) => compileNarrowing(field, SPAN_ATTRIBUTES))
      : undefined,
    onlyNarrowed: compileConditions(rule, rule.onlyNarrowed ?? []),
    splits: rule.fields.findIndex((field) => field.split !== undefined),
    linked: rule.ids === 'linked',
    keepStatus: rule.status === 'keep',
    time: new TimeCut(rule.time),
    name: encodeName(rule.name),
    duration,
    status,
    joined,
    skipped: context.counters.policyCell('spans.skipped', { span: rule.name }),
  }
}

const compileConditions = (rule: SpanRule, conditions: readonly Condition[]): CompiledCondition[] =>
  conditions.map(({ name, values }) => ({
    field: rule.fields.findIndex((field) => field.name === name),
    allowed: new ByteTable(values.map((value) => encodeAttribute(SPAN_ATTRIBUTES, name, value))),
  }))

/** Fields that may go out of a span that has none of their attributes. */
function alwaysEvaluated(rule: SpanRule): number[] {
  return rule.fields.flatMap(({ from, or, absent }, index) =>
    absent === undefined && needsAttribute(from) && (or === undefined || needsAttribute(or))
      ? []
      : [index],
  )
}

/** By slot: the fields whose value may come from it. */
function fieldsBySlot(rule: SpanRule, { slots, numbers }: KeyedSlots): number[][] {
  const readers: number[][] = slots.values.map(() => [])
  rule.fields.forEach((field, index) => {
    for (const place of placesRead(field)) {
      if (place.kind !== 'attribute') continue
      const list = readers[numbers.get(place.key)!]!
      if (list.at(-1) !== index) list.push(index)
    }
  })
  return readers
}

/**
 * Field 5 of Span; a name is at most 127 bytes (the checker says so), so its length is one byte.
 */
function encodeName(name: string): Uint8Array {
  const bytes = Buffer.from(name, 'utf8')
  return Buffer.concat([Buffer.from([0x2a, bytes.length]), bytes])
}

const STATUS_TEXTS = ['unset', 'ok', 'error'].map((text) => Buffer.from(text, 'ascii'))

/** `undefined`: the status is malformed, and the attribute is dropped. */
export function setStatusValue(value: InputValue, code: number | undefined): void {
  const text = code === undefined ? undefined : STATUS_TEXTS[code]
  if (text === undefined) value.kind = MALFORMED
  else value.set(STRING, text, 0, text.length, 0)
}

/** Seconds, from nanoseconds; `undefined`: there is none. */
export function setDurationValue(value: InputValue, durationNs: number | undefined): void {
  value.kind = durationNs === undefined ? ABSENT : DOUBLE
  value.number = (durationNs ?? 0) / 1e9
}
