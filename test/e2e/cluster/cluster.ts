// The cluster that the tests of this folder share: API server, controller-manager, scheduler, one
// node with the images of the sidecar, and a name server for Services of the tests. It is started
// when the first of them imports it.
import { execFile } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after } from 'node:test'
import { promisify } from 'node:util'
import { helmProgram } from '../charts/tools.ts'
import { answerTo } from '../name-server.ts'
import { startApiServer } from './apiserver.ts'
import { binaries } from './binaries.ts'
import { ready, startDaemon } from './daemon.ts'
import { NODE, NODE_IP, startNode } from './node.ts'

const folder = process.env.USAGE_CLUSTER_FOLDER!
const cgroup = process.env.USAGE_CLUSTER_CGROUP!
const API_SERVICE = '10.96.0.1'

const began = Date.now()
export const api = await startApiServer(
  { after },
  {
    address: NODE_IP,
    // As the Service `kubernetes` says it, so that pods reach it by that address without
    // kube-proxy.
    port: 443,
    flags: [
      '--allow-privileged=true',
      '--kubelet-preferred-address-types=InternalIP',
      '--enable-aggregator-routing=true',
    ],
    users: {
      'system:kube-controller-manager': [],
      'system:kube-scheduler': [],
      [`system:node:${NODE}`]: ['system:nodes'],
    },
  },
)
const asAdmin = [
  `--authentication-kubeconfig=${api.kubeconfig}`,
  `--authorization-kubeconfig=${api.kubeconfig}`,
]
const alone = ['--leader-elect=false', '--bind-address=127.0.0.1']
const paths = binaries('kube-controller-manager', 'kube-scheduler', 'kubectl')
const controllers = startDaemon(folder, 'kube-controller-manager', [
  paths['kube-controller-manager'],
  `--kubeconfig=${api.kubeconfigs['system:kube-controller-manager']}`,
  `--service-account-private-key-file=${api.serviceAccountKey}`,
  ...[`--root-ca-file=${api.ca}`, '--use-service-account-credentials=true', ...asAdmin, ...alone],
])
startDaemon(folder, 'kube-scheduler', [
  paths['kube-scheduler'],
  `--kubeconfig=${api.kubeconfigs['system:kube-scheduler']}`,
  ...[...asAdmin, ...alone],
])
export const node = await startNode(folder, cgroup, api.kubeconfigs[`system:node:${NODE}`]!)
for (const image of readdirSync(join(folder, 'images')))
  if (image.endsWith('.tar')) node.loadImage(join(folder, 'images', image))

async function run(program: string, args: readonly string[]): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: folder, KUBECONFIG: api.kubeconfig }
  const { stdout } = await promisify(execFile)(program, args, { env, maxBuffer: 64 * 1024 * 1024 })
  return stdout
}

/**
 * Without waiting for other things in this process, as a collector of a test needs it. Gives what
 * kubectl printed.
 */
export const kubectl = (...args: readonly string[]): Promise<string> => run(paths.kubectl, args)
export const helm = (...args: readonly string[]): Promise<string> => run(helmProgram(), args)

/** `kubectl apply` of these objects, or of text. */
export async function apply(what: string | readonly object[]): Promise<void> {
  const input =
    typeof what === 'string'
      ? what
      : JSON.stringify({ apiVersion: 'v1', kind: 'List', items: what })
  const env = { PATH: process.env.PATH, HOME: folder, KUBECONFIG: api.kubeconfig }
  const running = promisify(execFile)(paths.kubectl, ['apply', '-f', '-'], { env })
  running.child.stdin!.end(input)
  await running
}

/** Services of the tests, which have no pods behind them: NAME.NAMESPACE. */
const services = new Map<string, string>()
const names = createSocket('udp4')
names.on('message', (query, from) => {
  const reply = answerTo(query, (name) =>
    name === 'kubernetes.default.svc.cluster.local' ? API_SERVICE : services.get(name),
  )
  names.send(reply, from.port, from.address)
})
names.bind(53, NODE_IP)
await once(names, 'listening')
names.unref()

/** From then on the name of this Service leads to the host of the tests. */
export function addService(namespace: string, name: string): string {
  services.set(`${name}.${namespace}.svc.cluster.local`, NODE_IP)
  return `${name}.${namespace}.svc`
}

await ready(controllers, 'the node is Ready', () => isReady())
await ready(
  controllers,
  'service accounts are made',
  () => api.tryKubectl(['get', 'serviceaccount', 'default']).status === 0,
)
process.stdout.write(`cluster: Ready after ${((Date.now() - began) / 1000).toFixed(1)} s\n`)

function isReady(): boolean {
  const condition = '{.status.conditions[?(@.type=="Ready")].status}'
  return api.tryKubectl(['get', 'node', NODE, '-o', `jsonpath=${condition}`]).stdout === 'True'
}
