// The status of the sidecar, for its page and for the command `status`. It is gathered when someone
// asks.
import { type Attribute as Decoded, type DecodedSpan, decodeRequest } from '../otlp/decode.ts'
import type {
  Attribute,
  MissingFact,
  Report,
  ReportedSpan,
  Sent,
  Stored,
  View,
} from '../page/view.ts'
import { type Policy, placesRead, policyDigest } from '../policy/policy.ts'
import { type Found, filesIn, readFound, receiptsIn } from '../queue/read-folder.ts'
import type { Counters } from '../support/counters.ts'
import type { Config } from '../support/settings.ts'
import { problemSentences } from './problems.ts'
import type { Reporting } from './reporting.ts'
import type { RequestHandler } from './request-handler.ts'

export interface StatusSources {
  config: Config
  /** Of the settings. */
  errors: readonly string[]
  reporting: Reporting
  requests: RequestHandler
  counters: Counters
  startedAt: number
}

const SHOWN_RECEIPTS = 100
const SHOWN_SPANS = 1
/**
 * A file is sealed at 1 MiB. A single request may make a larger one, which is shown on a page of
 * its own.
 */
const MAX_PREVIEW_BYTES = 2 * 1024 * 1024

export async function statusOf(sources: StatusSources): Promise<View> {
  const { config, reporting, counters, startedAt } = sources
  const { mode, by } = reporting.decision()
  const { policy, facts = new Map() } = reporting.policyRuntime() ?? {}
  const folder = config.dataDir
  const problems = problemsOf(sources)
  const nextSendAt = reporting.modes.sending()?.nextDrainAt
  const waiting =
    mode === 'off'
      ? []
      : [...(await filesIn(folder, 'sending')), ...(await filesIn(folder, 'queue'))]
  const [first] = waiting
  const next = first && (await reportOf(folder, first.place, first.name, MAX_PREVIEW_BYTES))
  const sent = await sentIn(folder)
  return {
    mode,
    by,
    problems: [...problems, ...(mode === 'on' ? refusal(sent[0]) : [])],
    policy: policy && summaryOf(policy),
    sheet: policy && (await sheetFor(policy)),
    collector: mode === 'on' ? config.endpoint : undefined,
    nextSendAt,
    waiting: waiting.map(stored),
    next: next && beginOf(next),
    sent,
    counters: counters.snapshot(),
    missingFacts: policy === undefined ? [] : missing(policy, facts),
    startedAt,
    now: Date.now(),
  }
}

function problemsOf({ errors, reporting, requests }: StatusSources): string[] {
  const failures = reporting.modes.sending()?.failures ?? 0
  return problemSentences({
    settingErrors: errors,
    policyErrors: reporting.policyErrors(),
    cannot: reporting.modes.problem(),
    isRefusing: requests.isRefusing(),
    isCollectorUnavailable: failures > 0,
  })
}

const stored = ({ place, name, bytes }: Found): Stored => ({ place, name, bytes })

/** The last receipts, each with its file while that is kept. */
async function sentIn(folder: string): Promise<Sent[]> {
  // A settled body stays in sending/ for a moment before it moves to sent/.
  const kept = new Map(
    [...(await filesIn(folder, 'sending')), ...(await filesIn(folder, 'sent'))].map((file) => [
      file.sequence,
      file,
    ]),
  )
  return (await receiptsIn(folder, SHOWN_RECEIPTS)).map((receipt) => {
    const { sequence, time, sha256, bytes, batches, spans, outcome } = receipt
    const file = kept.get(sequence)
    return {
      sequence,
      time,
      sha256,
      bytes,
      batches,
      spans,
      result: outcome?.result,
      status: outcome?.status,
      file: file && stored(file),
    }
  })
}

const refusal = (last: Sent | undefined): string[] =>
  last?.result === 'refused'
    ? [
        `The collector refused the last report with status ${last.status}. The sidecar dropped the report and keeps a copy in sent/.`,
      ]
    : []

/** The first spans of a report, which may hold thousands. */
function beginOf(report: Report): NonNullable<View['next']> {
  let left = SHOWN_SPANS
  const batches = report.batches.flatMap(({ attributes, spans }) => {
    const shownSpans = spans.slice(0, left)
    left -= shownSpans.length
    return shownSpans.length === 0 ? [] : [{ attributes, spans: shownSpans }]
  })
  return {
    report: { ...report, batches },
    spans: report.batches.reduce((sum, batch) => sum + batch.spans.length, 0),
  }
}

const summaryOf = (policy: Policy): View['policy'] => {
  const { project, version, purpose, expires } = policy
  return { project, version, digest: policyDigest(policy), purpose, expires }
}

/** The data sheet is loaded on demand, so that other sidecars need no memory for it. */
async function sheetFor(policy: Policy): Promise<View['sheet']> {
  const [{ sheetOf }, { SHEET_STYLE, sheetSections }] = await Promise.all([
    import('../datasheet/sheet.ts'),
    import('../datasheet/sheet-html.ts'),
  ])
  return { html: sheetSections(sheetOf(policy)), style: SHEET_STYLE }
}

/** Facts that the policy names but the sidecar does not have. */
function missing(policy: Policy, facts: ReadonlyMap<string, unknown>): MissingFact[] {
  const fields = [...policy.resource, ...policy.spans.flatMap((rule) => rule.fields)]
  const reasons = new Map<string, Set<string>>()
  for (const field of fields)
    for (const place of placesRead(field))
      if (place.kind === 'fact' && !facts.has(place.name))
        reasons.set(place.name, (reasons.get(place.name) ?? new Set()).add(field.reason))
  const from = (name: string): MissingFact['from'] =>
    name === 'instance.id'
      ? 'the identity'
      : name.startsWith('k8s.')
        ? 'the facts job'
        : 'USAGE_FACTS'
  return [...reasons]
    .map(([name, why]) => ({ name, from: from(name), reasons: [...why] }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** One file of the data directory, decoded. `undefined` if it does not exist. */
export async function reportOf(
  folder: string,
  place: string,
  name: string,
  limit?: number,
): Promise<Report | undefined> {
  if (place !== 'queue' && place !== 'sending' && place !== 'sent') return undefined
  const found = await readFound(folder, { place, name }, limit)
  if (found === undefined) return undefined
  try {
    const batches = decodeRequest(found.request).resourceSpans.map(
      ({ attributes, scopeSpans }) => ({
        attributes: attributes.map(shown),
        spans: scopeSpans.flatMap(({ spans }) => spans.map(shownSpan)),
      }),
    )
    return { file: { place, name, bytes: found.bytes }, sha256: found.sha256, batches }
  } catch {
    // A file that is being written may end in the middle of a batch.
    return undefined
  }
}

/** Only strings, numbers and booleans are sent. */
const shown = ({ key, value }: Decoded): Attribute => ({
  key,
  value:
    value.kind === 'string' ||
    value.kind === 'int' ||
    value.kind === 'bool' ||
    value.kind === 'double'
      ? String(value.value)
      : '',
})

const STATUSES = ['', 'ok', 'error']

function shownSpan(span: DecodedSpan): ReportedSpan {
  const { name, traceId, spanId, parentSpanId, startTimeUnixNano, statusCode, attributes } = span
  const time = new Date(Number(startTimeUnixNano / 1_000_000n))
    .toISOString()
    .replace('T00:00:00.000Z', '')
    .replace(':00.000Z', 'Z')
  return {
    name,
    traceId,
    spanId,
    parentSpanId,
    time,
    status: STATUSES[statusCode] ?? '',
    attributes: attributes.map(shown),
  }
}
