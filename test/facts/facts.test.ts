// The facts job from its beginning to its end, with a fake of the cluster and of the sidecar's
// page: what it publishes, when it reports, what it waits for, and that off is silent.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type FactsOptions, runFacts } from '../../src/facts/facts.ts'
import type { SidecarStatus } from '../../src/facts/settled.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { policyDigest } from '../../src/policy/policy.ts'
import { createLog } from '../../src/support/log.ts'
import { startCollector } from '../support/collector.ts'
import { type Fake, type FakeOptions, fakeCluster } from '../support/fake-cluster.ts'
import { policyOf } from '../support/shipped-policy.ts'
import { defaultPolicy, policyText } from '../support/spans.ts'

const IDLE: SidecarStatus = {
  mode: 'on',
  nextSendAt: undefined,
  waiting: [],
  sent: [],
  missingFacts: [],
}
const CLUSTER_ONLY = parsePolicy(
  policyText('k8s.cluster: {attributes: {v: {from: k8s.version, version: minor, reason: Why.}}}'),
)

interface Ran {
  done: boolean
  fake: Fake
  events: string[]
  lines: Record<string, unknown>[]
}

/** `statuses` are the answers of the sidecar's page, the last one again and again. */
async function run(
  statuses: readonly (SidecarStatus | undefined)[],
  options: Partial<FactsOptions> = {},
  cluster: FakeOptions | Fake = {},
): Promise<Ran> {
  const fake = 'asked' in cluster ? cluster : fakeCluster(cluster)
  const lines: Record<string, unknown>[] = []
  const log = createLog(
    'debug',
    (line) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  )
  let asked = 0
  const done = await runFacts({
    policy: CLUSTER_ONLY,
    digest: policyDigest(options.policy ?? CLUSTER_ONLY),
    given: new Map([['app.version', '1.32.0-acme']]),
    configMap: 'usage-sidecar-facts',
    namespace: 'apps',
    cluster: fake,
    sidecar: 'http://127.0.0.1:1',
    status: () => Promise.resolve(statuses[Math.min(asked++, statuses.length - 1)]),
    firstReportDelay: 0,
    wait: 60_000,
    pause: () => new Promise((resolve) => setImmediate(resolve)),
    allowed: () => true,
    stopped: () => false,
    log,
    ...options,
  })
  return { done, fake, lines, events: lines.map(({ event }) => String(event)) }
}

/** A place that takes spans in, as a sidecar does. */
const door = async (t: TestContext): Promise<string> => (await startCollector(t)).endpoint

test('facts are published as the policy sends them, in one ConfigMap; no id, no pseudonym, nothing that is not named', async () => {
  const policy = defaultPolicy()
  const { done, fake } = await run(
    [undefined],
    { policy },
    { version: 'v1.31.4-gke.1183000', nodes: [{ name: 'a' }, { name: 'b' }, { name: 'c' }] },
  )
  assert.equal(done, true)
  assert.deepEqual(fake.asked, [
    'GET /version',
    'GET /api/v1/nodes?limit=1',
    'PATCH /api/v1/namespaces/apps/configmaps/usage-sidecar-facts?fieldManager=usage-sidecar-facts',
    'PATCH /api/v1/namespaces/apps/configmaps/usage-sidecar-facts?fieldManager=usage-sidecar-facts',
  ])
  assert.deepEqual(fake.configMap.data, {
    'facts.json': '{"app.version":"1.32.0","k8s.version":"1.31","k8s.nodes":2}',
  })
  const [, since] = fake.questions.slice(-2)
  assert.deepEqual(since?.body?.json, {
    metadata: {
      annotations: {
        'usage-sidecar.dev/policy-since': `${policyDigest(policy)} 2026-01-01T00:00:00.000Z`,
      },
    },
  })
  // The next day there is nothing to note.
  const again = await run([undefined], { policy }, fake)
  assert.equal(again.fake.asked.length, 4 + 3)
})

test('a policy that names no fact of the cluster asks for nothing and writes nothing, also not what each sidecar knows', async () => {
  const policy = parsePolicy(
    policyText('execution: {}', '{a: {from: fact:host.arch, keep: [x], reason: Why.}}'),
  )
  const given = new Map([
    ['host.arch', 'amd64'],
    ['host.os', 'linux'],
  ])
  const { done, fake } = await run([IDLE], { policy, given })
  assert.deepEqual([done, fake.asked], [true, []])
})

test('off is silent, by the switches of the job, and by those of the sidecar beside it', async () => {
  const byJob = await run([IDLE], { allowed: () => false })
  assert.deepEqual(
    [byJob.done, byJob.fake.asked, byJob.events],
    [true, [], ['facts: reporting is off; nothing is read']],
  )
  const bySidecar = await run([{ ...IDLE, mode: 'off' }])
  assert.deepEqual([bySidecar.done, bySidecar.fake.asked], [true, []])
})

test('off while the cluster is read publishes and reports nothing', async (t) => {
  const fake = fakeCluster()
  const { done } = await run(
    [IDLE],
    { policy: defaultPolicy(), allowed: () => fake.asked.length === 0, sidecar: await door(t) },
    fake,
  )
  assert.equal(done, true)
  assert.ok(fake.asked.length > 0)
  assert.deepEqual(
    fake.asked.filter((question) => question.startsWith('PATCH')),
    [],
  )
  assert.deepEqual(fake.configMap.data, {})
})

test('facts that could not be read are absent and named, and the rest is published', async () => {
  const fake = fakeCluster()
  fake.answer = ({ path }) => (path.startsWith('/api/v1/nodes') ? 403 : undefined)
  const { done, lines } = await run([undefined], { policy: defaultPolicy() }, fake)
  assert.equal(done, true, 'a right that nobody gave is nothing that another run would mend')
  assert.deepEqual(fake.configMap.data, {
    'facts.json': '{"app.version":"1.32.0","k8s.version":"1.31"}',
  })
  const missing = lines.filter(({ event }) => event === 'facts: missing fact')
  assert.deepEqual(
    missing.map(({ level, fact, right, why }) => [level, fact, right, why]),
    [['warn', 'k8s.nodes', 'list nodes', 'the right is missing']],
  )
})

test('where nothing can be written, or no server answers, the log says so and nothing crashes', async () => {
  const answers: [number, boolean, string][] = [
    [403, true, 'the right is missing'],
    [404, true, 'the ConfigMap does not exist'],
    [500, false, 'the API server answered 500'],
    [0, false, 'the API server did not answer'],
  ]
  for (const [status, good, why] of answers) {
    const fake = fakeCluster()
    fake.answer = ({ method }) => (method === 'PATCH' ? status : undefined)
    const { done, lines } = await run([undefined], { policy: defaultPolicy() }, fake)
    const { right, ...line } = lines.find(
      ({ event }) => event === 'facts: cannot publish the facts',
    )!
    assert.deepEqual([done, right, line.why], [good, 'patch configmaps usage-sidecar-facts', why])
    assert.equal(fake.asked.filter((path) => path.startsWith('PATCH')).length, 1)
  }
  const silent = fakeCluster()
  silent.answer = () => 0
  assert.equal((await run([undefined], { policy: defaultPolicy() }, silent)).done, false)
  assert.equal(
    (await run([undefined], { policy: defaultPolicy(), namespace: undefined })).done,
    false,
  )
})

test('facts that could not be published are not waited for', async (t) => {
  const fake = fakeCluster()
  fake.answer = ({ method }) => (method === 'PATCH' ? 403 : undefined)
  const unaware = {
    ...IDLE,
    missingFacts: ['k8s.version', 'k8s.nodes', 'k8s.provider'].map((name) => ({ name })),
  }
  const delivered: SidecarStatus = { ...unaware, sent: [{ sequence: 1, result: 'delivered' }] }
  const { done } = await run(
    [unaware, unaware, delivered],
    { policy: policyOf('spartakus'), sidecar: await door(t) },
    fake,
  )
  assert.equal(done, true)
})

test('the job stays until the sidecar has settled the report', async (t) => {
  const sidecar = await door(t)
  const waits: SidecarStatus = {
    ...IDLE,
    waiting: [{ place: 'queue', name: '000000000002.otlp' }],
    sent: [{ sequence: 1, result: 'delivered' }],
  }
  const committed: SidecarStatus = {
    ...waits,
    waiting: [{ place: 'sending', name: '000000000002.otlp.gz' }],
  }
  const before: SidecarStatus = { ...IDLE, sent: waits.sent }
  const settled = (result: string): SidecarStatus => ({
    ...IDLE,
    sent: [{ sequence: 2, result }, ...waits.sent],
  })
  const end = async (
    ...after: readonly (SidecarStatus | undefined)[]
  ): Promise<[boolean, string | undefined]> => {
    const { done, events } = await run([before, before, ...after], { sidecar })
    return [done, events.at(-1)]
  }
  assert.deepEqual(await end(waits, committed, undefined, settled('delivered')), [
    true,
    'facts: cluster report delivered',
  ])
  assert.deepEqual(await end(waits, settled('refused')), [
    false,
    'facts: the collector refused the cluster report',
  ])
  assert.deepEqual(await end(settled('delivered')), [true, 'facts: cluster report delivered'])
  // What became of another body before it does not matter.
  const refusedBefore = { ...before, sent: [{ sequence: 1, result: 'refused' }] }
  const ours = { ...IDLE, sent: [{ sequence: 2, result: 'delivered' }, ...refusedBefore.sent] }
  assert.equal((await run([refusedBefore, refusedBefore, ours], { sidecar })).done, true)
  assert.deepEqual(await end(waits, before), [
    false,
    'facts: the sidecar dropped the cluster report; its counters say why',
  ])
  assert.deepEqual(await end(waits, { ...waits, mode: 'off' }), [
    true,
    'facts: reporting was turned off; the cluster report is wiped',
  ])
  assert.match(String((await end({ ...waits, mode: 'local' })).at(1)), /stays in the sidecar/)
  assert.deepEqual(await end(waits, undefined), [false, 'facts: the sidecar no longer answers'])
  const [done, late] = await end({ ...waits, nextSendAt: Date.now() + 3_600_000 })
  assert.deepEqual([done, String(late).includes('was not sent in time')], [false, true])
})

test('an end by the cluster ends the wait', async (t) => {
  const waits: SidecarStatus = { ...IDLE, waiting: [{ place: 'queue', name: '000000000001.otlp' }] }
  let stops = 0
  const { done, events } = await run([IDLE, IDLE, waits], {
    sidecar: await door(t),
    stopped: () => ++stops > 3,
  })
  assert.deepEqual([done, events.at(-1)?.includes('was not sent in time')], [false, true])
})

test('the first report under a policy waits as long as an admin was promised, whatever pod it runs in', async (t) => {
  const collector = await startCollector(t)
  const hour = 3_600_000
  const delivered: SidecarStatus = { ...IDLE, sent: [{ sequence: 1, result: 'delivered' }] }
  const attempt = async (fake: Fake, policy = CLUSTER_ONLY): Promise<number> => {
    const before = collector.requests.length
    const options = { policy, sidecar: collector.endpoint, firstReportDelay: 24 * hour }
    await run([IDLE, IDLE, delivered], options, fake)
    return collector.requests.length - before
  }
  const ago = (hours: number): string => new Date(Date.now() - hours * hour).toISOString()
  const young = fakeCluster({ created: ago(23) })
  const old = fakeCluster({ created: ago(25) })
  assert.equal(await attempt(young), 0)
  assert.equal(await attempt(old), 1)
  assert.equal(await attempt(old), 1, 'and again the next day')
  // Another policy: from now on, though the ConfigMap is old.
  assert.equal(await attempt(old, policyOf('spartakus')), 0)
  assert.equal(await attempt(old), 0, 'the first one, taken back, is a new one as well')
  // A time in the future is none.
  const future = fakeCluster({ created: ago(-25) })
  assert.equal(await attempt(future), 0)
  // Where nothing can be remembered, nothing is reported.
  const denied = fakeCluster({ created: ago(25) })
  denied.answer = ({ method }) => (method === 'PATCH' ? 403 : undefined)
  assert.equal(await attempt(denied), 0)
})

test('the report waits until its sidecar knows the facts that were just published, but not for those that nobody could read', async (t) => {
  const collector = await startCollector(t)
  const delivered: SidecarStatus = { ...IDLE, sent: [{ sequence: 1, result: 'delivered' }] }
  const unaware = (...missingFacts: string[]): SidecarStatus => ({
    ...IDLE,
    missingFacts: missingFacts.map((name) => ({ name })),
  })
  const policy = policyOf('spartakus')
  const fake = fakeCluster()
  fake.answer = ({ path }) => (path.startsWith('/api/v1/nodes') ? 403 : undefined)
  let statuses = 0
  const answers = [
    IDLE,
    unaware('k8s.version', 'k8s.nodes', 'instance.id'),
    unaware('k8s.version'),
    unaware('k8s.nodes', 'k8s.provider', 'instance.id'),
    delivered,
  ]
  const status = (): Promise<SidecarStatus> => {
    if (statuses === 3) assert.equal(collector.requests.length, 0)
    return Promise.resolve(answers[Math.min(statuses++, answers.length - 1)]!)
  }
  const { done } = await run([IDLE], { policy, sidecar: collector.endpoint, status }, fake)
  assert.deepEqual([done, collector.requests.length, statuses], [true, 1, 5])
})

test('where only nodes are reported and none may be read, there is no report', async () => {
  const policy = parsePolicy(
    policyText('k8s.node: {attributes: {arch: {from: node.arch, keep: [amd64], reason: Why.}}}'),
  )
  const fake = fakeCluster()
  fake.answer = () => 403
  const { done, events, lines } = await run([IDLE], { policy }, fake)
  assert.deepEqual([done, events.at(-1)], [true, 'facts: nothing to report'])
  assert.deepEqual(lines[0]?.fact, 'k8s.node')
})

test('where no sidecar takes the report the job fails', async (t) => {
  const collector = await startCollector(t, () => 400)
  const { done, events } = await run([IDLE], { sidecar: collector.endpoint })
  assert.deepEqual(
    [done, events.at(-1)],
    [false, 'facts: the sidecar did not accept the cluster report'],
  )
})
