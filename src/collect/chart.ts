// Charts as inline SVG, made on the server. The page's policy forbids scripts and style attributes.
// Horizontal positions are in percent, so a chart fills the width and its texts keep their size.
// Every number of a chart is also in a table.
import { type Html, html } from '../net/html.ts'
import type { DayCount } from './counts.ts'

const DAY_MS = 86_400_000
/** Fewer columns would be too wide. */
const MIN_DAYS = 14

export const formatNumber = (value: number): string =>
  value.toLocaleString('en-GB', { maximumFractionDigits: 6 })

/** `24 November 2026`, or short `24 Nov`. */
export function formatDay(day: string, short = false): string {
  const options = short
    ? ({ day: 'numeric', month: 'short' } as const)
    : ({ day: 'numeric', month: 'long', year: 'numeric' } as const)
  return new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC' }).format(
    new Date(`${day}T00:00:00Z`),
  )
}

/** `12.4 %`. It never says 0 % for more than nothing, or 100 % for less than all. */
export function formatShare(part: number, whole: number): string {
  const percent = whole === 0 ? 0 : (part / whole) * 100
  if (part > 0 && percent < 0.1) return '<0.1 %'
  if (part < whole && percent > 99.9) return '>99.9 %'
  return percent === 0 || percent === 100 ? `${percent} %` : `${percent.toFixed(1)} %`
}

/** A horizontal bar that fills `part / whole` of its cell. */
export function bar(part: number, whole: number): Html {
  const width = whole === 0 ? 0 : (part / whole) * 100
  return html`<svg class="bar" aria-hidden="true" focusable="false"><rect width="${width.toFixed(2)}%" height="100%"/></svg>`
}

/** The last days, oldest first, including days without a count: between `min` and `limit` days. */
function everyDay(days: readonly DayCount[], limit: number, min: number): DayCount[] {
  const counts = new Map(
    days.map(({ day, count }) => [Date.parse(`${day}T00:00:00Z`) / DAY_MS, count]),
  )
  const last = Math.max(...counts.keys())
  const first = Math.max(Math.min(...counts.keys(), last - min + 1), last - limit + 1)
  return Array.from({ length: last - first + 1 }, (_, at) => ({
    day: new Date((first + at) * DAY_MS).toISOString().slice(0, 10),
    count: counts.get(first + at) ?? 0,
  }))
}

/** The smallest whole number of 1, 2, 2.5, 5, 10, 20, 25, … not below `value`. */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, value)))
  const steps = [1, 2, 2.5, 5, 10].map((step) => step * power).filter(Number.isInteger)
  return steps.find((step) => step >= value) ?? value
}

export interface DayChart {
  days: readonly DayCount[]
  /** What is counted: `spans`. */
  unit: string
  /** For readers who do not see the chart. */
  title: string
  height: number
  /** Days at most. */
  limit: number
}

/** One column for each day. Empty without days. */
export function dayChart({ days, unit, title, height, limit }: DayChart): Html {
  if (days.length === 0) return html``
  const shown = everyDay(days, limit, MIN_DAYS)
  const peak = shown.reduce((best, day) => (day.count > best.count ? day : best))
  const step = roundUp(peak.count / 3)
  const lines = Array.from({ length: Math.ceil(peak.count / step) + 1 }, (_, at) => at * step)
  const top = lines.at(-1) ?? 1
  const y = (count: number): number => height - (count / top) * height
  const slot = 100 / shown.length

  const columns = shown.map(({ day, count }, at) => {
    const label = html`<title>${formatDay(day)}: ${formatNumber(count)} ${unit}</title>`
    const area = html`<rect class="slot" x="${(at * slot).toFixed(3)}%" width="${slot.toFixed(3)}%" y="0" height="${height}"/>`
    const column = html`<rect class="column" x="${((at + 0.12) * slot).toFixed(3)}%" width="${(slot * 0.76).toFixed(3)}%" y="${y(count).toFixed(1)}" height="${(height - y(count)).toFixed(1)}"/>`
    return html`<g>${label}${area}${count > 0 ? column : ''}</g>`
  })
  const grid = lines.map(
    (count) => html`<line x2="100%" y1="${y(count).toFixed(1)}" y2="${y(count).toFixed(1)}"/>`,
  )
  const scale = lines.map(
    (count) => html`<text x="100%" y="${(y(count) + 4).toFixed(1)}">${formatNumber(count)}</text>`,
  )
  const words = `${title}, ${formatDay(shown[0]!.day)} to ${formatDay(shown.at(-1)!.day)}. Most: ${formatNumber(peak.count)} on ${formatDay(peak.day)}.`
  return html`<div class="chart">
<svg class="scale" height="${height}" aria-hidden="true" focusable="false">${scale}</svg>
<svg class="plot" height="${height}" role="img" aria-label="${words}"><g class="grid">${grid}</g>${columns}</svg>
<svg class="axis" height="20" aria-hidden="true" focusable="false">${dayLabels(shown)}</svg>
</div>`
}

/**
 * Labels for up to seven days, at even distances counted from the last day. Narrow screens show
 * every second one.
 */
function dayLabels(days: readonly DayCount[]): Html[] {
  const every = Math.max(1, Math.ceil(days.length / 7))
  return days.flatMap(({ day }, at) => {
    const fromLast = days.length - 1 - at
    if (fromLast % every !== 0) return []
    const minor = (fromLast / every) % 2 === 1 ? html` class="minor"` : ''
    const x = (((at + 0.5) / days.length) * 100).toFixed(2)
    return [html`<text${minor} x="${x}%" y="15">${formatDay(day, true)}</text>`]
  })
}

/** The numbers of a chart as a table that is folded away, newest first. */
export function dayTable({ days, unit, limit }: DayChart): Html {
  if (days.length === 0) return html``
  const rows = everyDay(days, limit, 1)
    .reverse()
    .map(
      ({ day, count }) =>
        html`<tr><th scope="row"><time datetime="${day}">${formatDay(day)}</time></th><td>${formatNumber(count)}</td></tr>`,
    )
  return html`<details><summary>As a table</summary><table class="days"><thead><tr><th scope="col">Day (UTC)</th><th scope="col">${unit}</th></tr></thead><tbody>${rows}</tbody></table></details>`
}
