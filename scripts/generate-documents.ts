// Makes the parts of the documents that come from the code: settings, commands, the programs of
// test/clients, and the addresses and contacts of the project.
import { readFileSync } from 'node:fs'
import { COMMANDS } from '../src/cli/commands.ts'
import { COUNTERS, type CounterRow } from '../src/support/counters.ts'
import { counterMetric, GAUGES, type GaugeRow, gaugeMetric } from '../src/support/metrics.ts'
import { flagOf, SETTINGS } from '../src/support/settings.ts'
import { projectVariables } from './project.ts'
import { replacePart } from './replace-part.ts'

const ROOT = new URL('../', import.meta.url).pathname
const read = (path: string): string => readFileSync(ROOT + path, 'utf8')

const settings = (): string =>
  [
    '| setting | flag | default | what it does |',
    '|---|---|---|---|',
    ...SETTINGS.map(
      ({ name, default: fallback, description }) =>
        `| \`${name}\` | \`--${flagOf(name)}\` | ${fallback === undefined ? '' : `\`${fallback}\``} | ${description} |`,
    ),
  ].join('\n')

const commands = (): string =>
  [
    '| command | what it does |',
    '|---|---|',
    ...COMMANDS.filter(({ hidden }) => hidden !== true).map(
      ({ usage, summary }) => `| \`${usage.replaceAll('|', '\\|')}\` | ${summary} |`,
    ),
  ].join('\n')

/** Counters, then gauges, of both programs. */
const metrics = (): string => {
  const counterRows: readonly CounterRow[] = COUNTERS
  const gaugeRows: readonly GaugeRow[] = GAUGES
  const labelsOf = ({ labels }: CounterRow | GaugeRow): string =>
    Object.entries(labels)
      .map(([label, words]) =>
        words === 'policy' ? `${label}: from the policy` : `${label}: ${words.join(', ')}`,
      )
      .join('; ')
  return [
    '| metric | in status | type | unit | labels | meaning |',
    '|---|---|---|---|---|---|',
    ...counterRows.flatMap((row) =>
      row.programs.map(
        (program) =>
          `| \`${counterMetric(row, program)}\` | \`${row.name}\` | counter | ${row.unit} | ${labelsOf(row)} | ${row.meaning} |`,
      ),
    ),
    ...gaugeRows.flatMap((row) =>
      row.programs.map(
        (program) =>
          `| \`${gaugeMetric(row, program)}\` | | gauge | ${row.unit} | ${labelsOf(row)} | ${row.meaning} |`,
      ),
    ),
  ].join('\n')
}

/** A program of test/clients, without its first line, which says what it is. */
function client(file: string, language: string, indent = ''): string {
  const [, ...lines] = read(`test/clients/${file}`).trimEnd().split('\n')
  return [`\`\`\`${language}`, ...lines, '```']
    .map((line) => (line === '' ? line : indent + line))
    .join('\n')
}

/** Each document with generated parts: its path, and the parts by name. */
function parts(): Record<string, Record<string, string>> {
  const { REPOSITORY, SECURITY_CONTACT, CONDUCT_CONTACT } = projectVariables()
  return {
    'README.md': { javascript: client('javascript/http-protobuf.js', 'js', '   ') },
    'docs/how-to/emit-spans.md': {
      javascript: client('javascript/http-protobuf.js', 'js'),
      python: client('python/usage_http.py', 'py'),
    },
    'docs/reference/settings.md': { settings: settings() },
    'docs/reference/metrics.md': { metrics: metrics() },
    'docs/reference/commands.md': { commands: commands() },
    'SECURITY.md': {
      'security contact': `Write to <${SECURITY_CONTACT}>, or use the [private report form](${REPOSITORY}/security/advisories/new).`,
    },
    'CODE_OF_CONDUCT.md': { 'conduct contact': `Write to <${CONDUCT_CONTACT}>.` },
    'CONTRIBUTING.md': { clone: `\`\`\`sh\ngit clone ${REPOSITORY}.git\n\`\`\`` },
  }
}

/** package.json with the address of the repository, which npm compares with the provenance. */
function packageJson(): string {
  const { REPOSITORY } = projectVariables()
  const { description, license, ...rest } = JSON.parse(read('package.json')) as {
    [key: string]: unknown
  }
  const { name, version, repository: _repository, bugs: _bugs, ...others } = rest
  const links = {
    repository: { type: 'git', url: `git+${REPOSITORY}.git` },
    bugs: `${REPOSITORY}/issues`,
  }
  return `${JSON.stringify({ name, version, description, license, ...links, ...others }, undefined, 2)}\n`
}

/** Paths and contents of the documents as the code makes them. */
export function documents(): [path: string, content: string][] {
  return [
    [`${ROOT}package.json`, packageJson()],
    ...Object.entries(parts()).map(([path, made]): [string, string] => [
      ROOT + path,
      Object.entries(made).reduce(
        (text, [name, content]) => replacePart(text, name, content),
        read(path),
      ),
    ]),
  ]
}
