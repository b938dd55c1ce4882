// The counters of all programs, in one table. Every span, value or request that is not used is
// counted here under a reason. Status, page, /metrics and the documentation are made from the
// table. Labels hold words of ours and names from the policy, never anything from the input.

/** A label whose values are names from the policy. */
const POLICY = 'policy'
/** Status codes of requests that are not answered 200. */
export const REFUSAL_STATUSES = [400, 404, 405, 408, 413, 415, 417, 421, 431, 500, 503] as const
export type RefusalStatus = (typeof REFUSAL_STATUSES)[number]
/** Why spans leave the queue without being sent. */
export const DROP_REASONS = ['age', 'consent', 'corrupt', 'format', 'full', 'policy'] as const
export type DropReason = (typeof DROP_REASONS)[number]
/** The step of an attribute that failed; `left_out` is its action. */
const STEPS = ['left_out', 'split', 'before', 'after', 'fold', 'shape'] as const
export type FailedStep = (typeof STEPS)[number]

export type Program = 'sidecar' | 'collector'
type Words = readonly (string | number)[]

export interface CounterRow {
  /** The name in code, log and status. Words of labels follow after a dot. */
  name: string
  programs: readonly Program[]
  unit: 'requests' | 'spans' | 'values' | 'bodies' | 'heartbeats' | 'files'
  labels: Readonly<Record<string, Words | typeof POLICY>>
  meaning: string
}

const SIDECAR = ['sidecar'] as const
const COLLECTOR = ['collector'] as const
const BOTH = ['sidecar', 'collector'] as const

/** In the order in which a request meets them. */
export const COUNTERS = [
  {
    name: 'requests.accepted',
    programs: BOTH,
    unit: 'requests',
    labels: {},
    meaning: 'Requests answered with 200.',
  },
  {
    name: 'requests.discarded',
    programs: BOTH,
    unit: 'requests',
    labels: {},
    meaning:
      'Requests answered with 200 whose content was discarded: reporting is off, no policy is in force, or they carry no traces.',
  },
  {
    name: 'requests.refused',
    programs: BOTH,
    unit: 'requests',
    labels: { status: REFUSAL_STATUSES },
    meaning: 'Requests refused, by the HTTP status of the answer. For gRPC, by the equivalent one.',
  },
  {
    name: 'spans.received',
    programs: SIDECAR,
    unit: 'spans',
    labels: {},
    meaning: 'Spans received from the application.',
  },
  {
    name: 'spans.rejected',
    programs: BOTH,
    unit: 'spans',
    labels: {},
    meaning: 'Spans dropped because they are invalid. The answer names their number.',
  },
  {
    name: 'spans.unlisted',
    programs: SIDECAR,
    unit: 'spans',
    labels: {},
    meaning: 'Spans dropped because the policy does not name them.',
  },
  {
    name: 'spans.skipped',
    programs: SIDECAR,
    unit: 'spans',
    labels: { span: POLICY },
    meaning: 'Spans dropped by a condition of the policy (“only” or “skip”).',
  },
  {
    name: 'heartbeats.foreign',
    programs: SIDECAR,
    unit: 'spans',
    labels: {},
    meaning:
      'Spans dropped because an application named them “usage.heartbeat”, the name of the sidecar’s own report.',
  },
  {
    name: 'values.other',
    programs: SIDECAR,
    unit: 'values',
    labels: { span: POLICY, attribute: POLICY },
    meaning: 'Values that are not in the list of the policy. The report has “other” instead.',
  },
  {
    name: 'values.failed',
    programs: SIDECAR,
    unit: 'values',
    labels: { span: POLICY, attribute: POLICY, reason: STEPS },
    meaning: 'Values that did not fit the policy, by the step that failed.',
  },
  {
    name: 'spans.kept',
    programs: SIDECAR,
    unit: 'spans',
    labels: {},
    meaning: 'Spans that the policy made and that were written to disk.',
  },
  {
    name: 'heartbeats.kept',
    programs: SIDECAR,
    unit: 'heartbeats',
    labels: {},
    meaning: 'Heartbeats of the sidecar that were written to disk.',
  },
  {
    name: 'heartbeats.lost',
    programs: SIDECAR,
    unit: 'heartbeats',
    labels: {},
    meaning: 'Heartbeats of the sidecar that could not be written.',
  },
  {
    name: 'queue.refused',
    programs: SIDECAR,
    unit: 'spans',
    labels: {},
    meaning: 'Spans refused with 503 because the queue could not take them. The SDK retries.',
  },
  {
    name: 'queue.dropped',
    programs: SIDECAR,
    unit: 'spans',
    labels: { reason: DROP_REASONS },
    meaning:
      'Spans dropped from the queue, by reason. For “corrupt”, the number of damaged places.',
  },
  {
    name: 'queue.recovered.torn',
    programs: SIDECAR,
    unit: 'files',
    labels: {},
    meaning: 'Queue files whose last write was incomplete. They were cut there; nothing is lost.',
  },
  {
    name: 'sent.bodies',
    programs: SIDECAR,
    unit: 'bodies',
    labels: {},
    meaning: 'Request bodies that the collector accepted.',
  },
  {
    name: 'sent.spans',
    programs: SIDECAR,
    unit: 'spans',
    labels: {},
    meaning: 'Spans that the collector accepted.',
  },
  {
    name: 'sent.rejected',
    programs: SIDECAR,
    unit: 'spans',
    labels: {},
    meaning: 'Spans that the collector rejected in a body that it accepted.',
  },
  {
    name: 'refused.spans',
    programs: SIDECAR,
    unit: 'spans',
    labels: {},
    meaning: 'Spans in bodies that the collector refused. They are dropped.',
  },
  {
    name: 'spans.stored',
    programs: COLLECTOR,
    unit: 'spans',
    labels: {},
    meaning: 'Spans that the collector stored.',
  },
  {
    name: 'spans.duplicate',
    programs: COLLECTOR,
    unit: 'spans',
    labels: {},
    meaning: 'Spans in batches that were stored before. They are counted once.',
  },
] as const satisfies readonly CounterRow[]

type Row = (typeof COUNTERS)[number]
type PolicyRow = Extract<Row, { labels: { span: typeof POLICY } }>
type NameOf<R extends Row> = R extends { labels: Record<string, infer Each extends Words> }
  ? keyof R['labels'] extends never
    ? R['name']
    : `${R['name']}.${Each[number]}`
  : never
/** Names with the words of their labels: `spans.kept`, `queue.dropped.age`. */
export type CounterName = NameOf<Exclude<Row, PolicyRow>>
/** Counters whose labels are names from the policy. */
export type PolicyCounterName = PolicyRow['name']
type LabelsOf<Name extends PolicyCounterName> =
  Extract<PolicyRow, { name: Name }> extends { labels: infer Labels }
    ? {
        readonly [Label in keyof Labels]: Labels[Label] extends readonly (infer Word)[]
          ? Word
          : string
      }
    : never
type Labels = Readonly<Record<string, string>>

/** One counter, for code that counts often and must not look its name up each time. */
export interface Cell {
  count: number
}

/** A counter with its labels, as /metrics shows it. */
export interface Series {
  row: CounterRow
  labels: Labels
  count: number
}

interface Counted extends Cell {
  readonly row: CounterRow
  /** The name in log and status. */
  readonly name: string
  readonly labels: Labels
}

/** Counters with names from policies, of all policies that were in force. */
const MAX_POLICY_CELLS = 8192
/** The label values of everything that is counted above this limit. */
const OVERFLOW = '(overflow)'

export class Counters {
  readonly #cells = new Map<string, Counted>()
  readonly #policyCells = new Map<string, Counted>()

  constructor() {
    for (const row of COUNTERS)
      for (const [name, labels] of fixedSeries(row))
        this.#cells.set(name, { count: 0, row, name, labels })
  }

  add(name: CounterName, count = 1): void {
    this.cell(name).count += count
  }

  cell(name: CounterName): Cell {
    const cell = this.#cells.get(name)
    if (cell === undefined) throw new TypeError('no such counter')
    return cell
  }

  /** An empty `span` stands for the resource. */
  policyCell<Name extends PolicyCounterName>(name: Name, labels: LabelsOf<Name> & Labels): Cell {
    const known = this.#policyCells.get(policyKey(name, labels))
    if (known !== undefined) return known
    return this.#policyCells.size < MAX_POLICY_CELLS
      ? this.#addPolicyCell(name, labels)
      : this.#overflowCell(name, labels)
  }

  #addPolicyCell(name: PolicyCounterName, labels: Labels): Counted {
    const row = COUNTERS.find((each) => each.name === name)!
    const cell = { count: 0, row, name: policyCounterName(name, labels), labels }
    this.#policyCells.set(policyKey(name, labels), cell)
    return cell
  }

  #overflowCell(name: PolicyCounterName, labels: Labels): Counted {
    const hidden: Labels = Object.fromEntries(
      Object.entries(labels).map(([label, value]) => [
        label,
        label === 'reason' ? value : OVERFLOW,
      ]),
    )
    return this.#policyCells.get(policyKey(name, hidden)) ?? this.#addPolicyCell(name, hidden)
  }

  get(name: CounterName | `${'spans' | 'resource'}.${string}.${string}`): number {
    return this.snapshot()[name] ?? 0
  }

  /** All counters that are not zero, in the order of their names. */
  snapshot(): Record<string, number> {
    const counts = new Map<string, number>()
    for (const { name, count } of this.#all())
      if (count !== 0) counts.set(name, (counts.get(name) ?? 0) + count)
    return Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** The counters of a program. Of those with names from the policy, only what was counted. */
  series(program: Program): Series[] {
    return [...this.#all()].filter(
      (cell) =>
        cell.row.programs.includes(program) && (this.#cells.has(cell.name) || cell.count !== 0),
    )
  }

  *#all(): Iterable<Counted> {
    yield* this.#cells.values()
    yield* this.#policyCells.values()
  }
}

const policyKey = (name: PolicyCounterName, labels: Labels): string =>
  JSON.stringify([name, ...Object.values(labels)])

/** The names and labels of a row whose words are known. */
function fixedSeries(row: CounterRow): [name: string, labels: Labels][] {
  const [label] = Object.entries(row.labels)
  if (label === undefined) return [[row.name, {}]]
  const [key, words] = label
  return words === POLICY || hasPolicyLabel(row)
    ? []
    : words.map((word) => [`${row.name}.${word}`, { [key]: String(word) }])
}

const hasPolicyLabel = ({ labels }: CounterRow): boolean => Object.values(labels).includes(POLICY)

/** `spans.build.skipped`, `spans.build.tool.other`, `resource.app.version.shape`. */
function policyCounterName(name: PolicyCounterName, labels: Labels): string {
  const { span = '', attribute, reason = 'other' } = labels
  if (name === 'spans.skipped') return `spans.${span}.skipped`
  return `${span === '' ? 'resource' : `spans.${span}`}.${attribute}.${reason}`
}

/** The row of a name that a snapshot has. */
export function rowOf(name: string): CounterRow | undefined {
  const rows: readonly CounterRow[] = COUNTERS
  const fixed = rows.find((row) => fixedSeries(row).some(([known]) => known === name))
  return (
    fixed ?? rows.find((row) => row.name === policyRowOf(name.slice(name.lastIndexOf('.') + 1)))
  )
}

function policyRowOf(lastWord: string): PolicyCounterName | undefined {
  if (lastWord === 'skipped') return 'spans.skipped'
  if (lastWord === 'other') return 'values.other'
  return STEPS.some((step) => step === lastWord) ? 'values.failed' : undefined
}
