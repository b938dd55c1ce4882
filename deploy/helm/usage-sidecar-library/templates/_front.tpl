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

{{/* For NOTES.txt of the application: whoever installs it learns what it reports. */}}
{{- define "usage-sidecar.notes" -}}
{{- $usage := .Values.usage }}
{{- $reporting := include "usage-sidecar.reporting" (dict "usage" $usage "release" .Release) -}}
Usage reporting of {{ .Release.Name }} is "{{ $reporting }}":
{{- if eq $reporting "off" }} no pod has a sidecar. It stays off until `--set usage.reporting=local` or `on`.
{{- else }}
{{- if eq $reporting "local" }} what would leave is kept in each pod to look at, and nothing is sent.
{{- else }} anonymized by its policy, to {{ $usage.endpoint }}, the first time after {{ $usage.firstSendDelay }}.
{{- end }}
  look at it:   kubectl port-forward -n {{ .Release.Namespace }} POD 4320:44320, then http://127.0.0.1:4320
  turn it off:  helm upgrade {{ .Release.Name }} … -n {{ .Release.Namespace }} --set usage.reporting=off
{{- end }}
{{- end }}
