// Compares two versions of a policy for reviewers and release notes: what is newly sent, what is no
// longer sent, and how many bits change. A change counts as new if a collector could learn more, or
// learn it from something else. When in doubt it is new.

import { budgetOf } from './bits.ts'
import { bitsText, sourceText } from './describe.ts'
import {
  type Field,
  ID_MODES,
  PERIODS,
  type Policy,
  type Scalar,
  type SpanRule,
  STATUS_MODES,
  TIME_UNITS,
  VERSION_LEVELS,
} from './policy.ts'

export interface PolicyDiff {
  /** Sentences. */
  added: readonly string[]
  removed: readonly string[]
  bits: readonly string[]
  /** Something new would leave, and `review` is the one of the old version, or there is none. */
  unreviewed: boolean
}

export function diffPolicies(old: Policy, next: Policy): PolicyDiff {
  const changes = new PolicyChanges()
  if (old.project !== next.project) changes.add(`everything, for another project (${next.project})`)
  if (next.compat && !old.compat)
    changes.add('compat: words that reproduce an old reporter are allowed')
  changes.fields('resource', old.resource, next.resource)
  for (const rule of next.spans) {
    const before = old.spans.find(({ name }) => name === rule.name)
    if (before === undefined)
      changes.add(
        `span ${rule.name}: the whole span, with ${rule.fields.map(({ name }) => name).join(', ') || 'no attributes'}`,
      )
    else changes.rule(before, rule)
  }
  for (const { name } of old.spans)
    if (!next.spans.some((rule) => rule.name === name))
      changes.remove(`span ${name}: the whole span`)
  if (next.expires > old.expires)
    changes.add(`all of it for longer: until ${next.expires} instead of ${old.expires}`, false)
  return {
    added: changes.added,
    removed: changes.removed,
    bits: bitsLines(old, next),
    // To take the review away is none either.
    unreviewed: changes.isNew && (next.review === undefined || next.review === old.review),
  }
}

class PolicyChanges {
  readonly added: string[] = []
  readonly removed: string[] = []
  isNew = false

  add(sentence: string, isNew = true): void {
    this.added.push(sentence)
    this.isNew ||= isNew
  }

  remove(sentence: string): void {
    this.removed.push(sentence)
  }

  rule(old: SpanRule, next: SpanRule): void {
    const place = `span ${next.name}`
    this.#step(place, 'ids', old.ids, next.ids, ID_MODES)
    this.#step(place, 'time', old.time, next.time, TIME_UNITS)
    this.#step(place, 'status', old.status, next.status, STATUS_MODES)
    for (const condition of old.only) {
      const now = next.only.find(({ name }) => name === condition.name)
      if (now === undefined) this.add(`${place}: spans with any ${condition.name}`)
      else this.#values(`${place}: spans whose ${condition.name} is`, condition.values, now.values)
    }
    for (const { name } of next.only)
      if (!old.only.some((condition) => condition.name === name))
        this.remove(`${place}: spans by their ${name}`)
    for (const key of old.skip)
      if (!next.skip.includes(key)) this.add(`${place}: spans that have ${key}`)
    for (const key of next.skip)
      if (!old.skip.includes(key)) this.remove(`${place}: spans that have ${key}`)
    for (const { name, values } of next.only) this.#moved(place, name, values, old, next)
    this.fields(place, old.fields, next.fields)
  }

  /** A value that is no longer sent as itself may become one that a condition lets through. */
  #moved(
    place: string,
    name: string,
    wanted: readonly Scalar[],
    old: SpanRule,
    next: SpanRule,
  ): void {
    const [before, now] = [old, next].map(
      ({ fields }) => fields.find((field) => field.name === name)?.action,
    )
    const held = old.only.find((condition) => condition.name === name)?.values ?? []
    if (before === undefined || now === undefined) return
    const moved = listedBy(before).filter((value) => {
      const becomes = sentFor(now, value)
      return (
        !held.includes(value) &&
        becomes !== value &&
        becomes !== undefined &&
        wanted.includes(becomes)
      )
    })
    // promise: diff-more-spans
    if (moved.length > 0) this.add(`${place}: spans whose ${name} was ${moved.join(', ')}`)
  }

  fields(place: string, old: readonly Field[], next: readonly Field[]): void {
    for (const field of next) {
      const before = old.find(({ name }) => name === field.name)
      if (before === undefined)
        this.add(
          `${place}: ${field.name}, from ${sourceText(field)} (${field.reason || 'a constant'})`,
        )
      else this.#field(`${place}: ${field.name}`, before, field)
    }
    for (const { name } of old)
      if (!next.some((field) => field.name === name)) this.remove(`${place}: ${name}`)
  }

  #field(place: string, old: Field, next: Field): void {
    if (meaning(old) !== meaning(next))
      this.add(`${place}, from ${sourceText(next)} instead of ${sourceText(old)}`)
    if (old.absent !== next.absent) {
      if (next.absent === undefined) this.remove(`${place}: ${old.absent} where there is no value`)
      else this.add(`${place}: ${next.absent} where there is no value`)
    }
    if (old.expires !== undefined && (next.expires === undefined || next.expires > old.expires))
      this.add(
        `${place} for longer: until ${next.expires ?? 'the policy ends'} instead of ${old.expires}`,
        false,
      )
    this.#action(place, old.action, next.action)
  }

  #action(place: string, old: Field['action'], next: Field['action']): void {
    if (old.kind === 'keep' && next.kind === 'keep') {
      const all = ({ values, otherwise }: typeof old): Scalar[] =>
        otherwise === undefined ? [...values] : [...values, otherwise]
      this.#values(`${place}:`, all(old), all(next))
      // To a listed value more inputs come than before.
      if (
        old.otherwise !== next.otherwise &&
        next.otherwise !== undefined &&
        all(old).includes(next.otherwise)
      )
        this.add(`${place}: ${next.otherwise} for any other value`)
      else if (
        old.otherwise !== undefined &&
        next.otherwise === undefined &&
        all(next).includes(old.otherwise)
      )
        this.remove(`${place}: ${old.otherwise} for any other value`)
    } else if (old.kind === 'buckets' && next.kind === 'buckets')
      this.#values(`${place}: the bounds`, old.bounds, next.bounds)
    else if (old.kind === 'version' && next.kind === 'version')
      this.#step(place, 'version', old.level, next.level, VERSION_LEVELS)
    else if (old.kind === 'pseudonym' && next.kind === 'pseudonym')
      this.#step(place, 'pseudonym', old.period, next.period, PERIODS)
    else if (old.kind !== next.kind)
      this.add(`${place} in another form (${next.kind} instead of ${old.kind})`)
    else if (JSON.stringify(old) !== JSON.stringify(next))
      this.add(`${place}: another ${next.kind} than before`)
  }

  /** Later in `order` tells more. */
  #step(place: string, what: string, old: string, next: string, order: readonly string[]): void {
    if (old === next) return
    const sentence = `${place}: ${what} ${next} instead of ${old}`
    if (order.indexOf(next) > order.indexOf(old)) this.add(sentence)
    else this.remove(sentence)
  }

  #values(place: string, old: readonly Scalar[], next: readonly Scalar[]): void {
    const more = next.filter((value) => !old.includes(value))
    const less = old.filter((value) => !next.includes(value))
    if (more.length > 0) this.add(`${place} ${more.join(', ')}`)
    if (less.length > 0) this.remove(`${place} ${less.join(', ')}`)
  }
}

/** Values of which each is sent as something else. */
const listedBy = (action: Field['action']): readonly Scalar[] =>
  action.kind === 'keep' ? action.values : action.kind === 'buckets' ? action.bounds : []

/**
 * What is sent for a value that was sent as itself; `undefined`: nothing, or it is not listed what.
 */
function sentFor(action: Field['action'], value: Scalar): Scalar | undefined {
  if (action.kind === 'keep') return action.values.includes(value) ? value : action.otherwise
  return action.kind === 'buckets'
    ? (action.bounds.findLast((bound) => bound <= Number(value)) ?? action.bounds[0])
    : undefined
}

/** What an attribute reads and the steps before its action. */
const meaning = ({ from, or, split, before, after, fold, shape }: Field): string =>
  JSON.stringify([from, or, split, before, after, fold, shape])

function bitsLines(old: Policy, next: Policy): string[] {
  const before = budgetOf(old)
  const after = budgetOf(next)
  const text = (bits: number | undefined): string =>
    bits === undefined ? 'not sent' : bitsText(Number.isFinite(bits) ? bits : undefined)
  const names = [...new Set([...before.records, ...after.records].map(({ name }) => name))]
  const of = (records: typeof before.records, name: string): number | undefined =>
    records.find((record) => record.name === name)?.bits
  return [
    ...names.map(
      (name) =>
        `One record of ${name}: ${text(of(before.records, name))} before, ${text(of(after.records, name))} now.`,
    ),
    `What stays the same from day to day: ${text(before.stableBits)} before, ${text(after.stableBits)} now.`,
  ]
}
