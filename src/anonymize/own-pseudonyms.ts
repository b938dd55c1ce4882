// Under which values the collector knows this installation now: the attributes that are made from its id and nothing
// else. They are made by the same code that makes what leaves, so they are the ones to name when asking for deletion.
import { Counters } from '../counters.ts'
import { decodeRequest } from '../otlp/decode.ts'
import { lenField } from '../otlp/wire.ts'
import { Clock } from './clock.ts'
import { policyOn } from './expiry.ts'
import { type CompileContext, compileField, evaluate } from './field-plan.ts'
import { RESOURCE_ATTRIBUTES } from './outcome.ts'
import { effective } from './overlay-narrow.ts'
import type { Field, Period, Policy, Source } from './policy.ts'
import { fixedValue } from './source.ts'

export interface OwnPseudonym {
  /** `undefined`: it comes with every batch. */
  span: string | undefined
  name: string
  /** How long the value stays the same. */
  lasts: Period
  value: string
}

export function ownPseudonyms(policy: Policy, instanceId: string, secret: Uint8Array, nowMs: number): OwnPseudonym[] {
  const clock = new Clock()
  clock.advance(nowMs)
  const context: CompileContext = {
    project: policy.project,
    secret,
    period: (of) => clock.period(of),
    facts: new Map([['instance.id', instanceId]]),
    counters: new Counters(),
  }
  const inForce = effective(policyOn(policy, clock.period('day')))
  const known = (span: string | undefined, fields: readonly Field[]): OwnPseudonym[] =>
    fields.flatMap((field) => {
      const lasts = lastsOf(field)
      const value = lasts === undefined ? undefined : textOf(field, context)
      return lasts === undefined || value === undefined ? [] : [{ span, name: field.name, lasts, value }]
    })
  return [...known(undefined, inForce.resource), ...inForce.spans.flatMap(({ name, fields }) => known(name, fields))]
}

/** `undefined`: it is not made from the installation's id alone. */
function lastsOf({ from, action }: Field): Period | undefined {
  if (!isInstanceId(from)) return undefined
  return action.kind === 'pseudonym' ? action.period : action.kind === 'hash' ? 'forever' : undefined
}

const isInstanceId = (source: Source): boolean => source.kind === 'fact' && source.name === 'instance.id'

/** What would leave; `undefined`: nothing, because a step refuses it. */
function textOf(field: Field, context: CompileContext): string | undefined {
  // The id is always there, so nothing else is ever read.
  const own = { ...field, or: undefined }
  const outcome = evaluate(
    compileField('identity', own, RESOURCE_ATTRIBUTES, context, (source) => {
      if (source.kind === 'list') throw new Error('a list is not the id alone')
      return fixedValue(source, context.facts)
    }),
  )
  if (outcome === undefined) return undefined
  const attribute = decodeRequest(lenField(1, lenField(1, outcome))).resourceSpans[0]?.attributes[0]
  return attribute?.value.kind === 'string' ? attribute.value.value : undefined
}
