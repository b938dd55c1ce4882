// Injection by the API server itself: a MutatingAdmissionPolicy for Kubernetes 1.36 and later, with
// nothing to run. It decides like decide.ts and adds what apply.ts adds, in CEL. A test compares
// both on a real API server.
//
// There is one policy a project, named after the project, so that two projects never meet. It
// applies to pods whose annotation `usage-sidecar.dev/project`, or their namespace's, names the
// project. Only strings of the one parameter ConfigMap can enter other namespaces: the image and
// the settings, including policy and facts. Pods and namespaces choose whether and for which
// project, and can lower reporting. They cannot raise it. If anything fails, the pod is admitted
// unchanged.

import {
  APP_ENV,
  CONTAINER,
  DEFAULTS,
  type EnvVar,
  FACTS_KEY,
  FIXED_SETTINGS,
  INJECTED,
  OTEL_ENV,
  POLICY_FILE,
  PORTS,
  PREFIX,
  type Qos,
  RESOURCES,
  sidecar,
  type Traits,
  UNLIMITED_SETTINGS,
  volumes,
} from '../../src/inject/container.ts'
import { INJECT, OTEL, REPORTING } from '../../src/inject/decide.ts'
import { MESHES, type Mesh } from '../../src/inject/mesh.ts'
import { cel, expression, patch } from './cel.ts'

export const PROJECT = `${PREFIX}project`

/**
 * Names of the objects. They may be expressions of the template language that the file is written
 * in.
 */
export interface Names {
  project: string
  /** Name of the policy, the binding and the parameters. */
  name: string
  /** Namespace of the parameters. Pods in it are never injected. */
  namespace: string
  /**
   * Expression of all parameters except the published facts; the ConfigMap by default. An API
   * server (seen at 1.36.4, kubernetes#130887) never sees a ConfigMap change again after the last
   * binding to any was deleted. A literal in the policy cannot become stale. So off, then delete
   * and install again, does not bring old parameters back.
   */
  parameters?: string
}

const SPEC = 'Object.spec'
const INIT = `${SPEC}.initContainers`
const quoted = (text: string): string => JSON.stringify(text)
const envOf = (values: Readonly<Record<string, string>>): EnvVar[] =>
  Object.entries(values).map(([name, value]) => ({ name, value }))

/** Whether container `c` has a variable `e` for which `test` holds. */
const hasEnv = (test: string): string => `has(c.env) && c.env.exists(e, ${test})`
const has = (container: string, kind: string): string =>
  `has(${container}.resources) && has(${container}.resources.${kind})`

const CONDITIONS: Record<string, string> = {
  'not-opted-out': `!has(object.metadata.annotations) || object.metadata.annotations[?${quoted(INJECT)}].orValue("enabled") == "enabled"`,
  'not-host-network': '!has(object.spec.hostNetwork) || !object.spec.hostNetwork',
  'linux-only': `(!has(object.spec.os) || object.spec.os.name == "linux") && (!has(object.spec.nodeSelector) || object.spec.nodeSelector[?"kubernetes.io/os"].orValue("linux") == "linux")`,
  'not-mirror-pod':
    '!has(object.metadata.annotations) || !("kubernetes.io/config.mirror" in object.metadata.annotations)',
  'not-injected': `!object.spec.containers.exists(c, c.name == ${quoted(CONTAINER)}) && (!has(object.spec.initContainers) || !object.spec.initContainers.exists(c, c.name == ${quoted(CONTAINER)}))`,
  'no-volume-of-ours': `!has(object.spec.volumes) || !object.spec.volumes.exists(v, v.name.startsWith(${quoted(`${CONTAINER}-`)}))`,
  'no-port-of-ours': ['containers', 'initContainers']
    .map(
      (list) =>
        `(!has(object.spec.${list}) || !object.spec.${list}.exists(c, has(c.ports) && c.ports.exists(p, p.containerPort in [${Object.values(PORTS).join(', ')}])))`,
    )
    .join(' && '),
}

/** The counterpart of `literal` in container.ts. */
const parameterText = (key: string): string =>
  expression(`variables.parameters[${key}].replace("$", "$$")`)

/** `settings`: the names of all settings. */
function variables(settings: readonly string[], parameters: string): Record<string, string> {
  const zero = (kind: string): string =>
    `(!(${has('c', kind)} && r in c.resources.${kind}) || quantity(c.resources.${kind}[r]).compareTo(quantity("0")) == 0)`
  const same = `(!(${has('c', 'requests')} && r in c.resources.requests) || quantity(c.resources.requests[r]).compareTo(quantity(c.resources.limits[r])) == 0)`
  const given = settings.filter(
    (name) =>
      ![
        ...Object.keys({ ...FIXED_SETTINGS, ...POLICY_FILE }),
        'USAGE_REPORTING',
        'USAGE_FACTS',
      ].includes(name),
  )
  const env = (values: Readonly<Record<string, string>>): string => cel(envOf(values), undefined)
  const said = `variables.ofNamespace[?${quoted(REPORTING)}]`
  return {
    parameters,
    labelsOfPod: 'has(object.metadata.labels) ? object.metadata.labels : {}',
    labelsOfNamespace:
      'namespaceObject != null && has(namespaceObject.metadata.labels) ? namespaceObject.metadata.labels : {}',
    ofPod: 'has(object.metadata.annotations) ? object.metadata.annotations : {}',
    ofNamespace:
      'namespaceObject != null && has(namespaceObject.metadata.annotations) ? namespaceObject.metadata.annotations : {}',
    label: `variables.labelsOfNamespace[?${quoted(INJECT)}].orValue("enabled")`,
    meshInTheWay: MESHES.map(meshInTheWay).join(' || '),
    project: `variables.ofPod[?${quoted(PROJECT)}].orValue(variables.ofNamespace[?${quoted(PROJECT)}].orValue(""))`,
    word: `variables.ofPod[?${quoted(INJECT)}].orValue(variables.ofNamespace[?${quoted(INJECT)}].orValue(variables.parameters[?"inject"].orValue("disabled")))`,
    inject:
      'variables.project == variables.parameters.project && variables.parameters.image != "" && variables.word == "enabled" && variables.label == "enabled" && !variables.meshInTheWay',
    all: 'object.spec.containers + (has(object.spec.initContainers) ? object.spec.initContainers : [])',
    qos: `has(object.spec.resources) ? "podLevel" : variables.all.all(c, ["cpu", "memory"].all(r, ${zero('requests')} && ${zero('limits')})) ? "bestEffort" : variables.all.all(c, ${has('c', 'limits')} && ["cpu", "memory"].all(r, r in c.resources.limits && ${same})) ? "guaranteed" : "burstable"`,
    limitsStorage: `variables.all.exists(c, ${has('c', 'limits')} && "ephemeral-storage" in c.resources.limits)`,
    doNotTrack: `variables.all.exists(c, ${hasEnv('e.name == "DO_NOT_TRACK" && (has(e.valueFrom) || !((has(e.value) ? e.value : "").trim().lowerAscii() in ["", "0", "false"]))')})`,
    setting: `variables.parameters[?"USAGE_REPORTING"].orValue(${quoted(DEFAULTS.settings.USAGE_REPORTING)})`,
    // The lower of the parameters' and the namespace's mode. An unknown value is off.
    reporting: `!${said}.hasValue() ? variables.setting : ${said}.orValue("off") == "on" && variables.setting in ["on", "local"] ? variables.setting : ${said}.orValue("off") == "local" && variables.setting in ["on", "local"] ? "local" : "off"`,
    settings: `${cel(given, undefined)}.filter(n, n in variables.parameters).map(n, ${cel({ name: expression('n'), value: parameterText('n') }, undefined)})`,
    env: [
      `(variables.qos in ["bestEffort", "podLevel"] ? ${env(UNLIMITED_SETTINGS)}.filter(e, !(e.name in variables.parameters)) : [])`,
      'variables.settings',
      env({ USAGE_REPORTING: expression('variables.reporting') }),
      // The published facts include the facts that the facts job was given.
      `(${quoted(FACTS_KEY)} in params.data ? ${env({ USAGE_FACTS: expression(`params.data[${quoted(FACTS_KEY)}].replace("$", "$$")`) })} : "USAGE_FACTS" in variables.parameters ? ${env({ USAGE_FACTS: parameterText('"USAGE_FACTS"') })} : [])`,
      `("USAGE_POLICY_TEXT" in variables.parameters ? [] : ${env(POLICY_FILE)})`,
      env(FIXED_SETTINGS),
      `(variables.doNotTrack ? ${env({ DO_NOT_TRACK: '1' })} : [])`,
    ].join(' + '),
    otel: `variables.ofPod[?${quoted(OTEL)}].orValue("") == "enabled"`,
  }
}

/** The counterpart of mesh.ts. */
function meshInTheWay({ pod, words, namespaceLabels, namespaceAnnotation, leaves }: Mesh): string {
  const orElse = (map: string, key: string, rest: string): string =>
    `variables.${map}[?${quoted(key)}].orValue(${rest})`
  const isLabelled = Object.entries(namespaceLabels).map(([name, of]) =>
    of === 'any'
      ? `${quoted(name)} in variables.labelsOfNamespace`
      : `${orElse('labelsOfNamespace', name, '""')} in ${cel(of, undefined)}`,
  )
  const labelled =
    isLabelled.length === 0 ? '""' : `${isLabelled.join(' || ')} ? ${quoted(words[0]!)} : ""`
  const ofNamespace = namespaceAnnotation ? orElse('ofNamespace', pod, labelled) : labelled
  const left = orElse('ofPod', leaves, orElse('ofNamespace', leaves, '""'))
  return `(${orElse('labelsOfPod', pod, orElse('ofPod', pod, ofNamespace))} in ${cel(words, undefined)} && !${left}.split(",").exists(p, p.trim() == "${PORTS.health}"))`
}

const NONE: Traits = { qos: 'bestEffort', limitsStorage: false, doNotTrack: false }

/** One patch, so that it applies as a whole or not at all. */
function patches(): string {
  const parameter = (key: string, standard: string): string =>
    expression(`variables.parameters[?${quoted(key)}].orValue(${quoted(standard)})`)
  const options = {
    image: expression('variables.parameters.image'),
    configMap: parameter('configMap', DEFAULTS.configMap),
    factsConfigMap: parameter('factsConfigMap', DEFAULTS.factsConfigMap),
    identitySecret: parameter('identitySecret', DEFAULTS.identitySecret),
    settings: {},
  }
  const resources = (qos: Qos): string => {
    const of = (limitsStorage: boolean): string =>
      cel(sidecar(options, { ...NONE, qos, limitsStorage }).resources, `${INIT}.resources`)
    return `(variables.limitsStorage ? ${of(true)} : ${of(false)})`
  }
  const byClass = (Object.keys(RESOURCES) as Qos[]).reduceRight(
    (rest, qos) =>
      rest === ''
        ? resources(qos)
        : `variables.qos == ${quoted(qos)} ? ${resources(qos)} : ${rest}`,
    '',
  )
  const container = {
    ...sidecar(options, NONE),
    env: expression(`variables.env.map(e, ${INIT}.env{name: e.name, value: e.value})`),
    resources: expression(byClass),
  }
  const [label] = Object.entries(INJECTED)
  return [
    ...appPatches('containers'),
    `(has(object.spec.initContainers) ? ${appPatches('initContainers').join(' + ')} : [${patch('/spec/initContainers', [])}])`,
    `(has(object.metadata.labels) ? [] : [${patch('/metadata/labels', {})}])`,
    `[${patch(expression(`"/metadata/labels/" + jsonpatch.escapeKey(${quoted(label![0])})`), label![1])}]`,
    `(has(object.spec.volumes) ? [] : [${patch('/spec/volumes', [])}])`,
    `[${volumes(options)
      .map((volume) => patch('/spec/volumes/-', volume, `${SPEC}.volumes`))
      .join(',\n')}]`,
    `[${patch('/spec/initContainers/0', container, INIT)}]`,
  ].join(' +\n')
}

/**
 * Variables for the application's containers, each inserted in front, so the last one comes first.
 */
function appPatches(list: 'containers' | 'initContainers'): string[] {
  const of = (condition: string, path: string, value: string): string =>
    `object.spec.${list}.transformList(i, c, ${condition}, ${patch(expression(`"/spec/${list}/" + string(i) + ${quoted(path)}`), expression(value))})`
  const first = (condition: string, variable: EnvVar): string =>
    of(condition, '/env/0', cel(variable, `${SPEC}.${list}.env`))
  const mayHaveOtel = `variables.otel && !(has(c.envFrom) && size(c.envFrom) > 0) && !(${hasEnv('e.name.startsWith("OTEL_EXPORTER_OTLP_")')})`
  return [
    of('!has(c.env)', '/env', '[]'),
    ...OTEL_ENV.toReversed().map((variable) => first(mayHaveOtel, variable)),
    first(`!(${hasEnv(`e.name == ${quoted(APP_ENV.name)}`)})`, APP_ENV),
  ]
}

/** The policy and its binding, as data. */
export function admissionPolicy(
  { name, namespace, parameters = 'params.data' }: Names,
  settings: readonly string[],
): object[] {
  const api = { apiVersion: 'admissionregistration.k8s.io/v1' }
  const list = (named: Record<string, string>): object[] =>
    Object.entries(named).map(([key, text]) => ({ name: key, expression: text }))
  return [
    {
      ...api,
      kind: 'MutatingAdmissionPolicy',
      metadata: { name },
      spec: {
        failurePolicy: 'Ignore',
        reinvocationPolicy: 'IfNeeded',
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        matchConstraints: {
          matchPolicy: 'Equivalent',
          namespaceSelector: {
            matchExpressions: [
              {
                key: 'kubernetes.io/metadata.name',
                operator: 'NotIn',
                values: ['kube-system', 'kube-public', 'kube-node-lease', namespace],
              },
              { key: INJECT, operator: 'NotIn', values: ['disabled'] },
            ],
          },
          resourceRules: [
            {
              apiGroups: [''],
              apiVersions: ['v1'],
              operations: ['CREATE'],
              resources: ['pods'],
              scope: 'Namespaced',
            },
          ],
        },
        matchConditions: list(CONDITIONS),
        variables: list(variables(settings, parameters)),
        mutations: [
          {
            patchType: 'JSONPatch',
            jsonPatch: { expression: `!variables.inject ? [] :\n${patches()}\n` },
          },
        ],
      },
    },
    {
      ...api,
      kind: 'MutatingAdmissionPolicyBinding',
      metadata: { name },
      spec: { policyName: name, paramRef: { name, namespace, parameterNotFoundAction: 'Allow' } },
    },
  ]
}
