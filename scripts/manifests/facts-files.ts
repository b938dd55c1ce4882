// Generates deploy/facts/: the facts job under the default policy, its rights, the identity's Job,
// and the table of rights by policy.
import { readdirSync, readFileSync } from 'node:fs'
import { NAMES } from '../../src/cli/facts-rights.ts'
import { type Needs, needsOf } from '../../src/facts/needs.ts'
import { rbac } from '../../src/facts/rbac.ts'
import { rightsFor, rightText } from '../../src/facts/rights.ts'
import { DEFAULTS } from '../../src/inject/container.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { factsConfigMap, factsJob, identityJob } from './facts-job.ts'

const { version: VERSION } = JSON.parse(
  readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
) as { version: string }
const POLICIES = new URL('../../deploy/policies/', import.meta.url).pathname
const read = (path: string): string => readFileSync(path, 'utf8')
const needsUnder = (file: string): Needs =>
  needsOf(parsePolicy(read(`${POLICIES}${file}`)), new Map())
const FACTS = new URL('../../deploy/facts/', import.meta.url).pathname
const IMAGES = {
  sidecar: `registry.example/usage-sidecar:${VERSION}`,
  facts: `registry.example/usage-sidecar-facts:${VERSION}`,
}
const MADE =
  '# Made by npm run generate from scripts/manifests/facts-job.ts; README.md says how it is used.\n'

/** The job under the default policy, and each right of the shipped policies with its reason. */
export function factsFiles(
  replacePart: (text: string, name: string, content: string) => string,
): [string, string][] {
  const needs = needsUnder('default.yaml')
  const cronJob = factsJob(IMAGES, NAMES, DEFAULTS.settings)
  const rows = new Map<string, { reason: string; policies: string[] }>()
  for (const file of readdirSync(POLICIES).filter((name) => name.endsWith('.yaml')))
    for (const right of rightsFor(needsUnder(file), NAMES.factsConfigMap)) {
      const row = rows.get(rightText(right)) ?? { reason: right.reason, policies: [] }
      row.policies.push(file.replace('.yaml', ''))
      rows.set(rightText(right), row)
    }
  const all = Math.max(...[...rows.values()].map(({ policies }) => policies.length))
  const table = [...rows].map(
    ([right, { reason, policies }]) =>
      `| \`${right}\` | ${reason} | ${policies.length === all ? 'every one' : policies.join(', ')} |`,
  )
  const head = ['| right | why | shipped policies that need it |', '|---|---|---|']
  return [
    [`${FACTS}facts.yaml`, `${MADE}${factsConfigMap(NAMES)}\n---\n${cronJob}\n`],
    [
      `${FACTS}once.yaml`,
      `${MADE}${factsConfigMap(NAMES)}\n---\n${factsJob(IMAGES, NAMES, DEFAULTS.settings, true)}\n`,
    ],
    [
      `${FACTS}rights.yaml`,
      `${MADE}# For the default policy. For another one: usage-sidecar facts rights --policy FILE\n${rbac(needs, NAMES)}`,
    ],
    [`${FACTS}identity.yaml`, `${MADE}${identityJob(IMAGES, NAMES)}`],
    [
      `${FACTS}README.md`,
      replacePart(read(`${FACTS}README.md`), 'rights', [...head, ...table].join('\n')),
    ],
  ]
}
