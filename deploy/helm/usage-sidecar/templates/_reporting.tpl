{{/*
off, local or on. What the user says holds. Where he says nothing an upgrade may lower reporting and never raise it, whatever
became of his values. Takes said and default, as they stand in the values, and before, what was in force, from the cluster.
*/}}
{{- define "usage-sidecar.lowest" -}}
{{- /* YAML of Helm reads a bare off as false and a bare on as true. */}}
{{- $words := dict "false" "off" "true" "on" }}
{{- $mode := get $words (toString .said) | default (toString .said) }}
{{- if not $mode }}
{{- $mode = get $words (toString .default) | default (toString .default) }}
{{- /* A record that is there and says none of the words is off, as a switch that cannot be understood. */}}
{{- $before := .before | default "on" }}
{{- if not (has $before (list "local" "on")) }}
{{- $mode = "off" }}
{{- else if and (eq $before "local") (eq $mode "on") }}
{{- $mode = "local" }}
{{- end }}
{{- end }}
{{- $mode }}
{{- end }}
