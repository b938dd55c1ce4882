// The container's promises, read off what is put into a pod: it holds nothing back, passes Pod
// Security `restricted` by itself, has no token and no door but loopback's, and its settings are
// settings that the program knows.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DEFAULTS, type Qos, RESOURCES, sidecar, volumes } from '../../src/inject/container.ts'
import { readConfig } from '../../src/support/settings.ts'

const OPTIONS = { image: 'i', ...DEFAULTS }
const CLASSES = Object.keys(RESOURCES) as Qos[]
const containers = CLASSES.map((qos) =>
  sidecar(OPTIONS, { qos, limitsStorage: false, doNotTrack: false }),
)
const container = containers[0]!
const settingsOf = ({ env }: typeof container) =>
  readConfig(Object.fromEntries(env.map(({ name, value }) => [name, value])))

test('whatever is missing, the pod starts: no ConfigMap, no Secret and no claim is needed', () => {
  for (const { configMap, secret, persistentVolumeClaim } of volumes(OPTIONS)) {
    if (configMap !== undefined) assert.equal(configMap.optional, true)
    if (secret !== undefined) assert.equal(secret.optional, true)
    assert.equal(persistentVolumeClaim, undefined)
  }
  assert.deepEqual(volumes({ ...OPTIONS, dataClaim: 'c' })[0], {
    name: 'usage-sidecar-data',
    persistentVolumeClaim: { claimName: 'c' },
  })
})

test('it is a native sidecar whose probes ask the process alone, and nothing delays the pod’s end', () => {
  assert.equal(container.restartPolicy, 'Always')
  const health = settingsOf(container).config.healthListen
  assert.deepEqual(container.startupProbe.httpGet, { path: '/startupz', port: health.port })
  assert.deepEqual(container.livenessProbe.httpGet, { path: '/livez', port: health.port })
  // A minute to start, and one without an answer until it is started anew.
  assert.ok(container.startupProbe.periodSeconds * container.startupProbe.failureThreshold >= 60)
  assert.ok(container.livenessProbe.periodSeconds * container.livenessProbe.failureThreshold >= 60)
  for (const never of ['readinessProbe', 'lifecycle', 'ports', 'envFrom', 'command'])
    assert.ok(!(never in container), never)
})

test('it passes Pod Security `restricted` without any word of the pod’s own', () => {
  assert.deepEqual(container.securityContext, {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ['ALL'] },
    privileged: false,
    readOnlyRootFilesystem: true,
    runAsGroup: 65532,
    runAsNonRoot: true,
    runAsUser: 65532,
    seccompProfile: { type: 'RuntimeDefault' },
  })
})

test('it cannot read the pod’s token, and writes nothing but its data', () => {
  const token = container.volumeMounts.find(
    ({ mountPath }) => mountPath === '/var/run/secrets/kubernetes.io/serviceaccount',
  )
  assert.ok(token?.readOnly)
  assert.deepEqual(volumes(OPTIONS).find(({ name }) => name === token.name)?.emptyDir, {
    sizeLimit: '4Ki',
    medium: 'Memory',
  })
  assert.deepEqual(
    container.volumeMounts
      .filter(({ readOnly }) => readOnly !== true)
      .map(({ mountPath }) => mountPath),
    [settingsOf(container).config.dataDir],
  )
})

test('of the pod it learns the annotations, and no name or uid', () => {
  const items = volumes(OPTIONS).flatMap(({ downwardAPI }) => downwardAPI?.items ?? [])
  assert.deepEqual(items, [
    { path: 'annotations', fieldRef: { fieldPath: 'metadata.annotations' } },
  ])
  assert.ok(container.env.every((variable) => Object.keys(variable).join() === 'name,value'))
})

test('its settings are right, its doors are loopback’s but that of health, its files are in its volumes', () => {
  for (const { env } of containers) assert.ok(env.length > 0)
  const { config, errors } = settingsOf(container)
  assert.deepEqual([errors, config.reporting, config.firstSendDelay], [[], 'local', 86_400_000])
  for (const door of [config.httpListen, config.grpcListen, config.pageListen])
    assert.equal(door.host, '127.0.0.1')
  assert.deepEqual(
    [config.grpcListen, config.httpListen, config.healthListen, config.pageListen].map(
      ({ port }) => port,
    ),
    [44317, 44318, 44319, 44320],
  )
  const { policy, annotationsFile, offFile, factsFile, identityDir } = config
  for (const path of [policy, annotationsFile, offFile, factsFile, identityDir].map(String))
    assert.ok(
      container.volumeMounts.some(
        ({ mountPath }) => path === mountPath || path.startsWith(`${mountPath}/`),
      ),
      path,
    )
})

test('what may lie on disk is less than half of what the pod is evicted for', () => {
  const { config } = settingsOf(container)
  const limit = Number(volumes(OPTIONS)[0]!.emptyDir?.sizeLimit.replace('Mi', '')) * 2 ** 20
  const sent = 16 * 2 ** 20
  assert.ok(config.queueMax + sent < limit / 2)
})

test('it asks for little, has no CPU limit but in a guaranteed pod, and there asks for what it may have', () => {
  const { guaranteed, burstable, bestEffort, podLevel } = RESOURCES
  assert.deepEqual(guaranteed.requests, guaranteed.limits)
  assert.deepEqual(Object.keys(guaranteed.limits ?? {}).sort(), ['cpu', 'memory'])
  assert.deepEqual(
    [burstable.limits, burstable.requests],
    [{ memory: '96Mi' }, { cpu: '10m', memory: '64Mi' }],
  )
  assert.deepEqual([bestEffort, podLevel], [{}, {}])
})
