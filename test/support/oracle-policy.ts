// What the oracle is given and gives back: the words of a policy file as the `yaml` package reads
// them, what the encoder put into a request that the codec does not show, and spans as they must
// leave.
import type { Shape } from '../../src/policy/policy.ts'

export type Plain = string | number | boolean
export type SourceWords = string | string[]

export interface AttributeRule {
  from?: SourceWords
  or?: SourceWords
  absent?: Plain
  split?: string
  before?: string
  after?: string
  fold?: 'upper' | 'lower'
  shape?: Shape | Shape[]
  keep?: Plain[]
  else?: Plain
  buckets?: number[]
  version?: 'major' | 'minor' | 'core'
  pseudonym?: 'day' | 'month' | 'forever'
  constant?: Plain
  hash?: 'sha256' | 'md5'
  hmac?: 'sha256'
  key?: SourceWords
  exact?: 'number' | 'version' | 'text'
  max?: number
  expires?: string
}

export interface SpanRule {
  ids?: 'random' | 'linked'
  time?: 'day' | 'hour' | 'minute' | 'exact'
  status?: 'keep' | 'drop'
  only?: Record<string, Plain[]>
  skip?: string[]
  attributes?: Record<string, AttributeRule>
}

export interface PolicyFile {
  project: string
  spans: Record<string, SpanRule>
}

/** Each fault is the name of a class in malformed.md. */
export interface SpanFaults {
  rejected?: string
  status?: string
  /** Keys whose attribute is malformed. */
  attributes: Map<string, string>
  /** Of the resource that the span came with. */
  resource?: ResourceFaults
}

export interface ResourceFaults {
  /** Nothing of it can be read. */
  whole?: string
  attributes: Map<string, string>
}

export type Tally = (outcome: string) => void

export interface Surroundings {
  policy: PolicyFile
  facts: ReadonlyMap<string, Plain>
  secret: Buffer | undefined
  nowMs: number
  /** Called with every outcome that takes place. */
  tally: Tally
}

/** A number is a double, an integer a bigint. */
export type Scalar = string | bigint | number | boolean
/** What is sent of one attribute; `undefined` leaves it out. */
export type Outcome = Scalar | undefined

export type Found =
  | { state: 'absent' }
  | { state: 'malformed'; fault: string }
  | { state: 'other'; why: string }
  | { state: 'value'; value: Scalar }

export interface OutgoingSpan {
  name: string
  /** Lower-case hex; `random` stands for fresh ones. */
  traceId: string
  spanId: string
  parentId: string
  start: bigint
  end: bigint
  status: number
  attributes: [key: string, value: Scalar][]
}

export interface Expected {
  rejected: number
  unlisted: number
  /** Spans of the application with the name of the sidecar's own. */
  foreign: number
  spans: OutgoingSpan[]
}

export const sent = (value: Plain): string | boolean | bigint =>
  typeof value === 'number' ? BigInt(value) : value
