// The facts job as Kubernetes objects: what its two containers are told, read as kubectl reads it,
// and whose rights are whose.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse, parseAllDocuments } from 'yaml'
import { factsJob } from '../../scripts/manifests/facts-job.ts'
import { NAMES } from '../../src/cli/facts-rights.ts'
import { needsOf } from '../../src/facts/needs.ts'
import { rbac } from '../../src/facts/rbac.ts'
import { DEFAULTS } from '../../src/inject/container.ts'
import { call } from '../support/program.ts'
import { DEFAULT_POLICY_FILE, defaultPolicy } from '../support/spans.ts'

interface Container {
  env: { name: string; value: unknown }[]
}
interface Job {
  spec: { template: { spec: { initContainers: Container[]; containers: Container[] } } }
}

test('beside the job nothing is sent of its own, and at once; the job itself waits for the time to look', () => {
  const text = factsJob(
    { sidecar: 'a', facts: 'b' },
    NAMES,
    { ...DEFAULTS.settings, USAGE_REPORTING: 'on' },
    true,
  )
  // kubectl reads YAML 1.1, in which a plain `on` is no text.
  const { initContainers, containers } = (parse(text, { version: '1.1' }) as Job).spec.template.spec
  const [sidecar, job] = [...initContainers, ...containers].map(({ env }) => {
    for (const { name, value } of env) assert.equal(typeof value, 'string', name)
    return Object.fromEntries(env.map(({ name, value }) => [name, value]))
  })
  const of = (env: Record<string, unknown> = {}): unknown[] =>
    ['USAGE_REPORTING', 'USAGE_FIRST_SEND_DELAY', 'USAGE_SEND_INTERVAL', 'USAGE_HEARTBEAT'].map(
      (name) => env[name],
    )
  assert.deepEqual(of(sidecar), ['on', '0', '1m', 'off'])
  assert.deepEqual(of(job), ['on', '24h', undefined, undefined])
  for (const shared of [
    'USAGE_POLICY',
    'USAGE_PAGE_LISTEN',
    'USAGE_ANNOTATIONS_FILE',
    'USAGE_OFF_FILE',
  ])
    assert.equal(job?.[shared], sidecar?.[shared])
  assert.equal(job?.USAGE_OTLP_ENDPOINT, `http://${String(sidecar?.USAGE_HTTP_LISTEN)}`)
})

test('the rights of two projects, in two namespaces, are apart', () => {
  const names = (namespace: string): string[] =>
    parseAllDocuments(rbac(needsOf(defaultPolicy(), new Map()), { ...NAMES, namespace })).map(
      (document) => {
        const { kind, metadata } = document.toJS() as {
          kind: string
          metadata: { name: string; namespace?: string }
        }
        return kind.startsWith('Cluster')
          ? `${kind} ${metadata.name}`
          : `${kind} ${metadata.namespace}/${metadata.name}`
      },
    )
  const both = [...names('one'), ...names('two')]
  assert.equal(new Set(both).size, both.length)
})

test('facts rights prints what this policy needs and no more', () => {
  const { stdout, status } = call([
    'facts',
    'rights',
    '--policy',
    DEFAULT_POLICY_FILE,
    '--facts',
    '{"k8s.nodes": 3}',
    '--namespace',
    'shop',
  ])
  assert.equal(status, 0)
  const roles = parseAllDocuments(stdout).map(
    (document) => document.toJS() as { kind: string; rules?: object[] },
  )
  assert.deepEqual(
    roles.flatMap(({ rules = [] }) => rules),
    [
      { nonResourceURLs: ['/version'], verbs: ['get'] },
      {
        apiGroups: [''],
        resources: ['configmaps'],
        resourceNames: ['usage-sidecar-facts'],
        verbs: ['patch'],
      },
    ],
  )
  assert.match(stdout, /name: usage-sidecar-facts-shop/)
})
