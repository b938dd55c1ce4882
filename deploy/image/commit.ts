// Makes one image from one folder, with buildah and its own temporary store. No time of the build
// is in the image. The same folder gives the same digest.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

/** A user that no machine has. It is numeric, so that `runAsNonRoot` can be checked. */
export const USER = 65532

export interface ImageParts {
  /** Name and tag inside the archive. */
  name: string
  /** Path of the OCI archive. */
  archive: string
  /** Becomes the file system, on top of `base`, an image in the same store. */
  copy: string
  base?: string
  entrypoint: readonly string[]
  command?: string
  /** As OCI names it; this machine's by default. */
  architecture?: string
  environment?: Readonly<Record<string, string>>
  labels?: Readonly<Record<string, string>>
}

export interface Committed {
  name: string
  archive: string
  digest: string
  archiveBytes: number
}

/** Returns a folder for images that are made together. */
export function withStore<T>(use: (store: string) => T): T {
  const store = mkdtempSync(join(tmpdir(), 'usage-image-'))
  try {
    return use(store)
  } finally {
    rmSync(store, { recursive: true })
  }
}

export function commitImage(
  store: string,
  { name, archive, copy, base = 'scratch', entrypoint, command, ...more }: ImageParts,
): Committed {
  const buildah = (...args: string[]): string => runBuildah(store, ...args)
  const pairs = (flag: string, values: Readonly<Record<string, string>> = {}): string[] =>
    Object.entries(values).flatMap(([key, value]) => [flag, `${key}=${value}`])
  const container = buildah('from', base)
  buildah('copy', '--quiet', container, copy, '/')
  buildah(
    ...[
      'config',
      '--entrypoint',
      JSON.stringify(entrypoint),
      ...(command === undefined ? [] : ['--cmd', command]),
    ],
    ...(more.architecture === undefined ? [] : ['--arch', more.architecture]),
    ...['--user', `${USER}:${USER}`, '--workingdir', '/', '--created-by', 'deploy/image/commit.ts'],
    ...pairs('--env', more.environment),
    ...[...pairs('--label', more.labels), container],
  )
  buildah('commit', '--quiet', '--timestamp', '0', container, name)
  rmSync(archive, { force: true })
  const digestFile = join(store, 'digest')
  buildah('push', '--quiet', '--digestfile', digestFile, name, `oci-archive:${archive}:${name}`)
  return {
    name,
    archive,
    digest: readFileSync(digestFile, 'utf8'),
    archiveBytes: statSync(archive).size,
  }
}

/**
 * Joins OCI archives of one image for several architectures in the OCI layout `folder`, under the
 * tag. Gives the digest of the whole.
 */
export function joinArchitectures(
  store: string,
  archives: readonly string[],
  folder: string,
  tag: string,
): string {
  const name = `localhost/${basename(folder)}:${tag}`
  runBuildah(store, 'manifest', 'create', name)
  for (const archive of archives)
    runBuildah(store, 'manifest', 'add', name, `oci-archive:${archive}`)
  const digestFile = join(store, 'digest')
  const target = `oci:${folder}:${tag}`
  runBuildah(store, 'manifest', 'push', '--all', '--digestfile', digestFile, name, target)
  return readFileSync(digestFile, 'utf8')
}

function runBuildah(store: string, ...args: readonly string[]): string {
  // vfs, because overlays are not available everywhere.
  const roots = ['--root', join(store, 'root'), '--runroot', join(store, 'run')]
  return execFileSync('buildah', [...roots, '--storage-driver', 'vfs', ...args], {
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim()
}
