// `npm run image`: builds the images with buildah after `npm ci`, without registry, base image or
// daemon. It writes one OCI archive an image, and prints its digest, its size and the memory of an
// idle sidecar. Two builds of one checkout on the same Debian give the same digest.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { ARCHITECTURES, type Architecture, thisArchitecture } from './architecture.ts'
import { type Committed, commitImage, USER, withStore } from './commit.ts'
import { IMAGES, type Image, root } from './contents.ts'
import { makeRootFileSystems } from './rootfs.ts'

/**
 * Measured (test/bench/README.md): memory that V8 and malloc hold back is lost to a sidecar with 96
 * MiB.
 */
const entrypoint = (heapMiB: number): string[] => {
  const flags = ['--max-semi-space-size=1', `--max-old-space-size=${heapMiB}`]
  return ['/usr/bin/node', ...flags, '/usr/lib/usage-sidecar/usage-sidecar.js']
}
const ENVIRONMENT = { MALLOC_ARENA_MAX: '1' }
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  version: string
}

export interface Built extends Committed {
  image: Image
  /** Bytes of all files in its own layer. */
  bytes: number
}

/** Writes archives to `folder`; its folder `rootfs` holds their contents. */
export async function buildImages(
  folder: string,
  architecture: Architecture = thisArchitecture(),
): Promise<Built[]> {
  const rootfs = join(folder, 'rootfs')
  mkdirSync(folder, { recursive: true })
  await makeRootFileSystems(rootfs, architecture)
  return withStore((store) => {
    const built: Built[] = []
    for (const image of Object.keys(IMAGES) as Image[])
      built.push(commit(store, folder, architecture, image, built.at(-1)?.name))
    return built
  })
}

function commit(
  store: string,
  folder: string,
  architecture: Architecture,
  image: Image,
  base: string | undefined,
): Built {
  const copy = join(folder, 'rootfs', image)
  const files = readdirSync(copy, { recursive: true, withFileTypes: true })
  const bytes = files.reduce(
    (sum, { parentPath, name }) => sum + lstatSync(join(parentPath, name)).size,
    0,
  )
  const label = { title: image, version, licenses: 'Apache-2.0' }
  const labels = Object.fromEntries(
    Object.entries(label).map(([key, value]) => [`org.opencontainers.image.${key}`, value]),
  )
  const { starts: command, heapMiB } = IMAGES[image]
  const parts = {
    name: `localhost/${image}:${version}`,
    archive: join(folder, `${image}.tar`),
    copy,
    command,
    architecture: ARCHITECTURES[architecture].oci,
    labels,
  }
  const on = base === undefined ? {} : { base }
  return {
    image,
    bytes,
    ...commitImage(store, {
      ...parts,
      ...on,
      entrypoint: entrypoint(heapMiB),
      environment: ENVIRONMENT,
    }),
  }
}

export interface Memory {
  residentMiB: number
  anonymousMiB: number
}

/**
 * Memory of an idle sidecar in mode local, seen from outside. It runs as its own user in its own
 * file system.
 */
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
  const child = spawn(
    '/usr/sbin/chroot',
    [`--userspec=${USER}:${USER}`, rootfs, ...entrypoint(64), 'run'],
    {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  )
  const ended = once(child, 'exit')
  try {
    await new Promise<void>((resolve, reject) => {
      const lines: string[] = []
      child.once('exit', () =>
        reject(new Error(`The sidecar does not start in its image:\n${lines.join('\n')}`)),
      )
      createInterface({ input: child.stderr }).on('line', (line) => {
        lines.push(line)
        if (line.includes('"accept: ready"')) resolve()
      })
    })
    await new Promise((resolve) => setTimeout(resolve, 5000))
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8')
    const mebibytes = (field: string): number =>
      Math.round(Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)![1]) / 1024)
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
    process.stdout.write(
      `${name} ${digest}\n  ${archive}: ${mebibytes(archiveBytes)} MiB, unpacked ${mebibytes(bytes)} MiB\n`,
    )
  if (process.getuid?.() === 0) {
    const { residentMiB, anonymousMiB } = await idleMemory(join(folder, 'rootfs/usage-sidecar'))
    process.stdout.write(
      `idle: ${residentMiB} MiB resident, of which ${anonymousMiB} MiB are its own (the rest are pages of Node's file)\n`,
    )
  } else process.stdout.write('The memory of an idle sidecar in it is measured for root only.\n')
}
