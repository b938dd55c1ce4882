// The requests of ten thousand sidecars to one collector: when a chart rolls them out, and when the
// collector returns after an outage. Prints the figures and draws docs/pictures/rollout.svg. Both
// are deterministic, so a test can compare the picture. With titles as arguments, only these
// scenarios run, and no picture is drawn.
import { readFile, writeFile } from 'node:fs/promises'
import { type Asked, type Fleet, HOUR, type Rate, rateOf, requestsOf } from './fleet.ts'

const SIDECARS = 10_000
const MINUTE = 60_000
const PICTURE = new URL('../../docs/pictures/rollout.svg', import.meta.url)

const answers = { status: 200 }
const steady: Fleet = {
  sidecars: SIDECARS,
  startedWithinMs: 2 * MINUTE,
  firstSendDelayMs: 0,
  // The age limit of 7 days divided by eight.
  sealAfterMs: 21 * HOUR,
  endsAtMs: 4 * HOUR,
  collector: () => answers,
  seed: 1,
}
const within = (time: number, from: number, to: number): boolean => time >= from && time < to

interface Scenario {
  title: string
  told: string
  fleet: Fleet
  fromMs: number
  /** When the collector is unavailable. Shaded in the picture. */
  away?: readonly [number, number]
}

const SCENARIOS: readonly Scenario[] = [
  {
    title: 'All start within two minutes',
    told: 'USAGE_SEND_INTERVAL 1h, no delay of the first send',
    fleet: steady,
    fromMs: 0,
  },
  {
    title: 'All start within two minutes, and may send after a day',
    told: 'USAGE_FIRST_SEND_DELAY 24h, as charts set it; two bodies wait by then',
    fleet: { ...steady, firstSendDelayMs: 24 * HOUR, endsAtMs: 27 * HOUR },
    fromMs: 23 * HOUR,
  },
  {
    title: 'The collector is away for a week',
    told: 'the last hours of it; then each sidecar brings what eight days of files hold',
    fleet: {
      ...steady,
      endsAtMs: 173 * HOUR,
      collector: (time) => (within(time, 2 * HOUR, 170 * HOUR) ? { status: 0 } : answers),
    },
    fromMs: 168 * HOUR,
    away: [2 * HOUR, 170 * HOUR],
  },
  {
    title: 'The collector tells everybody the same time to come back',
    told: '503 with a date in Retry-After, for three hours',
    fleet: {
      ...steady,
      endsAtMs: 7 * HOUR,
      collector: (time) =>
        within(time, HOUR, 4 * HOUR)
          ? { status: 503, retryAfter: new Date(4 * HOUR).toUTCString() }
          : answers,
    },
    fromMs: 0,
    away: [HOUR, 4 * HOUR],
  },
]

interface Shown extends Scenario {
  rate: Rate
  /** In the first hour after the collector returns. */
  back: Rate | undefined
}

async function live(scenario: Scenario): Promise<Shown> {
  const asked: Asked[] = await requestsOf(scenario.fleet)
  const back = scenario.away?.[1]
  return {
    ...scenario,
    rate: rateOf(asked, scenario.fromMs, scenario.fleet.endsAtMs),
    back: back === undefined ? undefined : rateOf(asked, back, back + HOUR),
  }
}

const figuresOf = ({ rate, back }: Shown): string =>
  `peak ${rate.peak} in one second, mean ${rate.mean.toFixed(1)} a second` +
  (back === undefined ? '' : `; in the hour after: peak ${back.peak}, mean ${back.mean.toFixed(1)}`)

const WIDTH = 860
const PANEL = { left: 48, right: 16, top: 74, height: 120, bottom: 40 }
const PANEL_HEIGHT = PANEL.top + PANEL.height + PANEL.bottom
const HEAD = 64

/** A round number at or above the greatest rate, for the axis. */
const roundUp = (most: number): number =>
  [5, 10, 20, 30, 40, 50, 100, 200, 500].find((step) => most <= step) ?? most

function panel(shown: Shown, number: number): string {
  const { title, told, fromMs, fleet, away, rate } = shown
  const y = HEAD + number * PANEL_HEIGHT
  const width = WIDTH - PANEL.left - PANEL.right
  const base = y + PANEL.top + PANEL.height
  const top = roundUp(Math.max(...rate.minutes))
  const xOf = (time: number): number =>
    PANEL.left + ((time - fromMs) / (fleet.endsAtMs - fromMs)) * width
  const yOf = (value: number): number => base - (value / top) * PANEL.height
  const points = rate.minutes.map(
    (value, minute) =>
      `${xOf(fromMs + (minute + 0.5) * MINUTE).toFixed(1)},${yOf(value).toFixed(1)}`,
  )
  const hours = Array.from(
    { length: (fleet.endsAtMs - fromMs) / HOUR + 1 },
    (_, hour) => fromMs + hour * HOUR,
  )
  const [awayFrom, awayTo] =
    away === undefined ? [fromMs, fromMs] : [Math.max(away[0], fromMs), away[1]]
  return [
    `<text class="title" x="${PANEL.left}" y="${y + 22}">${title}</text>`,
    `<text class="quiet" x="${PANEL.left}" y="${y + 40}">${told}</text>`,
    `<text x="${PANEL.left}" y="${y + 58}">${figuresOf(shown)}</text>`,
    away === undefined
      ? ''
      : `<rect class="away" x="${xOf(awayFrom).toFixed(1)}" y="${y + PANEL.top}" width="${(xOf(awayTo) - xOf(awayFrom)).toFixed(1)}" height="${PANEL.height}"/>`,
    ...[0, top / 2, top].map(
      (value) =>
        `<line class="grid" x1="${PANEL.left}" x2="${WIDTH - PANEL.right}" y1="${yOf(value)}" y2="${yOf(value)}"/>` +
        `<text class="axis" text-anchor="end" x="${PANEL.left - 8}" y="${yOf(value) + 4}">${value}</text>`,
    ),
    `<polygon class="area" points="${xOf(fromMs)},${base} ${points.join(' ')} ${xOf(fleet.endsAtMs)},${base}"/>`,
    `<polyline class="line" points="${points.join(' ')}"/>`,
    ...hours.map(
      (time, i) =>
        `<text class="axis" text-anchor="${i === 0 ? 'start' : i === hours.length - 1 ? 'end' : 'middle'}" x="${xOf(time).toFixed(1)}" y="${base + 18}">${time / HOUR} h</text>`,
    ),
  ].join('\n')
}

function draw(all: readonly Shown[]): string {
  const height = HEAD + all.length * PANEL_HEIGHT
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="t d">
<title id="t">Requests at one collector from ten thousand sidecars</title>
<desc id="d">${all.map((shown) => `${shown.title}: ${figuresOf(shown)}.`).join(' ')}</desc>
<style>
  svg { background: #fff; font: 13px system-ui, sans-serif; }
  text { fill: #1f2328; } .quiet, .axis { fill: #59636e; } .axis { font-size: 11px; }
  .head { font-size: 19px; font-weight: 600; } .title { font-size: 14px; font-weight: 600; }
  .grid { stroke: #d1d9e0; } .away { fill: #818b98; opacity: .16; }
  .area { fill: #0b6bcb; opacity: .22; } .line { fill: none; stroke: #0b6bcb; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117; } text { fill: #e6edf3; } .quiet, .axis { fill: #9198a1; }
    .grid { stroke: #30363d; } .away { fill: #9198a1; opacity: .2; } .area { fill: #58a6ff; opacity: .25; } .line { stroke: #58a6ff; }
  }
</style>
<text class="head" x="${PANEL.left}" y="32">Requests a second at one collector, from ten thousand sidecars</text>
<text class="quiet" x="${PANEL.left}" y="52">Mean of each minute; shaded: the collector takes nothing. Simulated with the sender's own code and a made-up clock.</text>
${all.map(panel).join('\n')}
</svg>
`
}

const names = process.argv.slice(2).filter((arg) => !arg.startsWith('--'))
const chosen = SCENARIOS.filter(({ title }) => names.length === 0 || names.includes(title))
const all: Shown[] = []
for (const scenario of chosen) {
  const shown = await live(scenario)
  process.stdout.write(`${shown.title}: ${figuresOf(shown)}\n`)
  all.push(shown)
}
const picture = draw(all)
if (names.length === 0 && (await readFile(PICTURE, 'utf8').catch(() => '')) !== picture) {
  if (process.argv.includes('--check')) {
    process.stdout.write('docs/pictures/rollout.svg is old. Run `npm run rollout`.\n')
    process.exitCode = 1
  } else await writeFile(PICTURE, picture)
}
