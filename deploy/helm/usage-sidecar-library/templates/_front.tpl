{{/*
What an application's chart includes. Each takes `.`, or, for a pod that is not as the values say, a dict:
(dict "root" . "pod" (dict "qos" "guaranteed")). The application's values are under `usage`, the alias of this chart.
*/}}

{{/* First of the initContainers. Nothing where reporting is off. */}}
{{- define "usage-sidecar.container" -}}
{{- $it := include "usage-sidecar.it" . | fromJson }}
{{- if $it.present }}
{{- include "usage-sidecar.generated.container" $it | trim }}
{{- end }}
{{- end }}

{{- define "usage-sidecar.volumes" -}}
{{- $it := include "usage-sidecar.it" . | fromJson }}
{{- if $it.present }}
{{- include "usage-sidecar.generated.volumes" $it | trim }}
{{- end }}
{{- end }}

{{/* For each container of the application that shall learn from its environment where the sidecar listens. */}}
{{- define "usage-sidecar.env" -}}
{{- if (include "usage-sidecar.it" . | fromJson).present }}
{{- include "usage-sidecar.generated.env" . | trim }}
{{- end }}
{{- end }}

{{/* The same for a container whose SDK shall export all that it makes to the sidecar: OTEL_EXPORTER_OTLP_ENDPOINT. */}}
{{- define "usage-sidecar.otelEnv" -}}
{{- if (include "usage-sidecar.it" . | fromJson).present }}
{{- include "usage-sidecar.generated.otelEnv" . | trim }}
{{- end }}
{{- end }}

{{/* For the pod: by this label `kubectl annotate pods -A -l usage-sidecar.dev/injected …` finds it. */}}
{{- define "usage-sidecar.labels" -}}
{{- if (include "usage-sidecar.it" . | fromJson).present }}
{{- include "usage-sidecar.generated.labels" . | trim }}
{{- end }}
{{- end }}
