// What the sidecar says of itself, for its page and for `status`: gathered from the rooms when
// somebody asks.

import type { Decision } from '../consent/consent.ts'
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
import { filesIn, type Place, readFound, receiptsIn } from '../queue/read-folder.ts'

export interface StatusSources {
  folder: string
  decision: Decision
  problems: readonly string[]
  /** `undefined` where no policy is in force. */
  policy: Policy | undefined
  facts: ReadonlyMap<string, unknown>
  endpoint: string | undefined
  nextSendAt: number | undefined
  counters: Readonly<Record<string, number>>
  startedAt: number
}

const SHOWN_RECEIPTS = 100
const SHOWN_SPANS = 1
/**
 * A file is sealed at 1 MiB; a single request may make a larger one, which is shown when somebody
 * asks for it.
 */
const MAX_PREVIEW_BYTES = 2 * 1024 * 1024

export async function statusOf(sources: StatusSources): Promise<View> {
  const { folder, decision, policy, facts } = sources
  const off = decision.mode === 'off'
  const waiting = off
    ? []
    : [...(await filesIn(folder, 'sending')), ...(await filesIn(folder, 'queue'))]
  // A body that is settled stands in sending/ for a moment more.
  const kept = new Map(
    [...(await filesIn(folder, 'sending')), ...(await filesIn(folder, 'sent'))].map((file) => [
      file.sequence,
      file,
    ]),
  )
  const stored = (file: { place: Place; name: string; bytes: number }): Stored => ({
    place: file.place,
    name: file.name,
    bytes: file.bytes,
  })
  const next =
    waiting[0] && (await reportOf(folder, waiting[0].place, waiting[0].name, MAX_PREVIEW_BYTES))
  const sent = (await receiptsIn(folder, SHOWN_RECEIPTS)).map((receipt): Sent => {
    const file = kept.get(receipt.sequence)
    const { sequence, time, sha256, bytes, batches, spans, outcome } = receipt
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
  return {
    mode: decision.mode,
    by: decision.by,
    problems: [...sources.problems, ...(decision.mode === 'on' ? refusal(sent[0]) : [])],
    policy: policy && pick(policy),
    sheet: policy && (await sheetFor(policy)),
    collector: decision.mode === 'on' ? sources.endpoint : undefined,
    nextSendAt: sources.nextSendAt,
    waiting: waiting.map(stored),
    next: next && beginOf(next),
    sent,
    counters: sources.counters,
    missingFacts: policy === undefined ? [] : missing(policy, facts),
    startedAt: sources.startedAt,
    now: Date.now(),
  }
}

const refusal = (last: Sent | undefined): string[] =>
  last?.result === 'refused'
    ? [
        `The collector refused the last report for good, with status ${last.status}. It was dropped, and is kept here for you to see.`,
      ]
    : []

/** No more than a reader takes in: a report may hold thousands of spans. */
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

const pick = (policy: Policy): View['policy'] => {
  const { project, version, purpose, expires } = policy
  return { project, version, digest: policyDigest(policy), purpose, expires }
}

/** Loaded when somebody looks: every sidecar would otherwise hold it. */
async function sheetFor(policy: Policy): Promise<View['sheet']> {
  const [{ sheetOf }, { SHEET_STYLE, sheetSections }] = await Promise.all([
    import('../datasheet/sheet.ts'),
    import('../datasheet/sheet-html.ts'),
  ])
  return { html: sheetSections(sheetOf(policy)), style: SHEET_STYLE }
}

/** Facts that the policy names and that nobody gave. */
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

/** One file of the folder, decoded; `undefined` where there is none. */
export async function reportOf(
  folder: string,
  place: string,
  name: string,
  most?: number,
): Promise<Report | undefined> {
  if (place !== 'queue' && place !== 'sending' && place !== 'sent') return undefined
  const found = await readFound(folder, { place, name }, most)
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

/** What leaves is words, numbers and booleans. */
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
