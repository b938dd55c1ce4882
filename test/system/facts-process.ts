// The facts job as a process, against a FAKE Kubernetes API that is spoken to as a real one: over
// TLS with a private authority, a token, and a kubeconfig. For the whole road: job, sidecar,
// collector.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Question } from '../../src/facts/cluster.ts'
import { createAuthority } from '../support/certificates.ts'
import { childEnv } from '../support/child-env.ts'
import { type Fake, fakeCluster } from '../support/fake-cluster.ts'
import { MAIN } from '../support/program.ts'
import { atEnd, type LogLine, temporaryFolder } from '../support/sidecar.ts'
import { DEFAULT_POLICY_FILE } from '../support/spans.ts'

export interface FakeServer {
  kubeconfig: string
  connections: number
  userAgents: Set<string>
  /** Set by a test: takes a request instead of the fake; true where it did. */
  instead: (request: IncomingMessage, response: ServerResponse) => boolean
}

export const TOKEN = 'token-CANARY'

export async function serve(t: TestContext, fake: Fake): Promise<FakeServer> {
  const authority = createAuthority()
  const { cert, key } = authority.issue('api', '127.0.0.1')
  const folder = await temporaryFolder(t)
  const server = createServer({ cert, key }, (request, response) => {
    served.userAgents.add(String(request.headers['user-agent']))
    if (served.instead(request, response)) return
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => void chunks.push(chunk))
    request.on('end', () => void answer(request, response, Buffer.concat(chunks).toString('utf8')))
  })
  const answer = async (
    request: IncomingMessage,
    response: ServerResponse,
    body: string,
  ): Promise<void> => {
    const { method, url, headers } = request
    const type = String(headers['content-type'])
    const question = {
      method,
      path: url,
      accept: headers.accept,
      ...(body === '' ? {} : { body: { type, json: JSON.parse(body) as unknown } }),
    }
    const known = headers.authorization === `Bearer ${TOKEN}`
    const { status, body: json } = known
      ? await fake.ask(question as Question)
      : { status: 401, body: undefined }
    // As the real one, it tells names in its errors.
    const text = JSON.stringify(
      json ?? {
        kind: 'Status',
        message: 'nodes is forbidden: User "CANARY" cannot list',
        code: status,
      },
    )
    response.writeHead(status, { 'content-type': 'application/json' }).end(text)
  }
  const kubeconfig = join(folder, 'kubeconfig')
  const served: FakeServer = {
    kubeconfig,
    connections: 0,
    userAgents: new Set(),
    instead: () => false,
  }
  server.on('connection', () => void served.connections++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(t, async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  await writeFile(join(folder, 'ca.crt'), authority.cert)
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const clusters = [
    { name: 'c', cluster: { server: url, 'certificate-authority': join(folder, 'ca.crt') } },
  ]
  const contexts = [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'apps' } }]
  const users = [{ name: 'u', user: { token: TOKEN } }]
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters,
      contexts,
      users,
      'current-context': 'x',
    }),
  )
  return served
}

export const POLICY = { USAGE_POLICY: DEFAULT_POLICY_FILE }

/**
 * A fake cluster that is served, and the settings of a job that finds it, under the default policy.
 */
export async function cluster(
  t: TestContext,
  fake: Fake = fakeCluster(),
): Promise<{ fake: Fake; server: FakeServer; env: Record<string, string> }> {
  const server = await serve(t, fake)
  return { fake, server, env: { ...POLICY, KUBECONFIG: server.kubeconfig } }
}

export interface Job {
  code: number | null
  stdout: string
  stderr: string
  lines: LogLine[]
}

export interface RunningJob {
  child: ChildProcess
  ended: Promise<Job>
}

/** It ends by itself. */
export function startJob(
  args: readonly string[],
  env: Record<string, string>,
  program: string = MAIN,
): RunningJob {
  const child = spawn(process.execPath, [program, 'facts', ...args], {
    env: childEnv(env),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (text: string) => {
      output[name] += text
    })
  const ended = once(child, 'close').then(([code]) => {
    const lines = output.stderr.split('\n').filter((line) => line.startsWith('{'))
    return {
      code: code as number | null,
      ...output,
      lines: lines.map((line) => JSON.parse(line) as LogLine),
    }
  })
  return { child, ended }
}

/** At once, unless told otherwise. */
export const runJob = (
  args: readonly string[],
  env: Record<string, string>,
  program?: string,
): Promise<Job> => startJob(['--start-within', '0', ...args], env, program).ended
