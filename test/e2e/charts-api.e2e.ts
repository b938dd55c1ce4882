// Applies the charts and the Kustomize component to the real API server. The server accepts them,
// and no upgrade raises reporting that somebody lowered.
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { podIn, setting, sidecarIn } from './charts/objects.ts'
import type { KubernetesObject } from './charts/schemas.ts'
import { chartIn, DEPLOY, helm, kustomize } from './charts/tools.ts'
import { makeNamespace, startApiServer } from './cluster/apiserver.ts'

const folder = mkdtempSync(join(tmpdir(), 'usage-charts-'))
after(() => rmSync(folder, { recursive: true }))
const example = chartIn(folder, 'example')
const set = (...values: readonly string[]): string[] => values.flatMap((value) => ['--set', value])

test('an upgrade may lower reporting and never raises it, whatever becomes of the values', async (t) => {
  const api = await startApiServer(t)
  makeNamespace(api, 'my-namespace')
  // No hooks, because no controller runs their Job.
  const run = (...args: readonly string[]) =>
    helm(...args, '--kubeconfig', api.kubeconfig, '--namespace', 'my-namespace')
  const upgrade = (...args: readonly string[]) =>
    run('upgrade', 'my', example, '--no-hooks', ...args)
  const get = (kind: string, name: string): KubernetesObject =>
    JSON.parse(
      api.kubectl(['get', kind, name, '--namespace', 'my-namespace', '--output', 'json']),
    ) as KubernetesObject
  const reporting = (): string | undefined => {
    const pod = podIn(get('deployment', 'my'))
    const { data } = get('configmap', 'my-usage-sidecar') as KubernetesObject & {
      data: Record<string, string>
    }
    const mode = sidecarIn(pod) === undefined ? 'off' : setting(pod, 'USAGE_REPORTING')
    assert.equal(data.reporting, mode)
    return mode
  }
  run('install', 'my', example, '--no-hooks')
  assert.equal(reporting(), 'local')
  upgrade(...set('usage.reportingDefault=on'))
  assert.equal(reporting(), 'local', 'a new chart does not turn it on')
  upgrade(...set('usage.reporting=on'))
  assert.equal(reporting(), 'on')
  upgrade(...set('usage.reporting=off'))
  assert.equal(reporting(), 'off')
  upgrade()
  assert.equal(reporting(), 'off')
  upgrade(...set('replicas=3'))
  assert.equal(reporting(), 'off', 'a value of another kind makes Helm forget the old ones')
  upgrade('--reset-values', ...set('usage.reportingDefault=on'))
  assert.equal(reporting(), 'off')
  upgrade('--reuse-values', ...set('replicas=2'))
  assert.equal(reporting(), 'off')
  run('uninstall', 'my')
  run('install', 'my', example, '--no-hooks', ...set('usage.reportingDefault=on'))
  assert.equal(reporting(), 'off', 'a second installation remembers the first')
  upgrade(...set('usage.reporting=local'))
  assert.equal(reporting(), 'local', 'his own word raises it again')
  api.kubectl([
    'patch',
    'configmap',
    'my-usage-sidecar',
    '--namespace',
    'my-namespace',
    '--patch',
    '{"data":{"reporting":"of"}}',
  ])
  // Without it Helm refuses, because somebody else owns the field now.
  upgrade('--force-conflicts', '--reset-values')
  assert.equal(reporting(), 'off', 'what is no word is off')
  upgrade(...set('usage.reporting=local'))
  assert.ok(!('off' in (get('configmap', 'my-usage-sidecar').data as object)))
  api.kubectl([
    'patch',
    'configmap',
    'my-usage-sidecar',
    '--namespace',
    'my-namespace',
    '--patch',
    '{"data":{"off":""}}',
  ])
  upgrade(...set('replicas=4'))
  assert.equal(reporting(), 'off', 'the kill switch that somebody set by hand is such a word, too')
  upgrade(...set('usage.reporting=on'))
  assert.equal(reporting(), 'on')
  assert.equal(
    (get('configmap', 'my-usage-sidecar').data as Record<string, string>).off,
    '',
    'and stays until he takes it away',
  )
})

test('the API server takes everything, also where Pod Security is restricted', async (t) => {
  const api = await startApiServer(t)
  const labels = {
    'pod-security.kubernetes.io/enforce': 'restricted',
    'pod-security.kubernetes.io/warn': 'restricted',
  }
  makeNamespace(api, 'example', { labels })
  cpSync(join(DEPLOY, 'kustomize'), join(folder, 'kustomize'), { recursive: true })
  const rendered = {
    helm: helm('template', 'my', example, '--namespace', 'example').replaceAll(
      /^metadata:$/gm,
      'metadata:\n  namespace: example',
    ),
    kustomize: kustomize('build', join(folder, 'kustomize/example')),
    injection: kustomize('build', join(folder, 'kustomize/example-injection')),
  }
  api.kubectl(['create', 'namespace', 'acme-usage'])
  for (const [by, yaml] of Object.entries(rendered)) {
    const args = ['apply', '--server-side', '--validate=strict', '--dry-run=server', '-f', '-']
    const { status, stdout, stderr } = api.tryKubectl(args, { input: yaml })
    assert.deepEqual({ status, stderr }, { status: 0, stderr: '' }, by)
    assert.match(
      stdout,
      by === 'injection'
        ? /mutatingadmissionpolicy\S+ serverside-applied/
        : /job\.batch\/\S+ serverside-applied/,
    )
  }
})
