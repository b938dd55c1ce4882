// What the page and `status` show, as data. All of it is policed, counted or a setting; nothing of
// it is raw.

export interface View {
  mode: 'off' | 'local' | 'on'
  /** The switch that decided the mode, by its name. */
  by: string
  /** Sentences; none: all is well. */
  problems: readonly string[]
  policy:
    | { project: string; version: number; digest: string; purpose: string; expires: string }
    | undefined
  /** The data sheet as HTML, and the rules that set it. */
  sheet: { html: string; style: string } | undefined
  collector: string | undefined
  /** When the next reports are sent, at the soonest; milliseconds since 1970. */
  nextSendAt: number | undefined
  waiting: readonly Stored[]
  /** The first spans of the report that leaves next, and how many there are. */
  next: { report: Report; spans: number } | undefined
  sent: readonly Sent[]
  /** What was counted since the process began, by reason. */
  counters: Readonly<Record<string, number>>
  missingFacts: readonly MissingFact[]
  startedAt: number
  now: number
}

/**
 * A fact that the policy names and that the sidecar does not know: what is made of it is left out.
 */
export interface MissingFact {
  name: string
  /** Who could tell. */
  from: 'the facts job' | 'the identity' | 'USAGE_FACTS'
  /** What it was for, as the policy says. */
  reasons: readonly string[]
}

/** A file of queue/, sending/ or sent/. */
export interface Stored {
  place: 'queue' | 'sending' | 'sent'
  name: string
  bytes: number
}

/** A body that was attempted, as the receipts tell it. */
export interface Sent {
  sequence: number
  time: string
  sha256: string
  bytes: number
  batches: number
  spans: number
  /** The last answer: `delivered`, `refused`, `retry`; `undefined`: none yet. */
  result: string | undefined
  status: number | undefined
  /** Its file, while it is kept. */
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
  /** Cut down, as it left. */
  time: string
  status: string
  attributes: readonly Attribute[]
}

export interface Attribute {
  key: string
  value: string
}
