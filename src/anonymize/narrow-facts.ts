// Narrows facts before they are published where others can read them. A narrowed fact leads to the
// same bytes under the policy and reveals no more than the policy sends. The compiled policy itself
// decides this by trial, so narrowing twice equals narrowing once. A fact that is sent unchanged,
// joined or hashed is published whole, because only the sidecar has the secret for digests.

import {
  type Field,
  type Policy,
  placesRead,
  type Scalar,
  type SourcePlace,
  type SpanRule,
  VERSION_LEVELS,
} from '../policy/policy.ts'
import { Counters } from '../support/counters.ts'
import { shortVersion } from './actions/compile-action.ts'
import { compileNarrowing } from './compile-narrowing.ts'
import { type CompileContext, compileField, evaluate } from './compiled-field.ts'
import { type Facts, fixedValue } from './compiled-source.ts'
import { type EncodedAttribute, SPAN_ATTRIBUTES } from './encoded-attribute.ts'

/** Actions that choose from fixed results. Any other action needs the whole value. */
const CHOOSING = ['keep', 'buckets', 'version', 'constant']

/**
 * An attribute, and whether a condition of the policy looks at what it was before the overlay
 * narrowed it.
 */
interface FieldReader {
  field: Field
  tested: boolean
}

/** Every attribute that can leave, or that decides whether its span leaves. */
export function fieldReaders(policy: Policy): FieldReader[] {
  const ofRule = ({ fields, only }: SpanRule): FieldReader[] =>
    fields.map((field) => ({ field, tested: only.some(({ name }) => name === field.name) }))
  const all = [
    ...policy.resource.map((field) => ({ field, tested: false })),
    ...policy.spans.flatMap(ofRule),
  ]
  return all.filter(({ field, tested }) => tested || field.narrow?.kind !== 'drop')
}

/** Names of the facts that the policy reads, each once, in its order. */
export function factsNamed(policy: Policy): string[] {
  const places = fieldReaders(policy).flatMap(({ field }) => placesRead(field))
  return [...new Set(places.flatMap((place) => (place.kind === 'fact' ? [place.name] : [])))]
}

/** The facts that the policy names, narrowed; every other one is left out. */
export function narrowFacts(policy: Policy, facts: Facts): Map<string, Scalar> {
  // promise: facts-by-policy-only
  return new Map(
    factsNamed(policy).flatMap((name): [string, Scalar][] => {
      const value = facts.get(name)
      return value === undefined ? [] : [[name, narrowFact(policy, name, value)]]
    }),
  )
}

function narrowFact(policy: Policy, name: string, value: Scalar): Scalar {
  const isIt = (place: SourcePlace): boolean => place.kind === 'fact' && place.name === name
  const readers = fieldReaders(policy).filter(({ field }) => placesRead(field).some(isIt))
  const chooses = ({ field: { from, or, action, split } }: FieldReader): boolean =>
    from.kind !== 'list' &&
    or?.kind !== 'list' &&
    CHOOSING.includes(action.kind) &&
    split === undefined
  // An empty text is as narrow as can be, and not what the others are: `or` takes its place.
  if (value === '' || !readers.every(chooses)) return value
  const wanted = encodedAttributes(readers, value)
  const alike = (candidate: Scalar): boolean =>
    candidate !== '' && same(encodedAttributes(readers, candidate), wanted)
  return candidates(readers, value).find(alike) ?? value
}

/**
 * From the one that tells least on; the same for a narrowed value as for what it was narrowed from,
 * up to that value.
 */
function candidates(readers: readonly FieldReader[], value: Scalar): Scalar[] {
  const listed = readers.flatMap(({ field: { action } }): readonly Scalar[] =>
    action.kind === 'keep' ? action.values : action.kind === 'buckets' ? action.bounds : [],
  )
  const versions =
    typeof value === 'string' ? VERSION_LEVELS.map((level) => shortVersion(value, level)) : []
  // Represents all unlisted values, so no list may contain it.
  let unlisted = 'unlisted'
  while (listed.some((one) => String(one).toLowerCase() === unlisted)) unlisted += '_'
  return ['other', unlisted, ...listed, ...versions.filter((version) => version !== undefined)]
}

/**
 * What each attribute makes of the value: under the overlay, and before it where a condition looks
 * at that.
 */
function encodedAttributes(readers: readonly FieldReader[], value: Scalar): EncodedAttribute[] {
  const held = fixedValue({ kind: 'fact', name: 'it' }, new Map([['it', value]]))
  return readers.flatMap(({ field, tested }) => {
    const encoded = evaluate(
      compileField('', { ...field, or: undefined }, SPAN_ATTRIBUTES, NO_CONTEXT, () => held),
    )
    const narrow = compileNarrowing(field, SPAN_ATTRIBUTES)
    const left = encoded === undefined || narrow === undefined ? encoded : narrow(encoded)
    return tested ? [left, encoded] : [left]
  })
}

/** Nothing in it matters to the actions that choose. */
const NO_CONTEXT: CompileContext = {
  facts: new Map(),
  counters: new Counters(),
  project: '',
  secret: undefined,
  period: () => '',
}

const same = (some: readonly EncodedAttribute[], others: readonly EncodedAttribute[]): boolean =>
  some.every((one, index) => {
    const other = others[index]
    return one === undefined || other === undefined
      ? one === other
      : Buffer.compare(one, other) === 0
  })
