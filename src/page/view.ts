// What the page and `status` show, as data: output of the policy, counters and settings, never raw
// data.
import type { Html } from '../net/html.ts'

export interface View {
  mode: 'off' | 'local' | 'on'
  /** The switch that decided the mode, by its name. */
  by: string
  /** Sentences. If there are none, all is well. */
  problems: readonly string[]
  policy:
    | { project: string; version: number; digest: string; purpose: string; expires: string }
    | undefined
  /** The data sheet and its style sheet. */
  sheet: { html: Html; style: Html } | undefined
  collector: string | undefined
  /** The earliest time of the next sending, in milliseconds since 1970. */
  nextSendAt: number | undefined
  waiting: readonly Stored[]
  /** The first spans of the next report, and how many it has. */
  next: { report: Report; spans: number } | undefined
  sent: readonly Sent[]
  /** Counted since the process started. */
  counters: Readonly<Record<string, number>>
  missingFacts: readonly MissingFact[]
  startedAt: number
  now: number
}

/** A fact that the policy names and the sidecar does not have. Its attributes are left out. */
export interface MissingFact {
  name: string
  /** Where the sidecar would get it. */
  from: 'the facts job' | 'the identity' | 'USAGE_FACTS'
  /** What the policy needs it for. */
  reasons: readonly string[]
}

/** A file of queue/, sending/ or sent/. */
export interface Stored {
  place: 'queue' | 'sending' | 'sent'
  name: string
  bytes: number
}

/** A body with at least one attempt to send it, from the receipts. */
export interface Sent {
  sequence: number
  time: string
  sha256: string
  bytes: number
  batches: number
  spans: number
  /** The last answer: `delivered`, `refused` or `retry`; `undefined` if there is none yet. */
  result: string | undefined
  status: number | undefined
  /** Its file, until it is deleted. */
  file: Stored | undefined
}

/** A body, decoded. */
export interface Report {
  file: Stored
  sha256: string
  batches: readonly Batch[]
}

export interface Batch {
  attributes: readonly Attribute[]
  spans: readonly ReportedSpan[]
}

export interface ReportedSpan {
  name: string
  traceId: string
  spanId: string
  parentSpanId: string
  /** As it was sent: rounded by the policy. */
  time: string
  status: string
  attributes: readonly Attribute[]
}

export interface Attribute {
  key: string
  value: string
}
