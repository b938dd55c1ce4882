// Writes the sidecar as Helm templates from container.ts. `npm run generate` puts named templates
// into both charts, and the admission policy into the cluster chart. Values are fields of the dict
// that a named template takes; the rest is the text of container.ts and admission.ts.
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

/** Placeholder for an expression. */
const place = (name: string): string => `@${name}@`
const OPTIONS: Options = {
  image: place('image'),
  configMap: place('configMap'),
  factsConfigMap: place('factsConfigMap'),
  identitySecret: place('identitySecret'),
  settings: {},
}

/**
 * Values of variables, in which Kubernetes replaces `$(NAME)`; the counterpart of `literal` in
 * container.ts.
 */
const LITERAL = '(toString $value | replace "$" "$$")'

/** A template expands nothing between backquotes, and this JSON contains none. */
const json = (value: unknown): string => `(fromJson \`${JSON.stringify(value)}\`)`
/** Helm, kustomize and kubectl read YAML 1.1, where a bare `off` is a boolean. */
const yaml = (value: unknown): string =>
  stringify(value, { version: '1.1', lineWidth: 0, aliasDuplicateObjects: false }).trimEnd()
const filled = (text: string): string =>
  text.replaceAll(/"?@(\w+)@"?/g, (_, name: string) => `{{ .${name} | quote }}`)

/**
 * container.ts says which variable wins; here the later `merge` does. The result is sorted by name.
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

/** The first volume holds the queue. A pod that keeps its queue brings its own volume. */
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
 * Policy and binding of the values' project, in the release's namespace. `settings` are the names
 * of all settings. Takes the root and `parameters`, a dict of strings whose JSON is a CEL literal.
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
