// The facts job as it is shipped, in real pods: with all its rights, with a part of them, and with
// none. What it may not read it names in its log; the rest is published and reported, and the job
// completes.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { type TestContext, test } from 'node:test'
import { parseAllDocuments } from 'yaml'
import { root } from '../../../deploy/image/contents.ts'
import { until } from '../../support/sidecar.ts'
import { apply, kubectl } from './cluster.ts'
import type { KubernetesObject } from './injection.ts'
import { configMap, createWorld, FACTS_IMAGE, IMAGE } from './world.ts'

const POLICY = `apiVersion: usage-sidecar.dev/v1
project: example.org/shop
version: 1
purpose: A test.
contact: a@example.org
retention: 1d
expires: 2999-12-31
spans:
  k8s.cluster:
    attributes:
      k8s.version: {from: fact:k8s.version, version: minor, reason: A test.}
      k8s.nodes: {from: fact:k8s.nodes, buckets: [1, 2, 5], reason: A test.}
  moment:
    attributes:
      k8s.nodes: {from: fact:k8s.nodes, buckets: [1, 2, 5], reason: A test.}
`

/** The file as it is shipped, for another namespace. */
const shipped = (name: string, namespace: string): KubernetesObject[] =>
  parseAllDocuments(
    readFileSync(`${root}deploy/facts/${name}`, 'utf8').replaceAll('usage-system', namespace),
  ).map((document) => document.toJS() as KubernetesObject)

interface PodSpec {
  initContainers: Container[]
  containers: Container[]
}
interface Container {
  image: string
  args?: string[]
  env: { name: string; value: string }[]
}

/** The job's file with the images and settings that its page asks for. */
function job(namespace: string, settings: Record<string, string>): KubernetesObject[] {
  const objects = shipped('facts.yaml', namespace)
  const cronJob = objects.find(({ kind }) => kind === 'CronJob') as unknown as {
    spec: { jobTemplate: { spec: { template: { spec: PodSpec } } } }
  }
  const { initContainers, containers } = cronJob.spec.jobTemplate.spec.template.spec
  const set = ({ env }: Container, more: Record<string, string>): void => {
    for (const [name, value] of Object.entries(more)) {
      const known = env.find((one) => one.name === name)
      if (known === undefined) env.push({ name, value })
      else known.value = value
    }
  }
  const [sidecar, facts] = [initContainers[0]!, containers[0]!]
  sidecar.image = IMAGE
  set(sidecar, settings)
  facts.image = FACTS_IMAGE
  facts.args!.push('--start-within', '0')
  set(facts, { USAGE_REPORTING: 'on', USAGE_FIRST_SEND_DELAY: '0' })
  return objects
}

interface Case {
  may: (object: KubernetesObject) => boolean
  published: string | undefined
  reported: Record<string, unknown>
  missing: readonly string[]
}
/**
 * Without rights of its own the account still has those of every account, among them the server's
 * version.
 */
const CASES: Record<string, Case> = {
  full: {
    may: () => true,
    published: '{"k8s.version":"1.36","k8s.nodes":1}',
    reported: { 'k8s.version': '1.36', 'k8s.nodes': 1 },
    missing: [],
  },
  partial: {
    may: ({ kind }) => !kind.startsWith('Cluster'),
    published: '{"k8s.version":"1.36"}',
    reported: { 'k8s.version': '1.36' },
    missing: ['list nodes'],
  },
  no: {
    may: ({ kind }) => kind === 'ServiceAccount',
    published: undefined,
    // The policy asks for published facts (`fact:`), and nothing could be published.
    reported: {},
    missing: ['list nodes', 'patch configmaps usage-sidecar-facts'],
  },
}

test('facts', { concurrency: 3 }, async (t) => {
  await Promise.all(
    Object.entries(CASES).map(([rights, one]) =>
      t.test(
        `facts: with ${rights} rights the job completes, publishes and reports what it may, and names the rest`,
        (row) => run(row, rights, one),
      ),
    ),
  )
})

async function run(
  t: TestContext,
  rights: string,
  { may, published, reported, missing }: Case,
): Promise<void> {
  const namespace = `facts-${rights}`
  const { collector, settings } = await createWorld(t, namespace)
  await apply([
    configMap(namespace, 'usage-sidecar', { 'policy.yaml': POLICY }),
    ...job(namespace, settings),
  ])
  await apply(shipped('rights.yaml', namespace).filter(may))
  await kubectl('create', 'job', 'once', '-n', namespace, '--from=cronjob/usage-sidecar-facts')
  await kubectl('wait', 'job/once', '-n', namespace, '--for=condition=Complete', '--timeout=240s')
  const log = await kubectl('logs', '-n', namespace, 'job/once', '-c', 'facts')
  const lines = log.split('\n').filter((line) => line.startsWith('{'))
  const named = lines
    .map((line) => (JSON.parse(line) as { right?: string }).right)
    .filter((right) => right !== undefined)
  assert.deepEqual([...new Set(named)].sort(), missing, log)
  const facts = await kubectl(
    'get',
    'configmap',
    'usage-sidecar-facts',
    '-n',
    namespace,
    '-o',
    'jsonpath={.data.facts\\.json}',
  )
  assert.equal(facts, published ?? '')
  await until('the report is there', () => collector.spans().length > 0)
  assert.deepEqual(
    collector.spans().map(({ span, attributes }) => [span.name, attributes]),
    [['k8s.cluster', reported]],
  )
}
