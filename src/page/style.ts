// The style sheet of the page: one column, light or dark by the reader's setting. It loads no font
// and no picture.
import { html } from '../net/html.ts'

export const STYLE = html`
:root{color-scheme:light dark;--paper:light-dark(#fbfaf8,#15181b);--card:light-dark(#fff,#1b1f23);--ink:light-dark(#22252a,#e4e5e2);--soft:light-dark(#5d636b,#9aa1a8);--line:light-dark(#e3e0da,#2b3035);--link:light-dark(#205e70,#8cc5d3);--on:light-dark(#1f6f4a,#6cc39a);--local:light-dark(#7a5a12,#d9b25c);--off:light-dark(#5d636b,#9aa1a8);--bad:light-dark(#9b2c2c,#f09a9a)}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums}
header,main,footer{max-width:60rem;margin:0 auto;padding:0 1.5rem}
header{padding-top:2.5rem}footer{padding-top:2rem;padding-bottom:3rem;color:var(--soft);font-size:.85rem}
a{color:var(--link);text-underline-offset:.2em}:focus-visible{outline:2px solid var(--link);outline-offset:3px;border-radius:2px}
.eyebrow{margin:0;color:var(--soft);font-size:.9rem}
h1{margin:.1rem 0 0;font-size:2.4rem;line-height:1.15;letter-spacing:-.02em}h2{margin:0 0 .4rem;font-size:1.2rem}h3{margin:0 0 .3rem;font-size:1rem}
.mode::before{content:"";display:inline-block;width:.55em;height:.55em;border-radius:50%;margin-right:.4em;background:currentColor}
.mode.on{color:var(--on)}.mode.local{color:var(--local)}.mode.off{color:var(--off)}
.lead{margin:.4rem 0 0;font-size:1.1rem;max-width:46rem}.soft{color:var(--soft)}
.problems{margin:1.2rem 0 0;padding:.8rem 1rem .8rem 2rem;border-left:4px solid var(--bad);background:var(--card)}
section{margin-top:2.5rem;padding-top:1.3rem;border-top:1px solid var(--line)}section>p{margin:.2rem 0 .6rem;max-width:46rem}
dl{margin:1.2rem 0 0}dl div{display:grid;grid-template-columns:11rem 1fr;gap:0 1rem;padding:.28rem 0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
table{border-collapse:collapse;width:100%;font-size:.93rem}th,td{text-align:left;font-weight:400;padding:.35rem 1.2rem .35rem 0;border-top:1px solid var(--line);vertical-align:baseline}
thead th{color:var(--soft);border-top:0;font-size:.85rem}
.counters td{text-align:right;padding-right:0}.counters .group th{border-top:0;padding-top:1rem;color:var(--soft);font-size:.85rem}
.scroll{overflow-x:auto}.scroll td,.scroll td *{white-space:nowrap;overflow-wrap:normal}.mono,code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:.88em;overflow-wrap:anywhere}
pre{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.7rem .9rem;overflow-x:auto;margin:.3rem 0 1rem}
article{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:.8rem 1rem;margin-top:.8rem}article dl{margin:0}article+p{margin:.8rem 0 1.2rem}
summary{cursor:pointer}summary h2{display:inline}
@media (max-width:40rem){dl div{grid-template-columns:1fr}h1{font-size:2rem}}
`
