// The words of the policy language as types and constants, and the digest of a policy. `parse.ts`
// makes a policy from YAML. `anonymize/` compiles it.
import { createHash } from 'node:crypto'

export type Scalar = string | number | boolean

/** How letters are folded before they are compared. */
export const FOLDS = ['upper', 'lower'] as const
export type Fold = (typeof FOLDS)[number] | undefined

/** What a span itself gives as a source, beside its attributes. */
export const SPAN_SOURCES = ['duration', 'status'] as const

/**
 * One place that a value comes from. `resource` is the resource that came with the span; it may
 * follow it on the wire.
 */
export type SourcePlace =
  | { kind: 'attribute'; key: string }
  | { kind: 'resource'; key: string }
  | { kind: 'fact'; name: string }
  | { kind: 'text'; text: string }
  | { kind: 'span'; what: (typeof SPAN_SOURCES)[number] }

/**
 * A list joins the texts of its places with nothing between; where one is missing, the whole is.
 */
export type Source = SourcePlace | { kind: 'list'; places: readonly SourcePlace[] }

export const SHAPES = ['ulid', 'uuid', 'ec2-instance', 'semver', 'dns-label'] as const
export type Shape = (typeof SHAPES)[number]
/** From the coarsest to the finest. */
export const VERSION_LEVELS = ['major', 'minor', 'core'] as const
export type VersionLevel = (typeof VERSION_LEVELS)[number]
/** From the shortest to the longest. */
export const PERIODS = ['day', 'month', 'forever'] as const
export type Period = (typeof PERIODS)[number]
/** From the coarsest to the finest; `exact` sends start and end as they are. */
export const TIME_UNITS = ['day', 'hour', 'minute', 'exact'] as const
export type TimeUnit = (typeof TIME_UNITS)[number]
/** Both from what tells less to what tells more. */
export const ID_MODES = ['random', 'linked'] as const
export const STATUS_MODES = ['drop', 'keep'] as const
/** Words that only a compat policy may use, because they identify. */
export const COMPAT_PERIOD = 'forever' satisfies Period
export const COMPAT_TIME = 'exact' satisfies TimeUnit
export const HASH_ALGORITHMS = ['sha256', 'md5'] as const
export const HMAC_ALGORITHMS = ['sha256'] as const
export const EXACT_TYPES = ['number', 'version', 'text'] as const

/** What is sent. `otherwise` is the `else` of a keep; `undefined` leaves the attribute out. */
export type Action =
  | { kind: 'keep'; values: readonly Scalar[]; otherwise: Scalar | undefined }
  | { kind: 'buckets'; bounds: readonly number[] }
  | { kind: 'version'; level: VersionLevel; releases: number }
  | { kind: 'pseudonym'; period: Period }
  | { kind: 'constant'; value: Scalar }
  // Compat policies only, and `pseudonym: forever`.
  | { kind: 'hash'; algorithm: (typeof HASH_ALGORITHMS)[number] }
  | { kind: 'hmac'; algorithm: (typeof HMAC_ALGORITHMS)[number]; key: Source }
  | { kind: 'exact'; what: 'number' }
  | { kind: 'exact'; what: 'version' | 'text'; maxBytes: number }

/**
 * What an overlay makes of an outcome of the policy: a function of what would leave, so it can
 * never tell more.
 */
export type Narrowing =
  | { kind: 'drop' }
  /** Other values become the `else` of the keep. */
  | { kind: 'keep'; values: readonly Scalar[] }
  | { kind: 'buckets'; bounds: readonly number[] }
  | { kind: 'version'; level: VersionLevel }

/**
 * One outgoing attribute. The members from `split` to `shape` are its steps, in the order in which
 * they are done.
 */
export interface Field {
  name: string
  from: Source
  or: Source | undefined
  /** Sent where neither source has a value. */
  absent: Scalar | undefined
  split: string | undefined
  before: string | undefined
  after: string | undefined
  fold: Fold
  /** The value must have one of them; `undefined`: any will do. */
  shape: readonly Shape[] | undefined
  action: Action
  reason: string
  /**
   * Last UTC day on which the attribute is sent; `undefined`: as long as the policy is in force.
   */
  expires: string | undefined
  /** Of the overlay. */
  narrow?: Narrowing
}

export interface Condition {
  /** Of an outgoing attribute. */
  name: string
  values: readonly Scalar[]
}

/** One kind of span that may leave. */
export interface SpanRule {
  name: string
  ids: (typeof ID_MODES)[number]
  time: TimeUnit
  status: (typeof STATUS_MODES)[number]
  /** Outgoing attribute and the values of which it must have one. */
  only: readonly Condition[]
  /** Of the overlay: tested after it narrowed the attribute. */
  onlyNarrowed?: readonly Condition[]
  /** Incoming attributes whose presence leaves the span out. */
  skip: readonly string[]
  fields: readonly Field[]
}

export interface PolicyLimits {
  recordBits: number
  stableBits: number
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
  /** Reproduces an old reporter: pseudonymous, not anonymous. */
  compat: boolean
  /** `undefined`: the file says `none`, which only a compat policy may. */
  limits: PolicyLimits | undefined
  resource: readonly Field[]
  spans: readonly SpanRule[]
}

/**
 * The span that the sidecar itself makes, once per UTC day; one of that name from the application
 * is left out.
 */
export const HEARTBEAT = 'usage.heartbeat'

/** The places of a source, one by one. */
export const placesOf = (source: Source): readonly SourcePlace[] =>
  source.kind === 'list' ? source.places : [source]

/** All that an attribute reads, in the order `from`, `or`, the key of an hmac. */
export function placesRead({ from, or, action }: Field): SourcePlace[] {
  return [from, or, action.kind === 'hmac' ? action.key : undefined].flatMap((source) =>
    source === undefined ? [] : placesOf(source),
  )
}

/**
 * SHA-256, as hex, of what the policy does; the sentences for people (purpose, reasons, contact) do
 * not change it.
 */
export function policyDigest(policy: Policy): string {
  // promise: digest-of-meaning
  const field = (full: Field): object => ({ ...full, reason: undefined })
  const { project, version, expires, compat, limits } = policy
  const canonical = {
    project,
    version,
    expires,
    compat,
    limits: limits ?? 'none',
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
