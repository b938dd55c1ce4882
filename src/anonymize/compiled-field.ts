// One outgoing attribute, compiled: which values it reads, what is done to them, and what is
// counted.

import type { Field, Source } from '../policy/policy.ts'
import type { Cell, Counters } from '../support/counters.ts'
import { compileAction } from './actions/compile-action.ts'
import type { PseudonymContext } from './actions/hash.ts'
import { ABSENT, type Value } from './attribute-slots.ts'
import type { Facts } from './compiled-source.ts'
import { type Apply, encodeAttribute, type Outcome } from './encoded-attribute.ts'
import { type Step, Steps } from './steps.ts'

export interface CompileContext extends PseudonymContext {
  facts: Facts
  counters: Counters
}

export interface FieldPlan {
  from: Value
  or: Value | undefined
  absent: Outcome
  split: string | undefined
  steps: Steps | undefined
  apply: Apply
  otherwise: Outcome
  /** What goes out where a step failed. */
  failed: Outcome
  /** The attribute went out as the `else` of its keep, or as `other`. */
  folded: Cell
  /** There was a value and it was left out. */
  leftOut: Cell
  /** The step of this name failed. */
  stepFailed: Record<Step | 'split', Cell>
}

/** `place` is where the attribute is, for the names of its counters. */
export function compileField(
  place: string,
  field: Field,
  outer: number,
  context: CompileContext,
  resolve: (source: Source) => Value,
): FieldPlan {
  const cell = (reason: string): Cell => context.counters.cell(`${place}.${field.name}.${reason}`)
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
    folded: cell('other'),
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
export function evaluate(field: FieldPlan): Outcome {
  const value = chosen(field)
  // promise: absent-for-absent-only
  return value.kind === ABSENT ? field.absent : applied(field, value)
}

/** `or` is read when `from` is absent or the empty text. */
export function chosen(field: FieldPlan): Value {
  const { from, or } = field
  return or !== undefined && or.kind !== ABSENT && (from.kind === ABSENT || from.isEmptyText)
    ? or
    : from
}

/** The steps but split, then the action. */
export function applied(field: FieldPlan, value: Value): Outcome {
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
  const outcome = field.apply(stepped)
  // promise: omitted-values-counted
  if (outcome === undefined) field.leftOut.count++
  else if (outcome === field.otherwise) field.folded.count++
  return outcome
}
