// The data sheet as plain data: everything that can be sent under a policy. It is made only from
// the checked policy, so it says what the sidecar does. `sheet-markdown.ts` and `sheet-html.ts`
// only format it. A test checks that every field on the wire has one row and every row is on the
// wire.
import { type BitShare, budgetOf, type RecordBudget } from '../policy/bits.ts'
import {
  bucketText,
  conditionsOf,
  exampleOf,
  linkingOf,
  sourceText,
  TIME_TEXTS,
  typeOf,
  valuesOf,
} from '../policy/describe.ts'
import { effectivePolicy } from '../policy/overlay-values.ts'
import {
  type Field,
  HEARTBEAT,
  type Period,
  type Policy,
  policyDigest,
  type SpanRule,
} from '../policy/policy.ts'

export interface SheetRow {
  /**
   * Where it stands in an OTLP request: `resource.stage.type`, `span.trace_id`,
   * `span.attributes.stage.type`.
   */
  wire: string
  type: string
  /** Where it comes from, in words. */
  from: string
  /** Every possible value, or what stands for those that cannot be listed. */
  values: readonly string[]
  example: string
  /** Why it is sent. */
  reason: string
  /** `undefined`: there is no bound. */
  bits: number | undefined
  /** The same from day to day: of the installation, not of what happened. */
  stable: boolean
  /** Equal values belong together for this long. */
  links: Period | undefined
  /** Last day on which it is sent, where that is before the policy's. */
  expires: string | undefined
}

export interface SpanSheet {
  name: string
  conditions: readonly string[]
  rows: readonly SheetRow[]
  /** Of one record, with what comes with its batch; `undefined`: there is no bound. */
  bits: number | undefined
}

export interface Sheet {
  project: string
  version: number
  digest: string
  purpose: string
  contact: string
  review: string | undefined
  retention: string
  expires: string
  compat: boolean
  /** What the word for it is, and why. */
  verdict: string
  batch: readonly SheetRow[]
  spans: readonly SpanSheet[]
  stable: { bits: number | undefined; of: readonly string[]; assumed: readonly string[] }
  receiver: string
  off: readonly string[]
  weaknesses: readonly string[]
}

export function sheetOf(whole: Policy): Sheet {
  const digest = policyDigest(whole)
  const policy = effectivePolicy(whole)
  const budget = budgetOf(policy)
  return {
    project: policy.project,
    version: policy.version,
    digest,
    purpose: policy.purpose,
    contact: policy.contact,
    review: policy.review,
    retention: policy.retention,
    expires: policy.expires,
    compat: policy.compat,
    verdict: verdictOf(policy),
    batch: [
      ...batchRows(policy, digest),
      ...policy.resource.map((field, i) => fieldRow('resource', field, budget.resource[i]!)),
    ],
    spans: policy.spans.map((rule, i) => spanSheet(rule, budget.records[i]!)),
    stable: {
      bits: finite(budget.stableBits),
      of: budget.stable.map(({ name }) => name),
      assumed: [...new Set(budget.stable.filter(({ assumed }) => assumed).map(({ name }) => name))],
    },
    receiver: `The collector at the address in USAGE_ENDPOINT, over HTTPS. Questions: ${policy.contact}.`,
    off: TURN_OFF,
    weaknesses: weaknessesOf(policy),
  }
}

const finite = (bits: number): number | undefined => (Number.isFinite(bits) ? bits : undefined)

const TURN_OFF = [
  'One running pod: run kubectl annotate pod NAME usage-sidecar.dev/reporting=off, or create the file that USAGE_OFF_FILE names.',
  'Permanently: set USAGE_REPORTING=off or DO_NOT_TRACK=1 in the sidecar’s environment. Either one is enough.',
  'Off is silent. The sidecar opens no connection, makes no DNS query, keeps no file and deletes queued reports. Your application keeps running.',
]

function verdictOf(policy: Policy): string {
  const linking = linkingOf(policy)
  if (linking.length === 0)
    return 'Anonymous. It has no pseudonym, no hash and no linked id. Every value comes from a closed list or is a plain version number.'
  const exact = linking.some((what) => /^(hashes|unchanged)/.test(what))
  return `Pseudonymous, not anonymous, because of ${linking.join('; ')}.${exact ? ' Hashes can be confirmed by guessing, and unchanged values can contain anything.' : ''}`
}

const fixed = (
  wire: string,
  type: string,
  values: string,
  example: string,
  reason: string,
  links?: Period,
): SheetRow => ({
  wire,
  type,
  from: 'the sidecar itself',
  values: [values],
  example,
  reason,
  bits: 0,
  stable: false,
  links,
  expires: undefined,
})

function batchRows({ project, version }: Policy, digest: string): SheetRow[] {
  return [
    fixed('resource.usage.project', 'text', project, project, 'Names the project.'),
    fixed(
      'resource.usage.policy.version',
      'whole number',
      String(version),
      String(version),
      'Names the version of the policy.',
    ),
    fixed(
      'resource.usage.policy.digest',
      'text',
      `${digest} if the maintainers ship this policy, else "custom"`,
      digest,
      'Identifies the exact policy.',
    ),
    fixed(
      'resource.usage.batch.id',
      'text',
      '32 random hex digits, new for every batch',
      '3ddd507af620bb083b1839007936f14a',
      'A batch that arrives twice is counted once.',
    ),
  ]
}

/** A span without a parent has none here either. */
const withAbsent = (row: SheetRow): SheetRow => ({ ...row, values: [...row.values, '(absent)'] })

function spanSheet(rule: SpanRule, record: RecordBudget): SpanSheet {
  const share = (name: string): BitShare | undefined =>
    record.shares.slice(rule.fields.length).find((one) => one.name === name)
  const isLinked = rule.ids === 'linked'
  const id = (wire: string, digits: number, example: string): SheetRow =>
    isLinked
      ? fixed(
          wire,
          `${digits / 2} bytes`,
          'derived from the incoming id with a secret key that changes every day',
          example,
          'Keeps the spans of one trace together.',
          'day',
        )
      : fixed(wire, `${digits / 2} bytes`, 'random', example, 'OTLP requires it.')
  const time = (wire: string): SheetRow => ({
    ...fixed(wire, 'time', TIME_TEXTS[rule.time], '2026-10-05', 'When it happened.'),
    from: 'the span’s start, rounded down',
    bits: finite(share('time')?.bits ?? 0),
  })
  return {
    name: rule.name,
    conditions: [
      ...conditionsOf(rule),
      ...(rule.name === HEARTBEAT
        ? ['The sidecar makes it once a day and sends it in a request of its own.']
        : []),
    ],
    bits: finite(record.bits),
    rows: [
      ...rule.fields.map((field, i) => fieldRow('span.attributes', field, record.shares[i]!)),
      rule.time === 'exact'
        ? { ...time('span.start_time_unix_nano'), from: 'the span’s start' }
        : time('span.start_time_unix_nano'),
      rule.time === 'exact'
        ? { ...time('span.end_time_unix_nano'), from: 'the span’s end' }
        : { ...time('span.end_time_unix_nano'), values: ['the same as the start'], bits: 0 },
      ...(rule.status === 'keep'
        ? [
            {
              ...fixed('span.status.code', 'whole number', '', '1', 'Whether it worked.'),
              from: 'the span’s status, never its message',
              values: ['(absent)', '1 (ok)', '2 (error)'],
              bits: share('status')?.bits,
            },
          ]
        : []),
      {
        ...fixed('span.name', 'text', rule.name, rule.name, 'What kind of event it is.'),
        from: 'the policy itself',
      },
      id('span.trace_id', 32, '1e1f05f6adcd338c9e0c5593684fcb5b'),
      id('span.span_id', 16, '740fdc37cc8c71d8'),
      ...(isLinked ? [withAbsent(id('span.parent_span_id', 16, '1a2b3c4d5e6f7081'))] : []),
    ],
  }
}

function fieldRow(where: string, field: Field, share: BitShare): SheetRow {
  const { listed, open, optional } = valuesOf(field)
  const { action } = field
  const values =
    action.kind === 'buckets'
      ? listed.map((value, i) =>
          i < action.bounds.length ? `${value} (${bucketText(action.bounds, i)})` : String(value),
        )
      : listed.map(String)
  return {
    wire: `${where}.${field.name}`,
    type: typeOf(field),
    from: sourceText(field),
    values: [...(open === '' ? [] : [open]), ...values, ...(optional ? ['(absent)'] : [])],
    example: exampleOf(field),
    reason: field.reason,
    bits: finite(share.bits),
    stable: share.stable,
    links: share.links,
    expires: field.expires,
  }
}

/** Of the known weaknesses those that apply to this policy. */
function weaknessesOf(policy: Policy): string[] {
  const fields = [...policy.resource, ...policy.spans.flatMap((rule) => rule.fields)]
  const has = (kind: string): boolean => fields.some(({ action }) => action.kind === kind)
  const isLinked = policy.spans.some(({ ids }) => ids === 'linked')
  return [
    'The collector sees the connecting address, and the time and size of each request. The sidecar does not hide them.',
    'Records in one request can be linked to each other, even with random ids.',
    'If few people use the software, a rare combination of values can identify one of them.',
    ...(isLinked
      ? ['For one day, linked ids show which records belong to one trace, and how many it has.']
      : []),
    ...(fields.some(({ split }) => split !== undefined)
      ? ['A split span also shows how many parts there were, up to 16.']
      : []),
    ...(has('pseudonym')
      ? ['During its period, a pseudonym shows that two records are about the same thing.']
      : []),
    ...(has('hash') || has('hmac')
      ? [
          'A hash never changes. Anyone who has seen the value can find all its records. Short or common values can be guessed.',
        ]
      : []),
    ...(has('exact') ? ['A value that is sent unchanged can contain anything.'] : []),
    ...(policy.spans.some(({ time }) => time === 'exact')
      ? ['Exact times can be matched with other logs.']
      : []),
  ]
}
