{{/* Made from src/inject/container.ts by npm run generate. */}}

{{/* Takes image, settings, qos, limitsStorage, doNotTrack. */}}
{{- define "usage-sidecar.generated.container" -}}
{{- $rows := (fromJson `{"guaranteed":{"requests":{"cpu":"100m","memory":"96Mi"},"limits":{"cpu":"100m","memory":"96Mi"}},"burstable":{"requests":{"cpu":"10m","memory":"64Mi"},"limits":{"memory":"96Mi"}},"bestEffort":{},"podLevel":{}}`) }}
{{- $resources := index $rows .qos }}
{{- $env := dict }}
{{- if not (hasKey $resources "limits") }}
{{- $env = mergeOverwrite $env (fromJson `{"USAGE_MAX_BODY":"2MiB","USAGE_MAX_INFLIGHT":"8MiB"}`) }}
{{- end }}
{{- range $name, $value := .settings }}
{{- $_ := set $env $name (toString $value | replace "$" "$$") }}
{{- end }}
{{- if not (hasKey $env "USAGE_POLICY_TEXT") }}
{{- $env = mergeOverwrite $env (fromJson `{"USAGE_POLICY":"/etc/usage-sidecar/project/policy.yaml"}`) }}
{{- end }}
{{- $env = mergeOverwrite $env (fromJson `{"USAGE_HTTP_LISTEN":"127.0.0.1:44318","USAGE_GRPC_LISTEN":"127.0.0.1:44317","USAGE_HEALTH_LISTEN":":44319","USAGE_PAGE_LISTEN":"127.0.0.1:44320","USAGE_DATA_DIR":"/var/lib/usage-sidecar","USAGE_IDENTITY_DIR":"/etc/usage-sidecar/identity","USAGE_ANNOTATIONS_FILE":"/etc/usage-sidecar/podinfo/annotations","USAGE_OFF_FILE":"/etc/usage-sidecar/project/off","USAGE_FACTS_FILE":"/etc/usage-sidecar/facts/facts.json"}`) }}
{{- if .doNotTrack }}
{{- $_ := set $env "DO_NOT_TRACK" "1" }}
{{- end }}
{{- if .limitsStorage }}
{{- $_ := set $resources "limits" (mergeOverwrite (dict) (get $resources "limits" | default dict) (fromJson `{"ephemeral-storage":"256Mi"}`)) }}
{{- end }}
- name: usage-sidecar
  image: {{ .image | quote }}
  imagePullPolicy: IfNotPresent
  restartPolicy: Always
  env:
    {{- range $name, $value := $env }}
    - name: {{ $name }}
      value: {{ $value | toJson }}
    {{- end }}
  startupProbe:
    httpGet:
      path: /startupz
      port: 44319
    periodSeconds: 1
    timeoutSeconds: 1
    failureThreshold: 60
  livenessProbe:
    httpGet:
      path: /livez
      port: 44319
    periodSeconds: 20
    timeoutSeconds: 5
    failureThreshold: 3
  resources: {{- toYaml $resources | nindent 4 }}
  securityContext:
    allowPrivilegeEscalation: false
    capabilities:
      drop:
        - ALL
    privileged: false
    readOnlyRootFilesystem: true
    runAsGroup: 65532
    runAsNonRoot: true
    runAsUser: 65532
    seccompProfile:
      type: RuntimeDefault
  terminationMessagePolicy: FallbackToLogsOnError
  volumeMounts:
    - name: usage-sidecar-data
      mountPath: /var/lib/usage-sidecar
    - name: usage-sidecar-podinfo
      mountPath: /etc/usage-sidecar/podinfo
      readOnly: true
    - name: usage-sidecar-project
      mountPath: /etc/usage-sidecar/project
      readOnly: true
    - name: usage-sidecar-facts
      mountPath: /etc/usage-sidecar/facts
      readOnly: true
    - name: usage-sidecar-identity
      mountPath: /etc/usage-sidecar/identity
      readOnly: true
    - name: usage-sidecar-no-token
      mountPath: /var/run/secrets/kubernetes.io/serviceaccount
      readOnly: true
{{- end }}

{{/* Takes configMap, factsConfigMap, identitySecret, persistentData. */}}
{{- define "usage-sidecar.generated.volumes" -}}
{{- if not .persistentData }}
- name: usage-sidecar-data
  emptyDir:
    sizeLimit: 256Mi
{{- end }}
- name: usage-sidecar-podinfo
  downwardAPI:
    items:
      - path: annotations
        fieldRef:
          fieldPath: metadata.annotations
- name: usage-sidecar-project
  configMap:
    name: {{ .configMap | quote }}
    optional: true
- name: usage-sidecar-facts
  configMap:
    name: {{ .factsConfigMap | quote }}
    optional: true
- name: usage-sidecar-identity
  secret:
    secretName: {{ .identitySecret | quote }}
    optional: true
- name: usage-sidecar-no-token
  emptyDir:
    sizeLimit: 4Ki
    medium: Memory
{{- end }}

{{/* For the containers of the application. */}}
{{- define "usage-sidecar.generated.env" -}}
- name: USAGE_OTLP_ENDPOINT
  value: http://127.0.0.1:44318
{{- end }}

{{/* For a container that shall export all that its SDK makes to the sidecar. */}}
{{- define "usage-sidecar.generated.otelEnv" -}}
- name: OTEL_EXPORTER_OTLP_ENDPOINT
  value: http://127.0.0.1:44318
- name: OTEL_EXPORTER_OTLP_PROTOCOL
  value: http/protobuf
{{- end }}

{{/* For the pod. */}}
{{- define "usage-sidecar.generated.labels" -}}
usage-sidecar.dev/injected: "true"
{{- end }}
