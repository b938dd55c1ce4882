// What the sidecar shows at /metrics. Queue and last success are read from the data directory, as
// the page does, so they are right after a restart too. Loaded on the first request.
import { type Policy, policyDigest } from '../policy/policy.ts'
import { filesIn, receiptsIn } from '../queue/read-folder.ts'
import { type GaugeValues, metricsText } from '../support/metrics.ts'
import { MODES } from '../support/mode.ts'
import type { StatusSources } from './status.ts'

const DAY_MS = 86_400_000

export async function sidecarMetrics(
  sources: Pick<StatusSources, 'config' | 'reporting' | 'counters' | 'startedAt'>,
): Promise<string> {
  const { config, reporting, counters, startedAt } = sources
  const { dataDir: folder } = config
  const { mode } = reporting.decision()
  const policy = reporting.policyRuntime()?.policy
  const queued = [...(await filesIn(folder, 'sending')), ...(await filesIn(folder, 'queue'))]
  const oldest = Math.min(...queued.map(({ modifiedAt }) => modifiedAt))
  const gauges: GaugeValues = {
    reporting_mode: MODES.map((each) => ({ labels: { mode: each }, value: each === mode ? 1 : 0 })),
    ...(policy === undefined ? {} : policyGauges(policy)),
    queue_bytes: [{ value: queued.reduce((sum, { bytes }) => sum + bytes, 0) }],
    queue_files: [{ value: queued.length }],
    queue_oldest_age_seconds: [
      { value: queued.length === 0 ? 0 : Math.max(0, (Date.now() - oldest) / 1_000) },
    ],
    last_success_timestamp_seconds: await lastSuccess(folder),
    start_timestamp_seconds: [{ value: startedAt / 1_000 }],
  }
  return metricsText('sidecar', counters, gauges)
}

function policyGauges(policy: Policy): GaugeValues {
  const { project, version, expires } = policy
  return {
    policy_info: [
      { labels: { project, version: String(version), digest: policyDigest(policy) }, value: 1 },
    ],
    policy_expiry_timestamp_seconds: [{ value: (Date.parse(expires) + DAY_MS) / 1_000 }],
  }
}

async function lastSuccess(folder: string): Promise<{ value: number }[]> {
  const delivered = (await receiptsIn(folder, Number.POSITIVE_INFINITY)).flatMap(({ outcome }) =>
    outcome?.result === 'delivered' ? [Date.parse(outcome.time)] : [],
  )
  return delivered.length === 0 ? [] : [{ value: Math.max(...delivered) / 1_000 }]
}
