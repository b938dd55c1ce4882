// Changes of the policy, the facts and the day while the sidecar runs. A batch is sent only under
// the policy that made it.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, mock, type TestContext, test } from 'node:test'
import { openIdentity } from '../../src/identity/identity.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { policyDigest } from '../../src/policy/policy.ts'
import { type Collector, spansWaiting, startCollector } from '../support/collector.ts'
import {
  atEnd,
  errorsIn,
  execution,
  type Place,
  placeOf,
  post,
  type Sidecar,
  startHere,
  temporaryFolder,
  until,
} from '../support/sidecar.ts'
import { policyText } from '../support/spans.ts'

const POLICY = policyText(
  'execution:\n  attributes:\n    execution.type: {keep: [pipeline], reason: A test.}',
)
const NEXT_POLICY = POLICY.replace('version: 1', 'version: 2').replace(
  'keep: [pipeline]',
  'keep: [orchestration]',
)
const because = (reason: string): string => `policy: nothing is kept or sent: ${reason}`

// Each drain begins at the start of its interval, and a failed attempt is repeated at the next
// tick.
mock.method(Math, 'random', () => 0)

const timesInForce = (sidecar: Sidecar): number =>
  sidecar.lines().filter(({ event }) => event === 'policy: in force').length
const versionsAt = (collector: Collector): unknown[] =>
  collector.spans().map(({ resource }) => resource['usage.policy.version'])

/** The digest in the file `policy` of a data directory. */
const labelOf = async ({ dataFolder }: Place): Promise<string> =>
  /^1 (.*)\n$/.exec(await readFile(join(dataFolder, 'policy'), 'utf8').catch(() => ''))?.[1] ?? ''

/** A sidecar with a policy file and one report that the collector does not accept yet. */
async function startWithReport(t: TestContext, text = POLICY) {
  const collector = await startCollector(t, () => 503)
  const path = join(await temporaryFolder(t), 'policy.yaml')
  await writeFile(path, text)
  const place = await placeOf(t, { USAGE_ENDPOINT: collector.endpoint, USAGE_POLICY: path })
  const sidecar = await startHere(t, place)
  await post(sidecar.port(), execution())
  await until('the report was tried', () => collector.requests.length > 0)
  assert.equal((await spansWaiting(place.dataFolder)).length, 1)
  return { collector, path, place, sidecar }
}

/** Resolves when another, healthy sidecar has sent this many reports. */
async function whileOthersSend(t: TestContext, reports: number): Promise<void> {
  const collector = await startCollector(t)
  const other = await startHere(t, await placeOf(t, { USAGE_ENDPOINT: collector.endpoint }))
  for (let sent = 1; sent <= reports; sent++) {
    await post(other.port(), execution())
    await until('the other one has sent', () => collector.requests.length === sent)
  }
}

describe('a running sidecar', { concurrency: true }, () => {
  it('uses a new version, and drops and counts the records of the old one', async (t) => {
    const { collector, path, place, sidecar } = await startWithReport(t)
    await writeFile(path, NEXT_POLICY)
    await until(
      'the old report was dropped',
      () => sidecar.counters.get('queue.dropped.policy') === 1,
    )
    await until(
      'the folder has its label',
      async () => (await labelOf(place)) === policyDigest(parsePolicy(NEXT_POLICY)),
    )
    collector.answer = () => 200
    for (const type of ['pipeline', 'orchestration']) await post(sidecar.port(), execution(type))
    await until('both new ones arrived', () => collector.spans().length === 2)
    assert.deepEqual(versionsAt(collector), [2, 2])
    const types = collector.spans().map(({ attributes }) => attributes['execution.type'])
    assert.deepEqual(new Set(types), new Set(['orchestration', 'other']))
  })

  for (const [what, spoil, reason] of [
    [
      'invalid',
      (path: string) => writeFile(path, POLICY.replace('retention', 'retained')),
      '6:1: This word is unknown',
    ],
    [
      'missing',
      (path: string) => rm(path),
      'The policy cannot be read. Set USAGE_POLICY to a UTF-8 file',
    ],
  ] as const) {
    it(`keeps and sends nothing while the policy is ${what}, and sends the queue afterwards`, async (t) => {
      const { collector, path, place, sidecar } = await startWithReport(t)
      await spoil(path)
      await until('it is said', () =>
        errorsIn(sidecar.lines()).some((event) => event.startsWith(because(reason))),
      )
      // Wait until requests that began earlier have ended.
      await whileOthersSend(t, 1)
      const tried = collector.requests.length
      collector.answer = () => 200
      assert.equal((await post(sidecar.port(), execution())).status, 200)
      assert.equal(sidecar.counters.get('requests.discarded'), 1)
      await whileOthersSend(t, 5)
      assert.deepEqual(
        [collector.requests.length, (await spansWaiting(place.dataFolder)).length],
        [tried, 1],
      )
      await writeFile(path, POLICY)
      await until('what waited arrived', () => collector.spans().length === 1)
      assert.equal(sidecar.counters.get('queue.dropped.policy'), 0)
    })
  }

  it('uses changed facts from the next batch on and drops no batch', async (t) => {
    const collector = await startCollector(t)
    const facts = join(await temporaryFolder(t), 'facts.json')
    await writeFile(facts, '{"k8s.nodes": 12}')
    const sidecar = await startHere(
      t,
      await placeOf(t, { USAGE_ENDPOINT: collector.endpoint, USAGE_FACTS_FILE: facts }),
    )
    await post(sidecar.port(), execution())
    await until('the first arrived', () => collector.spans().length === 1)
    await writeFile(facts, '{"k8s.nodes": 60}')
    const nodes = (): unknown[] => collector.spans().map(({ resource }) => resource['k8s.nodes'])
    await until('a batch has the new ones', async () => {
      await post(sidecar.port(), execution())
      return nodes().includes(50)
    })
    assert.deepEqual([nodes()[0], ...new Set(nodes())], [10, 10, 50])
    assert.equal(sidecar.counters.get('queue.dropped.policy'), 0)
  })

  it('keeps spans that arrive right after a new version', async (t) => {
    const path = join(await temporaryFolder(t), 'policy.yaml')
    await writeFile(path, POLICY)
    const place = await placeOf(t, { USAGE_REPORTING: 'local', USAGE_POLICY: path })
    const sidecar = await startHere(t, place)
    await writeFile(path, NEXT_POLICY)
    await until('the new version is read', () => timesInForce(sidecar) === 2)
    await post(sidecar.port(), execution())
    const label = (): Promise<string> => readFile(join(place.dataFolder, 'policy'), 'utf8')
    await until('it has taken over', async () =>
      (await label()).includes(policyDigest(parsePolicy(NEXT_POLICY))),
    )
    assert.deepEqual(
      (await spansWaiting(place.dataFolder)).map(
        ({ resource }) => resource['usage.policy.version'],
      ),
      [2],
    )
  })

  it('prefers facts of the setting to facts of the file', async (t) => {
    const file = join(await temporaryFolder(t), 'facts.json')
    await writeFile(file, '{"k8s.nodes": 12, "app.version": "2.0.0"}')
    const policy = policyText(
      'execution:\n  attributes:\n    execution.type: {keep: [pipeline], reason: A test.}',
      'app.version: {from: "fact:app.version", version: core, reason: A test.}\nk8s.nodes: {from: "fact:k8s.nodes", buckets: [1, 10], reason: A test.}',
    )
    const settings = {
      USAGE_REPORTING: 'local',
      USAGE_POLICY: '',
      USAGE_POLICY_TEXT: policy,
      USAGE_FACTS_FILE: file,
    }
    const place = await placeOf(t, { ...settings, USAGE_FACTS: '{"app.version": "1.32.0"}' })
    const sidecar = await startHere(t, place)
    await post(sidecar.port(), execution())
    const resources = (await spansWaiting(place.dataFolder)).map(({ resource }) => resource)
    assert.deepEqual(
      resources.map((resource) => [resource['app.version'], resource['k8s.nodes']]),
      [['1.32.0', 10]],
    )
  })

  it('sends pseudonyms once an identity is created after the start', async (t) => {
    const policy = policyText(
      'execution:\n  attributes:\n    by: {from: "fact:instance.id", pseudonym: day, reason: A test.}',
    )
    const place = await placeOf(t, {
      USAGE_REPORTING: 'local',
      USAGE_POLICY: '',
      USAGE_POLICY_TEXT: policy,
    })
    // Like a read-only volume.
    await symlink('/nowhere', place.identityFolder)
    const sidecar = await startHere(t, place)
    await post(sidecar.port(), execution())
    const named = async (): Promise<boolean[]> =>
      (await spansWaiting(place.dataFolder)).map(({ attributes }) => 'by' in attributes)
    assert.deepEqual(await named(), [false])
    const secret = await temporaryFolder(t)
    openIdentity(secret, true)
    await symlink(secret, `${place.identityFolder}-new`)
    await rename(`${place.identityFolder}-new`, place.identityFolder)
    await until('a report has a pseudonym', async () => {
      await post(sidecar.port(), execution())
      return (await named()).at(-1) === true
    })
  })

  it('sees a new policy when a Kubernetes volume swaps its `..data` link', async (t) => {
    const volume = await temporaryFolder(t)
    const publish = async (version: string, text: string): Promise<void> => {
      await mkdir(join(volume, version))
      await writeFile(join(volume, version, 'policy.yaml'), text)
      await symlink(version, join(volume, '..data_tmp'))
      await rename(join(volume, '..data_tmp'), join(volume, '..data'))
    }
    await publish('..2026_10_05', POLICY)
    await symlink('..data/policy.yaml', join(volume, 'policy.yaml'))
    const collector = await startCollector(t)
    const place = await placeOf(t, {
      USAGE_ENDPOINT: collector.endpoint,
      USAGE_POLICY: join(volume, 'policy.yaml'),
    })
    const sidecar = await startHere(t, place)
    await post(sidecar.port(), execution())
    await until('the first arrived', () => collector.spans().length === 1)
    await publish('..2026_10_06', NEXT_POLICY)
    await rm(join(volume, '..2026_10_05'), { recursive: true })
    await until('it was read', () => timesInForce(sidecar) === 2)
    await post(sidecar.port(), execution())
    await until('the second arrived', () => collector.spans().length === 2)
    assert.deepEqual(versionsAt(collector), [1, 2])
  })

  it('keeps records under the policy that comes into force while the queue opens', async (t) => {
    const path = join(await temporaryFolder(t), 'policy.yaml')
    const place = await placeOf(t, { USAGE_REPORTING: 'local', USAGE_POLICY: path })
    await mkdir(join(place.dataFolder, 'queue'), { recursive: true })
    // Reading this pipe blocks until there is a writer, and so does opening the queue.
    const pipe = join(place.dataFolder, 'queue/000000000001.otlp')
    execFileSync('mkfifo', [pipe])
    const sidecar = await startHere(t, place)
    await writeFile(path, POLICY)
    await until('the first policy is in force', () => timesInForce(sidecar) === 1)
    await writeFile(path, NEXT_POLICY)
    await until('the second one is', () => timesInForce(sidecar) === 2)
    assert.equal(existsSync(join(place.dataFolder, 'policy')), false)
    await writeFile(pipe, '')
    await until(
      'the folder has its label',
      async () => (await labelOf(place)) === policyDigest(parsePolicy(NEXT_POLICY)),
    )
    await post(sidecar.port(), execution())
    assert.deepEqual(
      (await spansWaiting(place.dataFolder)).map(
        ({ resource }) => resource['usage.policy.version'],
      ),
      [2],
    )
  })
})

/** Sets the wall clock to `moment` and lets it run. The result sets it again. */
function runClock(t: TestContext, moment: string): (moment: string) => void {
  let start = Date.parse(moment) - performance.now()
  const now = (): number => Math.floor(start + performance.now())
  t.mock.timers.enable({ apis: ['Date'], now: now() })
  const ticking = setInterval(() => t.mock.timers.setTime(now()), 5)
  atEnd(t, async () => clearInterval(ticking))
  return (to) => {
    start = Date.parse(to) - performance.now()
    t.mock.timers.setTime(now())
  }
}

describe('an expired policy', () => {
  const expiring = POLICY.replace('2999-12-31', '2026-10-05')
  const expected = because('It expired on 2026-10-05. Use a policy with a later day in `expires`.')
  it('is logged at the start, and nothing is kept', async (t) => {
    const path = join(await temporaryFolder(t), 'policy.yaml')
    await writeFile(path, POLICY.replace('2999-12-31', '2024-02-29'))
    const place = await placeOf(t, { USAGE_REPORTING: 'local', USAGE_POLICY: path })
    const sidecar = await startHere(t, place)
    assert.equal((await post(sidecar.port(), execution())).status, 200)
    assert.deepEqual(errorsIn(sidecar.lines()), [
      because('It expired on 2024-02-29. Use a policy with a later day in `expires`.'),
    ])
    const { problems } = (await (
      await fetch(`http://127.0.0.1:${sidecar.pagePort()}/status.json`)
    ).json()) as { problems: string[] }
    assert.match(problems.join(), /because of the policy: It expired on 2024-02-29\./)
    assert.deepEqual([sidecar.counters.get('requests.discarded'), timesInForce(sidecar)], [1, 0])
    assert.deepEqual(await spansWaiting(place.dataFolder), [])
  })

  it('drops the records of mode local without any request', async (t) => {
    const setClock = runClock(t, '2026-10-05T23:59:00Z')
    const path = join(await temporaryFolder(t), 'policy.yaml')
    await writeFile(path, expiring)
    const place = await placeOf(t, { USAGE_REPORTING: 'local', USAGE_POLICY: path })
    const sidecar = await startHere(t, place)
    await post(sidecar.port(), execution())
    assert.equal((await spansWaiting(place.dataFolder)).length, 1)
    setClock('2026-10-06T00:00:00Z')
    await until('it was dropped', () => sidecar.counters.get('queue.dropped.policy') === 1)
    assert.deepEqual(errorsIn(sidecar.lines()), [expected])
  })

  it('drops and counts the queue, is logged once, and ends with the next policy', async (t) => {
    const setClock = runClock(t, '2026-10-05T23:59:00Z')
    const { collector, path, place, sidecar } = await startWithReport(t, expiring)
    setClock('2026-10-06T00:00:00Z')
    await until('it was dropped', () => sidecar.counters.get('queue.dropped.policy') === 1)
    collector.answer = () => 200
    assert.equal((await post(sidecar.port(), execution())).status, 200)
    assert.equal(sidecar.counters.get('requests.discarded'), 1)
    assert.deepEqual(errorsIn(sidecar.lines()), [expected])
    assert.deepEqual(await spansWaiting(place.dataFolder), [])

    await writeFile(path, NEXT_POLICY)
    await until('the next policy is in force', () => timesInForce(sidecar) === 2)
    await post(sidecar.port(), execution())
    await until('a report under it arrived', () => collector.spans().length === 1)
    assert.deepEqual(versionsAt(collector), [2])
  })
})

test('uses pseudonyms of the newest day although the clock goes back and facts change', async (t) => {
  const policy = policyText(
    'execution:\n  attributes:\n    owner: {from: execution.type, pseudonym: day, reason: A test.}',
    'k8s.nodes: {from: "fact:k8s.nodes", buckets: [1, 10], reason: A test.}',
  )
  const facts = join(await temporaryFolder(t), 'facts.json')
  await writeFile(facts, '{"k8s.nodes": 1}')
  const settings = {
    USAGE_REPORTING: 'local',
    USAGE_POLICY: '',
    USAGE_POLICY_TEXT: policy,
    USAGE_FACTS_FILE: facts,
  }
  const place = await placeOf(t, settings)
  const setClock = runClock(t, '2026-10-05T23:59:00Z')
  const sidecar = await startHere(t, place)
  const nextOwner = async (): Promise<unknown> => {
    await post(sidecar.port(), execution())
    return (await spansWaiting(place.dataFolder)).at(-1)?.attributes.owner
  }
  const before = await nextOwner()
  setClock('2026-10-06T00:00:00Z')
  const after = await nextOwner()
  assert.notEqual(after, before)
  setClock('2026-10-05T23:59:00Z')
  await writeFile(facts, '{"k8s.nodes": 10}')
  await until('a batch has the new facts', async () => {
    assert.equal(await nextOwner(), after)
    return (await spansWaiting(place.dataFolder)).at(-1)?.resource['k8s.nodes'] === 10
  })
})
