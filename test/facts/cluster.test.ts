// The facts job and the API server: how often it asks, what it makes of answers that are none, that
// nothing of them is told, and the Secret of the identity.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import { openCluster } from '../../src/facts/cluster.ts'
import { createLog } from '../../src/support/log.ts'
import { fakeCluster } from '../support/fake-cluster.ts'
import { EXIT } from '../support/program.ts'
import { cluster, runJob, serve, TOKEN } from '../system/facts-process.ts'

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
  assert.match(
    unknown.stderr,
    /"fact":"k8s.version","right":"get \/version","why":"the API server does not accept the account"/,
  )
  text.clusters[0]!.cluster['certificate-authority'] = join(other.server.kubeconfig, '../ca.crt')
  await writeFile(server.kubeconfig, JSON.stringify(text))
  const connections = server.connections
  const untrusted = await runJob([], env)
  assert.equal(untrusted.code, EXIT.failed)
  assert.match(untrusted.stderr, /"why":"the API server did not answer"/)
  assert.ok(server.connections > connections)
  for (const { stderr } of [unknown, untrusted])
    assert.doesNotMatch(stderr, /CANARY|certificate|forbidden/)
})

test('what is forbidden is asked once; where the server is busy or silent, three times', async (t) => {
  const asked = async (
    status: number,
    retryAfter?: string,
  ): Promise<[status: number, times: number]> => {
    let times = 0
    const server = await serve(t, fakeCluster())
    server.instead = (request, response) => {
      times++
      if (status === 0) request.socket.destroy()
      else
        response
          .writeHead(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter })
          .end('{"message": "CANARY"}')
      return true
    }
    process.env.KUBECONFIG = server.kubeconfig
    const lines: string[] = []
    const way = openCluster({
      log: createLog('debug', (line) => void lines.push(line)),
      pausesMs: [1, 1],
    })!
    assert.equal(way.namespace, 'apps')
    const answer = await way.ask({ method: 'GET', path: '/version' })
    await way.close()
    assert.equal(answer.body, undefined)
    assert.ok(!lines.join('').includes('CANARY'))
    return [answer.status, times]
  }
  for (const status of [400, 401, 403, 404, 409, 410])
    assert.deepEqual(await asked(status), [status, 1])
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
    const way = openCluster({
      log: createLog('error', () => undefined),
      pausesMs: [],
      deadlineMs: 300,
    })!
    assert.deepEqual(await way.ask({ method: 'GET', path: '/version' }), {
      status: 0,
      body: undefined,
    })
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
      const secret = JSON.parse(
        Buffer.concat(chunks).toString('utf8'),
      ) as (typeof secrets)[string] & { metadata: { name: string } }
      const there = secret.metadata.name in secrets
      if (status === 0 && !there) secrets[secret.metadata.name] = secret
      response.writeHead(status === 0 ? (there ? 409 : 201) : status).end('{"message": "CANARY"}')
    })
    return true
  }
  const make = () =>
    runJob(['--identity-secret', 'usage-sidecar-identity', '--namespace', 'shop'], {
      KUBECONFIG: env.KUBECONFIG!,
    })
  const first = await make()
  assert.equal(first.code, EXIT.done, first.stderr)
  const made = structuredClone(secrets)
  const { stringData, immutable } = made['usage-sidecar-identity']!
  assert.match(stringData['instance-id']!, /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/)
  assert.match(stringData.secret!, /^[0-9a-f]{64}$/)
  assert.deepEqual([Object.keys(stringData).sort(), immutable], [['instance-id', 'secret'], true])
  const again = await make()
  assert.deepEqual([again.code, secrets], [EXIT.done, made])
  assert.deepEqual(
    new Set(methods),
    new Set(['POST /api/v1/namespaces/shop/secrets?fieldManager=usage-sidecar-facts']),
  )
  status = 403
  const denied = await make()
  assert.equal(denied.code, EXIT.failed)
  assert.match(
    denied.stderr,
    /cannot be made, so there are no pseudonyms.*"right":"create secrets","why":"the right is missing"/,
  )
  assert.equal(methods.length, 3)
  for (const { stderr, stdout } of [first, again, denied])
    for (const secret of [...Object.values(stringData), TOKEN, 'CANARY'])
      assert.ok(!`${stdout}${stderr}`.includes(secret))
})
