{{/* Labels of this chart's own objects. */}}
{{- define "usage-sidecar.objectLabels" -}}
app.kubernetes.io/name: usage-sidecar
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* Of the Job and its rights. A Job's name is a label of its pods, which have 63 characters. */}}
{{- define "usage-sidecar.identityName" -}}
{{- printf "%s-usage-identity" (.Release.Name | trunc 46 | trimSuffix "-") }}
{{- end }}

{{/* Without the alias the application's values do not come here. */}}
{{- define "usage-sidecar.alias" -}}
{{- if and (eq .Chart.Name "usage-sidecar-library") (contains "/charts/" .Template.BasePath) }}
{{- fail "usage-sidecar: give the dependency usage-sidecar-library in Chart.yaml the line `alias: usage`." }}
{{- end }}
{{- end }}
