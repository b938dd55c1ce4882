// The sidecar in Helm's language, made from container.ts: named templates that `npm run generate`
// writes into both charts, and the admission policy as the chart for a cluster has it. What depends
// on values is a field of the dict that a named template is given; everything else is the text of
// container.ts and admission.ts.
import { stringify } from 'yaml'
import {
  APP_ENV,
  FIXED_SETTINGS,
  INJECTED,
  type Options,
  OTEL_ENV,
  POLICY_FILE,
  RESOURCES,
  STORAGE_LIMIT,
  sidecar,
  UNLIMITED_SETTINGS,
  volumes,
} from '../../src/inject/container.ts'
import { admissionPolicy } from './admission.ts'

/** Stands in the text where an expression comes. */
const place = (name: string): string => `@${name}@`
const OPTIONS: Options = {
  image: place('image'),
  configMap: place('configMap'),
  factsConfigMap: place('factsConfigMap'),
  identitySecret: place('identitySecret'),
  settings: {},
}

/**
 * The values of environment variables, where Kubernetes replaces `$(NAME)`: as `literal` of
 * container.ts.
 */
const LITERAL = '(toString $value | replace "$" "$$")'

/** Between backquotes a template reads nothing, and JSON has none of ours. */
const json = (value: unknown): string => `(fromJson \`${JSON.stringify(value)}\`)`
/** Helm, kustomize and kubectl read YAML 1.1, where a bare `off` is no text. */
const yaml = (value: unknown): string =>
  stringify(value, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false }).trimEnd()
const filled = (text: string): string =>
  text.replaceAll(/"?@(\w+)@"?/g, (_, name: string) => `{{ .${name} | quote }}`)

/**
 * `container.ts` says which variable wins; here the later `merge` does. They come sorted by name.
 */
const ENVIRONMENT = `{{- $rows := ${json(RESOURCES)} }}
{{- $resources := index $rows .qos }}
{{- $env := dict }}
{{- if not (hasKey $resources "limits") }}
{{- $env = mergeOverwrite $env ${json(UNLIMITED_SETTINGS)} }}
{{- end }}
{{- range $name, $value := .settings }}
{{- $_ := set $env $name ${LITERAL} }}
{{- end }}
{{- if not (hasKey $env "USAGE_POLICY_TEXT") }}
{{- $env = mergeOverwrite $env ${json(POLICY_FILE)} }}
{{- end }}
{{- $env = mergeOverwrite $env ${json(FIXED_SETTINGS)} }}
{{- if .doNotTrack }}
{{- $_ := set $env "DO_NOT_TRACK" "1" }}
{{- end }}
{{- if .limitsStorage }}
{{- $_ := set $resources "limits" (mergeOverwrite (dict) (get $resources "limits" | default dict) ${json(STORAGE_LIMIT)}) }}
{{- end }}`

function container(): string {
  const shape = sidecar(OPTIONS, { qos: 'burstable', limitsStorage: false, doNotTrack: false })
  const text = filled(yaml([{ ...shape, env: place('env'), resources: place('resources') }]))
  return text
    .replace(
      /^ {2}env: .*$/m,
      '  env:\n    {{- range $name, $value := $env }}\n    - name: {{ $name }}\n      value: {{ $value | toJson }}\n    {{- end }}',
    )
    .replace(/^ {2}resources: .*$/m, '  resources: {{- toYaml $resources | nindent 4 }}')
}

/** The first volume holds the queue; a pod that keeps it for longer brings its own. */
function volumeList(): string {
  const [data, ...rest] = volumes(OPTIONS)
  return `{{- if not .persistentData }}\n${yaml([data])}\n{{- end }}\n${filled(yaml(rest))}`
}

const define = (name: string, takes: string, text: string): string =>
  `{{/* ${takes} */}}\n{{- define "usage-sidecar.generated.${name}" -}}\n${text}\n{{- end }}\n`

export function helmTemplates(): string {
  return [
    '{{/* Made from src/inject/container.ts by npm run generate. */}}\n',
    define(
      'container',
      'Takes image, settings, qos, limitsStorage, doNotTrack.',
      `${ENVIRONMENT}\n${container()}`,
    ),
    define(
      'volumes',
      'Takes configMap, factsConfigMap, identitySecret, persistentData.',
      volumeList(),
    ),
    define('env', 'For the containers of the application.', yaml([APP_ENV])),
    define(
      'otelEnv',
      'For a container that shall export all that its SDK makes to the sidecar.',
      yaml(OTEL_ENV),
    ),
    define('labels', 'For the pod.', yaml(INJECTED)),
  ].join('\n')
}

/**
 * Policy and binding of the project of the values, in the namespace of the release. `settings`: the
 * names of all. Takes the root and `parameters`, a dict of texts: JSON of such a dict is a literal
 * of CEL.
 */
export function helmAdmission(settings: readonly string[]): string {
  const project = '{{ .root.Values.project }}'
  const names = {
    project,
    name: `${project}.usage-sidecar.dev`,
    namespace: '{{ .root.Release.Namespace }}',
    parameters: place('parameters'),
  }
  const text = admissionPolicy(names, settings).map(yaml).join('\n---\n')
  const literal = text.replace(
    /expression: "?@parameters@"?/,
    'expression: {{ toJson .parameters | quote }}',
  )
  return `{{/* Made from scripts/manifests/admission.ts by npm run generate. */}}\n${define('admission', 'Policy and binding. Takes root and parameters.', literal)}`
}
