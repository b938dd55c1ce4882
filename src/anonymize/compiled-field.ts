// One outgoing attribute, compiled: the values it reads, its steps and action, and its counters.

import type { Field, Source } from '../policy/policy.ts'
import type { Cell, Counters, FailedStep } from '../support/counters.ts'
import { compileAction } from './actions/compile-action.ts'
import type { PseudonymContext } from './actions/hash.ts'
import { ABSENT, type InputValue } from './attribute-slots.ts'
import type { Facts } from './compiled-source.ts'
import { type Apply, type EncodedAttribute, encodeAttribute } from './encoded-attribute.ts'
import { Steps, type TextStep } from './steps.ts'

export interface CompileContext extends PseudonymContext {
  facts: Facts
  counters: Counters
}

export interface CompiledField {
  from: InputValue
  or: InputValue | undefined
  absent: EncodedAttribute
  split: string | undefined
  steps: Steps | undefined
  apply: Apply
  otherwise: EncodedAttribute
  /** What goes out where a step failed. */
  failed: EncodedAttribute
  /** The attribute went out as the `else` of its keep, or as `other`. */
  folded: Cell
  /** There was a value and it was left out. */
  leftOut: Cell
  /** The step of this name failed. */
  stepFailed: Record<TextStep | 'split', Cell>
}

/** `span` is the rule's name, for the counters; empty for the resource. */
export function compileField(
  span: string,
  field: Field,
  outer: number,
  context: CompileContext,
  resolve: (source: Source) => InputValue,
): CompiledField {
  const labels = { span, attribute: field.name }
  const cell = (reason: FailedStep): Cell =>
    context.counters.policyCell('values.failed', { ...labels, reason })
  const { before, after, fold, shape } = field
  const whileLookingUp =
    field.action.kind === 'keep' &&
    before === undefined &&
    after === undefined &&
    shape === undefined
  return {
    from: resolve(field.from),
    or: field.or === undefined ? undefined : resolve(field.or),
    absent:
      field.absent === undefined ? undefined : encodeAttribute(outer, field.name, field.absent),
    split: field.split,
    steps: whileLookingUp ? undefined : Steps.of(field),
    ...compileAction(field, outer, whileLookingUp ? fold : undefined, context, resolve),
    folded: context.counters.policyCell('values.other', labels),
    leftOut: cell('left_out'),
    stepFailed: {
      split: cell('split'),
      before: cell('before'),
      after: cell('after'),
      fold: cell('fold'),
      shape: cell('shape'),
    },
  }
}

/** What a field makes of the values that its sources hold now. */
export function evaluate(field: CompiledField): EncodedAttribute {
  const value = sourceValue(field)
  // promise: absent-for-absent-only
  return value.kind === ABSENT ? field.absent : applyAction(field, value)
}

/** `or` is read when `from` is absent or the empty text. */
export function sourceValue(field: CompiledField): InputValue {
  const { from, or } = field
  return or !== undefined && or.kind !== ABSENT && (from.kind === ABSENT || from.isEmptyText)
    ? or
    : from
}

/** The steps but split, then the action. */
export function applyAction(field: CompiledField, value: InputValue): EncodedAttribute {
  const { steps } = field
  let stepped = value
  if (steps !== undefined) {
    const failed = steps.run(value)
    if (failed !== undefined) {
      field.stepFailed[failed].count++
      return field.failed
    }
    stepped = steps.result
  }
  const encoded = field.apply(stepped)
  // promise: omitted-values-counted
  if (encoded === undefined) field.leftOut.count++
  else if (encoded === field.otherwise) field.folded.count++
  return encoded
}
