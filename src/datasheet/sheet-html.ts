// Formats the data sheet as one HTML page without scripts, style attributes or links other than the
// review's. `sheetSections` is its middle, for the sidecar's own page.

import { type Html, html, joinHtml } from '../net/html.ts'
import { bitsText } from '../policy/describe.ts'
import type { Sheet, SheetRow, SpanSheet } from './sheet.ts'
import { LINKS } from './sheet-markdown.ts'

export function sheetHtml(sheet: Sheet): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>What ${sheet.project} learns about its use</title>
<style>${SHEET_STYLE}</style>
</head>
<body>
<main>
<h1>What ${sheet.project} learns about its use</h1>
${sheetSections(sheet)}
</main>
</body>
</html>
`.toString()
}

export function sheetSections(sheet: Sheet): Html {
  const { stable } = sheet
  const facts: [string, string | Html][] = [
    [
      'Policy',
      html`version ${sheet.version}${sheet.compat ? ', reproduces an old reporter (compat)' : ''}, digest <code>${sheet.digest}</code>`,
    ],
    ['In force until', `${sheet.expires}. Nothing is sent after this day.`],
    [
      'Kept by the collector for',
      `${sheet.retention.replace('d', ' days')}, as the project promises`,
    ],
    ['Who receives it', sheet.receiver],
    [
      'Discussed in public',
      sheet.review === undefined
        ? 'nowhere yet'
        : html`<a href="${sheet.review}">${sheet.review}</a>`,
    ],
    [
      'Stays the same from day to day',
      [
        `${bitsText(stable.bits)}${stable.of.length === 0 ? '' : `: ${stable.of.join(', ')}`}`,
        ...(stable.assumed.length === 0 ? [] : [`assumed: ${stable.assumed.join(', ')}`]),
      ].join('; '),
    ],
  ]
  const terms = facts.map(([term, words]) => html`<div><dt>${term}</dt><dd>${words}</dd></div>`)
  return html`<p class="purpose">${sheet.purpose}</p>
<p class="verdict">${sheet.verdict}</p>
<dl>${joinHtml(terms, html`\n`)}</dl>
<p>The sidecar builds new spans from the rows below. Nothing else is sent.</p>
<h2>With every batch</h2>
${table(sheet.batch)}
${joinHtml(sheet.spans.map(spanSection), html`\n`)}
<h2>Turn it off</h2>
${list(sheet.off)}
<h2>Known weaknesses</h2>
${list(sheet.weaknesses)}`
}

function spanSection({ name, conditions, rows, bits }: SpanSheet): Html {
  const sentences = [
    ...conditions,
    `One record reveals ${bitsText(bits)}, including the attributes of its batch.`,
  ]
  return html`<h2>Each span <code>${name}</code></h2>\n<p>${sentences.join(' ')}</p>\n${table(rows)}`
}

const list = (lines: readonly string[]): Html =>
  html`<ul>${lines.map((line) => html`<li>${line}</li>`)}</ul>`

function table(rows: readonly SheetRow[]): Html {
  const cells = rows.map((row) => {
    const notes = [
      row.bits === undefined ? 'unlimited bits' : row.bits === 0 ? '' : bitsText(row.bits),
      row.stable ? 'stays the same' : '',
      row.links === undefined ? '' : `links for ${LINKS[row.links]}`,
      row.expires === undefined ? '' : `until ${row.expires}`,
    ].filter((note) => note !== '')
    const values = row.values.map((value) => html`<span class="value">${value}</span>`)
    return html`<tr><th scope="row"><code>${row.wire}</code><small>${row.from}</small></th><td>${row.reason}</td><td>${joinHtml(values, html` `)}<small>for example ${row.example}</small></td><td>${notes.join('; ')}</td></tr>`
  })
  return html`<div class="scroll" tabindex="0"><table><thead><tr><th scope="col">What is sent</th><th scope="col">Why</th><th scope="col">Every value</th><th scope="col">What it reveals</th></tr></thead><tbody>\n${joinHtml(cells, html`\n`)}\n</tbody></table></div>`
}

export const SHEET_STYLE = html`
:root{color-scheme:light dark;--ink:light-dark(#1d2430,#e4e8ef);--soft:light-dark(#5b6575,#9aa5b5);--line:light-dark(#dfe3ea,#333c4a);--back:light-dark(#fff,#14181f);--chip:light-dark(#f0f3f7,#222936)}
body{margin:0;background:var(--back);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{max-width:72rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.7rem;line-height:1.25}h2{font-size:1.15rem;margin:2.5rem 0 .5rem}
.purpose{font-size:1.1rem}.verdict{border-left:4px solid var(--soft);padding-left:.9rem}
dl div{display:grid;grid-template-columns:14rem 1fr;gap:0 1rem;padding:.3rem 0;border-top:1px solid var(--line)}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92rem}
th,td{text-align:left;vertical-align:top;padding:.5rem .8rem .5rem 0;border-top:1px solid var(--line)}thead th{color:var(--soft);font-weight:500}tbody th{font-weight:400;min-width:15rem}
small{display:block;color:var(--soft)}code{font-size:.92em;overflow-wrap:anywhere}.value{display:inline-block;background:var(--chip);border-radius:4px;padding:0 .35rem;margin:0 .15rem .15rem 0;overflow-wrap:anywhere}
@media (max-width:40rem){dl div{grid-template-columns:1fr}}
`
