// What keeps a tag from being released. Each error says what to change, and in which file.
import { PROJECT_FILE } from '../project.ts'
import { sectionOf } from './notes.ts'
import type { Sources } from './sources.ts'

const DATED = /^\d{4}-\d{2}-\d{2}$/

export function releaseErrors(
  tag: string,
  { version, chartVersions, changelog }: Sources,
  placeholders: readonly string[],
): string[] {
  const errors: string[] = []
  if (placeholders.length > 0)
    errors.push(`${PROJECT_FILE}: replace the placeholders of ${placeholders.join(', ')}.`)
  if (tag !== `v${version}`)
    errors.push(`The tag ${tag} must be v${version}, the version in package.json.`)
  for (const [chart, chartVersion] of Object.entries(chartVersions))
    if (chartVersion !== version)
      errors.push(`deploy/helm/${chart}/Chart.yaml: set version to ${version}.`)
  const section = sectionOf(changelog, version)
  if (section === undefined) errors.push(`CHANGELOG.md: add the section "## ${version} (DATE)".`)
  else if (!DATED.test(section.date))
    errors.push(`CHANGELOG.md: replace "${section.date}" of ${version} by its date.`)
  return errors
}
