{{/* Name of the policy, of its binding and of the parameters. */}}
{{- define "usage-sidecar.name" -}}
{{- printf "%s.usage-sidecar.dev" (.Values.project | required "usage-sidecar: set project to the short name of your project, such as acme.") }}
{{- end }}

{{/* The mode that is in force from now on: the parameters of before the upgrade are the record. */}}
{{- define "usage-sidecar.reporting" -}}
{{- $record := lookup "v1" "ConfigMap" .Release.Namespace (include "usage-sidecar.name" .) }}
{{- $before := get (get $record "data" | default dict) "USAGE_REPORTING" }}
{{- include "usage-sidecar.lowest" (dict "said" .Values.reporting "default" .Values.reportingDefault "before" $before) }}
{{- end }}

{{- define "usage-sidecar.policy" -}}
{{- .Values.policy | required "usage-sidecar: give the text of the policy, --set-file policy=my-policy.yaml." }}
{{- end }}

{{- define "usage-sidecar.objectLabels" -}}
app.kubernetes.io/name: usage-sidecar
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* What is the same in every pod that gets a sidecar, as JSON: each setting by its name, and the image. */}}
{{- define "usage-sidecar.parameters" -}}
{{- $reporting := include "usage-sidecar.reporting" . }}
{{- $parameters := mergeOverwrite (dict) .Values.settings (dict
  "project" .Values.project
  "inject" .Values.injection.default
  "configMap" .Values.injection.configMap
  "factsConfigMap" .Values.injection.factsConfigMap
  "identitySecret" .Values.injection.identitySecret
  "USAGE_REPORTING" $reporting
  "USAGE_FIRST_SEND_DELAY" .Values.firstSendDelay
  "USAGE_POLICY_TEXT" (include "usage-sidecar.policy" .)
  "image" "") }}
{{- with .Values.endpoint }}
{{- $_ := set $parameters "USAGE_ENDPOINT" . }}
{{- end }}
{{- /* Without an image no pod gets a sidecar. */}}
{{- if ne $reporting "off" }}
{{- $_ := set $parameters "image" (.Values.image | required "usage-sidecar: set image to the sidecar's image, best with its digest.") }}
{{- end }}
{{- toJson $parameters }}
{{- end }}

{{/* The settings among them. */}}
{{- define "usage-sidecar.settings" -}}
{{- $settings := dict }}
{{- range $name, $value := include "usage-sidecar.parameters" . | fromJson }}
{{- if hasPrefix "USAGE_" $name }}
{{- $_ := set $settings $name $value }}
{{- end }}
{{- end }}
{{- toJson $settings }}
{{- end }}
