// The environment of a pod is shared with its application: no variable of the OpenTelemetry SDK or of a proxy reaches
// what the sidecar sends, where it sends it, or under which headers.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startCollector } from './collector.ts'
import { execution, placeOf, post, startChild, until } from './sidecar.ts'

test('variables of OpenTelemetry and of proxies change nothing of a request', async (t) => {
  const collector = await startCollector(t)
  const elsewhere = await startCollector(t)
  const headersOf = async (variables: Record<string, string>): Promise<readonly string[]> => {
    const before = collector.requests.length
    const place = await placeOf(t, { USAGE_ENDPOINT: collector.endpoint, ...variables })
    const child = await startChild(t, place)
    assert.equal((await post(child.port, execution())).status, 200)
    await until('the collector has the body', () => collector.requests.length > before)
    assert.equal(await child.end('SIGTERM'), 0)
    const { url, rawHeaders } = collector.requests[before]!
    assert.equal(url, '/v1/traces')
    return rawHeaders.map((value, index) => (rawHeaders[index - 1]?.toLowerCase() === 'content-length' ? 'N' : value))
  }
  const proxies = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'http_proxy', 'https_proxy', 'all_proxy']
  const exporter = ['OTEL_EXPORTER_OTLP', 'OTEL_EXPORTER_OTLP_TRACES'].flatMap((name) => [
    [`${name}_ENDPOINT`, elsewhere.endpoint],
    [`${name}_HEADERS`, 'x-canary=1'],
    [`${name}_TIMEOUT`, '1'],
    [`${name}_COMPRESSION`, 'none'],
    [`${name}_PROTOCOL`, 'http/json'],
    [`${name}_CERTIFICATE`, '/nowhere'],
  ])
  const variables = {
    ...Object.fromEntries(proxies.map((name) => [name, elsewhere.endpoint])),
    ...Object.fromEntries(exporter),
    NODE_USE_ENV_PROXY: '1',
    NO_PROXY: '',
    OTEL_SDK_DISABLED: 'true',
    OTEL_SERVICE_NAME: 'canary',
    OTEL_RESOURCE_ATTRIBUTES: 'canary=1',
    OTEL_CONFIG_FILE: '/nowhere',
  }
  assert.deepEqual(await headersOf(variables), await headersOf({}))
  assert.deepEqual([elsewhere.connections, elsewhere.requests.length], [0, 0])
})
