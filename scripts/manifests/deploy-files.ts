// Generates the parts of deploy/helm and deploy/kustomize: the sidecar's container in both
// languages, the charts' value tables from their schemas, and the example policy.
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import { SETTINGS } from '../../src/support/settings.ts'
import { helmAdmission, helmTemplates } from './helm.ts'
import { helmFacts } from './helm-facts.ts'
import { injectionFile } from './injection-file.ts'
import { kustomizeFiles } from './kustomize.ts'

const DEPLOY = new URL('../../deploy/', import.meta.url).pathname
const LIBRARY = `${DEPLOY}helm/usage-sidecar-library/`
const CLUSTER = `${DEPLOY}helm/usage-sidecar/`
const COMPONENT = `${DEPLOY}kustomize/components/sidecar/`
const read = (path: string): string => readFileSync(path, 'utf8')

interface Schema {
  properties?: Record<string, Schema>
  description?: string
}

/** A row with the default for each value of a chart, groups excepted. */
function valueRows(
  { properties = {} }: Schema,
  values: Record<string, unknown>,
  path = '',
): string[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const value = values[name]
    if (schema.properties !== undefined)
      return valueRows(schema, value as Record<string, unknown>, `${path}${name}.`)
    if (name === 'global') return []
    const standard =
      value === '' ? '' : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
    return [`| \`${path}${name}\` | ${standard} | ${schema.description} |`]
  })
}

function chartReadme(chart: string, replacePart: ReplacePart): string {
  const rows = valueRows(
    JSON.parse(read(`${chart}values.schema.json`)) as Schema,
    parse(read(`${chart}values.yaml`)) as Record<string, unknown>,
  )
  return replacePart(
    read(`${chart}README.md`),
    'values',
    ['| value | default | what it does |', '|---|---|---|', ...rows].join('\n'),
  )
}

type ReplacePart = (text: string, name: string, content: string) => string

/** Path and text of each file. */
export function deployFiles(replacePart: ReplacePart): [path: string, text: string][] {
  const policy = read(`${DEPLOY}policies/default.yaml`)
  return [
    ...[LIBRARY, CLUSTER].flatMap((chart): [string, string][] => [
      [`${chart}README.md`, chartReadme(chart, replacePart)],
      [`${chart}templates/_generated.tpl`, helmTemplates()],
    ]),
    [`${CLUSTER}templates/_admission.tpl`, helmAdmission(SETTINGS.map(({ name }) => name))],
    [`${CLUSTER}templates/_facts.tpl`, helmFacts()],
    // Charts can share templates only by a dependency, so these are copied.
    ...['_identity.tpl', '_reporting.tpl'].map((name): [string, string] => [
      `${CLUSTER}templates/${name}`,
      read(`${LIBRARY}templates/${name}`),
    ]),
    [`${DEPLOY}helm/example/usage-policy.yaml`, policy],
    [`${DEPLOY}kustomize/example/policy.yaml`, policy],
    [`${DEPLOY}kustomize/example-injection/policy.yaml`, policy],
    [`${DEPLOY}kustomize/example-facts/policy.yaml`, policy],
    // Kustomize reads no file outside its folder.
    [`${DEPLOY}kustomize/components/injection/injection.yaml`, injectionFile()],
    ...kustomizeFiles().map(([name, text]): [string, string] => [`${COMPONENT}${name}`, text]),
  ]
}
