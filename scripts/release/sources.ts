// What the checkout says about the release: its version in each place, and the changelog.
import { readFileSync } from 'node:fs'

export const ROOT = new URL('../../', import.meta.url).pathname
/** Charts that are published, by their folder in deploy/helm. */
export const CHARTS = ['usage-sidecar-library', 'usage-sidecar'] as const

export interface Sources {
  version: string
  chartVersions: Readonly<Record<string, string>>
  changelog: string
}

export function readSources(): Sources {
  const read = (path: string): string => readFileSync(ROOT + path, 'utf8')
  const { version } = JSON.parse(read('package.json')) as { version: string }
  const chartVersions = Object.fromEntries(
    CHARTS.map((chart) => [
      chart,
      /^version: (\S+)$/m.exec(read(`deploy/helm/${chart}/Chart.yaml`))?.[1] ?? 'none',
    ]),
  )
  return { version, chartVersions, changelog: read('CHANGELOG.md') }
}
