// Anything that the policy does not name stays in the process. A secret is in every place of OTLP
// messages, in headers, in the environment and in refused requests. The test searches all requests
// to the collector, all files, answers and output for each of them.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { spansWaiting, startCollector } from '../support/collector.ts'
import {
  filesIn,
  PROTOBUF,
  placeOf,
  startChild,
  temporaryFolder,
  until,
} from '../support/sidecar.ts'
import {
  exchange,
  JSON_TYPE,
  malformedRequests,
  requestBytes,
  secretHeaders,
} from './canary-http.ts'
import { toJson, toProtobuf } from './canary-message.ts'
import { CanaryRequests } from './canary-request.ts'
import { type Finding, Secrets } from './canary-search.ts'
import { everythingShown } from './canary-shown.ts'
import { CANARY_COMPAT_POLICY, CANARY_POLICY, wholeRequest } from './canary-whole.ts'

describe('the search', () => {
  const secrets = new Secrets()
  const requests = {
    protobuf: wholeRequest(new CanaryRequests(secrets, 'protobuf')),
    json: wholeRequest(new CanaryRequests(secrets, 'json')),
  }
  const placesOf = (found: readonly Finding[]): Set<string> =>
    new Set(found.map(({ place }) => place))
  const inForm = (form: string): Set<string> =>
    new Set([...secrets.places].filter((place) => place.startsWith(form)))

  it('finds the secret in every place of a request, as protobuf and as JSON, packed or not', () => {
    for (const [form, bytes] of [
      ['protobuf', toProtobuf(requests.protobuf.message)],
      ['json', Buffer.from(toJson(requests.json.message))],
    ] as const) {
      assert.ok(inForm(form).size > 500, `${inForm(form).size} secrets`)
      assert.deepEqual(placesOf(secrets.search(form, bytes)), inForm(form))
      assert.deepEqual(placesOf(secrets.search(form, gzipSync(bytes))), inForm(form))
    }
  })

  it('finds a secret in each form in which it could be sent', () => {
    const mine = new Secrets()
    const [text, id, double] = [mine.text('text'), mine.bytes('id', 8), mine.double('double')]
    const integer = mine.integer('integer')
    const plain: [string, Buffer][] = [
      ['text', Buffer.from(text)],
      ['text', Buffer.from(text.toUpperCase())],
      ['id', id],
      ['id', Buffer.from(id.toString('hex'))],
      ['integer', Buffer.from(String(integer))],
      ['double', Buffer.from(String(double))],
    ]
    const around = (bytes: Buffer, before: number): Buffer =>
      Buffer.concat([randomBytes(before), bytes, randomBytes(7)])
    for (const [place, bytes] of plain) {
      const hashes = ['md5', 'sha1', 'sha256', 'sha512'].map((algorithm) =>
        createHash(algorithm).update(bytes).digest(),
      )
      for (const form of [bytes, ...hashes, ...hashes.map((digest) => digest.subarray(0, 16))]) {
        for (const before of [0, 1, 2, 3, 4, 5]) {
          const whole = around(form, before)
          const texts = [
            whole.toString('hex'),
            whole.toString('hex').toUpperCase(),
            whole.toString('base64'),
            whole.toString('base64url'),
          ]
          for (const planted of [whole, ...texts.map((one) => Buffer.from(`{"a":"${one}"}`))]) {
            assert.deepEqual(
              placesOf(mine.search('planted', planted)),
              new Set([place]),
              `${place} in ${planted.toString('hex')}`,
            )
          }
        }
      }
    }
    assert.deepEqual(mine.search('clean', randomBytes(100_000)), [])
  })
})

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname

/**
 * A secret in every variable that OTLP, proxies and clouds read, and in some others. The addresses
 * lead to `decoy`.
 */
function environment(secrets: Secrets, decoy: number): Record<string, string> {
  const secret = (name: string): string => secrets.text(`environment ${name}`)
  const address = (name: string): string => `http://user:${secret(name)}@127.0.0.1:${decoy}`
  const addresses = [
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'ALL_PROXY',
    'http_proxy',
    'https_proxy',
    'all_proxy',
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  ]
  const texts = [
    'OTEL_SERVICE_NAME',
    'OTEL_EXPORTER_OTLP_CERTIFICATE',
    'OTEL_TRACES_SAMPLER',
    'AWS_SECRET_ACCESS_KEY',
    'HOSTNAME',
    'USER',
    'DATABASE_URL',
    'PATH',
  ]
  return {
    ...Object.fromEntries(addresses.map((name) => [name, address(name)])),
    ...Object.fromEntries(texts.map((name) => [name, secret(name)])),
    NODE_USE_ENV_PROXY: '1',
    OTEL_EXPORTER_OTLP_HEADERS: `authorization=${secret('OTEL_EXPORTER_OTLP_HEADERS')}`,
    OTEL_RESOURCE_ATTRIBUTES: `team=${secret('OTEL_RESOURCE_ATTRIBUTES')},${secret('OTEL_RESOURCE_ATTRIBUTES, key')}=1`,
    [secret('name of a variable')]: '1',
    USAGE_FACTS: JSON.stringify({
      'app.version': `1.2.3-${secret('listed fact')}`,
      'app.place': secret('fact'),
      'app.other': secret('unlisted fact'),
    }),
  }
}

/** The secrets in these bytes and in the names of their places. */
const foundIn = (secrets: Secrets, places: Iterable<[where: string, bytes: Buffer]>): Finding[] =>
  [...places].flatMap(([where, bytes]) => [
    ...secrets.search(where, bytes),
    ...secrets.search('the name of a place', Buffer.from(where)),
  ])

function assertClean(secrets: Secrets, places: Iterable<[where: string, bytes: Buffer]>): void {
  const found = foundIn(secrets, places)
  const some = found.slice(0, 5).map(({ place, form, where }) => `${place} (${form}) in ${where}`)
  assert.equal(found.length, 0, `${found.length} secrets, among them: ${some.join('; ')}`)
}

/** All files except those that hold the secrets by design. */
async function filesBut(identityFolder: string, folder: string): Promise<Map<string, Buffer>> {
  const files = await filesIn(folder)
  for (const name of files.keys())
    if (join(folder, name).startsWith(identityFolder)) files.delete(name)
  return files
}

/**
 * Posts each request plain and packed; gives the answers and the number of spans that the policy
 * lets out.
 */
async function postWhole(secrets: Secrets, headers: Record<string, string>, port: number) {
  const protobuf = wholeRequest(new CanaryRequests(secrets, 'protobuf'))
  const json = wholeRequest(new CanaryRequests(secrets, 'json'))
  const answers: Buffer[] = []
  for (const [type, body] of [
    [PROTOBUF, toProtobuf(protobuf.message)],
    [JSON_TYPE, Buffer.from(toJson(json.message))],
  ] as const) {
    answers.push(await exchange(port, requestBytes({ ...headers, ...type }, body)))
    answers.push(
      await exchange(
        port,
        requestBytes({ ...headers, ...type, 'content-encoding': 'gzip' }, gzipSync(body)),
      ),
    )
  }
  for (const answer of answers) assert.match(answer.toString('latin1'), /^HTTP\/1\.1 200 /)
  return { answers, spans: 2 * (protobuf.spans + json.spans) }
}

const POLICIES = { 'under a policy': CANARY_POLICY, 'under a compat policy': CANARY_COMPAT_POLICY }

describe('the sidecar', () => {
  for (const [under, policy] of Object.entries(POLICIES))
    it(`sends, keeps, answers and prints no secret, ${under}`, async (t) => {
      const secrets = new Secrets()
      const collector = await startCollector(t, () => 503)
      const decoy = await startCollector(t)
      const place = await placeOf(t, {
        ...environment(secrets, decoy.port),
        USAGE_ENDPOINT: collector.endpoint,
        USAGE_POLICY: '',
        USAGE_POLICY_TEXT: policy,
        USAGE_LOG_LEVEL: 'debug',
      })
      const { folder, dataFolder, identityFolder } = place
      const temporary = join(folder, 'tmp')
      await mkdir(temporary)
      const child = await startChild(t, {
        ...place,
        env: { ...place.env, TMPDIR: temporary, HOME: temporary },
      })
      for (const [name, bytes] of await filesIn(identityFolder))
        secrets.existing(`identity: ${name}`, bytes.toString('utf8').trim())
      assert.ok(
        secrets.places.has('identity: secret') && secrets.places.has('identity: instance-id'),
      )

      const headers = secretHeaders(secrets)
      const { answers, spans } = await postWhole(secrets, headers, child.port)
      await until('the first report was tried', () => collector.requests.length > 0)
      assert.equal((await spansWaiting(dataFolder)).length, spans)
      const waiting = await filesBut(identityFolder, folder)
      const look = async (): Promise<void> => {
        const { shown, reports, text } = await everythingShown(secrets, headers, child, dataFolder)
        assert.ok(reports > 0 && text.includes('usage.batch.id') && text.includes('spans.received'))
        assertClean(secrets, shown)
      }
      await look()

      const statuses: string[] = []
      for (const bytes of malformedRequests(secrets, headers)) {
        const answer = await exchange(child.port, bytes)
        answers.push(answer)
        statuses.push(answer.toString('latin1', 9, 12))
      }
      assert.deepEqual(new Set(statuses), new Set(['200', '400', '404', '405', '415', '431']))
      assert.ok(statuses.filter((status) => status === '400').length > 100, 'most are malformed')
      for (const line of ['GET /livez', `GET /${secrets.text('path of health')}`])
        answers.push(await exchange(child.healthPort, requestBytes(headers, '', line)))

      collector.answer = () => 200
      await until(
        'all spans arrived',
        async () =>
          collector.spans().length >= spans && (await spansWaiting(dataFolder)).length === 0,
      )
      await look()
      assert.equal(await child.end('SIGTERM'), 0)

      assertClean(secrets, waiting)
      assertClean(secrets, await filesBut(identityFolder, folder))
      assertClean(
        secrets,
        answers.map((answer, index) => [`answer ${index}`, answer]),
      )
      const printed = Object.entries(child.output).map(([name, text]): [string, Buffer] => [
        name,
        Buffer.from(text),
      ])
      assertClean(secrets, printed)
      for (const { url, rawHeaders, body } of collector.requests) {
        assertClean(secrets, [
          ['body', body],
          ['head', Buffer.from(`${url} ${rawHeaders.join(' ')}`)],
        ])
      }
      assert.equal(decoy.connections, 0, 'a variable of the environment led somewhere')

      const planted = gzipSync(createHash('sha256').update(headers.cookie!).digest('base64url'))
      await writeFile(join(dataFolder, 'sent', 'planted.gz'), planted)
      const found = foundIn(secrets, await filesBut(identityFolder, folder))
      assert.deepEqual(
        found.map(({ place: from, where }) => [from, where]),
        [['header cookie', 'data/sent/planted.gz, unpacked']],
      )
    })

  it("prints none in the commands that read an application's spans", async (t) => {
    const secrets = new Secrets()
    const folder = await temporaryFolder(t)
    const policy = join(folder, 'policy.yaml')
    await writeFile(policy, CANARY_POLICY)
    const requests = {
      'spans.pb': toProtobuf(wholeRequest(new CanaryRequests(secrets, 'protobuf')).message),
      'spans.json': Buffer.from(toJson(wholeRequest(new CanaryRequests(secrets, 'json')).message)),
    }
    for (const [name, bytes] of Object.entries(requests)) {
      for (const [length, exitCode, says] of [
        [bytes.length, 0, /^batch 1\n[\s\S]*execution/],
        [bytes.length - 9, 1, /Send an OTLP ExportTraceServiceRequest/],
      ] as const) {
        await writeFile(join(folder, name), bytes.subarray(0, length))
        const { status, stdout, stderr } = spawnSync(
          process.execPath,
          [MAIN, 'policy', 'preview', '--policy', policy, '--input', name],
          {
            cwd: folder,
          },
        )
        assert.equal(status, exitCode)
        assert.match(Buffer.concat([stdout, stderr]).toString(), says)
        assertClean(secrets, [
          ['stdout', stdout],
          ['stderr', stderr],
        ])
      }
    }
  })
})
