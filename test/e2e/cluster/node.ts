// The node of the cluster: containerd and kubelet, in the namespaces that inside.sh has made. It
// can be switched off and on again, as a machine can: everything on it dies at once, and its disk
// stays.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { binaries } from './binaries.ts'
import { type Daemon, ready, startDaemon } from './daemon.ts'
import { PAUSE } from './pause-image.ts'

export const NODE_IP = '10.77.0.1'
export const NODE = 'n1'
export const POD_NETWORK = '10.88.0.0/16'

export interface KubernetesNode {
  loadImage(archive: string): void
  /** What kubelet said last. */
  tail(): string
  /** All its processes are killed, and it starts again. */
  restart(): Promise<void>
  /** Folder of a volume of a pod, as kubelet keeps it. */
  volume(podUid: string, kind: string, name: string): string
}

export async function startNode(
  folder: string,
  cgroup: string,
  kubeconfig: string,
): Promise<KubernetesNode> {
  for (const place of ['cni/net.d', 'cni/data', 'volume-plugins', 'pod-logs'])
    mkdirSync(join(folder, place), { recursive: true })
  const socket = join(folder, 'containerd.sock')
  writeFileSync(join(folder, 'containerd.toml'), containerdSettings(folder, socket))
  writeFileSync(
    join(folder, 'kubelet.json'),
    JSON.stringify(kubeletSettings(folder, cgroup, socket)),
  )
  writeFileSync(join(folder, 'resolv.conf'), '')
  writeFileSync(join(folder, 'cni/net.d/10-bridge.conflist'), JSON.stringify(network(folder)))

  const ctr = (...args: string[]): string =>
    execFileSync('ctr', ['--address', socket, '--namespace', 'k8s.io', ...args], {
      encoding: 'utf8',
      stdio: 'pipe',
    })
  let daemons: Daemon[] = []
  const start = async (): Promise<void> => {
    const containerd = startDaemon(folder, 'containerd', [
      'containerd',
      '--config',
      join(folder, 'containerd.toml'),
    ])
    await ready(
      containerd,
      'containerd answers',
      () => existsSync(socket) && succeeds(() => ctr('version')),
      30,
    )
    const flags = [
      `--config=${join(folder, 'kubelet.json')}`,
      `--kubeconfig=${kubeconfig}`,
      `--hostname-override=${NODE}`,
    ]
    const places = [
      `--root-dir=${join(folder, 'kubelet')}`,
      `--cert-dir=${join(folder, 'kubelet-tls')}`,
    ]
    const command = [
      binaries('kubelet').kubelet,
      ...flags,
      ...places,
      `--node-ip=${NODE_IP}`,
      '--v=2',
    ]
    const startKubelet = async (tries: number): Promise<Daemon> => {
      const kubelet = startDaemon(folder, 'kubelet', command)
      try {
        await ready(kubelet, 'kubelet is healthy', isHealthy, 60)
        return kubelet
      } catch (error) {
        // It gives up where containerd listens but is not through with its own start; elsewhere a
        // supervisor starts it again.
        if (tries === 1) throw error
        await kubelet.stop()
        return startKubelet(tries - 1)
      }
    }
    daemons = [await startKubelet(5), containerd]
  }
  const kill = async (): Promise<void> => {
    const ended = daemons.map(({ child }) => new Promise((resolve) => child.once('exit', resolve)))
    for (const { child } of daemons) child.kill('SIGKILL')
    await Promise.all(ended)
    // Containers, and the shims that outlive containerd: in this namespace for processes they are
    // ours alone.
    for (const pid of processes()) {
      const name = readFile(`/proc/${pid}/comm`).trim()
      if (
        name.startsWith('containerd-shim') ||
        readFile(`/proc/${pid}/cgroup`).includes(`/${cgroup}/`)
      )
        process.kill(pid, 'SIGKILL')
    }
  }
  await start()
  return {
    loadImage: (archive) => void ctr('images', 'import', archive),
    tail: () => daemons[0]!.tail(),
    restart: async () => {
      await kill()
      await start()
    },
    volume: (podUid, kind, name) =>
      join(folder, 'kubelet/pods', podUid, 'volumes', `kubernetes.io~${kind}`, name),
  }
}

const isHealthy = (): Promise<boolean> =>
  fetch('http://127.0.0.1:10248/healthz').then(
    ({ ok }) => ok,
    () => false,
  )

function succeeds(act: () => unknown): boolean {
  try {
    act()
    return true
  } catch {
    return false
  }
}

const processes = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)

/** Of a process that may have ended. */
function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/**
 * restrict_oom_score_adj: without the capability for it runc fails; the machines of the tests do
 * not give it.
 */
const containerdSettings = (folder: string, socket: string): string => `version = 2
root = "${folder}/containerd"
state = "${folder}/containerd-state"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp", "io.containerd.internal.v1.tracing"]
[grpc]
address = "${socket}"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${PAUSE}"
disable_tcp_service = true
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "overlayfs"
default_runtime_name = "runc"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
SystemdCgroup = false
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "${folder}/cni/net.d"
`

const kubeletSettings = (folder: string, cgroup: string, socket: string): object => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  address: NODE_IP,
  // Only what is in this network can reach it.
  authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
  authorization: { mode: 'AlwaysAllow' },
  failCgroupV1: false,
  cgroupDriver: 'cgroupfs',
  cgroupRoot: `/${cgroup}`,
  enforceNodeAllocatable: [],
  // Lowering it takes a capability that the machines of the tests do not give.
  oomScoreAdj: 0,
  containerRuntimeEndpoint: `unix://${socket}`,
  podLogsDir: join(folder, 'pod-logs'),
  resolvConf: join(folder, 'resolv.conf'),
  clusterDNS: [NODE_IP],
  clusterDomain: 'cluster.local',
  volumePluginDir: join(folder, 'volume-plugins'),
  failSwapOn: false,
  // A full disk of the machine is not what is tested.
  evictionHard: {
    'memory.available': '0%',
    'nodefs.available': '0%',
    'imagefs.available': '0%',
    'nodefs.inodesFree': '0%',
  },
  imageGCHighThresholdPercent: 100,
  imageGCLowThresholdPercent: 99,
})

const network = (folder: string): object => ({
  cniVersion: '0.4.0',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      bridge: 'pods0',
      isGateway: true,
      ipMasq: false,
      ipam: {
        type: 'host-local',
        dataDir: join(folder, 'cni/data'),
        ranges: [[{ subnet: POD_NETWORK }]],
        routes: [{ dst: '0.0.0.0/0' }],
      },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ],
})
