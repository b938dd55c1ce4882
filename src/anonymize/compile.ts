// Turns a policy into the table that the pass runs on: every incoming key that matters has a
// numbered slot, every outgoing attribute a place in a set of bits, and every outcome is bytes
// already. One slot may feed several attributes.

import {
  type Condition,
  HEARTBEAT,
  type Place,
  type Policy,
  placesRead,
  type Source,
  type SpanRule,
} from '../policy/policy.ts'
import type { Cell } from '../support/counters.ts'
import { ABSENT, DOUBLE, MALFORMED, Slots, STRING, Value } from './attribute-slots.ts'
import { ByteTable } from './byte-table.ts'
import { compileNarrow, type Narrow } from './compile-narrowing.ts'
import { type CompileContext, compileField, evaluate, type FieldPlan } from './compiled-field.ts'
import { fixedValue, Joined, needsAttribute } from './compiled-source.ts'
import { encodeAttribute, RESOURCE_ATTRIBUTES, SPAN_ATTRIBUTES } from './encoded-attribute.ts'
import { FieldSet } from './field-set.ts'
import { TimeCut } from './time-cut.ts'

/** The outgoing attribute of this number is there and has one of the values. */
export interface Test {
  field: number
  allowed: ByteTable
}

export interface SpanPlan {
  slots: Slots
  fields: readonly FieldPlan[]
  wanted: FieldSet
  /** By slot: the fields that read it. */
  readers: readonly (readonly number[])[]
  /** Slots whose presence leaves the span out. */
  skip: readonly Value[]
  only: readonly Test[]
  /** Of the overlay, by field, and its conditions; `undefined`: there is none. */
  narrows: readonly (Narrow | undefined)[] | undefined
  onlyNarrowed: readonly Test[]
  /** Number of the field that splits, or -1. */
  splits: number
  linked: boolean
  keepStatus: boolean
  time: TimeCut
  /** Span.name, encoded. */
  name: Uint8Array
  duration: Value | undefined
  status: Value | undefined
  /** Lists of sources, joined anew for every span. */
  joined: readonly Joined[]
  skipped: Cell
}

export interface Table {
  names: ByteTable
  plans: readonly SpanPlan[]
  /** Attributes of the incoming resource that some rule reads; `undefined`: none does. */
  resource: Slots | undefined
  /** Index of the rule of the sidecar's own span, or MISS. */
  heartbeat: number
}

export function compileSpans(policy: Policy, context: CompileContext): Table {
  const resource = slotsFor(policy.spans.flatMap(readPlaces), 'resource')
  return {
    names: new ByteTable(policy.spans.map((rule) => Buffer.from(rule.name, 'utf8'))),
    plans: policy.spans.map((rule) => compileRule(rule, context, resource)),
    resource: resource.slots.values.length === 0 ? undefined : resource.slots,
    heartbeat: policy.spans.findIndex(({ name }) => name === HEARTBEAT),
  }
}

/**
 * The Resource's attributes of the policy, encoded, in its order; pseudonyms are those of the
 * current period.
 */
export function compileResource(policy: Policy, context: CompileContext): Uint8Array {
  const resolve = (source: Source): Value => fixedValue(source, context.facts)
  const outcomes = policy.resource.map((field) => {
    const outcome = evaluate(compileField('resource', field, RESOURCE_ATTRIBUTES, context, resolve))
    const narrow = compileNarrow(field, RESOURCE_ATTRIBUTES)
    return outcome === undefined || narrow === undefined ? outcome : narrow(outcome)
  })
  return Buffer.concat(outcomes.filter((outcome) => outcome !== undefined))
}

const readPlaces = (rule: SpanRule): Place[] => rule.fields.flatMap(placesRead)

interface KeyedSlots {
  slots: Slots
  numbers: ReadonlyMap<string, number>
}

/** A slot for each key of this kind that is read, and for each of `more`. */
function slotsFor(
  places: readonly Place[],
  kind: 'attribute' | 'resource',
  more: readonly string[] = [],
): KeyedSlots {
  const keys = [
    ...new Set([...places.flatMap((place) => (place.kind === kind ? [place.key] : [])), ...more]),
  ]
  return {
    slots: new Slots(new ByteTable(keys.map((key) => Buffer.from(key, 'utf8')))),
    numbers: new Map(keys.map((key, i) => [key, i])),
  }
}

const slotOf = ({ slots, numbers }: KeyedSlots, key: string): Value =>
  slots.values[numbers.get(key)!]!

function compileRule(rule: SpanRule, context: CompileContext, resource: KeyedSlots): SpanPlan {
  const places = readPlaces(rule)
  const attributes = slotsFor(places, 'attribute', rule.skip)
  const spanValue = (what: 'duration' | 'status'): Value | undefined =>
    places.some((place) => place.kind === 'span' && place.what === what) ? new Value() : undefined
  const duration = spanValue('duration')
  const status = spanValue('status')
  const joined: Joined[] = []
  const resolvePlace = (place: Place): Value => {
    if (place.kind === 'attribute') return slotOf(attributes, place.key)
    if (place.kind === 'resource') return slotOf(resource, place.key)
    if (place.kind === 'span') return (place.what === 'duration' ? duration : status)!
    return fixedValue(place, context.facts)
  }
  const resolve = (source: Source): Value => {
    if (source.kind !== 'list') return resolvePlace(source)
    const list = new Joined(source.places.map(resolvePlace))
    joined.push(list)
    return list.value
  }
  const fields = rule.fields.map((field) =>
    compileField(`spans.${rule.name}`, field, SPAN_ATTRIBUTES, context, resolve),
  )
  return {
    slots: attributes.slots,
    fields,
    wanted: new FieldSet(fields.length, alwaysEvaluated(rule)),
    readers: readersOf(rule, attributes),
    skip: rule.skip.map((key) => slotOf(attributes, key)),
    only: testsOf(rule, rule.only),
    narrows: rule.fields.some(({ narrow }) => narrow)
      ? rule.fields.map((field) => compileNarrow(field, SPAN_ATTRIBUTES))
      : undefined,
    onlyNarrowed: testsOf(rule, rule.onlyNarrowed ?? []),
    splits: rule.fields.findIndex((field) => field.split !== undefined),
    linked: rule.ids === 'linked',
    keepStatus: rule.status === 'keep',
    time: new TimeCut(rule.time),
    name: encodeName(rule.name),
    duration,
    status,
    joined,
    skipped: context.counters.cell(`spans.${rule.name}.skipped`),
  }
}

const testsOf = (rule: SpanRule, conditions: readonly Condition[]): Test[] =>
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
function readersOf(rule: SpanRule, { slots, numbers }: KeyedSlots): number[][] {
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

/** `undefined`: the status cannot be told; the attribute is then left out. */
export function setStatusValue(value: Value, code: number | undefined): void {
  const text = code === undefined ? undefined : STATUS_TEXTS[code]
  if (text === undefined) value.kind = MALFORMED
  else value.set(STRING, text, 0, text.length, 0)
}

/** Seconds, from nanoseconds; `undefined`: there is none. */
export function setDurationValue(value: Value, durationNs: number | undefined): void {
  value.kind = durationNs === undefined ? ABSENT : DOUBLE
  value.number = (durationNs ?? 0) / 1e9
}
