// `npm run image`: builds the images with buildah from a clean checkout after `npm ci`; no registry, no base image, no daemon.
// Gives one OCI archive an image, and prints its digest, its size, and the memory of an idle sidecar in it. Two builds of the
// same checkout on the same Debian give the same digest.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Image, root } from './contents.ts'
import { makeRootFileSystems } from './rootfs.ts'

/** Of nobody that a machine has; numeric, so that `runAsNonRoot` can be checked. */
const USER = 65532
/** Measured (ARCHITECTURE.md): what V8 and malloc keep for themselves is what a sidecar cannot use. */
const NODE = ['/usr/bin/node', '--max-semi-space-size=1', '--max-old-space-size=64', '/usr/lib/usage-sidecar/usage-sidecar.js']
const ENVIRONMENT = { MALLOC_ARENA_MAX: '1' }
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }

export interface Built {
  image: Image
  /** Name and tag that the archive carries. */
  name: string
  archive: string
  digest: string
  archiveBytes: number
  /** Of all its files. */
  bytes: number
}

/** Archives in `folder`; the folder `rootfs` in it holds what is inside of them. */
export async function buildImages(folder: string): Promise<Built[]> {
  const rootfs = join(folder, 'rootfs')
  mkdirSync(folder, { recursive: true })
  await makeRootFileSystems(rootfs)
  const store = mkdtempSync(join(tmpdir(), 'usage-image-'))
  try {
    return [commit(store, folder, 'usage-sidecar', 'scratch', 'run')]
  } finally {
    rmSync(store, { recursive: true })
  }
}

function commit(store: string, folder: string, image: Image, base: string, command: string): Built {
  // A store of its own; vfs, because overlays are not to be had everywhere.
  const places = ['--root', join(store, 'root'), '--runroot', join(store, 'run'), '--storage-driver', 'vfs']
  const buildah = (...args: string[]): string => execFileSync('buildah', [...places, ...args], { encoding: 'utf8' }).trim()
  const name = `localhost/${image}:${version}`
  const archive = join(folder, `${image}.tar`)
  const container = buildah('from', base)
  buildah('copy', '--quiet', container, join(folder, 'rootfs', image), '/')
  buildah(
    ...['config', '--entrypoint', JSON.stringify(NODE), '--cmd', command, '--user', `${USER}:${USER}`, '--workingdir', '/'],
    ...Object.entries(ENVIRONMENT).flatMap(([key, value]) => ['--env', `${key}=${value}`]),
    ...['--label', `org.opencontainers.image.title=${image}`, '--label', `org.opencontainers.image.version=${version}`],
    ...['--label', 'org.opencontainers.image.licenses=Apache-2.0', '--created-by', 'deploy/image/build.ts', container],
  )
  // The time of the build in neither the image nor its files.
  buildah('commit', '--quiet', '--timestamp', '0', container, name)
  rmSync(archive, { force: true })
  const digestFile = join(store, 'digest')
  buildah('push', '--quiet', '--digestfile', digestFile, name, `oci-archive:${archive}:${name}`)
  const files = readdirSync(join(folder, 'rootfs', image), { recursive: true, withFileTypes: true })
  const bytes = files.reduce((sum, { parentPath, name: file }) => sum + lstatSync(join(parentPath, file)).size, 0)
  return { image, name, archive, digest: readFileSync(digestFile, 'utf8'), archiveBytes: statSync(archive).size, bytes }
}

export interface Memory {
  residentMiB: number
  anonymousMiB: number
}

/** Of a sidecar in mode local that has nothing to do, seen from outside, as its own user in its own file system. */
export async function idleMemory(rootfs: string): Promise<Memory> {
  const inside = join(rootfs, 'var/lib/usage-sidecar')
  mkdirSync(inside, { recursive: true })
  chownSync(inside, USER, USER)
  chmodSync(inside, 0o700)
  const listen = {
    USAGE_HTTP_LISTEN: '127.0.0.1:0',
    USAGE_GRPC_LISTEN: '127.0.0.1:0',
    USAGE_PAGE_LISTEN: '127.0.0.1:0',
    USAGE_HEALTH_LISTEN: '127.0.0.1:0',
  }
  const policy = readFileSync(join(root, 'deploy/policies/default.yaml'), 'utf8')
  const env = { ...ENVIRONMENT, ...listen, USAGE_POLICY_TEXT: policy }
  const child = spawn('/usr/sbin/chroot', [`--userspec=${USER}:${USER}`, rootfs, ...NODE, 'run'], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(child, 'exit')
  try {
    await new Promise<void>((resolve, reject) => {
      const lines: string[] = []
      child.once('exit', () => reject(new Error(`The sidecar does not start in its image:\n${lines.join('\n')}`)))
      createInterface({ input: child.stderr }).on('line', (line) => {
        lines.push(line)
        if (line.includes('"accept: ready"')) resolve()
      })
    })
    await new Promise((resolve) => setTimeout(resolve, 5000))
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
    const mebibytes = (field: string): number => Math.round(Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)![1]) / 1024)
    return { residentMiB: mebibytes('VmRSS'), anonymousMiB: mebibytes('RssAnon') }
  } finally {
    child.kill()
    await ended
    rmSync(join(rootfs, 'var'), { recursive: true })
  }
}

if (import.meta.main) {
  const [folder = join(root, 'build')] = process.argv.slice(2)
  const mebibytes = (bytes: number): number => Math.round(bytes / 2 ** 20)
  for (const { name, archive, digest, bytes, archiveBytes } of await buildImages(folder))
    process.stdout.write(`${name} ${digest}\n  ${archive}: ${mebibytes(archiveBytes)} MiB, unpacked ${mebibytes(bytes)} MiB\n`)
  const { residentMiB, anonymousMiB } = await idleMemory(join(folder, 'rootfs/usage-sidecar'))
  process.stdout.write(`idle: ${residentMiB} MiB resident, of which ${anonymousMiB} MiB are its own (the rest are pages of Node's file)\n`)
}
