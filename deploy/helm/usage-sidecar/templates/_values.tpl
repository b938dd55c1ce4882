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
