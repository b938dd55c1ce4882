{{/*
Makes the Secret with the identity, once: a create that finds one there leaves it alone, so replicas, hook re-runs and other
releases of the namespace share the first. The Secret is no part of the release: it outlives upgrades and uninstall.
All objects here live for the hook only. Takes name, namespace, labels, image, secretName.
*/}}
{{- define "usage-sidecar.identityJob" -}}
{{- $name := .name }}
{{- $labels := .labels }}
{{- $hook := dict "helm.sh/hook" "pre-install,pre-upgrade" "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded" }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $name }}
  labels: {{- $labels | nindent 4 }}
  annotations: {{- merge (dict "helm.sh/hook-weight" "-10") $hook | toYaml | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ $name }}
  labels: {{- $labels | nindent 4 }}
  annotations: {{- merge (dict "helm.sh/hook-weight" "-10") $hook | toYaml | nindent 4 }}
rules:
  # To make the Secret. It cannot be limited to one name, and allows neither to read nor to change one.
  - apiGroups: [""]
    resources: [secrets]
    verbs: [create]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ $name }}
  labels: {{- $labels | nindent 4 }}
  annotations: {{- merge (dict "helm.sh/hook-weight" "-9") $hook | toYaml | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ $name }}
subjects:
  - kind: ServiceAccount
    name: {{ $name }}
    namespace: {{ .namespace }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $name }}
  labels: {{- $labels | nindent 4 }}
  annotations: {{- merge (dict "helm.sh/hook-weight" "0") $hook | toYaml | nindent 4 }}
spec:
  backoffLimit: 3
  # Helm itself waits for five minutes; who waits for the application waits no longer than this.
  activeDeadlineSeconds: 120
  # Where no hooks exist, as in `helm template | kubectl apply`: a Job cannot be changed, so it goes.
  ttlSecondsAfterFinished: 600
  template:
    metadata:
      labels: {{- $labels | nindent 8 }}
      annotations:
        usage-sidecar.dev/inject: disabled
    spec:
      restartPolicy: Never
      serviceAccountName: {{ $name }}
      automountServiceAccountToken: true
      enableServiceLinks: false
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: identity
          image: {{ .image | quote }}
          imagePullPolicy: IfNotPresent
          args: [facts, --identity-secret, {{ .secretName | quote }}]
          resources:
            requests: {cpu: 10m, memory: 64Mi}
            limits: {memory: 192Mi}
          securityContext:
            allowPrivilegeEscalation: false
            capabilities:
              drop: [ALL]
            readOnlyRootFilesystem: true
{{- end }}
