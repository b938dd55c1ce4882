// A sidecar can share environment variables with its application. No variable of the OpenTelemetry
// SDK, a proxy, a cloud or TLS changes the body, the address, the headers or the trusted
// certificates.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createAuthority } from '../support/certificates.ts'
import { startCollector } from '../support/collector.ts'
import { startTestCollector, statuses } from '../support/sender.ts'
import { execution, placeOf, post, startChild, until } from '../support/sidecar.ts'

const PROXIES = [
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'ALL_PROXY',
  'http_proxy',
  'https_proxy',
  'all_proxy',
  'GRPC_PROXY',
  'grpc_proxy',
]
const EXPORTERS = ['OTEL_EXPORTER_OTLP', 'OTEL_EXPORTER_OTLP_TRACES', 'OTEL_EXPORTER_ZIPKIN']

/** Variables that make other programs send elsewhere, differently, or more. */
function canaries(elsewhere: string, file: string): Record<string, string> {
  const host = new URL(elsewhere).host
  const exporters = EXPORTERS.flatMap((name) => [
    [`${name}_ENDPOINT`, elsewhere],
    [`${name}_HEADERS`, 'x-canary=1,authorization=canary'],
    [`${name}_TIMEOUT`, '1'],
    [`${name}_COMPRESSION`, 'none'],
    [`${name}_PROTOCOL`, 'http/json'],
    [`${name}_CERTIFICATE`, file],
    [`${name}_CLIENT_CERTIFICATE`, file],
    [`${name}_CLIENT_KEY`, file],
    [`${name}_INSECURE`, 'true'],
  ])
  return {
    ...Object.fromEntries(PROXIES.map((name) => [name, elsewhere])),
    ...Object.fromEntries(exporters),
    NODE_USE_ENV_PROXY: '1',
    NO_PROXY: '',
    OTEL_SDK_DISABLED: 'true',
    OTEL_SERVICE_NAME: 'canary',
    OTEL_RESOURCE_ATTRIBUTES: 'canary=1,host.name=canary',
    OTEL_CONFIG_FILE: file,
    OTEL_EXPERIMENTAL_CONFIG_FILE: file,
    OTEL_TRACES_EXPORTER: 'none',
    OTEL_TRACES_SAMPLER: 'always_off',
    OTEL_BSP_SCHEDULE_DELAY: '1',
    OTEL_PROPAGATORS: 'b3',
    OTEL_LOG_LEVEL: 'debug',
    AWS_ACCESS_KEY_ID: 'canary',
    AWS_SECRET_ACCESS_KEY: 'canary',
    AWS_REGION: 'canary',
    AWS_CA_BUNDLE: file,
    AWS_ENDPOINT_URL: elsewhere,
    AWS_EC2_METADATA_SERVICE_ENDPOINT: elsewhere,
    AWS_WEB_IDENTITY_TOKEN_FILE: file,
    ECS_CONTAINER_METADATA_URI_V4: elsewhere,
    GOOGLE_APPLICATION_CREDENTIALS: file,
    GOOGLE_CLOUD_PROJECT: 'canary',
    GCE_METADATA_HOST: host,
    AZURE_CLIENT_ID: 'canary',
    AZURE_CLIENT_SECRET: 'canary',
    IDENTITY_ENDPOINT: elsewhere,
    KUBERNETES_SERVICE_HOST: '127.0.0.1',
    KUBERNETES_SERVICE_PORT: new URL(elsewhere).port,
    KUBECONFIG: file,
    DD_AGENT_HOST: '127.0.0.1',
    DD_TRACE_AGENT_URL: elsewhere,
    HOSTNAME: 'canary',
    USER: 'canary',
  }
}

/** The request that a collector gets for one report, under these variables. */
async function headersOf(
  t: TestContext,
  endpoint: string,
  got: () => readonly { url: string; rawHeaders: readonly string[] }[],
  env: object,
) {
  const before = got().length
  const child = await startChild(t, await placeOf(t, { USAGE_ENDPOINT: endpoint, ...env }))
  assert.equal((await post(child.port, execution())).status, 200)
  await until('the collector has the body', () => got().length > before)
  assert.equal(await child.end('SIGTERM'), 0)
  const { url, rawHeaders } = got()[before]!
  assert.equal(url, '/v1/traces')
  return rawHeaders.map((value, index) =>
    rawHeaders[index - 1]?.toLowerCase() === 'content-length' ? 'N' : value,
  )
}

test('variables of OpenTelemetry, proxies and clouds do not change a request', async (t) => {
  const collector = await startCollector(t)
  const elsewhere = await startCollector(t)
  const place = await placeOf(t, {})
  const file = join(place.folder, 'canary')
  await writeFile(file, 'canary')
  const get = async (env: object): Promise<readonly string[]> =>
    headersOf(t, collector.endpoint, () => collector.requests, env)
  assert.deepEqual(await get(canaries(elsewhere.endpoint, file)), await get({}))
  assert.deepEqual([elsewhere.connections, elsewhere.requests.length], [0, 0])
})

test('over https, only our own settings choose proxy and trusted certificates', async (t) => {
  const authority = createAuthority()
  const elsewhere = await startCollector(t)
  const collecting = await startTestCollector(
    t,
    statuses(200),
    authority.issue('collector', '127.0.0.1'),
  )
  const { folder } = await placeOf(t, {})
  const [caFile, file] = [join(folder, 'ca'), join(folder, 'canary')]
  await writeFile(caFile, authority.cert)
  await writeFile(file, createAuthority('Another').cert)
  const env = {
    ...canaries(elsewhere.endpoint, file),
    SSL_CERT_FILE: file,
    SSL_CERT_DIR: folder,
    NODE_EXTRA_CA_CERTS: file,
    SSLKEYLOGFILE: join(folder, 'keys'),
    USAGE_CA_FILE: caFile,
  }
  const endpoint = `https://127.0.0.1:${collecting.port}`
  const get = async (variables: object): Promise<readonly string[]> =>
    headersOf(t, endpoint, () => collecting.got, variables)
  assert.deepEqual(await get(env), await get({ USAGE_CA_FILE: caFile }))
  assert.deepEqual([elsewhere.connections, elsewhere.requests.length], [0, 0])
})

test('does not trust a certificate that only the environment trusts', async (t) => {
  const authority = createAuthority()
  const collecting = await startTestCollector(
    t,
    statuses(200),
    authority.issue('collector', '127.0.0.1'),
  )
  const { folder } = await placeOf(t, {})
  const [other, trusted] = [join(folder, 'other'), join(folder, 'trusted')]
  await writeFile(other, createAuthority('Another').cert)
  await writeFile(trusted, authority.cert)
  const place = await placeOf(t, {
    USAGE_ENDPOINT: `https://127.0.0.1:${collecting.port}`,
    USAGE_CA_FILE: other,
    NODE_EXTRA_CA_CERTS: trusted,
    SSL_CERT_FILE: trusted,
    NODE_TLS_REJECT_UNAUTHORIZED: '0',
  })
  const child = await startChild(t, place)
  assert.equal((await post(child.port, execution())).status, 200)
  const away = 'send: collector unavailable; reports stay queued'
  await until('it was tried', () => child.lines().some(({ event }) => event === away))
  assert.equal(collecting.got.length, 0)
})
