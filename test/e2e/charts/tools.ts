// helm and kustomize, built from Go modules that are pinned with their checksums beside this file,
// and a Helm chart that stands in a folder of its own with its dependencies. What was built once
// stays in the cache.
import { cpSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cached, keyOf } from '../cache.ts'
import { goBuild } from '../go.ts'
import { runTool } from '../tools.ts'

const FOLDER = new URL('.', import.meta.url).pathname
export const DEPLOY = new URL('../../../deploy/', import.meta.url).pathname

/** Builds the one command of the module `name`, whose version is in the folder's name. */
function tool(name: string, command: string): string {
  const module = join(FOLDER, name)
  const version = new RegExp(
    `^\\s*${/^[^/]+\/[^/]+(?:\/[^/]+)?\/v\d+/.exec(command)![0]} v(\\S+)`,
    'm',
  ).exec(readFileSync(join(module, 'go.mod'), 'utf8'))![1]!
  return join(
    cached(`${name}-${version}-${keyOf({ folder: module })}`, (folder) =>
      goBuild(module, folder, [command]),
    ),
    name,
  )
}

let helmPath: string | undefined
let kustomizePath: string | undefined

/** Path of helm, built where it is not there yet. */
export const helmProgram = (): string => (helmPath ??= tool('helm', 'helm.sh/helm/v4/cmd/helm'))

export const helm = (...args: readonly string[]): string => runTool(helmProgram(), args)

export function kustomize(...args: readonly string[]): string {
  kustomizePath ??= tool('kustomize', 'sigs.k8s.io/kustomize/kustomize/v5')
  return runTool(kustomizePath, args)
}

/**
 * Copies a chart of deploy/helm into `folder`, beside the library, and brings its dependencies;
 * gives its path.
 */
export function chartIn(folder: string, name: string): string {
  cpSync(join(DEPLOY, 'helm'), folder, { recursive: true })
  const chart = join(folder, name)
  helm('dependency', 'update', '--skip-refresh', chart)
  return chart
}
