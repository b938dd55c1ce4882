// Builds Kubernetes from Go modules, pinned with their checksums in kubernetes/go.mod and go.sum,
// because no image registry is needed then. What was built once stays in the cache, by version. By
// hand: `node test/e2e/cluster/binaries.ts [NAME …]`.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cached } from '../cache.ts'
import { goEnvironment } from '../go.ts'
import { runTool } from '../tools.ts'

const recipes = import.meta.dirname
/** Like `1.36.4`. */
export const KUBERNETES = /^\tk8s\.io\/kubernetes v(\S+)/m.exec(
  readFileSync(join(recipes, 'kubernetes/go.mod'), 'utf8'),
)![1]!
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

/**
 * The path of each, built where it is not there yet: minutes for the first, and one after the
 * other.
 */
export function binaries<Name extends Binary>(...names: readonly Name[]): Record<Name, string> {
  const paths = {} as Record<Name, string>
  for (const name of names) {
    const [module, main] = PACKAGES[name]
    const folder = cached(`kubernetes-${KUBERNETES}/${name}`, (output) =>
      build(join(recipes, module), main, `${output}/${name}`),
    )
    paths[name] = join(folder, name)
  }
  return paths
}

function build(module: string, main: string, output: string): void {
  // A release says its version through the linker; without it the server would call itself v0.0.0.
  const [major, minor] = KUBERNETES.split('.')
  const version = {
    gitVersion: `v${KUBERNETES}`,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: 'clean',
  }
  const stamps = ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap(
    (target) =>
      Object.entries(version).map(([variable, value]) => `-X ${target}.${variable}=${value}`),
  )
  const env = { ...goEnvironment(), CGO_ENABLED: '0' }
  runTool(
    'go',
    ['build', '-trimpath', '-ldflags', ['-s', '-w', ...stamps].join(' '), '-o', output, main],
    { cwd: module, env },
  )
}

if (import.meta.main) {
  const names = process.argv.slice(2) as Binary[]
  const paths = binaries(...(names.length > 0 ? names : (Object.keys(PACKAGES) as Binary[])))
  process.stdout.write(`${Object.values(paths).join('\n')}\n`)
}
