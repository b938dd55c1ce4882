// Builds Kubernetes from Go modules, pinned with their checksums in kubernetes/go.mod and go.sum, because no image registry
// is needed then. What was built once stays in the cache, by version. By hand: `node test/e2e/cluster/binaries.ts [NAME …]`.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { CACHE } from '../install.ts'

const here = import.meta.dirname
/** Like `1.36.4`. */
export const KUBERNETES = /^\tk8s\.io\/kubernetes v(\S+)/m.exec(readFileSync(join(here, 'kubernetes/go.mod'), 'utf8'))![1]!
const FOLDER = join(CACHE, `kubernetes-${KUBERNETES}`)
/** Name: module beside this file, package. */
const PACKAGES = {
  'kube-apiserver': ['kubernetes', 'k8s.io/kubernetes/cmd/kube-apiserver'],
  kubectl: ['kubernetes', 'k8s.io/kubernetes/cmd/kubectl'],
  'kube-controller-manager': ['kubernetes', 'k8s.io/kubernetes/cmd/kube-controller-manager'],
  'kube-scheduler': ['kubernetes', 'k8s.io/kubernetes/cmd/kube-scheduler'],
  kubelet: ['kubernetes', 'k8s.io/kubernetes/cmd/kubelet'],
  pause: ['pause', '.'],
} as const
export type Binary = keyof typeof PACKAGES

/** The path of each, built where it is not there yet: minutes for the first, and one after the other. */
export function binaries<Name extends Binary>(...names: readonly Name[]): Record<Name, string> {
  mkdirSync(FOLDER, { recursive: true })
  const paths = {} as Record<Name, string>
  for (const name of names) {
    paths[name] = join(FOLDER, name)
    if (!existsSync(paths[name])) build(name, paths[name])
  }
  return paths
}

function build(name: Binary, path: string): void {
  const go = goVersion()
  const began = Date.now()
  process.stderr.write(`building ${name} of Kubernetes ${KUBERNETES} with ${go}, once\n`)
  const [module, main] = PACKAGES[name]
  const partial = `${path}.${process.pid}.partial`
  // A release says its version through the linker; without it the server would call itself v0.0.0.
  const [major, minor] = KUBERNETES.split('.')
  const version = { gitVersion: `v${KUBERNETES}`, gitMajor: major, gitMinor: minor, gitTreeState: 'clean' }
  const stamps = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((target) =>
    Object.entries(version).map(([variable, value]) => `-X ${target}.${variable}=${value}`),
  )
  const args = ['build', '-trimpath', '-ldflags', ['-s', '-w', ...stamps].join(' '), '-o', partial, main]
  // With -mod=readonly the checksums beside go.mod are binding.
  const env = { ...process.env, GOFLAGS: '-mod=readonly', GOTOOLCHAIN: 'local', GOWORK: 'off', CGO_ENABLED: '0' }
  const { status } = spawnSync('go', args, { cwd: join(here, module), env, stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) throw new Error(`${name} could not be built: \`go ${args[0]}\` in ${module}/ failed.`)
  renameSync(partial, path)
  process.stderr.write(`${name}: ${Math.round((Date.now() - began) / 1000)} s\n`)
}

function goVersion(): string {
  let version: string
  try {
    version = execFileSync('go', ['env', 'GOVERSION'], { encoding: 'utf8', env: { ...process.env, GOTOOLCHAIN: 'local' } }).trim()
  } catch {
    throw new Error('There is no `go`: Kubernetes is built with Go 1.26.')
  }
  // It compiles with Go 1.27, but its OpenAPI answers are broken there: another default of encoding/json.
  if (!version.startsWith('go1.26')) throw new Error(`Kubernetes ${KUBERNETES} needs Go 1.26, and this is ${version}.`)
  return version
}

if (import.meta.main) {
  const names = process.argv.slice(2) as Binary[]
  process.stdout.write(`${Object.values(binaries(...(names.length > 0 ? names : (Object.keys(PACKAGES) as Binary[])))).join('\n')}\n`)
}
