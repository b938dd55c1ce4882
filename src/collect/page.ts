// The page of the usage collector as HTML: the counts of one project. A sender chooses every name
// and value on it.
import { type Html, html, joinHtml } from '../net/html.ts'
import { bar, type DayChart, dayChart, dayTable, formatNumber, formatShare } from './chart.ts'
import {
  type AttributeCount,
  type DayCount,
  MAX_DAYS,
  type Project,
  type Report,
  type Section,
} from './counts.ts'
import { STYLE } from './style.ts'

function document(title: string, body: Html): Html {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`
}

/** For a store without spans. `otlpUrl` is where this collector listens. */
export function emptyPage(otlpUrl: string): Html {
  return document(
    'Usage collector',
    html`<header><h1>No reports yet</h1><p class="lead">This collector is listening at <code>${otlpUrl}</code>.</p></header>
<main><div class="empty">
<p>Give a sidecar this address, and switch its reporting on:</p>
<pre>USAGE_ENDPOINT=${otlpUrl} \\
USAGE_REPORTING=on \\
USAGE_SEND_INTERVAL=10s \\
USAGE_POLICY=policy.yaml usage-sidecar run</pre>
<p>Then send spans to the sidecar with any OpenTelemetry SDK. The sidecar sends its reports once per send interval,
which is an hour unless you set it. Load this page again then.</p>
</div></main>`,
  )
}

export function notFoundPage(): Html {
  return document(
    'No such project',
    html`<header><h1>No such project</h1><p class="lead">This project has sent nothing. <a href="/">All projects</a></p></header>`,
  )
}

export function reportPage(report: Report, projects: readonly Project[]): Html {
  const chart: DayChart = {
    days: report.days,
    unit: 'spans',
    title: 'Spans a day',
    height: 170,
    limit: MAX_DAYS,
  }
  const cut =
    report.firstDay < (report.days[0]?.day ?? '')
      ? ` The chart shows the last ${MAX_DAYS} days.`
      : ''
  const sections = report.sections.map((section, at) => spanSection(section, at, report))
  const more =
    report.moreNames > 0
      ? html`<section><p>${formatNumber(report.moreNames)} more span ${plural(report.moreNames, 'name is', 'names are')} not shown.</p></section>`
      : ''
  return document(
    `${report.name}: usage`,
    html`<header>
${projectLinks(report.name, projects)}
<h1>${report.name}</h1>
<p class="lead">${range(report)}.${cut}</p>
<dl class="figures">${figure(report.spans, 'span', 'spans')}${figure(report.batches, 'batch', 'batches')}${figure(report.dayCount, 'day with spans', 'days with spans')}</dl>
</header>
<main>
<section aria-labelledby="days"><h2 id="days">Spans a day</h2>${dayChart(chart)}${dayTable(chart)}</section>
${joinHtml(sections, html`\n`)}
${more}
${factSection(report)}
</main>
<footer>
<p>A batch is what one sidecar received in one request. Each batch is counted once, however often it was sent. Days are UTC.</p>
<p>Counted when this page was loaded. The same as data: <a href="/counts.json?project=${encodeURIComponent(report.name)}">counts.json</a></p>
</footer>`,
  )
}

const DATES = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  timeZone: 'UTC',
})

const range = ({ firstDay, lastDay }: Report): string =>
  DATES.formatRange(new Date(firstDay), new Date(lastDay))

const plural = (count: number, one: string, many: string): string => (count === 1 ? one : many)

function figure(count: number, one: string, many: string): Html {
  return html`<div><dt>${plural(count, one, many)}</dt><dd>${formatNumber(count)}</dd></div>`
}

function projectLinks(current: string, projects: readonly Project[]): Html {
  if (projects.length < 2) return html``
  const items = projects.map(({ name }) => {
    const isCurrent = name === current ? html` aria-current="page"` : ''
    return html`<li><a href="/?project=${encodeURIComponent(name)}"${isCurrent}><bdi>${name}</bdi></a></li>`
  })
  return html`<nav aria-label="Projects"><ul>${items}</ul></nav>`
}

function spanSection(section: Section, at: number, report: Report): Html {
  const blocks = section.attributes.map((attribute, number) =>
    attributeBlock(attribute, section.count, 'spans', `s${at}a${number}`),
  )
  return html`<section aria-labelledby="s${at}">
<h2 id="s${at}"><bdi>${section.name}</bdi></h2>
<p>${formatNumber(section.count)} ${plural(section.count, 'span', 'spans')}, ${formatShare(section.count, report.spans)} of all</p>
${blocks.length > 0 ? html`<div class="blocks">${joinHtml(blocks, html`\n`)}</div>` : ''}
</section>`
}

function factSection(report: Report): Html {
  if (report.facts.length === 0) return html``
  const blocks = report.facts.map((fact, number) =>
    attributeBlock(fact, report.batches, 'batches', `f${number}`),
  )
  return html`<section aria-labelledby="facts">
<h2 id="facts">Where it runs</h2>
<p>Facts of the resource, counted once for each batch. An installation that is used more sends more batches.</p>
<div class="blocks">${joinHtml(blocks, html`\n`)}</div>
</section>`
}

/** One attribute: how often each value occurs among `whole` spans or batches. */
function attributeBlock(attribute: AttributeCount, whole: number, unit: string, id: string): Html {
  const heading = html`<h3 id="${id}"><bdi>${attribute.key}</bdi></h3>`
  return attribute.pseudonyms === undefined
    ? html`<div class="attribute">${heading}\n${valueTable(attribute, whole, unit, id)}</div>`
    : html`<div class="attribute">${heading}${pseudonymChart(attribute, attribute.pseudonyms)}</div>`
}

function pseudonymChart({ key, distinct }: AttributeCount, days: readonly DayCount[]): Html {
  const chart: DayChart = {
    days,
    unit: 'pseudonyms',
    title: `Different values of ${key} a day`,
    height: 72,
    limit: MAX_DAYS,
  }
  return html`<p>${formatNumber(distinct)} different pseudonyms, which change with their period. For each day:</p>${dayChart(chart)}${dayTable(chart)}`
}

function valueTable(attribute: AttributeCount, whole: number, unit: string, id: string): Html {
  const { values, total, distinct, numbers } = attribute
  const missing = whole - total
  const others = total - values.reduce((sum, { count }) => sum + count, 0)
  const peak = Math.max(...values.map(({ count }) => count), others, missing)
  const row = (label: string, count: number, kind: Html | '' = ''): Html =>
    html`<tr${kind}><th scope="row"><bdi>${label}</bdi></th><td class="track">${bar(count, peak)}</td><td>${formatNumber(count)}</td><td>${formatShare(count, whole)}</td></tr>`
  const rest = html` class="rest"`
  const rows = values.map(({ value, count }) =>
    row(numbers ? formatNumber(Number(value)) : value || '(empty text)', count),
  )
  const more = distinct - values.length
  if (more > 0) rows.push(row(`${formatNumber(more)} more`, others, rest))
  if (missing > 0) rows.push(row('not given', missing, rest))
  const heads = ['Value', 'Bar', unit, 'Share'].map(
    (head) => html`<th scope="col"><span class="hidden">${head}</span></th>`,
  )
  return html`<table class="values" aria-labelledby="${id}"><colgroup><col class="what"><col><col class="count"><col class="share"></colgroup>
<thead><tr>${heads}</tr></thead>
<tbody>${rows}</tbody></table>`
}
