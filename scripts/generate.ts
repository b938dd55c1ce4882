// Writes what is made from the code: in README.md the table of settings and the list of commands,
// beside every shipped policy its data sheet, what deploy/ holds of the sidecar's container, the
// table of conformance to OTLP, the overview of decisions, and the JSON Schema of policies. With `--check` it writes nothing and
// fails where a file would change.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { COMMANDS } from '../src/cli/commands.ts'
import { sheetOf } from '../src/datasheet/sheet.ts'
import { sheetMarkdown } from '../src/datasheet/sheet-markdown.ts'
import { parsePolicy } from '../src/policy/parse.ts'
import { policyDigest } from '../src/policy/policy.ts'
import { flagOf, SETTINGS } from '../src/support/settings.ts'
import { keptFigures, POPULATION } from '../test/attack/uniqueness.ts'
import { conformanceTable } from '../test/conformance/table.ts'
import { decisionsOverview } from './generate-decisions.ts'
import { policySchema } from './generate-policy-schema.ts'
import { deployFiles } from './manifests/deploy-files.ts'
import { factsFiles } from './manifests/facts-files.ts'
import { injectionFile } from './manifests/injection-file.ts'

const README = new URL('../README.md', import.meta.url).pathname

const settings = [
  '| setting | flag | default | what it does |',
  '|---|---|---|---|',
  ...SETTINGS.map(
    ({ name, standard, sentence }) =>
      `| \`${name}\` | \`--${flagOf(name)}\` | ${standard === undefined ? '' : `\`${standard}\``} | ${sentence} |`,
  ),
].join('\n')

const commands = [
  '| command | what it does |',
  '|---|---|',
  ...COMMANDS.filter(({ hidden }) => hidden !== true).map(
    ({ usage, summary }) => `| \`${usage.replaceAll('|', '\\|')}\` | ${summary} |`,
  ),
].join('\n')

/** Replaces what stands between the two comments of this name. */
function replacePart(text: string, name: string, content: string): string {
  const pattern = new RegExp(`(<!-- generated: ${name} -->\\n)[\\s\\S]*?( *<!-- end -->)`)
  if (!pattern.test(text))
    throw new Error(`README.md has no place for the generated part "${name}"`)
  return text.replace(pattern, (_, begin: string, end: string) => `${begin}${content}\n${end}`)
}

/** A program of test/clients, without the line that says what it is, as a part of a list. */
function client(file: string, language: string): string {
  const [, ...lines] = readFileSync(new URL(`../test/clients/${file}`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n')
  return [`\`\`\`${language}`, ...lines, '```']
    .map((line) => (line === '' ? line : `   ${line}`))
    .join('\n')
}

export function generated(readme: string): string {
  const parts: [string, string][] = [
    ['settings', settings],
    ['commands', commands],
    ['javascript', client('javascript/http-protobuf.js', 'js')],
    ['python', client('python/usage_http.py', 'py')],
  ]
  return parts.reduce((text, [name, content]) => replacePart(text, name, content), readme)
}

const POLICIES = new URL('../deploy/policies/', import.meta.url).pathname

/**
 * How recognisable a cluster is by what it tells, as `npm run attack` measured it of this very
 * policy.
 */
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
 * With what a compat policy does otherwise than the reporter that it reproduces: its comments say
 * so.
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
  [README, generated(read(README))],
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
