// Writes everything that is made from the code: parts of the documents, a data sheet beside every
// shipped policy, the JSON Schema of policies, the sidecar's container in deploy/, the table of
// OTLP conformance, and the overview of decisions. With `--check` it writes nothing and fails where
// a file would change.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { sheetOf } from '../src/datasheet/sheet.ts'
import { sheetMarkdown } from '../src/datasheet/sheet-markdown.ts'
import { parsePolicy } from '../src/policy/parse.ts'
import { policyDigest } from '../src/policy/policy.ts'
import { keptFigures, POPULATION } from '../test/attack/uniqueness.ts'
import { conformanceTable } from '../test/conformance/table.ts'
import { decisionsOverview } from './generate-decisions.ts'
import { documents } from './generate-documents.ts'
import { lockWithoutEngines } from './generate-lock.ts'
import { policySchema } from './generate-policy-schema.ts'
import { deployFiles } from './manifests/deploy-files.ts'
import { factsFiles } from './manifests/facts-files.ts'
import { injectionFile } from './manifests/injection-file.ts'
import { replacePart } from './replace-part.ts'

const POLICIES = new URL('../deploy/policies/', import.meta.url).pathname

/** How unique a cluster's reports are, as `npm run attack` measured for this policy. */
function uniqueness(name: string, digest: string): string {
  const figures = keptFigures()[name.replace('.yaml', '')]
  if (figures?.digest !== digest)
    throw new Error(
      `${name} is not what its uniqueness was measured of. Run: npm run attack -- --update`,
    )
  const percent = (count: number): string => `${((100 * count) / POPULATION).toFixed(1)} %`
  return (
    `- In a population of ${POPULATION.toLocaleString('en').replace(',', ' ')} made-up clusters, ${percent(figures.alone)} were the only ones with what stays ` +
    `the same in their reports; ${percent(figures.few)}, these included, shared it with fewer than four others (\`npm run attack\`).\n`
  )
}

/**
 * Adds the deviations of a compat policy from the reporter that it replaces. Its comments list
 * them.
 */
function sheet(name: string, text: string): string {
  const policy = parsePolicy(text)
  const deviations = [...text.matchAll(/^# Deviation: (.+)$/gm)].map((match) => `- ${match[1]}`)
  const more =
    deviations.length === 0
      ? ''
      : `\n## Deviations from the old reporter\n\n${deviations.join('\n')}\n`
  return `<!-- Made from ${name} by npm run generate. -->\n${sheetMarkdown(sheetOf(policy))}${uniqueness(name, policyDigest(policy))}${more}`
}

const read = (path: string): string => readFileSync(path, 'utf8')
const wanted = new Map([
  ...documents(),
  lockWithoutEngines(),
  [new URL('../docs/conformance.md', import.meta.url).pathname, conformanceTable()],
  decisionsOverview(),
  policySchema(),
  ...deployFiles(replacePart),
  ...factsFiles(replacePart),
  [new URL('../deploy/injection.yaml', import.meta.url).pathname, injectionFile()],
  ...readdirSync(POLICIES)
    .filter((name) => name.endsWith('.yaml'))
    .map((name): [string, string] => [
      `${POLICIES}${name.replace('.yaml', '.md')}`,
      sheet(name, read(`${POLICIES}${name}`)),
    ]),
])
for (const [path, content] of wanted) {
  if (existsSync(path) && read(path) === content) continue
  if (process.argv.includes('--check')) {
    process.stderr.write(`${basename(path)} is not what the code says. Run: npm run generate\n`)
    process.exitCode = 1
  } else writeFileSync(path, content)
}
