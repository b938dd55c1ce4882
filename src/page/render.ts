// The page as HTML, made from what `view.ts` describes. An admin can read it in a minute: the mode,
// queued and sent reports, counters, how to turn reporting off, and the data sheet folded away.
import { type Html, html, joinHtml } from '../net/html.ts'
import { COUNTERS, rowOf } from '../support/counters.ts'
import { STYLE } from './style.ts'
import type { Attribute, Batch, Report, ReportedSpan, Sent, Stored, View } from './view.ts'

const MODES = {
  off: ['Off', 'Nothing is kept or sent. Your application gets the same answers as always.'],
  local: ['Local', 'Reports are kept in the sidecar for you to read. Nothing is ever sent.'],
  on: [
    'On',
    'Reports are sent to the collector of the project. Every sent report is listed below, byte for byte.',
  ],
} as const

export function statusPage(view: View): Html {
  const [name, meaning] = MODES[view.mode]
  const { policy, problems, sheet } = view
  const body = html`<header>
<p class="eyebrow">Usage reporting${policy === undefined ? '' : ` of ${policy.project}`}</p>
<h1><span class="mode ${view.mode}">${name}</span></h1>
<p class="lead">${meaning} <span class="soft">Decided by ${view.by}.</span></p>
${problems.length === 0 ? '' : html`<ul class="problems" role="alert">${problems.map((problem) => html`<li>${problem}</li>`)}</ul>`}
${facts(view)}
</header>
<main>
${section('queued', 'Next report', queued(view))}
${section('sent', 'Sent reports', sent(view.sent))}
${section('counters', 'Counters', counters(view.counters))}
${section('off', 'Turn it off', OFF)}
${sheet === undefined ? '' : html`<section aria-labelledby="sheet"><details><summary><h2 id="sheet">Everything that can be sent, and why</h2></summary>${sheet.html}</details></section>`}
</main>
<footer><p>State of ${time(view.now)}. The process started at ${time(view.startedAt)}. Reload the page for newer figures. The same as data: <a href="/status.json">status.json</a></p></footer>`
  return document('Usage reporting', body, sheet?.style)
}

export function reportPage({ file, sha256, batches }: Report): Html {
  const spans = batches.reduce((sum, batch) => sum + batch.spans.length, 0)
  const body = html`<header>
<p class="eyebrow"><a href="/">Usage reporting</a></p>
<h1>${file.place === 'sent' ? 'A sent report' : 'A queued report'}</h1>
<p class="lead">${plural(spans, 'span')} in ${plural(batches.length, 'batch', 'batches')}, completely decoded. ${file.place === 'queue' ? 'More batches may be added until it is sent.' : 'The file has the exact bytes of the request.'}</p>
<p class="soft mono">${file.place}/${file.name}, ${bytes(file.bytes)}, SHA-256 ${sha256}</p>
</header>
<main>${joinHtml(batches.map(batchSection), html`\n`)}</main>`
  return document(`Report ${file.name}`, body)
}

function document(title: string, body: Html, style: Html | '' = ''): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<style>${style}${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`
}

const section = (id: string, title: string, body: Html): Html =>
  html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>\n${body}</section>`

function facts({ policy, collector, nextSendAt, missingFacts }: View): Html {
  const rows: [string, Html][] = []
  if (policy !== undefined) {
    rows.push(['Why', html`${policy.purpose}`])
    rows.push([
      'Policy',
      html`version ${policy.version}, until ${policy.expires} <span class="mono soft">${policy.digest.slice(0, 16)}…</span>`,
    ])
  }
  if (collector !== undefined)
    rows.push(['Collector', html`<span class="mono">${collector}</span>`])
  if (nextSendAt !== undefined) rows.push(['Next sending', html`not before ${time(nextSendAt)}`])
  const missing = missingFacts.map(
    ({ name, from, reasons }) =>
      html`<span class="mono">${name}</span> <span class="soft">from ${from}, for: ${reasons.join(' ')}</span>`,
  )
  if (missing.length > 0) rows.push(['Missing facts', joinHtml(missing, html`<br>`)])
  return rows.length === 0
    ? html``
    : html`<dl>${rows.map(([term, words]) => html`<div><dt>${term}</dt><dd>${words}</dd></div>`)}</dl>`
}

function queued({ waiting: files, mode, next }: View): Html {
  if (files.length === 0) return html`<p class="soft">Nothing is queued.</p>`
  const lead =
    mode === 'local' ? 'It would look like this. It is not sent.' : 'It will be sent like this.'
  const start =
    next === undefined
      ? ''
      : html`${joinHtml(next.report.batches.map(batchBody), html`\n`)}<p class="soft">The first of ${plural(next.spans, 'span')}. Open the file for all of it.</p>`
  const rows = files.map(
    (file) => html`<tr><th scope="row">${link(file)}</th><td>${bytes(file.bytes)}</td></tr>`,
  )
  return html`<p>${lead}</p>${start}<table><thead><tr><th scope="col">File</th><th scope="col">Size</th></tr></thead><tbody>${rows}</tbody></table>`
}

const link = ({ place, name }: Stored): Html =>
  html`<a class="mono" href="/${place}/${name}">${place}/${name}</a>`

function sent(bodies: readonly Sent[]): Html {
  if (bodies.length === 0) return html`<p class="soft">Nothing was sent yet.</p>`
  const rows = bodies.map(
    (body) =>
      html`<tr><th scope="row">${time(Date.parse(body.time))}</th><td>${plural(body.spans, 'span')}</td><td>${answerOf(body)}</td><td>${body.file === undefined ? html`<span class="soft">deleted</span>` : link(body.file)}</td><td class="mono soft">${body.sha256.slice(0, 12)}…</td></tr>`,
  )
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Sent reports"><table><thead><tr><th scope="col">First attempt</th><th scope="col">Content</th><th scope="col">Answer</th><th scope="col">File</th><th scope="col">SHA-256</th></tr></thead><tbody>${rows}</tbody></table></div>`
}

function answerOf({ result, status }: Sent): string {
  if (result === undefined) return 'no answer yet'
  return result === 'retry'
    ? `to be sent again${status ? ` (${status})` : ''}`
    : `${result} (${status})`
}

function counters(counts: View['counters']): Html {
  const groups = COUNTERS.flatMap((row) => {
    const names = Object.keys(counts).filter((name) => rowOf(name) === row)
    if (names.length === 0) return []
    const rows = names.map(
      (name) =>
        html`<tr><th scope="row" class="mono">${name}</th><td>${counts[name]!.toLocaleString('en-GB')}</td></tr>`,
    )
    return [
      html`<tr class="group"><th scope="colgroup" colspan="2">${row.meaning}</th></tr>${rows}`,
    ]
  })
  return groups.length === 0
    ? html`<p class="soft">Nothing was counted yet.</p>`
    : html`<table class="counters"><tbody>${groups}</tbody></table>`
}

const OFF = html`<p>For a running pod. It takes effect within seconds and deletes all queued reports:</p>
<pre>kubectl annotate pod NAME usage-sidecar.dev/reporting=off --overwrite</pre>
<p>For all running pods of an application, and for all new pods of a namespace:</p>
<pre>kubectl annotate pods -A -l app.kubernetes.io/name=APP usage-sidecar.dev/reporting=off --overwrite
kubectl label namespace NAMESPACE usage-sidecar.dev/inject=disabled --overwrite</pre>
<p>Without Kubernetes: set <code>USAGE_REPORTING=off</code> or <code>DO_NOT_TRACK=1</code> for the sidecar, or create the file that <code>USAGE_OFF_FILE</code> names.</p>`

const batchSection = (batch: Batch, index: number): Html =>
  html`<section aria-labelledby="b${index}"><h2 id="b${index}">Batch ${index + 1}</h2>${batchBody(batch)}</section>`

function batchBody({ attributes, spans }: Batch): Html {
  const cells = (list: readonly Attribute[]): Html[] =>
    list.map(
      ({ key, value }) =>
        html`<div><dt class="mono">${key}</dt><dd class="mono">${value}</dd></div>`,
    )
  const articles = spans.map(
    (span) =>
      html`<article><h3>${span.name}</h3><dl>${cells(spanFacts(span))}${cells(span.attributes)}</dl></article>`,
  )
  return html`<dl>${cells(attributes)}</dl>\n${joinHtml(articles, html`\n`)}`
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
    ? plural(count, 'byte')
    : count < 1024 ** 2
      ? `${(count / 1024).toFixed(1)} KiB`
      : `${(count / 1024 ** 2).toFixed(1)} MiB`
}

/** To the second, UTC. */
function time(ms: number): Html {
  const iso = new Date(ms).toISOString()
  return html`<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC</time>`
}
