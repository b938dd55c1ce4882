// `usage-sidecar facts` as it is called: what it says of wrong flags and where there is no cluster,
// that off asks nothing, and when it begins.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { call, EXIT } from '../support/program.ts'
import { temporaryFolder, until } from '../support/sidecar.ts'
import { DEFAULT_POLICY_FILE } from '../support/spans.ts'
import { cluster, POLICY, runJob, startJob } from '../system/facts-process.ts'

test('wrong flags and settings are told before anything is asked', async () => {
  const wrong: [args: string[], status: number, sentence: RegExp][] = [
    [['word'], EXIT.usage, /takes flags only/],
    [
      ['--facts-config-map', '../secrets/x'],
      EXIT.usage,
      /--facts-config-map must be a Kubernetes name/,
    ],
    [['--namespace', 'a/b'], EXIT.usage, /--namespace must be a Kubernetes name/],
    [['--identity-secret', 'A'], EXIT.usage, /--identity-secret must be a Kubernetes name/],
    [['--start-within', '25h'], EXIT.usage, /--start-within is at most a day/],
    [['--start-within', 'soon'], EXIT.usage, /--start-within must be a duration/],
    [['--wait', '-1'], EXIT.usage, /--wait|is not known/],
    ...[
      'https://127.0.0.1:4318',
      'http://10.0.0.1:4318',
      'http://usage.example.org',
      'x',
      'http://127.0.0.1:4318/v1/traces',
    ].map((url): [string[], number, RegExp] => [
      ['--otlp-endpoint', url],
      EXIT.usage,
      /is the sidecar in the same pod/,
    ]),
    [['--log-level', 'loud'], EXIT.config, /--log-level must be one of/],
    [['--first-send-delay', 'never'], EXIT.config, /--first-send-delay must be a duration/],
    [['--facts', '{CANARY'], EXIT.config, /^USAGE_FACTS is not JSON/],
  ]
  const env = { ...POLICY, KUBECONFIG: '/nowhere' }
  const ended = await Promise.all(
    wrong.map(async ([args, ...expected]) => ({ ...(await runJob(args, env)), args, expected })),
  )
  for (const { args, code, stderr, expected } of ended) {
    assert.equal(code, expected[0], `${args.join(' ')}: ${stderr}`)
    assert.match(stderr, expected[1])
    assert.doesNotMatch(stderr, /CANARY|\.\.\/secrets|example\.org/)
  }
  assert.match(call(['facts'], '', {}).stderr, /Name the policy: --policy, or USAGE_POLICY/)
  assert.match(call(['facts', '--policy-text', 'a: 1'], '', {}).stderr, /^USAGE_POLICY_TEXT:1:1: /)
})

test('where no cluster is known, or its settings cannot be read, one sentence says so', async (t) => {
  const folder = await temporaryFolder(t)
  const broken = join(folder, 'kubeconfig')
  await writeFile(broken, 'clusters: [{name: CANARY')
  const places: Record<string, string>[] = [
    { HOME: folder },
    { KUBECONFIG: broken },
    { KUBECONFIG: join(folder, 'CANARY') },
  ]
  for (const { code, stderr, lines } of await Promise.all(
    places.map((env) => runJob([], { ...POLICY, ...env })),
  )) {
    assert.deepEqual(
      [code, lines.at(-1)?.event.startsWith('facts: no cluster is known')],
      [EXIT.failed, true],
      stderr,
    )
    assert.doesNotMatch(stderr, /CANARY/)
  }
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
  const jobs = [
    ...switches.map((off) => runJob([], { ...env, ...off })),
    runJob(identity, { ...env, DO_NOT_TRACK: '1' }),
  ]
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
    const job = startJob(['--start-within', '24h'], env)
    let told = ''
    job.child.stderr!.on('data', (text: string) => {
      told += text
    })
    await until('it has drawn a moment', () => told.includes('facts: begins'))
    const { seconds } = JSON.parse(told.split('\n')[0]!) as { seconds: number }
    starts.add(seconds)
    assert.ok(seconds <= 86_400)
    job.child.kill('SIGTERM')
    assert.equal((await job.ended).code, EXIT.done)
  }
  assert.equal(starts.size, 3)
  assert.equal(server.connections, 0)
})
