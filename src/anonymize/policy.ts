// What a policy says, after it was checked: the words of the policy language as types, and the digest that names them.
// `parse.ts` makes it from YAML, `compile.ts` makes the table from it.
import { createHash } from 'node:crypto'
import type { Fold } from './table.ts'

export type Scalar = string | number | boolean

/** Where a value comes from. */
export type Source =
  | { kind: 'attribute'; key: string }
  | { kind: 'fact'; name: string }
  | { kind: 'text'; text: string }
  | { kind: 'span'; what: 'duration' | 'status' }

export type VersionLevel = 'major' | 'minor' | 'core'
export type Period = 'day' | 'month'
export type TimeUnit = 'day' | 'hour' | 'minute'

/** What is sent. `otherwise` is the `else` of a keep; `undefined` leaves the attribute out. */
export type Action =
  | { kind: 'keep'; values: readonly Scalar[]; otherwise: Scalar | undefined }
  | { kind: 'buckets'; bounds: readonly number[] }
  | { kind: 'version'; level: VersionLevel; releases: number }
  | { kind: 'pseudonym'; period: Period }
  | { kind: 'constant'; value: Scalar }

/** One outgoing attribute. */
export interface Field {
  name: string
  from: Source
  or: Source | undefined
  absent: Scalar | undefined
  split: string | undefined
  fold: Fold
  action: Action
  reason: string
}

/** One kind of span that may leave. */
export interface SpanRule {
  name: string
  ids: 'random' | 'linked'
  time: TimeUnit
  status: 'drop' | 'keep'
  /** Outgoing attribute and the values of which it must have one. */
  only: readonly { name: string; values: readonly Scalar[] }[]
  /** Incoming attributes whose presence leaves the span out. */
  skip: readonly string[]
  fields: readonly Field[]
}

export interface Policy {
  project: string
  version: number
  purpose: string
  contact: string
  review: string | undefined
  retention: string
  /** Last UTC day on which anything is sent, `2027-12-31`. */
  expires: string
  limits: { recordBits: number; stableBits: number }
  resource: readonly Field[]
  spans: readonly SpanRule[]
}

/** SHA-256, as hex, of what the policy does; the sentences for people (purpose, reasons, contact) do not change it. */
export function policyDigest(policy: Policy): string {
  const field = (full: Field): object => ({ ...full, reason: undefined })
  const { project, version, expires, limits } = policy
  const canonical = {
    project,
    version,
    expires,
    limits,
    resource: policy.resource.map(field),
    spans: policy.spans.map(({ fields, ...rule }) => ({ ...rule, fields: fields.map(field) })),
  }
  return createHash('sha256').update(JSON.stringify(canonical, sortedKeys)).digest('hex')
}

/** Members in the order of their names, so that equal meanings have equal texts. */
function sortedKeys(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}
