{{/* Made from scripts/manifests/admission.ts by npm run generate. */}}
{{/* Policy and binding. Takes root and parameters. */}}
{{- define "usage-sidecar.generated.admission" -}}
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicy
metadata:
  name: "{{ .root.Values.project }}.usage-sidecar.dev"
spec:
  failurePolicy: Ignore
  reinvocationPolicy: IfNeeded
  paramKind:
    apiVersion: v1
    kind: ConfigMap
  matchConstraints:
    matchPolicy: Equivalent
    namespaceSelector:
      matchExpressions:
        - key: kubernetes.io/metadata.name
          operator: NotIn
          values:
            - kube-system
            - kube-public
            - kube-node-lease
            - "{{ .root.Release.Namespace }}"
        - key: usage-sidecar.dev/inject
          operator: NotIn
          values:
            - disabled
    resourceRules:
      - apiGroups:
          - ""
        apiVersions:
          - v1
        operations:
          - CREATE
        resources:
          - pods
        scope: Namespaced
  matchConditions:
    - name: not-opted-out
      expression: '!has(object.metadata.annotations) || object.metadata.annotations[?"usage-sidecar.dev/inject"].orValue("enabled") == "enabled"'
    - name: not-host-network
      expression: "!has(object.spec.hostNetwork) || !object.spec.hostNetwork"
    - name: linux-only
      expression: (!has(object.spec.os) || object.spec.os.name == "linux") && (!has(object.spec.nodeSelector) || object.spec.nodeSelector[?"kubernetes.io/os"].orValue("linux") == "linux")
    - name: not-mirror-pod
      expression: '!has(object.metadata.annotations) || !("kubernetes.io/config.mirror" in object.metadata.annotations)'
    - name: not-injected
      expression: '!object.spec.containers.exists(c, c.name == "usage-sidecar") && (!has(object.spec.initContainers) || !object.spec.initContainers.exists(c, c.name == "usage-sidecar"))'
    - name: no-volume-of-ours
      expression: '!has(object.spec.volumes) || !object.spec.volumes.exists(v, v.name.startsWith("usage-sidecar-"))'
    - name: no-port-of-ours
      expression: (!has(object.spec.containers) || !object.spec.containers.exists(c, has(c.ports) && c.ports.exists(p, p.containerPort in [44317, 44318, 44319, 44320]))) && (!has(object.spec.initContainers) || !object.spec.initContainers.exists(c, has(c.ports) && c.ports.exists(p, p.containerPort in [44317, 44318, 44319, 44320])))
  variables:
    - name: parameters
      expression: {{ toJson .parameters | quote }}
    - name: labelsOfPod
      expression: "has(object.metadata.labels) ? object.metadata.labels : {}"
    - name: labelsOfNamespace
      expression: "namespaceObject != null && has(namespaceObject.metadata.labels) ? namespaceObject.metadata.labels : {}"
    - name: ofPod
      expression: "has(object.metadata.annotations) ? object.metadata.annotations : {}"
    - name: ofNamespace
      expression: "namespaceObject != null && has(namespaceObject.metadata.annotations) ? namespaceObject.metadata.annotations : {}"
    - name: label
      expression: variables.labelsOfNamespace[?"usage-sidecar.dev/inject"].orValue("enabled")
    - name: meshInTheWay
      expression: '(variables.labelsOfPod[?"sidecar.istio.io/inject"].orValue(variables.ofPod[?"sidecar.istio.io/inject"].orValue(variables.labelsOfNamespace[?"istio-injection"].orValue("") in ["enabled"] || "istio.io/rev" in variables.labelsOfNamespace ? "true" : "")) in ["true"] && !variables.ofPod[?"traffic.sidecar.istio.io/excludeInboundPorts"].orValue(variables.ofNamespace[?"traffic.sidecar.istio.io/excludeInboundPorts"].orValue("")).split(",").exists(p, p.trim() == "44319")) || (variables.labelsOfPod[?"linkerd.io/inject"].orValue(variables.ofPod[?"linkerd.io/inject"].orValue(variables.ofNamespace[?"linkerd.io/inject"].orValue(""))) in ["enabled", "ingress"] && !variables.ofPod[?"config.linkerd.io/skip-inbound-ports"].orValue(variables.ofNamespace[?"config.linkerd.io/skip-inbound-ports"].orValue("")).split(",").exists(p, p.trim() == "44319"))'
    - name: project
      expression: variables.ofPod[?"usage-sidecar.dev/project"].orValue(variables.ofNamespace[?"usage-sidecar.dev/project"].orValue(""))
    - name: word
      expression: variables.ofPod[?"usage-sidecar.dev/inject"].orValue(variables.ofNamespace[?"usage-sidecar.dev/inject"].orValue(variables.parameters[?"inject"].orValue("disabled")))
    - name: inject
      expression: variables.project == variables.parameters.project && variables.parameters.image != "" && variables.word == "enabled" && variables.label == "enabled" && !variables.meshInTheWay
    - name: all
      expression: "object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : [])"
    - name: qos
      expression: 'has(object.spec.resources) ? "podLevel" : variables.all.all(c, ["cpu", "memory"].all(r, (!(has(c.resources) && has(c.resources.requests) && r in c.resources.requests) || quantity(c.resources.requests[r]).compareTo(quantity("0")) == 0) && (!(has(c.resources) && has(c.resources.limits) && r in c.resources.limits) || quantity(c.resources.limits[r]).compareTo(quantity("0")) == 0))) ? "bestEffort" : variables.all.all(c, has(c.resources) && has(c.resources.limits) && ["cpu", "memory"].all(r, r in c.resources.limits && (!(has(c.resources) && has(c.resources.requests) && r in c.resources.requests) || quantity(c.resources.requests[r]).compareTo(quantity(c.resources.limits[r])) == 0))) ? "guaranteed" : "burstable"'
    - name: limitsStorage
      expression: variables.all.exists(c, has(c.resources) && has(c.resources.limits) && "ephemeral-storage" in c.resources.limits)
    - name: doNotTrack
      expression: 'variables.all.exists(c, has(c.env) && c.env.exists(e, e.name == "DO_NOT_TRACK" && (has(e.valueFrom) || !((has(e.value) ? e.value : "").trim().lowerAscii() in ["", "0", "false"]))))'
    - name: setting
      expression: variables.parameters[?"USAGE_REPORTING"].orValue("local")
    - name: reporting
      expression: '!variables.ofNamespace[?"usage-sidecar.dev/reporting"].hasValue() ? variables.setting : variables.ofNamespace[?"usage-sidecar.dev/reporting"].orValue("off") == "on" && variables.setting in ["on", "local"] ? variables.setting : variables.ofNamespace[?"usage-sidecar.dev/reporting"].orValue("off") == "local" && variables.setting in ["on", "local"] ? "local" : "off"'
    - name: settings
      expression: '["USAGE_POLICY_TEXT", "USAGE_POLICY_OVERLAY", "USAGE_POLICY_DIGEST", "USAGE_ENDPOINT", "USAGE_HEADERS_FILE", "USAGE_CA_FILE", "USAGE_CLIENT_CERT_FILE", "USAGE_CLIENT_KEY_FILE", "USAGE_PROXY", "USAGE_METRICS_LISTEN", "USAGE_SEND_INTERVAL", "USAGE_FIRST_SEND_DELAY", "USAGE_HEARTBEAT", "USAGE_MAX_BODY", "USAGE_MAX_INFLIGHT", "USAGE_QUEUE_MAX", "USAGE_QUEUE_MAX_AGE", "USAGE_QUEUE_FULL", "USAGE_LOG_LEVEL"].filter(n, n in variables.parameters).map(n, {"name": n, "value": variables.parameters[n].replace("$", "$$")})'
    - name: env
      expression: '(variables.qos in ["bestEffort", "podLevel"] ? [{"name": "USAGE_MAX_BODY", "value": "2MiB"}, {"name": "USAGE_MAX_INFLIGHT", "value": "8MiB"}].filter(e, !(e.name in variables.parameters)) : []) + variables.settings + [{"name": "USAGE_REPORTING", "value": variables.reporting}] + ("facts.json" in params.data ? [{"name": "USAGE_FACTS", "value": params.data["facts.json"].replace("$", "$$")}] : "USAGE_FACTS" in variables.parameters ? [{"name": "USAGE_FACTS", "value": variables.parameters["USAGE_FACTS"].replace("$", "$$")}] : []) + ("USAGE_POLICY_TEXT" in variables.parameters ? [] : [{"name": "USAGE_POLICY", "value": "/etc/usage-sidecar/project/policy.yaml"}]) + [{"name": "USAGE_HTTP_LISTEN", "value": "127.0.0.1:44318"}, {"name": "USAGE_GRPC_LISTEN", "value": "127.0.0.1:44317"}, {"name": "USAGE_HEALTH_LISTEN", "value": ":44319"}, {"name": "USAGE_PAGE_LISTEN", "value": "127.0.0.1:44320"}, {"name": "USAGE_DATA_DIR", "value": "/var/lib/usage-sidecar"}, {"name": "USAGE_IDENTITY_DIR", "value": "/etc/usage-sidecar/identity"}, {"name": "USAGE_ANNOTATIONS_FILE", "value": "/etc/usage-sidecar/podinfo/annotations"}, {"name": "USAGE_OFF_FILE", "value": "/etc/usage-sidecar/project/off"}, {"name": "USAGE_FACTS_FILE", "value": "/etc/usage-sidecar/facts/facts.json"}] + (variables.doNotTrack ? [{"name": "DO_NOT_TRACK", "value": "1"}] : [])'
    - name: otel
      expression: variables.ofPod[?"usage-sidecar.dev/otel-endpoint"].orValue("") == "enabled"
  mutations:
    - patchType: JSONPatch
      jsonPatch:
        expression: |
          !variables.inject ? [] :
          object.spec.containers.transformList(i, c, !has(c.env), JSONPatch{op: "add", path: "/spec/containers/" + string(i) + "/env", value: []}) +
          object.spec.containers.transformList(i, c, variables.otel && !(has(c.envFrom) && size(c.envFrom) > 0) && !(has(c.env) && c.env.exists(e, e.name.startsWith("OTEL_EXPORTER_OTLP_"))), JSONPatch{op: "add", path: "/spec/containers/" + string(i) + "/env/0", value: Object.spec.containers.env{name: "OTEL_EXPORTER_OTLP_PROTOCOL", value: "http/protobuf"}}) +
          object.spec.containers.transformList(i, c, variables.otel && !(has(c.envFrom) && size(c.envFrom) > 0) && !(has(c.env) && c.env.exists(e, e.name.startsWith("OTEL_EXPORTER_OTLP_"))), JSONPatch{op: "add", path: "/spec/containers/" + string(i) + "/env/0", value: Object.spec.containers.env{name: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "http://127.0.0.1:44318"}}) +
          object.spec.containers.transformList(i, c, !(has(c.env) && c.env.exists(e, e.name == "USAGE_OTLP_ENDPOINT")), JSONPatch{op: "add", path: "/spec/containers/" + string(i) + "/env/0", value: Object.spec.containers.env{name: "USAGE_OTLP_ENDPOINT", value: "http://127.0.0.1:44318"}}) +
          (has(object.spec.initContainers) ? object.spec.initContainers.transformList(i, c, !has(c.env), JSONPatch{op: "add", path: "/spec/initContainers/" + string(i) + "/env", value: []}) + object.spec.initContainers.transformList(i, c, variables.otel && !(has(c.envFrom) && size(c.envFrom) > 0) && !(has(c.env) && c.env.exists(e, e.name.startsWith("OTEL_EXPORTER_OTLP_"))), JSONPatch{op: "add", path: "/spec/initContainers/" + string(i) + "/env/0", value: Object.spec.initContainers.env{name: "OTEL_EXPORTER_OTLP_PROTOCOL", value: "http/protobuf"}}) + object.spec.initContainers.transformList(i, c, variables.otel && !(has(c.envFrom) && size(c.envFrom) > 0) && !(has(c.env) && c.env.exists(e, e.name.startsWith("OTEL_EXPORTER_OTLP_"))), JSONPatch{op: "add", path: "/spec/initContainers/" + string(i) + "/env/0", value: Object.spec.initContainers.env{name: "OTEL_EXPORTER_OTLP_ENDPOINT", value: "http://127.0.0.1:44318"}}) + object.spec.initContainers.transformList(i, c, !(has(c.env) && c.env.exists(e, e.name == "USAGE_OTLP_ENDPOINT")), JSONPatch{op: "add", path: "/spec/initContainers/" + string(i) + "/env/0", value: Object.spec.initContainers.env{name: "USAGE_OTLP_ENDPOINT", value: "http://127.0.0.1:44318"}}) : [JSONPatch{op: "add", path: "/spec/initContainers", value: []}]) +
          (has(object.metadata.labels) ? [] : [JSONPatch{op: "add", path: "/metadata/labels", value: {}}]) +
          [JSONPatch{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("usage-sidecar.dev/injected"), value: "true"}] +
          (has(object.spec.volumes) ? [] : [JSONPatch{op: "add", path: "/spec/volumes", value: []}]) +
          [JSONPatch{op: "add", path: "/spec/volumes/-", value: Object.spec.volumes{name: "usage-sidecar-data", emptyDir: Object.spec.volumes.emptyDir{sizeLimit: "256Mi"}}},
          JSONPatch{op: "add", path: "/spec/volumes/-", value: Object.spec.volumes{name: "usage-sidecar-podinfo", downwardAPI: Object.spec.volumes.downwardAPI{items: [Object.spec.volumes.downwardAPI.items{path: "annotations", fieldRef: Object.spec.volumes.downwardAPI.items.fieldRef{fieldPath: "metadata.annotations"}}]}}},
          JSONPatch{op: "add", path: "/spec/volumes/-", value: Object.spec.volumes{name: "usage-sidecar-project", configMap: Object.spec.volumes.configMap{name: variables.parameters[?"configMap"].orValue("usage-sidecar"), optional: true}}},
          JSONPatch{op: "add", path: "/spec/volumes/-", value: Object.spec.volumes{name: "usage-sidecar-facts", configMap: Object.spec.volumes.configMap{name: variables.parameters[?"factsConfigMap"].orValue("usage-sidecar-facts"), optional: true}}},
          JSONPatch{op: "add", path: "/spec/volumes/-", value: Object.spec.volumes{name: "usage-sidecar-identity", secret: Object.spec.volumes.secret{secretName: variables.parameters[?"identitySecret"].orValue("usage-sidecar-identity"), optional: true}}},
          JSONPatch{op: "add", path: "/spec/volumes/-", value: Object.spec.volumes{name: "usage-sidecar-no-token", emptyDir: Object.spec.volumes.emptyDir{sizeLimit: "4Ki", medium: "Memory"}}}] +
          [JSONPatch{op: "add", path: "/spec/initContainers/0", value: Object.spec.initContainers{name: "usage-sidecar", image: variables.parameters.image, imagePullPolicy: "IfNotPresent", restartPolicy: "Always", env: variables.env.map(e, Object.spec.initContainers.env{name: e.name, value: e.value}), startupProbe: Object.spec.initContainers.startupProbe{httpGet: Object.spec.initContainers.startupProbe.httpGet{path: "/startupz", port: 44319}, periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 60}, livenessProbe: Object.spec.initContainers.livenessProbe{httpGet: Object.spec.initContainers.livenessProbe.httpGet{path: "/livez", port: 44319}, periodSeconds: 20, timeoutSeconds: 5, failureThreshold: 3}, resources: variables.qos == "guaranteed" ? (variables.limitsStorage ? Object.spec.initContainers.resources{requests: {"cpu": "100m", "memory": "96Mi"}, limits: {"cpu": "100m", "memory": "96Mi", "ephemeral-storage": "256Mi"}} : Object.spec.initContainers.resources{requests: {"cpu": "100m", "memory": "96Mi"}, limits: {"cpu": "100m", "memory": "96Mi"}}) : variables.qos == "burstable" ? (variables.limitsStorage ? Object.spec.initContainers.resources{requests: {"cpu": "10m", "memory": "64Mi"}, limits: {"memory": "96Mi", "ephemeral-storage": "256Mi"}} : Object.spec.initContainers.resources{requests: {"cpu": "10m", "memory": "64Mi"}, limits: {"memory": "96Mi"}}) : variables.qos == "bestEffort" ? (variables.limitsStorage ? Object.spec.initContainers.resources{limits: {"ephemeral-storage": "256Mi"}} : Object.spec.initContainers.resources{}) : (variables.limitsStorage ? Object.spec.initContainers.resources{limits: {"ephemeral-storage": "256Mi"}} : Object.spec.initContainers.resources{}), securityContext: Object.spec.initContainers.securityContext{allowPrivilegeEscalation: false, capabilities: Object.spec.initContainers.securityContext.capabilities{drop: ["ALL"]}, privileged: false, readOnlyRootFilesystem: true, runAsGroup: 65532, runAsNonRoot: true, runAsUser: 65532, seccompProfile: Object.spec.initContainers.securityContext.seccompProfile{type: "RuntimeDefault"}}, terminationMessagePolicy: "FallbackToLogsOnError", volumeMounts: [Object.spec.initContainers.volumeMounts{name: "usage-sidecar-data", mountPath: "/var/lib/usage-sidecar"}, Object.spec.initContainers.volumeMounts{name: "usage-sidecar-podinfo", mountPath: "/etc/usage-sidecar/podinfo", readOnly: true}, Object.spec.initContainers.volumeMounts{name: "usage-sidecar-project", mountPath: "/etc/usage-sidecar/project", readOnly: true}, Object.spec.initContainers.volumeMounts{name: "usage-sidecar-facts", mountPath: "/etc/usage-sidecar/facts", readOnly: true}, Object.spec.initContainers.volumeMounts{name: "usage-sidecar-identity", mountPath: "/etc/usage-sidecar/identity", readOnly: true}, Object.spec.initContainers.volumeMounts{name: "usage-sidecar-no-token", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount", readOnly: true}]}}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: MutatingAdmissionPolicyBinding
metadata:
  name: "{{ .root.Values.project }}.usage-sidecar.dev"
spec:
  policyName: "{{ .root.Values.project }}.usage-sidecar.dev"
  paramRef:
    name: "{{ .root.Values.project }}.usage-sidecar.dev"
    namespace: "{{ .root.Release.Namespace }}"
    parameterNotFoundAction: Allow
{{- end }}
