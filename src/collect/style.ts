// The style sheet of the page. The content security policy names its hash, so that it allows no
// other style.
import { createHash } from 'node:crypto'
import { html } from '../net/html.ts'

export const STYLE = html`
:root{color-scheme:light dark;--paper:#fbfaf8;--ink:#22252a;--soft:#5d636b;--line:#e3e0da;--bar:#3d7a8c;--rest:#b9b5ac;--track:#eceae5;--link:#205e70}
@media (prefers-color-scheme:dark){:root{--paper:#15181b;--ink:#e4e5e2;--soft:#9aa1a8;--line:#2b3035;--bar:#5c9bab;--rest:#4a535b;--track:#22272b;--link:#8cc5d3}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
a{color:var(--link);text-underline-offset:.2em}
:focus-visible{outline:2px solid var(--bar);outline-offset:3px;border-radius:2px}
header,main,footer{max-width:68rem;margin:0 auto;padding:0 1.5rem}
header{padding-top:2.5rem}
h1{margin:0;font-size:1.75rem;line-height:1.2;font-weight:650;letter-spacing:-.015em;overflow-wrap:anywhere}
h2{margin:0;font-size:1.25rem;line-height:1.3;font-weight:650;letter-spacing:-.01em;overflow-wrap:anywhere}
.soft,.lead{color:var(--soft)}
.lead{margin:.4rem 0 0;max-width:44rem}
nav ul{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;margin:0 0 1.5rem;padding:0;list-style:none;font-size:.9rem}
nav a{overflow-wrap:anywhere}
nav a[aria-current]{color:var(--ink);font-weight:600;text-decoration:none;border-bottom:2px solid var(--bar)}
.figures{display:flex;flex-wrap:wrap;gap:1rem 3.5rem;margin:2rem 0 0}
.figures div{display:flex;flex-direction:column-reverse}
.figures dt{font-size:.9rem;color:var(--soft)}
.figures dd{margin:0;font-size:2.5rem;line-height:1.15;font-weight:600;letter-spacing:-.025em}
section{margin-top:3rem;padding-top:1.5rem;border-top:1px solid var(--line)}
section>p{margin:.15rem 0 0;font-size:.9rem;color:var(--soft);max-width:44rem}
.blocks{columns:2 24rem;column-gap:4rem;margin-top:1.5rem}
.attribute{break-inside:avoid;padding-bottom:2rem}
section:has(.blocks){margin-bottom:-1rem}
h3{margin:0 0 .2rem;font-size:1rem;font-weight:600;overflow-wrap:anywhere}
.attribute>p{margin:-.2rem 0 0;font-size:.85rem;color:var(--soft)}
table{width:100%;border-collapse:collapse;font-size:.9rem}
.values{table-layout:fixed}
.values th,.values td{padding:.2rem 0;vertical-align:baseline;line-height:1.35}
.values tbody th{font-weight:400;text-align:left;overflow-wrap:anywhere;padding-right:.75rem}
.values thead th{padding:0;height:0;line-height:0}
.values .what{width:38%}.values .count{width:4.6rem}.values .share{width:4.2rem}
.values td{text-align:right;white-space:nowrap}
.values td.track{vertical-align:top;padding-top:.5rem}
.values .rest *{color:var(--soft)}
.bar{display:block;width:100%;height:.6rem;background:var(--track);border-radius:2px;overflow:hidden}
.bar rect,.column{fill:var(--bar)}
.rest .bar rect{fill:var(--rest)}
.hidden{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.chart{display:grid;grid-template-columns:1fr auto;gap:0 .6rem;margin-top:1.25rem}
.attribute .chart{margin-top:.9rem}
.chart svg{display:block;overflow:visible}
.plot,.axis{width:100%}
.plot{grid-column:1;grid-row:1}.axis{grid-column:1;grid-row:2;margin-top:.2rem}
.scale{grid-column:2;grid-row:1;width:2.75rem}
.chart text{fill:var(--soft);font-size:12px}
.scale text{text-anchor:end}.axis text{text-anchor:middle}
.chart line{stroke:var(--line);stroke-width:1;shape-rendering:crispEdges}
.slot{fill:transparent}
g:hover>.slot{fill:var(--track)}
details{margin-top:.5rem;font-size:.85rem}
summary{cursor:pointer;color:var(--soft);width:max-content}
.days{width:auto;margin-top:.5rem;font-size:.85rem}
.days th,.days td{padding:.1rem 2rem .1rem 0;text-align:left;font-weight:400}
.days td,.days th+th{text-align:right;padding-right:0}
.days thead *{color:var(--soft)}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;font-size:.875em}
pre{margin:1rem 0;padding:1rem 1.25rem;background:var(--track);border-radius:4px;overflow-x:auto;line-height:1.6}
.empty{max-width:44rem;margin-top:2rem}
footer{margin-top:4rem;margin-bottom:3rem;padding-top:1rem;font-size:.85rem;color:var(--soft)}
footer p{margin:0 0 .35rem;max-width:48rem}
@media (max-width:40rem){header,main,footer{padding-left:1.1rem;padding-right:1.1rem}header{padding-top:1.5rem}.figures{gap:1rem 2rem}.figures dd{font-size:1.9rem}.minor{display:none}.values thead th{padding:0;height:0;line-height:0}
.values .what{width:40%}section{margin-top:2.25rem}}
@media print{.slot,details,nav{display:none}}
`

/** For the content security policy. */
export const STYLE_SOURCE = `'sha256-${createHash('sha256').update(STYLE.toString()).digest('base64')}'`
