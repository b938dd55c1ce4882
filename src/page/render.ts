// The page as HTML: a function from what `view.ts` describes to text. Readable in a minute: the
// mode in one sentence, then what waits, what left, what was counted, how to turn it off; the data
// sheet last, folded away. Everything is escaped.
import { STYLE } from './style.ts'
import type { Attribute, Batch, Report, ReportedSpan, Sent, Stored, View } from './view.ts'

const MODES = {
  off: ['Off', 'Nothing is kept and nothing is sent. The application is answered as always.'],
  local: [
    'Local',
    'Everything but sending: what would leave is kept here, for you to look at. Nothing is ever sent.',
  ],
  on: [
    'On',
    'Reports are sent to the collector of the project. Everything that left is below, byte for byte.',
  ],
} as const

/**
 * Counters in the order of the road, and what they mean; a counter is of the first line that names
 * it.
 */
const COUNTERS: readonly [name: RegExp, meaning: string][] = [
  [/^spans\.received$/, 'spans that the application sent'],
  [/^spans\.unlisted$/, 'left out: the policy does not name them'],
  [/^spans\.rejected$/, 'left out: not valid OTLP'],
  [/^spans\..+\.skipped$/, 'left out by a condition of the policy'],
  [/^spans\.kept$/, 'spans that the policy made, on disk'],
  [/\.other$/, 'values that are not in the list of the policy, sent as its “other”'],
  [
    /^(spans|resource)\..+\.(left_out|split|before|after|fold|shape)$/,
    'values that did not fit, by the step of the policy',
  ],
  [/^heartbeats\./, 'the sidecar’s own daily report'],
  [/^sent\./, 'taken by the collector'],
  [/^refused\./, 'refused by the collector for good'],
  [/^queue\.dropped\./, 'dropped, by reason'],
  [/^queue\.refused$/, 'answered “later”, because the queue could not take them'],
  [/^requests\./, 'requests of the application, by answer'],
  [/(?:)/, 'other'],
]

export function statusPage(view: View): string {
  const [name, meaning] = MODES[view.mode]
  return html(
    'Usage reporting',
    `<header>
<p class="eyebrow">Usage reporting${view.policy === undefined ? '' : ` of ${escapeHtml(view.policy.project)}`}</p>
<h1><span class="mode ${view.mode}">${name}</span></h1>
<p class="lead">${meaning} <span class="soft">Decided by ${escapeHtml(view.by)}.</span></p>
${view.problems.length === 0 ? '' : `<ul class="problems" role="alert">${view.problems.map((problem) => `<li>${escapeHtml(problem)}</li>`).join('')}</ul>`}
${facts(view)}
</header>
<main>
${section('waiting', 'Next report', waiting(view))}
${section('sent', 'What left', sent(view.sent))}
${section('counted', 'Counted', counted(view.counters))}
${section('off', 'Turn it off', OFF)}
${view.sheet === undefined ? '' : `<section aria-labelledby="sheet"><details><summary><h2 id="sheet">Everything that can leave, and why</h2></summary>${view.sheet.html}</details></section>`}
</main>
<footer><p>Seen at ${time(view.now)}, by the process that began at ${time(view.startedAt)}. Load the page again for newer figures. The same as data: <a href="/status.json">status.json</a></p></footer>`,
    view.sheet?.style,
  )
}

export function reportPage({ file, sha256, batches }: Report): string {
  const spans = batches.reduce((sum, batch) => sum + batch.spans.length, 0)
  return html(
    `Report ${file.name}`,
    `<header>
<p class="eyebrow"><a href="/">Usage reporting</a></p>
<h1>${file.place === 'sent' ? 'A report that left' : 'A report that waits'}</h1>
<p class="lead">${plural(spans, 'span')} in ${plural(batches.length, 'batch', 'batches')}: all of it, decoded. ${file.place === 'queue' ? 'Batches that come until it is sent are added.' : 'These are the bytes of the request.'}</p>
<p class="soft mono">${escapeHtml(file.place)}/${escapeHtml(file.name)}, ${bytes(file.bytes)}, SHA-256 ${escapeHtml(sha256)}</p>
</header>
<main>${batches.map(batchSection).join('\n')}</main>`,
  )
}

function html(title: string, body: string, more = ''): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)}</title>
<style>${more}${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`
}

const section = (id: string, title: string, body: string): string =>
  `<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>\n${body}</section>`

function facts(view: View): string {
  const rows: [string, string][] = []
  if (view.policy !== undefined) {
    rows.push(['Why', escapeHtml(view.policy.purpose)])
    rows.push([
      'Policy',
      `version ${view.policy.version}, until ${escapeHtml(view.policy.expires)} <span class="mono soft">${view.policy.digest.slice(0, 16)}…</span>`,
    ])
  }
  if (view.collector !== undefined)
    rows.push(['Collector', `<span class="mono">${escapeHtml(view.collector)}</span>`])
  if (view.nextSendAt !== undefined)
    rows.push(['Next sending', `not before ${time(view.nextSendAt)}`])
  const missing = view.missingFacts.map(
    ({ name, from, reasons }) =>
      `<span class="mono">${escapeHtml(name)}</span> <span class="soft">from ${from}, for: ${escapeHtml(reasons.join(' '))}</span>`,
  )
  if (missing.length > 0) rows.push(['Facts not known', missing.join('<br>')])
  return rows.length === 0
    ? ''
    : `<dl>${rows.map(([term, words]) => `<div><dt>${term}</dt><dd>${words}</dd></div>`).join('')}</dl>`
}

function waiting({ waiting: files, mode, next }: View): string {
  if (files.length === 0) return '<p class="soft">Nothing waits.</p>'
  const rows = files.map(
    (file) => `<tr><th scope="row">${link(file)}</th><td>${bytes(file.bytes)}</td></tr>`,
  )
  const begin =
    next === undefined
      ? ''
      : `${next.report.batches.map(batchBody).join('\n')}<p class="soft">The first of ${plural(next.spans, 'span')}. Open the file to see all of it.</p>`
  return `<p>${mode === 'local' ? 'It would look like this; it is not sent.' : 'It will leave like this.'}</p>${begin}<table><thead><tr><th scope="col">File</th><th scope="col">Size</th></tr></thead><tbody>${rows.join('')}</tbody></table>`
}

const link = ({ place, name }: Stored): string =>
  `<a class="mono" href="/${place}/${escapeHtml(name)}">${place}/${escapeHtml(name)}</a>`

function sent(bodies: readonly Sent[]): string {
  if (bodies.length === 0) return '<p class="soft">Nothing has left.</p>'
  const rows = bodies.map((body) => {
    const answer =
      body.result === undefined
        ? 'no answer yet'
        : body.result === 'retry'
          ? `tried again later${body.status ? ` (${body.status})` : ''}`
          : `${body.result} (${body.status})`
    return `<tr><th scope="row">${time(Date.parse(body.time))}</th><td>${plural(body.spans, 'span')}</td><td>${escapeHtml(answer)}</td><td>${body.file === undefined ? '<span class="soft">no longer kept</span>' : link(body.file)}</td><td class="mono soft">${escapeHtml(body.sha256.slice(0, 12))}…</td></tr>`
  })
  return `<div class="scroll" tabindex="0" role="region" aria-label="What left"><table><thead><tr><th scope="col">First attempt</th><th scope="col">What</th><th scope="col">Answer</th><th scope="col">Body</th><th scope="col">SHA-256</th></tr></thead><tbody>${rows.join('')}</tbody></table></div>`
}

function counted(counters: View['counters']): string {
  const groupOf = (name: string): number => COUNTERS.findIndex(([pattern]) => pattern.test(name))
  const groups = COUNTERS.flatMap(([, meaning], group) => {
    const found = Object.keys(counters).filter((name) => groupOf(name) === group)
    const rows = found.map(
      (name) =>
        `<tr><th scope="row" class="mono">${escapeHtml(name)}</th><td>${counters[name]!.toLocaleString('en-GB')}</td></tr>`,
    )
    return found.length === 0
      ? []
      : [`<tr class="group"><th scope="colgroup" colspan="2">${meaning}</th></tr>${rows.join('')}`]
  })
  return groups.length === 0
    ? '<p class="soft">Nothing yet.</p>'
    : `<table class="counters"><tbody>${groups.join('')}</tbody></table>`
}

const OFF = `<p>For a running pod; it takes effect within seconds, and what waits is wiped:</p>
<pre>kubectl annotate pod NAME usage-sidecar.dev/reporting=off --overwrite</pre>
<p>For all pods that run, and for all new ones in a namespace:</p>
<pre>kubectl annotate pods -A -l app.kubernetes.io/name=APP usage-sidecar.dev/reporting=off --overwrite
kubectl label namespace NAMESPACE usage-sidecar.dev/inject=disabled --overwrite</pre>
<p>Without Kubernetes: <code>USAGE_REPORTING=off</code> or <code>DO_NOT_TRACK=1</code> for the sidecar, or make the file that <code>USAGE_OFF_FILE</code> names.</p>`

const batchSection = (batch: Batch, index: number): string =>
  `<section aria-labelledby="b${index}"><h2 id="b${index}">Batch ${index + 1}</h2>${batchBody(batch)}</section>`

function batchBody({ attributes, spans }: Batch): string {
  const cells = (list: readonly Attribute[]): string =>
    list
      .map(
        ({ key, value }) =>
          `<div><dt class="mono">${escapeHtml(key)}</dt><dd class="mono">${escapeHtml(value)}</dd></div>`,
      )
      .join('')
  return `<dl>${cells(attributes)}</dl>
${spans.map((span) => `<article><h3>${escapeHtml(span.name)}</h3><dl>${cells(spanFacts(span))}${cells(span.attributes)}</dl></article>`).join('\n')}`
}

const spanFacts = ({
  traceId,
  spanId,
  parentSpanId,
  time: at,
  status,
}: ReportedSpan): Attribute[] => [
  { key: 'trace id', value: traceId },
  { key: 'span id', value: spanId },
  ...(parentSpanId === '' ? [] : [{ key: 'parent', value: parentSpanId }]),
  { key: 'time', value: at },
  ...(status === '' ? [] : [{ key: 'status', value: status }]),
]

const plural = (count: number, one: string, many = `${one}s`): string =>
  `${count.toLocaleString('en-GB')} ${count === 1 ? one : many}`

function bytes(count: number): string {
  return count < 1024
    ? `${count} bytes`
    : count < 1024 ** 2
      ? `${(count / 1024).toFixed(1)} KiB`
      : `${(count / 1024 ** 2).toFixed(1)} MiB`
}

/** To the second, UTC. */
function time(ms: number): string {
  const iso = new Date(ms).toISOString()
  return `<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC</time>`
}

/**
 * Text that is safe between tags and in quoted attributes; control and format characters could hide
 * or turn text.
 */
function escapeHtml(text: string): string {
  // promise: page-escapes-html
  return text.replace(/[&<>"']|\p{Cc}|\p{Cf}/gu, (character) => ENTITIES[character] ?? '\ufffd')
}
const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
