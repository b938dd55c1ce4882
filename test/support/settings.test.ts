// Settings: defaults, flags, and all errors at once without a word of what was given.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limitsFor, readConfig, SETTINGS } from '../../src/support/settings.ts'

const MIB = 1024 * 1024
const WORKING = {
  USAGE_POLICY: '/policy.yaml',
  USAGE_REPORTING: 'on',
  USAGE_ENDPOINT: 'https://usage.example.org',
}

test('the defaults are those of the table, and a policy is all that is missing', () => {
  const { config, errors } = readConfig({})
  assert.equal(config.reporting, 'local')
  assert.deepEqual(config.httpListen, { host: '127.0.0.1', port: 4318 })
  assert.equal(config.sendInterval, 3_600_000)
  assert.deepEqual(errors, [
    'USAGE_POLICY is not set. Set it to the file of the policy, or set USAGE_POLICY_TEXT to its text.',
  ])
})

test('a flag wins over the environment', () => {
  const { config } = readConfig(
    { ...WORKING, USAGE_SEND_INTERVAL: '2h' },
    { 'send-interval': '30s' },
  )
  assert.equal(config.sendInterval, 30_000)
})

test('tells all wrong settings at once and repeats none', () => {
  const wrong = {
    USAGE_REPORTING: 'CANARY',
    USAGE_ENDPOINT: 'http://CANARY.example.org',
    USAGE_HTTP_LISTEN: '0.0.0.0:4318',
    USAGE_QUEUE_MAX: 'CANARY',
    USAGE_SEND_INTERVAL: '1 hour',
  }
  const { errors } = readConfig({ ...WORKING, ...wrong })
  for (const name of Object.keys(wrong))
    assert.ok(
      errors.some((error) => error.startsWith(`${name} `)),
      name,
    )
  assert.doesNotMatch(errors.join('\n'), /CANARY|1 hour/)
})

test('plain http is for loopback and services of the cluster', () => {
  const errorsOf = (endpoint: string): readonly string[] =>
    readConfig({ ...WORKING, USAGE_ENDPOINT: endpoint }).errors
  for (const endpoint of [
    'http://127.0.0.1:4328',
    'http://[::1]:1',
    'http://collector.usage.svc:4318',
    'https://usage.example.org/base',
  ])
    assert.deepEqual(errorsOf(endpoint), [], endpoint)
  for (const endpoint of [
    'http://usage.example.org',
    'ftp://x',
    'https://user:pass@x.org',
    'https://x.org/?a=b',
    'x',
  ])
    assert.equal(errorsOf(endpoint).length, 1, endpoint)
})

test('an address without a host is every address, of IPv4 alone where there is no IPv6', () => {
  const healthOf = (listen: string): unknown =>
    readConfig({ ...WORKING, USAGE_HEALTH_LISTEN: listen }).config.healthListen
  // Node reads the empty host so; `::` would fail where IPv6 is off.
  assert.deepEqual(healthOf(':4319'), { host: '', port: 4319 })
  assert.deepEqual(healthOf('[::]:4319'), { host: '::', port: 4319 })
  assert.equal(readConfig({ ...WORKING, USAGE_HTTP_LISTEN: ':4318' }).errors.length, 1)
})

test('doors for raw spans and the page are on loopback alone', () => {
  for (const name of ['USAGE_HTTP_LISTEN', 'USAGE_GRPC_LISTEN', 'USAGE_PAGE_LISTEN']) {
    for (const address of [
      ':1',
      '0.0.0.0:1',
      '[::]:1',
      '10.0.0.1:1',
      'example.org:1',
      '127.0.0.1.example.org:1',
      '128.0.0.1:1',
    ])
      assert.match(
        String(readConfig({ ...WORKING, [name]: address }).errors),
        new RegExp(`^${name} must be (an address|a loopback address)`),
        address,
      )
    for (const address of ['127.0.0.1:1', '127.9.9.9:1', '[::1]:1', 'localhost:1'])
      assert.deepEqual(readConfig({ ...WORKING, [name]: address }).errors, [], address)
  }
})

test('every setting that is not free text refuses nonsense', () => {
  const free = SETTINGS.filter(({ parse }) => {
    try {
      return parse('\u0000') === '\u0000'
    } catch {
      return false
    }
  }).map(({ name }) => name)
  assert.ok(
    free.every((name) => /_(FILE|DIR|TEXT|OVERLAY)$|^USAGE_(POLICY|FACTS)$/.test(name)),
    free.join(' '),
  )
})

test('limits follow the memory of the container', () => {
  const { config } = readConfig(WORKING)
  const free = {
    maxBody: 64 * MIB,
    maxJsonBody: 8 * MIB,
    maxInflight: 128 * MIB,
    maxWaiting: 8 * MIB,
  }
  assert.deepEqual(limitsFor(config, undefined), free)
  assert.deepEqual(limitsFor(config, 96 * MIB), {
    maxBody: 2 * MIB,
    maxJsonBody: 2 * MIB,
    maxInflight: 8 * MIB,
    maxWaiting: 2 * MIB,
  })
  assert.deepEqual(
    limitsFor(readConfig({ ...WORKING, USAGE_MAX_BODY: '1MiB' }).config, 96 * MIB).maxBody,
    MIB,
  )
})
