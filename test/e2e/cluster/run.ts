// `npm run e2e:cluster [PATTERN]`: a whole Kubernetes for the tests of this folder, in namespaces
// of its own for network, processes and mounts. Whatever happens to it, when its first process is
// gone the kernel ends all others and takes the network and the mounts with them. Nothing in it
// reaches any other network. `--stay` starts it and waits, to look around.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildImages } from '../../../deploy/image/build.ts'
import { helmProgram } from '../charts/tools.ts'
import { install } from '../install.ts'
import { installDebian } from '../tools.ts'
import { buildApplication } from './application-image.ts'
import { binaries } from './binaries.ts'
import { buildPause } from './pause-image.ts'

const CGROUPS = '/sys/fs/cgroup'
const PREFIX = 'usage-cluster-'

install()
installDebian([
  ['/usr/bin/containerd', 'containerd'],
  ['/usr/sbin/runc', 'runc'],
  ['/usr/lib/cni/bridge', 'containernetworking-plugins'],
  ['/usr/bin/buildah', 'buildah'],
])
const { kubectl } = binaries(
  'kube-apiserver',
  'kubectl',
  'kube-controller-manager',
  'kube-scheduler',
  'kubelet',
  'pause',
)
helmProgram()
// What a run that was killed could not remove.
removeAll((pid) => !existsSync(`/proc/${pid}`))

const cgroup = `${PREFIX}${process.pid}`
const folder = join(tmpdir(), cgroup)
mkdirSync(folder)
let code = 1
try {
  const began = Date.now()
  await buildImages(join(folder, 'images'))
  await buildApplication(join(folder, 'images'))
  buildPause(join(folder, 'images'))
  process.stdout.write(`images: ${seconds(began)} s\n`)
  makeCgroups(cgroup)
  const namespaces = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  const inside = [
    '/bin/sh',
    join(import.meta.dirname, 'inside.sh'),
    folder,
    process.execPath,
    join(import.meta.dirname, 'inside.ts'),
  ]
  const places = { TMPDIR: folder, USAGE_CLUSTER_FOLDER: folder, USAGE_CLUSTER_CGROUP: cgroup }
  const env = { ...process.env, ...places, USAGE_TEST_DEADLINE_MS: '90000' }
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'unshare', ...namespaces, ...inside, ...process.argv.slice(2)],
    {
      stdio: 'inherit',
      env,
    },
  )
  const stop = (): void => void child.kill('SIGKILL')
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, stop)
  if (process.argv.includes('--stay'))
    process.stdout.write(
      `nsenter --target ${child.pid} --net --mount env KUBECONFIG=${join(folder, 'kubeconfig')} ${kubectl} …\n`,
    )
  const [status] = (await once(child, 'exit')) as [number | null]
  code = status ?? 1
} finally {
  removeAll((pid) => pid === process.pid)
}
process.exitCode = code

function seconds(since: number): number {
  return Math.round((Date.now() - since) / 1000)
}

/** Every hierarchy of version 1, or the one of version 2. */
function hierarchies(): string[] {
  if (existsSync(join(CGROUPS, 'cgroup.controllers'))) return [CGROUPS]
  return readdirSync(CGROUPS, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(CGROUPS, name))
}

/** All pods are below it; kubelet wants it to be there. */
function makeCgroups(name: string): void {
  for (const hierarchy of hierarchies()) {
    const cgroupFolder = join(hierarchy, name)
    mkdirSync(cgroupFolder)
    // Version 1: no process may join while these are empty, as they are in a new one.
    for (const file of ['cpuset.cpus', 'cpuset.mems'])
      if (
        existsSync(join(hierarchy, file)) &&
        existsSync(join(cgroupFolder, file)) &&
        !existsSync(join(hierarchy, 'cgroup.controllers'))
      )
        writeFileSync(join(cgroupFolder, file), readFileSync(join(hierarchy, file)))
  }
}

/** Cgroups and files of runs that have ended, ours or others: no process is in them any more. */
function removeAll(ended: (pid: number) => boolean): void {
  const left = (place: string): string[] =>
    readdirSync(place).filter(
      (name) =>
        /^\d+$/.test(name.slice(PREFIX.length)) &&
        name.startsWith(PREFIX) &&
        ended(Number(name.slice(PREFIX.length))),
    )
  for (const hierarchy of hierarchies())
    for (const name of left(hierarchy)) removeTree(join(hierarchy, name))
  for (const name of left(tmpdir())) rmSync(join(tmpdir(), name), { recursive: true })
}

function removeTree(cgroupFolder: string): void {
  for (const entry of readdirSync(cgroupFolder, { withFileTypes: true }))
    if (entry.isDirectory()) removeTree(join(cgroupFolder, entry.name))
  // A process that was killed leaves its group a moment later.
  for (let left = 50; left > 0; left--)
    try {
      rmdirSync(cgroupFolder)
      return
    } catch {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100)
    }
  throw new Error(`${cgroupFolder} cannot be removed: something still runs in it.`)
}
