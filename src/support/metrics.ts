// What /metrics shows, in the text format of Prometheus: the table of counters, and a table of
// gauges. Loaded on the first request.
// The format is a line for each series, so it needs no library. prom-client would keep a second
// copy of every counter in memory.
import { COUNTERS, type CounterRow, type Counters, type Program } from './counters.ts'
import { MODES } from './mode.ts'

export interface GaugeRow {
  /** The name after the program's prefix. It ends with the unit. */
  name: string
  programs: readonly Program[]
  unit: 'bytes' | 'files' | 'seconds' | 'none'
  labels: Readonly<Record<string, readonly string[] | 'policy'>>
  meaning: string
}

const SIDECAR = ['sidecar'] as const
const BOTH = ['sidecar', 'collector'] as const

export const GAUGES = [
  {
    name: 'reporting_mode',
    programs: SIDECAR,
    unit: 'none',
    labels: { mode: MODES },
    meaning: 'The mode of reporting. The mode in force is 1, the others are 0.',
  },
  {
    name: 'policy_info',
    programs: SIDECAR,
    unit: 'none',
    labels: { project: 'policy', version: 'policy', digest: 'policy' },
    meaning: 'The policy in force, always 1. Absent without a valid policy.',
  },
  {
    name: 'policy_expiry_timestamp_seconds',
    programs: SIDECAR,
    unit: 'seconds',
    labels: {},
    meaning: 'The end of the last day of the policy in force, in seconds since 1970 UTC.',
  },
  {
    name: 'queue_bytes',
    programs: SIDECAR,
    unit: 'bytes',
    labels: {},
    meaning: 'Size of the reports that are queued on disk.',
  },
  {
    name: 'queue_files',
    programs: SIDECAR,
    unit: 'files',
    labels: {},
    meaning: 'Number of files of the reports that are queued on disk.',
  },
  {
    name: 'queue_oldest_age_seconds',
    programs: SIDECAR,
    unit: 'seconds',
    labels: {},
    meaning: 'Time since the last write to the oldest queued file. 0 if the queue is empty.',
  },
  {
    name: 'last_success_timestamp_seconds',
    programs: SIDECAR,
    unit: 'seconds',
    labels: {},
    meaning:
      'When the collector last accepted a body, in seconds since 1970 UTC. Absent until the first time.',
  },
  {
    name: 'start_timestamp_seconds',
    programs: BOTH,
    unit: 'seconds',
    labels: {},
    meaning: 'When the process started, in seconds since 1970 UTC.',
  },
] as const satisfies readonly GaugeRow[]

export type GaugeName = (typeof GAUGES)[number]['name']

export interface Sample {
  labels?: Readonly<Record<string, string>>
  value: number
}

/** A gauge without a value has no series. */
export type GaugeValues = Partial<Record<GaugeName, readonly Sample[]>>

const PREFIX = { sidecar: 'usage_sidecar_', collector: 'usage_collector_' } as const

/** `queue.dropped` of the sidecar is `usage_sidecar_queue_dropped_total`. */
export const counterMetric = ({ name }: CounterRow, program: Program): string =>
  `${PREFIX[program]}${name.replaceAll('.', '_')}_total`
export const gaugeMetric = ({ name }: GaugeRow, program: Program): string =>
  `${PREFIX[program]}${name}`

/** All metrics of a program. Every counter is listed, also at zero. */
export function metricsText(program: Program, counters: Counters, gauges: GaugeValues): string {
  const rows: readonly CounterRow[] = COUNTERS
  const series = counters.series(program)
  const families = [
    ...rows
      .filter(({ programs }) => programs.includes(program))
      .map((row) =>
        family(
          counterMetric(row, program),
          'counter',
          row.meaning,
          series
            .filter((each) => each.row === row)
            .map(({ labels, count }) => ({ labels, value: count })),
        ),
      ),
    ...GAUGES.filter((row: GaugeRow) => row.programs.includes(program)).map((row) =>
      family(gaugeMetric(row, program), 'gauge', row.meaning, gauges[row.name] ?? []),
    ),
  ]
  return families.join('')
}

function family(name: string, type: string, help: string, samples: readonly Sample[]): string {
  const lines = samples.map(({ labels = {}, value }) => `${name}${labelText(labels)} ${value}\n`)
  return `# HELP ${name} ${escaped(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`
}

function labelText(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(
    ([label, value]) => `${label}="${escaped(value).replaceAll('"', '\\"')}"`,
  )
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const escaped = (text: string): string => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
