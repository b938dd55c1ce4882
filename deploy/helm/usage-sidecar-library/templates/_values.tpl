{{/* What the values come to, for _front.tpl as JSON. */}}
{{- define "usage-sidecar.it" -}}
{{- $root := . }}
{{- $pod := dict }}
{{- if hasKey . "root" }}
{{- $root = .root }}
{{- $pod = get . "pod" | default dict }}
{{- end }}
{{- $usage := get $root.Values "usage" | default dict }}
{{- if not (hasKey $usage "reportingDefault") }}
{{- fail "usage-sidecar: give the dependency usage-sidecar-library in Chart.yaml the line `alias: usage`." }}
{{- end }}
{{- $reporting := include "usage-sidecar.reporting" (dict "usage" $usage "release" $root.Release) }}
{{- /* With a volume that outlives the pods, a sidecar in mode off stays, and wipes what lies there. */}}
{{- $present := or (ne $reporting "off") $usage.persistentData }}
{{- $it := mergeOverwrite (dict) $usage.pod $pod (dict
  "present" $present
  "persistentData" $usage.persistentData
  "configMap" (include "usage-sidecar.configMap" $root.Release)
  "factsConfigMap" "usage-sidecar-facts"
  "identitySecret" $usage.identity.secretName) }}
{{- if $present }}
{{- $_ := set $it "image" ($usage.image | required "usage-sidecar: set usage.image to the sidecar's image, best with its digest.") }}
{{- $_ := set $it "settings" (include "usage-sidecar.settings" (dict "root" $root "usage" $usage "reporting" $reporting) | fromJson) }}
{{- end }}
{{- toJson $it }}
{{- end }}

{{- define "usage-sidecar.settings" -}}
{{- $root := .root }}
{{- $policy := .usage.policy | default ($root.Files.Get .usage.policyFile) }}
{{- if not $policy }}
{{- fail (printf "usage-sidecar: there is no policy. The chart has no file %s, and usage.policy is empty." .usage.policyFile) }}
{{- end }}
{{- $facts := dict }}
{{- range $name, $value := .usage.facts }}
{{- $_ := set $facts $name (kindIs "string" $value | ternary (tpl (toString $value) $root) $value) }}
{{- end }}
{{- /* What has a value of its own here is not theirs to say: reporting above all. */}}
{{- $settings := mergeOverwrite (dict) .usage.settings (dict
  "USAGE_REPORTING" .reporting
  "USAGE_FIRST_SEND_DELAY" .usage.firstSendDelay
  "USAGE_POLICY_TEXT" $policy
  "USAGE_FACTS" (toJson $facts)) }}
{{- with .usage.endpoint }}
{{- $_ := set $settings "USAGE_ENDPOINT" . }}
{{- end }}
{{- if .usage.overlay }}
{{- $_ := set $settings "USAGE_POLICY_OVERLAY" "/etc/usage-sidecar/project/overlay.yaml" }}
{{- end }}
{{- toJson $settings }}
{{- end }}

{{/* Read by the pods (the kill switch `off`, the overlay) and by the next upgrade. Takes Release. */}}
{{- define "usage-sidecar.configMap" -}}
{{- printf "%s-usage-sidecar" .Name }}
{{- end }}

{{/* The mode that is in force from now on. Takes usage and release. */}}
{{- define "usage-sidecar.reporting" -}}
{{- $record := lookup "v1" "ConfigMap" .release.Namespace (include "usage-sidecar.configMap" .release) }}
{{- $data := get $record "data" | default dict }}
{{- $before := hasKey $data "off" | ternary "off" (get $data "reporting") }}
{{- include "usage-sidecar.lowest" (dict "said" .usage.reporting "default" .usage.reportingDefault "before" $before) }}
{{- end }}
