// `usage-sidecar facts` as it is called: what it says of wrong flags and of a cluster that cannot be reached, that off asks
// nothing, when it begins, how often it asks again, and the Secret of the identity.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { openCluster } from '../src/facts/cluster.ts'
import { createLog } from '../src/log.ts'
import { type Fake, fakeCluster } from './facts-cluster.ts'
import { type FakeServer, runJob, serve, startJob, TOKEN } from './facts-road.ts'
import { call, EXIT } from './program.ts'
import { temporaryFolder, until } from './sidecar.ts'
import { DEFAULT_POLICY_FILE } from './spans.ts'

const POLICY = { USAGE_POLICY: DEFAULT_POLICY_FILE }

async function cluster(
  t: TestContext,
  fake: Fake = fakeCluster(),
): Promise<{ fake: Fake; server: FakeServer; env: Record<string, string> }> {
  const server = await serve(t, fake)
  return { fake, server, env: { ...POLICY, KUBECONFIG: server.kubeconfig } }
}

test('wrong flags and settings are told before anything is asked', async () => {
  const wrong: [args: string[], status: number, sentence: RegExp][] = [
    [['word'], EXIT.usage, /takes flags only/],
    [['--facts-config-map', '../secrets/x'], EXIT.usage, /--facts-config-map is a name of Kubernetes/],
    [['--namespace', 'a/b'], EXIT.usage, /--namespace is a name of Kubernetes/],
    [['--identity-secret', 'A'], EXIT.usage, /--identity-secret is a name of Kubernetes/],
    [['--start-within', 'soon'], EXIT.usage, /--start-within is a duration/],
    [['--wait', '-1'], EXIT.usage, /--wait|is not known/],
    ...['https://127.0.0.1:4318', 'http://10.0.0.1:4318', 'http://usage.example.org', 'x', 'http://127.0.0.1:4318/v1/traces'].map(
      (url): [string[], number, RegExp] => [['--otlp-endpoint', url], EXIT.usage, /is the sidecar in the same pod/],
    ),
    [['--log-level', 'loud'], EXIT.config, /--log-level is one of/],
    [['--first-send-delay', 'never'], EXIT.config, /--first-send-delay is a duration/],
    [['--facts', '{CANARY'], EXIT.config, /^USAGE_FACTS is not JSON/],
  ]
  for (const [args, status, sentence] of wrong) {
    const ended = call(['facts', ...args], '', { ...POLICY, KUBECONFIG: '/nowhere' })
    assert.equal(ended.status, status, `${args.join(' ')}: ${ended.stderr}`)
    assert.match(ended.stderr, sentence)
    assert.doesNotMatch(ended.stderr, /CANARY|\.\.\/secrets|example\.org/)
  }
  assert.match(call(['facts'], '', {}).stderr, /Name the policy: --policy, or USAGE_POLICY/)
})

test('where no cluster is known, or its settings cannot be read, one sentence says so', async (t) => {
  const folder = await temporaryFolder(t)
  const broken = join(folder, 'kubeconfig')
  await writeFile(broken, 'clusters: [{name: CANARY')
  for (const env of [{ HOME: folder }, { KUBECONFIG: broken }, { KUBECONFIG: join(folder, 'CANARY') }]) {
    const { code, stderr, lines } = await runJob([], { ...POLICY, ...env })
    assert.deepEqual([code, lines.at(-1)?.event.startsWith('facts: no cluster is known')], [EXIT.failed, true], stderr)
    assert.doesNotMatch(stderr, /CANARY/)
  }
})

test('an unknown authority and a token that is not known are no reason to tell what the server said', async (t) => {
  const { env, server } = await cluster(t)
  const other = await cluster(t)
  const text = JSON.parse(await readFile(server.kubeconfig, 'utf8')) as {
    clusters: { cluster: Record<string, string> }[]
    users: { user: Record<string, string> }[]
  }
  text.users[0]!.user.token = 'other-CANARY'
  await writeFile(server.kubeconfig, JSON.stringify(text))
  const unknown = await runJob([], env)
  assert.equal(unknown.code, EXIT.done)
  assert.match(unknown.stderr, /"fact":"k8s.version","right":"get \/version","why":"the API server does not know the account"/)
  text.clusters[0]!.cluster['certificate-authority'] = join(other.server.kubeconfig, '../ca.crt')
  await writeFile(server.kubeconfig, JSON.stringify(text))
  const connections = server.connections
  const untrusted = await runJob([], env)
  assert.equal(untrusted.code, EXIT.failed)
  assert.match(untrusted.stderr, /"why":"the API server did not answer"/)
  assert.ok(server.connections > connections)
  for (const { stderr } of [unknown, untrusted]) assert.doesNotMatch(stderr, /CANARY|certificate|forbidden/)
})

test('off asks nothing, makes nothing, and is no failure, whichever switch says so', async (t) => {
  const { env, server } = await cluster(t)
  const folder = await temporaryFolder(t)
  await writeFile(join(folder, 'annotations'), 'usage-sidecar.dev/reporting="off"\n')
  await writeFile(join(folder, 'off'), '')
  const switches = [
    { USAGE_REPORTING: 'off' },
    { DO_NOT_TRACK: '1' },
    { USAGE_ANNOTATIONS_FILE: join(folder, 'annotations') },
    { USAGE_ANNOTATIONS_FILE: join(folder, 'missing') },
    { USAGE_OFF_FILE: join(folder, 'off') },
  ]
  const identity = ['--identity-secret', 'usage-sidecar-identity']
  const jobs = [...switches.map((off) => runJob([], { ...env, ...off })), runJob(identity, { ...env, DO_NOT_TRACK: '1' })]
  for (const { code, stderr } of await Promise.all(jobs))
    assert.deepEqual([code, stderr.includes('reporting is off')], [EXIT.done, true], stderr)
  assert.equal(server.connections, 0)
})

test('a policy that has expired is off as well', async (t) => {
  const { env, server } = await cluster(t)
  const policy = join(await temporaryFolder(t), 'policy.yaml')
  const text = await readFile(DEFAULT_POLICY_FILE, 'utf8')
  await writeFile(policy, text.replace(/^expires: .*$/m, 'expires: 2020-01-01'))
  const { code, stderr } = await runJob([], { ...env, USAGE_POLICY: policy })
  assert.deepEqual([code, server.connections], [EXIT.config, 0])
  assert.match(stderr, /the policy has expired/)
})

test('the moment of the start is a random one, and an end before it is a good one', async (t) => {
  const { env, server } = await cluster(t)
  const starts = new Set<unknown>()
  for (let i = 0; i < 3; i++) {
    const job = startJob(['--start-within', '9d'], env)
    let told = ''
    job.child.stderr!.on('data', (text: string) => {
      told += text
    })
    await until('it has drawn a moment', () => told.includes('facts: begins'))
    const { seconds } = JSON.parse(told.split('\n')[0]!) as { seconds: number }
    starts.add(seconds)
    assert.ok(seconds <= 9 * 86_400)
    job.child.kill('SIGTERM')
    assert.equal((await job.ended).code, EXIT.done)
  }
  assert.equal(starts.size, 3)
  assert.equal(server.connections, 0)
})

test('what is forbidden is asked once; where the server is busy or silent, three times', async (t) => {
  const asked = async (status: number, retryAfter?: string): Promise<[status: number, times: number]> => {
    let times = 0
    const server = await serve(t, fakeCluster())
    server.instead = (request, response) => {
      times++
      if (status === 0) request.socket.destroy()
      else response.writeHead(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter }).end('{"message": "CANARY"}')
      return true
    }
    process.env.KUBECONFIG = server.kubeconfig
    const lines: string[] = []
    const way = openCluster({ log: createLog('debug', (line) => void lines.push(line)), pausesMs: [1, 1] })!
    assert.equal(way.namespace, 'apps')
    const answer = await way.ask({ method: 'GET', path: '/version' })
    await way.close()
    assert.equal(answer.body, undefined)
    assert.ok(!lines.join('').includes('CANARY'))
    return [answer.status, times]
  }
  for (const status of [400, 401, 403, 404, 409, 410]) assert.deepEqual(await asked(status), [status, 1])
  for (const status of [0, 429, 500, 503]) assert.deepEqual(await asked(status), [status, 3])
  assert.deepEqual(await asked(429, 'CANARY'), [429, 3])
})

test('an answer that never ends, never comes or is no JSON is none', async (t) => {
  const answers: ((response: ServerResponse) => void)[] = [
    () => undefined,
    (response) => void response.writeHead(200).write('{"gitVersion": "v1.31.4"'),
    (response) => response.writeHead(200).end('CANARY'),
  ]
  for (const give of answers) {
    const server = await serve(t, fakeCluster())
    server.instead = (_, response) => {
      give(response)
      return true
    }
    process.env.KUBECONFIG = server.kubeconfig
    const way = openCluster({ log: createLog('error', () => undefined), pausesMs: [], deadlineMs: 300 })!
    assert.deepEqual(await way.ask({ method: 'GET', path: '/version' }), { status: 0, body: undefined })
    await way.close()
  }
})

test('the Secret of the identity is made once; one that is there stays, and is a success', async (t) => {
  const { env, server } = await cluster(t)
  const secrets: Record<string, { stringData: Record<string, string>; immutable: boolean }> = {}
  const methods: string[] = []
  let status = 0
  server.instead = (request, response) => {
    methods.push(`${request.method} ${request.url}`)
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => void chunks.push(chunk))
    request.on('end', () => {
      const secret = JSON.parse(Buffer.concat(chunks).toString('utf8')) as (typeof secrets)[string] & { metadata: { name: string } }
      const there = secret.metadata.name in secrets
      if (status === 0 && !there) secrets[secret.metadata.name] = secret
      response.writeHead(status === 0 ? (there ? 409 : 201) : status).end('{"message": "CANARY"}')
    })
    return true
  }
  const make = () => runJob(['--identity-secret', 'usage-sidecar-identity', '--namespace', 'shop'], { KUBECONFIG: env.KUBECONFIG! })
  const first = await make()
  assert.equal(first.code, EXIT.done, first.stderr)
  const made = structuredClone(secrets)
  const { stringData, immutable } = made['usage-sidecar-identity']!
  assert.match(stringData['instance-id']!, /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
  assert.match(stringData.secret!, /^[0-9a-f]{64}$/)
  assert.deepEqual([Object.keys(stringData).sort(), immutable], [['instance-id', 'secret'], true])
  const again = await make()
  assert.deepEqual([again.code, secrets], [EXIT.done, made])
  assert.deepEqual(new Set(methods), new Set(['POST /api/v1/namespaces/shop/secrets?fieldManager=usage-sidecar-facts']))
  status = 403
  const denied = await make()
  assert.equal(denied.code, EXIT.failed)
  assert.match(denied.stderr, /cannot be made, so there are no pseudonyms.*"right":"create secrets","why":"the right is missing"/)
  assert.equal(methods.length, 3)
  for (const { stderr, stdout } of [first, again, denied])
    for (const secret of [...Object.values(stringData), TOKEN, 'CANARY']) assert.ok(!`${stdout}${stderr}`.includes(secret))
})
