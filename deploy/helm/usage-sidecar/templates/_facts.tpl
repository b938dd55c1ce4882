{{/* Made from scripts/manifests/facts-job.ts by npm run generate. */}}
{{/* Takes root, image, factsImage, factsConfigMap, settings, qos, limitsStorage, doNotTrack. */}}
{{- define "usage-sidecar.generated.facts" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: usage-sidecar-facts
  namespace: "{{ .root.Release.Namespace }}"
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: usage-sidecar-facts-{{ .root.Release.Namespace }}
rules:
{{- if .root.Values.facts.version }}
  # The version of the API server (k8s.version, k8s.distribution).
  - nonResourceURLs:
      - /version
    verbs:
      - get
{{- end }}
{{- if .root.Values.facts.distribution }}
  # Whether this is OpenShift (k8s.distribution).
  - nonResourceURLs:
      - /apis/config.openshift.io
    verbs:
      - get
{{- end }}
{{- if .root.Values.facts.nodes }}
  # The number and kinds of nodes. For the number alone, one node’s metadata is read.
  - apiGroups:
      - ""
    resources:
      - nodes
    verbs:
      - list
{{- end }}
{{- range .root.Values.facts.objects }}
  # The served version of {{ .group }}, to count its objects.
  - nonResourceURLs:
      - /apis/{{ .group }}
    verbs:
      - get
  # The number of {{ .plural }}. One object’s metadata is read; the server says how many follow.
  - apiGroups:
      - "{{ .group }}"
    resources:
      - "{{ .plural }}"
    verbs:
      - list
{{- end }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: usage-sidecar-facts-{{ .root.Release.Namespace }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: ClusterRole
  name: usage-sidecar-facts-{{ .root.Release.Namespace }}
subjects:
  - kind: ServiceAccount
    name: usage-sidecar-facts
    namespace: "{{ .root.Release.Namespace }}"
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: usage-sidecar-facts
  namespace: "{{ .root.Release.Namespace }}"
rules:
  # To write the facts, as the policy sends them, to this one ConfigMap.
  - apiGroups:
      - ""
    resources:
      - configmaps
    resourceNames:
      - "{{ .factsConfigMap }}"
    verbs:
      - patch
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: usage-sidecar-facts
  namespace: "{{ .root.Release.Namespace }}"
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: usage-sidecar-facts
subjects:
  - kind: ServiceAccount
    name: usage-sidecar-facts
    namespace: "{{ .root.Release.Namespace }}"
---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: usage-sidecar-facts
  namespace: "{{ .root.Release.Namespace }}"
spec:
  schedule: 17 3 * * *
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 3600
  successfulJobsHistoryLimit: 1
  failedJobsHistoryLimit: 1
  jobTemplate:
    spec:
      backoffLimit: 0
      activeDeadlineSeconds: 3600
      ttlSecondsAfterFinished: 86400
      template:
        metadata:
          labels:
            usage-sidecar.dev/injected: "true"
            app.kubernetes.io/name: usage-sidecar-facts
          annotations:
            usage-sidecar.dev/inject: disabled
        spec:
          restartPolicy: Never
          serviceAccountName: usage-sidecar-facts
          automountServiceAccountToken: true
          enableServiceLinks: false
          securityContext:
            runAsNonRoot: true
            runAsUser: 65532
            runAsGroup: 65532
            seccompProfile:
              type: RuntimeDefault
          initContainers: {{- include "usage-sidecar.generated.container" (set (omit . "settings") "settings" (mergeOverwrite (dict) .settings (dict "USAGE_FIRST_SEND_DELAY" "0" "USAGE_SEND_INTERVAL" "1m" "USAGE_HEARTBEAT" "off"))) | trim | nindent 12 }}
          containers:
            - name: facts
              image: "{{ .factsImage }}"
              imagePullPolicy: IfNotPresent
              args:
                - facts
                - --facts-config-map
                - "{{ .factsConfigMap }}"
              env:
                {{- range $name := list "USAGE_REPORTING" "USAGE_FIRST_SEND_DELAY" "USAGE_FACTS" "USAGE_LOG_LEVEL" }}
                {{- if hasKey $.settings $name }}
                - name: {{ $name }}
                  value: {{ get $.settings $name | replace "$" "$$" | toJson }}
                {{- end }}
                {{- end }}
                - name: USAGE_POLICY
                  value: /etc/usage-sidecar/project/policy.yaml
                - name: USAGE_PAGE_LISTEN
                  value: 127.0.0.1:44320
                - name: USAGE_ANNOTATIONS_FILE
                  value: /etc/usage-sidecar/podinfo/annotations
                - name: USAGE_OFF_FILE
                  value: /etc/usage-sidecar/project/off
                - name: USAGE_OTLP_ENDPOINT
                  value: http://127.0.0.1:44318
              resources:
                requests:
                  cpu: 10m
                  memory: 64Mi
                limits:
                  memory: 192Mi
              securityContext:
                allowPrivilegeEscalation: false
                capabilities:
                  drop:
                    - ALL
                readOnlyRootFilesystem: true
              terminationMessagePolicy: FallbackToLogsOnError
              volumeMounts:
                - name: usage-sidecar-podinfo
                  mountPath: /etc/usage-sidecar/podinfo
                  readOnly: true
                - name: usage-sidecar-project
                  mountPath: /etc/usage-sidecar/project
                  readOnly: true
          volumes:
            - name: usage-sidecar-data
              emptyDir:
                sizeLimit: 256Mi
            - name: usage-sidecar-podinfo
              downwardAPI:
                items:
                  - path: annotations
                    fieldRef:
                      fieldPath: metadata.annotations
            - name: usage-sidecar-project
              configMap:
                name: usage-sidecar
                optional: true
            - name: usage-sidecar-facts
              configMap:
                name: "{{ .factsConfigMap }}"
                optional: true
            - name: usage-sidecar-identity
              secret:
                secretName: usage-sidecar-identity
                optional: true
            - name: usage-sidecar-no-token
              emptyDir:
                sizeLimit: 4Ki
                medium: Memory
{{- end }}
