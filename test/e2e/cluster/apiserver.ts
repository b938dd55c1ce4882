// The real Kubernetes API, as a test's own: etcd and kube-apiserver, with all admission plugins and
// RBAC that a cluster has, and nothing behind it that would run a pod. On loopback and free ports,
// so several can run at once; gone with the test.
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../support/free-port.ts'
import { atEnd, type Scope } from '../processes.ts'
import { binaries } from './binaries.ts'
import { ready, startDaemon } from './daemon.ts'

export interface ApiServer {
  url: string
  /** File with the certificate that it is to be trusted by. */
  ca: string
  /** File of cluster-admin. */
  kubeconfig: string
  /** Of the server's own files and of all kubeconfigs. */
  folder: string
  /**
   * What kubectl printed; throws with its errors. As cluster-admin, unless another kubeconfig is
   * given.
   */
  kubectl(args: readonly string[], options?: KubectlOptions): string
  /** The same, without throwing. */
  tryKubectl(
    args: readonly string[],
    options?: KubectlOptions,
  ): { status: number; stdout: string; stderr: string }
  /** `kubectl apply` of this text. */
  apply(yaml: string): void
  /**
   * Makes the namespace and the service account where they are missing; the kubeconfig acts as it,
   * with its token.
   */
  serviceAccount(namespace: string, name: string): string
  /** A kubeconfig that acts as this user: the server checks rights as if it were. */
  user(name: string, ...groups: readonly string[]): string
  /** The server's own metrics, as text. */
  metrics(): string
}

export interface KubectlOptions {
  input?: string
  kubeconfig?: string
}

export interface ApiServerOptions {
  /** Where it listens; a free port of loopback, if not given. */
  address?: string
  port?: number
  /** More flags of kube-apiserver. */
  flags?: readonly string[]
  /** Who else has a token of its own: user and groups, for the other parts of a cluster. */
  users?: Readonly<Record<string, readonly string[]>>
}

export interface ApiServerWithUsers extends ApiServer {
  /** The kubeconfigs of `users`. */
  kubeconfigs: Record<string, string>
  serviceAccountKey: string
}

export async function startApiServer(
  t: Scope,
  options: ApiServerOptions = {},
): Promise<ApiServerWithUsers> {
  const paths = binaries('kube-apiserver', 'kubectl')
  const folder = mkdtempSync(join(tmpdir(), 'usage-apiserver-'))
  atEnd(t, () => rmSync(folder, { recursive: true, force: true }))
  const address = options.address ?? '127.0.0.1'
  const port = options.port ?? (await freePort())
  const url = `https://${address}:${port}`
  const ca = join(folder, 'tls/apiserver.crt')

  const configure = (file: string, user: object): string => {
    const path = join(folder, `${file}.kubeconfig`)
    const clusters = [{ name: 'test', cluster: { server: url, 'certificate-authority': ca } }]
    const contexts = [{ name: 'test', context: { cluster: 'test', user: 'test' } }]
    const users = [{ name: 'test', user }]
    writeFileSync(
      path,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters,
        contexts,
        users,
        'current-context': 'test',
      }),
    )
    return path
  }
  const tokens: string[] = []
  const withToken = (name: string, groups: readonly string[]): string => {
    const token = randomBytes(16).toString('hex')
    tokens.push(`${token},${name},${name},"${groups.join(',')}"`)
    return configure(name.replaceAll(':', '-'), { token })
  }
  const kubeconfig = withToken('admin', ['system:masters'])
  const admin = tokens[0]!.split(',')[0]!
  const kubeconfigs = Object.fromEntries(
    Object.entries(options.users ?? {}).map(([name, groups]) => [name, withToken(name, groups)]),
  )
  const tokenFile = join(folder, 'tokens.csv')
  writeFileSync(tokenFile, tokens.join('\n'))
  const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const [serviceAccountKey, publicKey] = [
    join(folder, 'service-accounts.key'),
    join(folder, 'service-accounts.pub'),
  ]
  writeFileSync(serviceAccountKey, keys.privateKey.export({ type: 'pkcs8', format: 'pem' }), {
    mode: 0o600,
  })
  writeFileSync(publicKey, keys.publicKey.export({ type: 'spki', format: 'pem' }))

  const [clients, peers] = [
    `http://127.0.0.1:${await freePort()}`,
    `http://127.0.0.1:${await freePort()}`,
  ]
  const etcd = startDaemon(folder, 'etcd', [
    'etcd',
    ...['--data-dir', join(folder, 'etcd'), '--log-level', 'warn'],
    ...['--listen-client-urls', clients, '--advertise-client-urls', clients],
    ...[
      '--listen-peer-urls',
      peers,
      '--initial-advertise-peer-urls',
      peers,
      '--initial-cluster',
      `default=${peers}`,
    ],
  ])
  atEnd(t, etcd.stop)
  const server = startDaemon(folder, 'kube-apiserver', [
    paths['kube-apiserver'],
    `--etcd-servers=${clients}`,
    // A given address is one of a network of its own; there a Service leads to another of its
    // addresses.
    `--bind-address=${options.address === undefined ? address : '0.0.0.0'}`,
    ...[
      `--advertise-address=${address}`,
      `--secure-port=${port}`,
      `--cert-dir=${join(folder, 'tls')}`,
    ],
    '--service-cluster-ip-range=10.96.0.0/16',
    ...[
      '--authorization-mode=Node,RBAC',
      `--token-auth-file=${tokenFile}`,
      '--enable-admission-plugins=NodeRestriction',
    ],
    '--service-account-issuer=https://kubernetes.default.svc',
    ...[
      `--service-account-key-file=${publicKey}`,
      `--service-account-signing-key-file=${serviceAccountKey}`,
    ],
    // A loopback address cannot be the endpoint of the Service `kubernetes`.
    ...(options.address === undefined ? ['--endpoint-reconciler-type=none'] : []),
    ...(options.flags ?? []),
  ])
  atEnd(t, server.stop)

  const tryKubectl: ApiServer['tryKubectl'] = (args, { input, kubeconfig: other } = {}) => {
    const env = { PATH: process.env.PATH, HOME: folder, KUBECONFIG: other ?? kubeconfig }
    const { status, stdout, stderr } = spawnSync(paths.kubectl, args, {
      encoding: 'utf8',
      env,
      input: input ?? '',
      maxBuffer: 64 * 1024 * 1024,
    })
    return { status: status ?? 1, stdout, stderr }
  }
  const kubectl: ApiServer['kubectl'] = (args, more) => {
    const { status, stdout, stderr } = tryKubectl(args, more)
    if (status !== 0) throw new Error(`kubectl ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  await ready(server, 'kube-apiserver is ready', () => answers(url, admin, ca))
  // It makes `default` and `kube-system` by itself, a moment later; the service accounts in them a
  // controller would make.
  await ready(
    server,
    'there are namespaces',
    () => tryKubectl(['get', 'namespace', 'default', 'kube-system']).status === 0,
  )

  const ensure = (...args: string[]): void => {
    const { status, stderr } = tryKubectl(['create', ...args])
    if (status !== 0 && !/already ?exists/i.test(stderr))
      throw new Error(`kubectl create ${args.join(' ')}: ${stderr}`)
  }
  return {
    ...{ url, ca, kubeconfig, folder, kubectl, tryKubectl, kubeconfigs, serviceAccountKey },
    apply: (yaml) => void kubectl(['apply', '-f', '-'], { input: yaml }),
    serviceAccount: (namespace, name) => {
      ensure('namespace', namespace)
      ensure('serviceaccount', name, '--namespace', namespace)
      const token = kubectl(['create', 'token', name, '--namespace', namespace]).trim()
      return configure(`${namespace}-${name}`, { token })
    },
    user: (name, ...groups) =>
      configure(`as-${name.replaceAll(':', '-')}`, { token: admin, as: name, 'as-groups': groups }),
    metrics: () => kubectl(['get', '--raw', '/metrics']),
  }
}

/**
 * Makes the service account `default`, which a controller would make, so that pods are admitted in
 * this namespace.
 */
export function makeNamespace(
  { apply }: ApiServer,
  name: string,
  metadata: { labels?: object; annotations?: object } = {},
): void {
  const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { ...metadata, name } }
  const account = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default', namespace: name },
  }
  apply(JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [namespace, account] }))
}

function answers(url: string, token: string, ca: string): Promise<boolean> {
  return new Promise((resolve) => {
    const give = (is: boolean) => (): void => resolve(is)
    try {
      const options = { ca: readFileSync(ca), headers: { authorization: `Bearer ${token}` } }
      request(`${url}/readyz`, options, (response) =>
        response.resume().on('end', give(response.statusCode === 200)),
      )
        .on('error', give(false))
        .end()
    } catch {
      resolve(false) // its certificate is not there yet
    }
  })
}
