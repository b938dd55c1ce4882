// Turns a policy into the table that the pass runs on: every incoming key that matters has a numbered slot, every
// outgoing attribute a place in a set of bits, and every outcome is bytes already. One slot may feed several attributes.
import type { Cell, Counters } from '../counters.ts'
import { type Apply, compileAction, encodeAttribute, type Outcome, type PseudonymContext } from './action.ts'
import type { Field, Policy, Scalar, Source, SpanRule } from './policy.ts'
import { ABSENT, BOOL, DOUBLE, INT, MALFORMED, Slots, STRING, Value } from './slots.ts'
import { ByteTable } from './table.ts'
import { TimeCut } from './time-cut.ts'

/**
 * The fields to evaluate for the present span, given back in the policy's order. Two levels of bits, so that a span with
 * ten attributes costs the same under a policy that names ten as under one that names a thousand.
 */
export class FieldSet {
  readonly #always: Int32Array
  readonly #words: Int32Array
  readonly #alwaysSummary: Int32Array
  readonly #summary: Int32Array

  /** `always`: fields that are evaluated whatever the span has. */
  constructor(size: number, always: readonly number[]) {
    this.#words = new Int32Array((size >>> 5) + 1)
    this.#summary = new Int32Array((size >>> 10) + 1)
    for (const field of always) this.add(field)
    this.#always = this.#words.slice()
    this.#alwaysSummary = this.#summary.slice()
  }

  add(field: number): void {
    this.#words[field >>> 5]! |= 1 << (field & 31)
    this.#summary[field >>> 10]! |= 1 << ((field >>> 5) & 31)
  }

  /** Writes the fields into `list`, ascending, and goes back to those that are always evaluated; gives their number. */
  take(list: number[]): number {
    let count = 0
    for (let s = 0; s < this.#summary.length; s++) {
      let groups = this.#summary[s]!
      this.#summary[s] = this.#alwaysSummary[s]!
      for (; groups !== 0; groups &= groups - 1) {
        const word = (s << 5) + 31 - Math.clz32(groups & -groups)
        let bits = this.#words[word]!
        this.#words[word] = this.#always[word]!
        for (; bits !== 0; bits &= bits - 1) list[count++] = (word << 5) + 31 - Math.clz32(bits & -bits)
      }
    }
    return count
  }
}

/** Facts by name; what is not there could not be read. */
export type Facts = ReadonlyMap<string, Scalar>

/** `outer` numbers of the field that holds a KeyValue. */
export const RESOURCE_ATTRIBUTES = 1
export const SPAN_ATTRIBUTES = 9

export interface FieldPlan {
  from: Value
  or: Value | undefined
  absent: Outcome
  split: string | undefined
  apply: Apply
  otherwise: Outcome
  /** The attribute went out as the `else` of its keep, or as `other`. */
  folded: Cell
  /** There was a value and it was left out. */
  leftOut: Cell
}

export interface SpanPlan {
  slots: Slots
  fields: readonly FieldPlan[]
  wanted: FieldSet
  /** By slot: the fields that read it. */
  readers: readonly (readonly number[])[]
  /** Slots whose presence leaves the span out. */
  skip: readonly Value[]
  only: readonly { field: number; allowed: ByteTable }[]
  /** Number of the field that splits, or -1. */
  splits: number
  linked: boolean
  keepStatus: boolean
  time: TimeCut
  /** Span.name, encoded. */
  name: Uint8Array
  duration: Value | undefined
  status: Value | undefined
  skipped: Cell
}

export interface CompileContext extends PseudonymContext {
  facts: Facts
  counters: Counters
}

export interface Table {
  names: ByteTable
  plans: readonly SpanPlan[]
}

export function compileSpans(policy: Policy, context: CompileContext): Table {
  return {
    names: new ByteTable(policy.spans.map((rule) => Buffer.from(rule.name, 'utf8'))),
    plans: policy.spans.map((rule) => compileRule(rule, context)),
  }
}

/** The Resource's attributes of the policy, encoded, in its order; pseudonyms are those of the current period. */
export function compileResource(policy: Policy, context: CompileContext): Uint8Array {
  const outcomes = policy.resource.map((field) =>
    evaluate(compileField('resource', field, RESOURCE_ATTRIBUTES, context, (source) => fixedValue(source, context.facts))),
  )
  return Buffer.concat(outcomes.filter((outcome) => outcome !== undefined))
}

/** What a field makes of the values that its sources hold now. */
export function evaluate(field: FieldPlan): Outcome {
  const value = chosen(field)
  return value.kind === ABSENT ? field.absent : applied(field, value)
}

/** `or` is read when `from` is absent or the empty text. */
export function chosen(field: FieldPlan): Value {
  const { from, or } = field
  return or !== undefined && or.kind !== ABSENT && (from.kind === ABSENT || from.isEmptyText) ? or : from
}

export function applied(field: FieldPlan, value: Value): Outcome {
  const outcome = field.apply(value)
  if (outcome === undefined) field.leftOut.count++
  else if (outcome === field.otherwise) field.folded.count++
  return outcome
}

function compileRule(rule: SpanRule, context: CompileContext): SpanPlan {
  const sources = rule.fields.flatMap((field) => [field.from, ...(field.or === undefined ? [] : [field.or])])
  const keys = [...new Set([...sources.flatMap((source) => (source.kind === 'attribute' ? [source.key] : [])), ...rule.skip])]
  const slots = new Slots(new ByteTable(keys.map((key) => Buffer.from(key, 'utf8'))))
  const spanValue = (what: 'duration' | 'status'): Value | undefined =>
    sources.some((source) => source.kind === 'span' && source.what === what) ? new Value() : undefined
  const duration = spanValue('duration')
  const status = spanValue('status')
  const resolve = (source: Source): Value => {
    if (source.kind === 'attribute') return slots.values[keys.indexOf(source.key)]!
    if (source.kind === 'span') return (source.what === 'duration' ? duration : status)!
    return fixedValue(source, context.facts)
  }
  const fields = rule.fields.map((field) => compileField(`spans.${rule.name}`, field, SPAN_ATTRIBUTES, context, resolve))
  const readers = slots.values.map((value) => fields.flatMap((field, index) => (field.from === value || field.or === value ? [index] : [])))
  const always: number[] = []
  rule.fields.forEach((field, index) => {
    const onlySlots = field.from.kind === 'attribute' && (field.or === undefined || field.or.kind === 'attribute')
    if (!onlySlots || field.absent !== undefined) always.push(index)
  })
  return {
    slots,
    fields,
    wanted: new FieldSet(fields.length, always),
    readers,
    skip: rule.skip.map((key) => slots.values[keys.indexOf(key)]!),
    only: rule.only.map(({ name, values }) => ({
      field: rule.fields.findIndex((field) => field.name === name),
      allowed: new ByteTable(values.map((value) => encodeAttribute(SPAN_ATTRIBUTES, name, value))),
    })),
    splits: rule.fields.findIndex((field) => field.split !== undefined),
    linked: rule.ids === 'linked',
    keepStatus: rule.status === 'keep',
    time: new TimeCut(rule.time),
    name: encodeName(rule.name),
    duration,
    status,
    skipped: context.counters.cell(`spans.${rule.name}.skipped`),
  }
}

function compileField(place: string, field: Field, outer: number, context: CompileContext, resolve: (source: Source) => Value): FieldPlan {
  return {
    from: resolve(field.from),
    or: field.or === undefined ? undefined : resolve(field.or),
    absent: field.absent === undefined ? undefined : encodeAttribute(outer, field.name, field.absent),
    split: field.split,
    ...(field.before === undefined && field.after === undefined && field.shape === undefined
      ? compileAction(field, outer, context)
      : { apply: () => undefined, otherwise: undefined }),
    folded: context.counters.cell(`${place}.${field.name}.other`),
    leftOut: context.counters.cell(`${place}.${field.name}.left_out`),
  }
}

/** The value of a fact or a literal; it never changes while the table lives. */
function fixedValue(source: Source, facts: Facts): Value {
  const value = new Value()
  const scalar = source.kind === 'text' ? source.text : source.kind === 'fact' ? facts.get(source.name) : undefined
  if (typeof scalar === 'string') {
    const bytes = Buffer.from(scalar, 'utf8')
    value.set(STRING, bytes, 0, bytes.length, 0)
  } else if (typeof scalar === 'boolean') value.set(BOOL, value.bytes, 0, 0, scalar ? 1 : 0)
  else if (typeof scalar === 'number') value.set(Number.isSafeInteger(scalar) ? INT : DOUBLE, value.bytes, 0, 0, scalar)
  return value
}

/** Field 5 of Span; a name is at most 127 bytes (the checker says so), so its length is one byte. */
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
