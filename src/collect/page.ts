// The page of the usage collector as HTML: what came of one project, to be read in a minute. A
// function from counts to text; every name and value in it was chosen by a sender and is escaped.
import {
  bar,
  type DayChart,
  dayChart,
  dayTable,
  escapeHtml,
  formatNumber,
  formatShare,
} from './chart.ts'
import { type AttributeCount, MAX_DAYS, type Project, type Report, type Section } from './counts.ts'
import { STYLE } from './style.ts'

function html(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escapeHtml(title)}</title>
<style>${STYLE}</style>
</head>
<body>
${body}
</body>
</html>
`
}

/** What stands there before anything has come; `otlpUrl` is where this collector listens. */
export function emptyPage(otlpUrl: string): string {
  const url = escapeHtml(otlpUrl)
  return html(
    'Usage collector',
    `<header><h1>Nothing has come yet</h1><p class="lead">This collector is listening at <code>${url}</code>.</p></header>
<main><div class="empty">
<p>Give a sidecar this address, and switch its reporting on:</p>
<pre>USAGE_ENDPOINT=${url} \\
USAGE_REPORTING=on \\
USAGE_SEND_INTERVAL=10s \\
USAGE_POLICY=policy.yaml usage-sidecar run</pre>
<p>Then send spans to the sidecar with any OpenTelemetry SDK. What its policy lets out arrives here at the sidecar's next
sending, within its send interval: an hour unless set. Load this page again then.</p>
</div></main>`,
  )
}

export function notFoundPage(): string {
  return html(
    'No such project',
    `<header><h1>No such project</h1><p class="lead">Nothing of that project has come. <a href="/">All projects</a></p></header>`,
  )
}

export function reportPage(report: Report, projects: readonly Project[]): string {
  const chart: DayChart = {
    days: report.days,
    unit: 'spans',
    title: 'Spans a day',
    height: 170,
    most: MAX_DAYS,
  }
  const cut =
    report.firstDay < (report.days[0]?.day ?? '')
      ? ` The chart shows the last ${MAX_DAYS} days.`
      : ''
  return html(
    `${report.name}: usage`,
    `<header>
${projectLinks(report.name, projects)}
<h1>${escapeHtml(report.name)}</h1>
<p class="lead">${range(report)}.${cut}</p>
<dl class="figures">${figure(report.spans, 'span', 'spans')}${figure(report.batches, 'batch', 'batches')}${figure(report.dayCount, 'day with spans', 'days with spans')}</dl>
</header>
<main>
<section aria-labelledby="days"><h2 id="days">Spans a day</h2>${dayChart(chart)}${dayTable(chart)}</section>
${report.sections.map((section, at) => spanSection(section, at, report)).join('\n')}
${report.moreNames > 0 ? `<section><p>${formatNumber(report.moreNames)} more span ${plural(report.moreNames, 'name is', 'names are')} not shown.</p></section>` : ''}
${factSection(report)}
</main>
<footer>
<p>A batch is what one sidecar took in at once; each is counted once, however often it was sent. Days are UTC.</p>
<p>Counted when this page was loaded. The same as data: <a href="/counts.json?project=${escapeHtml(encodeURIComponent(report.name))}">counts.json</a></p>
</footer>`,
  )
}

const DATES = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  timeZone: 'UTC',
})

function range({ firstDay, lastDay }: Report): string {
  return `${escapeHtml(DATES.formatRange(new Date(firstDay), new Date(lastDay)))}`
}

const plural = (count: number, one: string, many: string): string => (count === 1 ? one : many)

function figure(count: number, one: string, many: string): string {
  return `<div><dt>${plural(count, one, many)}</dt><dd>${formatNumber(count)}</dd></div>`
}

function projectLinks(current: string, projects: readonly Project[]): string {
  if (projects.length < 2) return ''
  const items = projects.map(({ name }) => {
    const here = name === current ? ' aria-current="page"' : ''
    return `<li><a href="/?project=${escapeHtml(encodeURIComponent(name))}"${here}><bdi>${escapeHtml(name)}</bdi></a></li>`
  })
  return `<nav aria-label="Projects"><ul>${items.join('')}</ul></nav>`
}

function spanSection(section: Section, at: number, report: Report): string {
  const blocks = section.attributes.map((attribute, number) =>
    attributeBlock(attribute, section.count, 'spans', `s${at}a${number}`),
  )
  return `<section aria-labelledby="s${at}">
<h2 id="s${at}"><bdi>${escapeHtml(section.name)}</bdi></h2>
<p>${formatNumber(section.count)} ${plural(section.count, 'span', 'spans')}, ${formatShare(section.count, report.spans)} of all</p>
${blocks.length > 0 ? `<div class="blocks">${blocks.join('\n')}</div>` : ''}
</section>`
}

function factSection(report: Report): string {
  if (report.facts.length === 0) return ''
  const blocks = report.facts.map((fact, number) =>
    attributeBlock(fact, report.batches, 'batches', `f${number}`),
  )
  return `<section aria-labelledby="facts">
<h2 id="facts">Where it runs</h2>
<p>Facts of the resource, counted once a batch: an installation that is used more sends more batches.</p>
<div class="blocks">${blocks.join('\n')}</div>
</section>`
}

/** One attribute: how often each value came among `whole` spans or batches. */
function attributeBlock(
  attribute: AttributeCount,
  whole: number,
  unit: string,
  id: string,
): string {
  const heading = `<h3 id="${id}"><bdi>${escapeHtml(attribute.key)}</bdi></h3>`
  const missing = whole - attribute.total
  if (attribute.pseudonyms !== undefined) {
    const chart: DayChart = {
      days: attribute.pseudonyms,
      unit: 'pseudonyms',
      title: `Different values of ${attribute.key} a day`,
      height: 72,
      most: MAX_DAYS,
    }
    return `<div class="attribute">${heading}<p>${formatNumber(attribute.distinct)} different pseudonyms, which change with their period; a day:</p>${dayChart(chart)}${dayTable(chart)}</div>`
  }
  const listed = attribute.values.reduce((sum, { count }) => sum + count, 0)
  const most = Math.max(
    ...attribute.values.map(({ count }) => count),
    attribute.total - listed,
    missing,
  )
  const row = (kind: string, label: string, count: number): string =>
    `<tr${kind}><th scope="row"><bdi>${label}</bdi></th><td class="track">${bar(count, most)}</td><td>${formatNumber(count)}</td><td>${formatShare(count, whole)}</td></tr>`
  const rows = attribute.values.map(({ value, count }) =>
    row(
      '',
      escapeHtml(attribute.numbers ? formatNumber(Number(value)) : value || '(empty text)'),
      count,
    ),
  )
  const more = attribute.distinct - attribute.values.length
  if (more > 0)
    rows.push(row(' class="rest"', `${formatNumber(more)} more`, attribute.total - listed))
  if (missing > 0) rows.push(row(' class="rest"', 'not given', missing))
  return `<div class="attribute">${heading}
<table class="values" aria-labelledby="${id}"><colgroup><col class="what"><col><col class="count"><col class="share"></colgroup>
<thead><tr>${['Value', 'Bar', unit, 'Share'].map((head) => `<th scope="col"><span class="hidden">${head}</span></th>`).join('')}</tr></thead>
<tbody>${rows.join('')}</tbody></table></div>`
}
