// The facts job and its rights in the cluster chart: the objects of facts-job.ts with template
// expressions in their places.
import { parseAllDocuments, stringify } from 'yaml'
import { rbac, rule } from '../../src/facts/rbac.ts'
import {
  NODES,
  OPENSHIFT,
  objects,
  type Right,
  servedVersion,
  VERSION,
} from '../../src/facts/rights.ts'
import { factsJob } from './facts-job.ts'

const NAMES = {
  namespace: '{{ .root.Release.Namespace }}',
  name: 'usage-sidecar-facts',
  factsConfigMap: '{{ .factsConfigMap }}',
}
const yaml = (value: unknown): string =>
  stringify(value, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false }).trimEnd()

interface Container {
  name: string
  env: { name: string; value: string }[]
}
interface CronJob {
  spec: {
    jobTemplate: {
      spec: { template: { spec: { initContainers: Container[]; containers: Container[] } } }
    }
  }
}

/** Settings that mean the same for the sidecars and the job. */
const SHARED = ['USAGE_REPORTING', 'USAGE_FIRST_SEND_DELAY', 'USAGE_FACTS', 'USAGE_LOG_LEVEL']

function cronJob(): string {
  const [document] = parseAllDocuments(
    factsJob({ sidecar: '', facts: '{{ .factsImage }}' }, NAMES, {}),
  )
  const object = document!.toJS() as CronJob
  const pod = object.spec.jobTemplate.spec.template.spec
  const [sidecar] = pod.initContainers
  // Settings that the job overrides.
  const own = sidecar!.env.filter(({ name }) =>
    ['USAGE_FIRST_SEND_DELAY', 'USAGE_SEND_INTERVAL', 'USAGE_HEARTBEAT'].includes(name),
  )
  const settings = own.map(({ name, value }) => `"${name}" "${value}"`).join(' ')
  // mergeOverwrite of the whole dict would change the job's settings too.
  const merged = `(mergeOverwrite (dict) .settings (dict ${settings}))`
  const include = `include "usage-sidecar.generated.container" (set (omit . "settings") "settings" ${merged})`
  const [facts] = pod.containers
  const env = yaml(facts!.env)
  const text = yaml({
    ...object,
    spec: {
      ...object.spec,
      jobTemplate: {
        spec: {
          ...object.spec.jobTemplate.spec,
          template: {
            ...object.spec.jobTemplate.spec.template,
            spec: { ...pod, initContainers: '@sidecar@', containers: [{ ...facts, env: '@env@' }] },
          },
        },
      },
    },
  })
  return text
    .replace(
      /^( *)initContainers: .*$/m,
      (_, indent: string) =>
        `${indent}initContainers: {{- ${include} | trim | nindent ${indent.length + 2} }}`,
    )
    .replace(/^( *)env: .*$/m, (_, indent: string) => {
      const lines = [
        `{{- range $name := list ${SHARED.map((name) => `"${name}"`).join(' ')} }}`,
        '{{- if hasKey $.settings $name }}',
        '- name: {{ $name }}',
        '  value: {{ get $.settings $name | replace "$" "$$" | toJson }}',
        '{{- end }}',
        '{{- end }}',
        ...env.split('\n'),
      ]
      return `${indent}env:\n${lines.map((line) => `${indent}  ${line}`).join('\n')}`
    })
}

/** A rule that the values switch on. */
const where = (value: string, right: Right): string =>
  `{{- if .root.Values.facts.${value} }}\n${rule(right)}\n{{- end }}`

function rights(): string {
  const none = {
    published: [],
    cluster: undefined,
    node: undefined,
    version: true,
    distribution: false,
    nodes: 'none',
    counted: [],
  } as const
  const [head, tail] = rbac(none, NAMES).split(`${rule(VERSION)}\n`)
  const group = '{{ .group }}'
  const rules = [
    where('version', VERSION),
    where('distribution', OPENSHIFT),
    where('nodes', NODES),
    `{{- range .root.Values.facts.objects }}\n${rule(servedVersion(group))}\n${rule(objects(group, '{{ .plural }}'))}\n{{- end }}`,
  ]
  return `${head}${rules.join('\n')}\n${tail}`
}

export function helmFacts(): string {
  return `{{/* Made from scripts/manifests/facts-job.ts by npm run generate. */}}
{{/* Takes root, image, factsImage, factsConfigMap, settings, qos, limitsStorage, doNotTrack. */}}
{{- define "usage-sidecar.generated.facts" -}}
${rights().trimEnd()}
---
${cronJob()}
{{- end }}
`
}
