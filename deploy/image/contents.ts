// Selects what of the bundle goes into which image: the chunks that its commands reach, and their
// bundled packages. Everything else in dist/, such as the demo's SDK, stays out.
import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Metafile } from 'esbuild'

/**
 * A command is a file of src/cli/. The image of `run` also has the commands that read its files,
 * because it has no shell. The second image adds one layer for the process that reads the cluster.
 * So the Kubernetes client is not in the sidecar's image.
 */
export const IMAGES = {
  'usage-sidecar': { commands: ['run', 'status', 'show', 'identity'], starts: 'run', heapMiB: 64 },
  'usage-sidecar-facts': {
    commands: ['run', 'status', 'show', 'identity', 'facts'],
    starts: 'facts',
    heapMiB: 128,
  },
} as const
export type Image = keyof typeof IMAGES
export const root = new URL('../../', import.meta.url).pathname
const ENTRY = 'usage-sidecar.js'
/** Files of src/cli/ that are no command and that every image needs. */
const SHARED = ['src/cli/commands.ts', 'src/cli/help.ts']

/** Paths below the bundle's folder, the entry first. */
export function chunksOf(
  { outputs }: Metafile,
  folder: string,
  commands: readonly string[],
): string[] {
  const wanted = new Set(commands.map((command) => `src/cli/${command}.ts`))
  const entryPoints = Object.values(outputs).map(({ entryPoint }) => entryPoint)
  for (const command of wanted)
    if (!entryPoints.includes(command)) throw new Error(`${command} is no chunk of the bundle.`)
  const found = new Set<string>()
  const visit = (path: string): void => {
    const output = outputs[path]
    if (output === undefined || found.has(path)) return
    if (
      output.entryPoint?.startsWith('src/cli/') &&
      !SHARED.includes(output.entryPoint) &&
      !wanted.has(output.entryPoint)
    )
      return
    found.add(path)
    for (const { path: next } of output.imports) visit(next)
  }
  visit(`${folder}/${ENTRY}`)
  return [...found].map((path) => path.slice(folder.length + 1))
}

export interface Package {
  name: string
  version: string
  license: string
  /** Integrity as in package-lock.json. */
  integrity: string
  folder: string
}

/** The packages of node_modules inside these chunks. */
export function packagesIn(
  { outputs }: Metafile,
  folder: string,
  chunks: readonly string[],
): Package[] {
  const inputs = chunks.flatMap((chunk) => Object.keys(outputs[`${folder}/${chunk}`]!.inputs))
  const folders = inputs
    .map((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0])
    .filter((path) => path !== undefined)
  return [...new Set(folders)].sort().map((path) => packageAt(path))
}

/** A package of the lock file, in `folder` if it is not installed. */
export function packageAt(locked: string, folder = locked): Package {
  const { name, version, license } = JSON.parse(
    readFileSync(resolve(root, folder, 'package.json'), 'utf8'),
  ) as Package
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { integrity: string }>
  }
  return { name, version, license, integrity: lock.packages[locked]!.integrity, folder }
}
