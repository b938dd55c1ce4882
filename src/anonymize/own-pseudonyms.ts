// Lists the pseudonyms under which the collector knows this installation now: the attributes made
// only from its id, its secret and texts of the policy. The code that makes outgoing attributes
// makes them, so these are the ones to name in a request for deletion.

import { decodeRequest } from '../otlp/decode.ts'
import { lenField } from '../otlp/wire.ts'
import { policyOn } from '../policy/expiry.ts'
import { effectivePolicy } from '../policy/overlay-values.ts'
import {
  type Field,
  type Period,
  type Policy,
  placesOf,
  placesRead,
  type Source,
  type SourcePlace,
} from '../policy/policy.ts'
import { Counters } from '../support/counters.ts'
import { Clock } from './clock.ts'
import { type CompileContext, compileField, evaluate } from './compiled-field.ts'
import { fixedValue } from './compiled-source.ts'
import { RESOURCE_ATTRIBUTES } from './encoded-attribute.ts'

export interface OwnPseudonym {
  /** `undefined`: it comes with every batch. */
  span: string | undefined
  name: string
  /** How long the value stays the same. */
  lasts: Period
  value: string
}

export function ownPseudonyms(
  policy: Policy,
  instanceId: string,
  secret: Uint8Array,
  nowMs: number,
): OwnPseudonym[] {
  const clock = new Clock()
  clock.advance(nowMs)
  const context: CompileContext = {
    project: policy.project,
    secret,
    period: (of) => clock.period(of),
    facts: new Map([['instance.id', instanceId]]),
    counters: new Counters(),
  }
  const inForce = effectivePolicy(policyOn(policy, clock.period('day')))
  const known = (span: string | undefined, fields: readonly Field[]): OwnPseudonym[] =>
    fields.flatMap((field) => {
      const own = ownPart(field)
      const lasts = own === undefined ? undefined : lastsOf(own)
      const value = own === undefined || lasts === undefined ? undefined : sentText(own, context)
      return lasts === undefined || value === undefined
        ? []
        : [{ span, name: field.name, lasts, value }]
    })
  return [
    ...known(undefined, inForce.resource),
    ...inForce.spans.flatMap(({ name, fields }) => known(name, fields)),
  ]
}

/**
 * The attribute where it reads nothing but the id and literals: always, or where `or` takes the
 * place of what is absent.
 */
function ownPart(field: Field): Field | undefined {
  const from = [field.from, field.or].find((source) => source !== undefined && isOwn(source))
  return from === undefined || (field.action.kind === 'hmac' && !isOwn(field.action.key))
    ? undefined
    : { ...field, from, or: undefined }
}

/**
 * `undefined`: it does not tell this installation from another. The key of a pseudonym is the
 * installation's own already.
 */
function lastsOf(own: Field): Period | undefined {
  const { action } = own
  if (action.kind === 'pseudonym') return action.period
  return (action.kind === 'hash' || action.kind === 'hmac') && placesRead(own).some(isId)
    ? 'forever'
    : undefined
}

const isId = (place: SourcePlace): boolean => place.kind === 'fact' && place.name === 'instance.id'
const isOwn = (source: Source): boolean =>
  placesOf(source).every((place) => place.kind === 'text' || isId(place))

/** What would leave; `undefined`: nothing, because a step refuses it. */
function sentText(field: Field, context: CompileContext): string | undefined {
  const encoded = evaluate(
    compileField('identity', field, RESOURCE_ATTRIBUTES, context, (source) =>
      fixedValue(source, context.facts),
    ),
  )
  if (encoded === undefined) return undefined
  const attribute = decodeRequest(lenField(1, lenField(1, encoded))).resourceSpans[0]?.attributes[0]
  return attribute?.value.kind === 'string' ? attribute.value.value : undefined
}
