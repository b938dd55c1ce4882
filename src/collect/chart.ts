// Charts as inline SVG, made on the server: no script, no style attribute (the page's policy
// forbids both). Across they are drawn in percent, so they fill what width there is and their texts
// keep their size. A chart is never the only place of its numbers: bars stand in a table, and a
// chart of days says its gist in words and has a table below it.
import type { DayCount } from './counts.ts'

const DAY_MS = 86_400_000
/** Fewer columns than this would be blocks. */
const TWO_WEEKS = 14

/**
 * Text that is safe between tags and in quoted attributes; control and format characters, which
 * could hide or turn text, are replaced.
 */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']|\p{Cc}|\p{Cf}/gu, (character) => ENTITIES[character] ?? '\ufffd')
}
const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export const formatNumber = (value: number): string =>
  value.toLocaleString('en-GB', { maximumFractionDigits: 6 })

/** `24 November 2026`, or `24 Nov` where short. */
export function formatDay(day: string, short = false): string {
  const options = short
    ? ({ day: 'numeric', month: 'short' } as const)
    : ({ day: 'numeric', month: 'long', year: 'numeric' } as const)
  return new Intl.DateTimeFormat('en-GB', { ...options, timeZone: 'UTC' }).format(
    new Date(`${day}T00:00:00Z`),
  )
}

/** 12.4 %, and never 0 % for something nor 100 % for less than all. */
export function formatShare(part: number, whole: number): string {
  const percent = whole === 0 ? 0 : (part / whole) * 100
  if (part > 0 && percent < 0.1) return '&lt;0.1 %'
  if (part < whole && percent > 99.9) return '&gt;99.9 %'
  return percent === 0 || percent === 100 ? `${percent} %` : `${percent.toFixed(1)} %`
}

/** A horizontal bar that fills `part / whole` of its cell. */
export function bar(part: number, whole: number): string {
  const width = whole === 0 ? 0 : (part / whole) * 100
  return `<svg class="bar" aria-hidden="true" focusable="false"><rect width="${width.toFixed(2)}%" height="100%"/></svg>`
}

/**
 * Counts with the days without any in between, oldest first: the last days, at least `least` and at
 * most `most` of them.
 */
function everyDay(days: readonly DayCount[], most: number, least: number): DayCount[] {
  const counts = new Map(
    days.map(({ day, count }) => [Date.parse(`${day}T00:00:00Z`) / DAY_MS, count]),
  )
  const last = Math.max(...counts.keys())
  const first = Math.max(Math.min(...counts.keys(), last - least + 1), last - most + 1)
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
  /** What the chart is called, for those who do not see it. */
  title: string
  height: number
  most: number
}

/** Columns, one a day. Empty without days. */
export function dayChart({ days, unit, title, height, most }: DayChart): string {
  if (days.length === 0) return ''
  const shown = everyDay(days, most, TWO_WEEKS)
  const peak = shown.reduce((best, day) => (day.count > best.count ? day : best))
  const step = roundUp(peak.count / 3)
  const lines = Array.from({ length: Math.ceil(peak.count / step) + 1 }, (_, at) => at * step)
  const top = lines.at(-1) ?? 1
  const y = (count: number): number => height - (count / top) * height
  const slot = 100 / shown.length

  const columns = shown.map(({ day, count }, at) => {
    const label = `<title>${formatDay(day)}: ${formatNumber(count)} ${unit}</title>`
    const whole = `<rect class="slot" x="${(at * slot).toFixed(3)}%" width="${slot.toFixed(3)}%" y="0" height="${height}"/>`
    const column = `<rect class="column" x="${((at + 0.12) * slot).toFixed(3)}%" width="${(slot * 0.76).toFixed(3)}%" y="${y(count).toFixed(1)}" height="${(height - y(count)).toFixed(1)}"/>`
    return `<g>${label}${whole}${count > 0 ? column : ''}</g>`
  })
  const grid = lines.map(
    (count) => `<line x2="100%" y1="${y(count).toFixed(1)}" y2="${y(count).toFixed(1)}"/>`,
  )
  const scale = lines.map(
    (count) => `<text x="100%" y="${(y(count) + 4).toFixed(1)}">${formatNumber(count)}</text>`,
  )
  const words = `${title}, ${formatDay(shown[0]!.day)} to ${formatDay(shown.at(-1)!.day)}. Most: ${formatNumber(peak.count)} on ${formatDay(peak.day)}.`
  return `<div class="chart">
<svg class="scale" height="${height}" aria-hidden="true" focusable="false">${scale.join('')}</svg>
<svg class="plot" height="${height}" role="img" aria-label="${escapeHtml(words)}"><g class="grid">${grid.join('')}</g>${columns.join('')}</svg>
<svg class="axis" height="20" aria-hidden="true" focusable="false">${dayLabels(shown)}</svg>
</div>`
}

/**
 * Up to seven days named below the columns, at even distances counted from the last; narrow screens
 * show each second.
 */
function dayLabels(days: readonly DayCount[]): string {
  const every = Math.max(1, Math.ceil(days.length / 7))
  return days
    .map(({ day }, at) => {
      const fromLast = days.length - 1 - at
      if (fromLast % every !== 0) return ''
      const minor = (fromLast / every) % 2 === 1 ? ' class="minor"' : ''
      return `<text${minor} x="${(((at + 0.5) / days.length) * 100).toFixed(2)}%" y="15">${formatDay(day, true)}</text>`
    })
    .join('')
}

/** The numbers of a chart of days as a table, newest first, folded away. */
export function dayTable({ days, unit, most }: DayChart): string {
  if (days.length === 0) return ''
  const rows = everyDay(days, most, 1)
    .reverse()
    .map(
      ({ day, count }) =>
        `<tr><th scope="row"><time datetime="${day}">${formatDay(day)}</time></th><td>${formatNumber(count)}</td></tr>`,
    )
  return `<details><summary>As a table</summary><table class="days"><thead><tr><th scope="col">Day (UTC)</th><th scope="col">${unit}</th></tr></thead><tbody>${rows.join('')}</tbody></table></details>`
}
