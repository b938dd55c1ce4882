// What the pod's own containers decide: DO_NOT_TRACK goes over to the sidecar, and
// OTEL_EXPORTER_OTLP_ENDPOINT comes only where it is asked for and where nothing else could say
// where telemetry goes.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { add, additionsTo } from '../../src/inject/apply.ts'
import {
  DEFAULTS,
  FIXED_SETTINGS,
  literal,
  type Options,
  POLICY_FILE,
} from '../../src/inject/container.ts'
import { type AppContainer, allContainers, decide, type Pod } from '../../src/inject/decide.ts'

const OPTIONS: Options = { image: 'i', ...DEFAULTS }

function injected(
  containers: AppContainer[],
  annotations: Record<string, unknown> = {},
  options = OPTIONS,
  more: object = {},
): Pod {
  const pod: Pod = { metadata: { annotations }, spec: { ...more, containers } }
  const decision = decide(pod, undefined)
  assert.ok(decision.inject)
  add(pod, additionsTo(allContainers(pod), options, decision))
  return pod
}
const envOf = (container: AppContainer | undefined): Record<string, unknown> =>
  Object.fromEntries((container?.env ?? []).map(({ name, value }) => [String(name), value]))
const sidecarEnv = (pod: Pod): Record<string, unknown> => envOf(pod.spec.initContainers?.[0])

test('DO_NOT_TRACK of any container is the sidecar’s, as the sidecar reads it', () => {
  const trackOf = (variable: object, init = false): unknown => {
    const container = { name: 'a', env: [{ name: 'DO_NOT_TRACK', ...variable }] }
    return sidecarEnv(
      init
        ? injected([{ name: 'b' }], {}, OPTIONS, { initContainers: [container] })
        : injected([{ name: 'b' }, container]),
    ).DO_NOT_TRACK
  }
  for (const value of ['1', 'true', 'yes', ' x ', '$(OTHER)'])
    assert.equal(trackOf({ value }), '1', value)
  for (const value of ['', '0', ' False ', undefined])
    assert.equal(trackOf({ value }), undefined, String(value))
  assert.equal(trackOf({ valueFrom: { configMapKeyRef: { name: 'x', key: 'y' } } }), '1')
  assert.equal(trackOf({ value: '1' }, true), '1')
})

test('settings never win over what the shape of the pod gives', () => {
  const settings = {
    USAGE_HTTP_LISTEN: '127.0.0.1:1',
    USAGE_DATA_DIR: '/x',
    USAGE_POLICY: '/y',
    USAGE_ENDPOINT: 'https://u.example',
    DO_NOT_TRACK: '0',
  }
  const env = sidecarEnv(
    injected(
      [{ name: 'a', env: [{ name: 'DO_NOT_TRACK', value: '1' }] }],
      {},
      { ...OPTIONS, settings },
    ),
  )
  for (const [name, value] of Object.entries({
    ...FIXED_SETTINGS,
    ...POLICY_FILE,
    USAGE_ENDPOINT: 'https://u.example',
    DO_NOT_TRACK: '1',
    USAGE_REPORTING: 'local',
  }))
    assert.equal(env[name], value, name)
  const withText = sidecarEnv(
    injected([{ name: 'a' }], {}, { ...OPTIONS, settings: { USAGE_POLICY_TEXT: 'x' } }),
  )
  assert.deepEqual([withText.USAGE_POLICY, withText.USAGE_POLICY_TEXT], [undefined, 'x'])
})

test('a sidecar without a memory limit has its limits as settings', () => {
  const env = sidecarEnv(injected([{ name: 'a' }]))
  assert.deepEqual([env.USAGE_MAX_BODY, env.USAGE_MAX_INFLIGHT], ['2MiB', '8MiB'])
  assert.equal(
    sidecarEnv(injected([{ name: 'a', resources: { requests: { cpu: '1' } } }])).USAGE_MAX_BODY,
    undefined,
  )
})

test('the application’s telemetry is redirected only where it asks for it and says nothing else', () => {
  const asks = { 'usage-sidecar.dev/otel-endpoint': 'enabled' }
  const otel = (container: object, annotations: object = asks): unknown =>
    envOf(
      injected([{ name: 'a', ...container }], annotations as Record<string, unknown>).spec
        .containers[0],
    ).OTEL_EXPORTER_OTLP_ENDPOINT
  assert.equal(otel({}), 'http://127.0.0.1:44318')
  for (const word of ['true', 'disabled', '', true])
    assert.equal(otel({}, { 'usage-sidecar.dev/otel-endpoint': word }), undefined)
  assert.equal(otel({}, {}), undefined)
  assert.equal(otel({ envFrom: [{ configMapRef: { name: 'x' } }] }), undefined)
  assert.equal(
    otel({ env: [{ name: 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', value: 'x' }] }),
    undefined,
  )
  assert.equal(otel({ env: [{ name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'mine' }] }), 'mine')
})

test('a variable of the application’s own is never replaced', () => {
  const pod = injected([{ name: 'a', env: [{ name: 'USAGE_OTLP_ENDPOINT', value: 'mine' }] }])
  assert.deepEqual(pod.spec.containers[0]!.env, [{ name: 'USAGE_OTLP_ENDPOINT', value: 'mine' }])
})

test('texts of the environment stay what they are where Kubernetes replaces variables', () => {
  /**
   * As k8s.io/kubernetes/third_party/forked/golang/expansion: `$$` is `$`, `$(NAME)` the variable.
   */
  const expand = (text: string): string =>
    text.replaceAll(/\$\$|\$\((\w+)\)/g, (all) => (all === '$$' ? '$' : 'EXPANDED'))
  for (const text of ['a$b', '$(HOME)', '$$(HOME)', '$', '$$', 'cost: $5 (US)'])
    assert.equal(expand(literal(text)), text, text)
})
