// The image as it is built without a registry: what is in it and nothing else, who runs in it, that
// a second build gives the same digest, and that the program in it runs on its own files alone.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { buildImages, idleMemory } from '../../deploy/image/build.ts'
import { IMAGES } from '../../deploy/image/contents.ts'
import { temporaryFolder } from './processes.ts'

interface Descriptor {
  digest: string
}
interface Config {
  config: {
    User: string
    Entrypoint: string[]
    Cmd: string[]
    Env: string[]
    Labels: Record<string, string>
  }
}

const ALLOWED = [
  /^etc\/nsswitch\.conf$/,
  /^lib(64)?\/(\w+-linux-gnu\/)?(ld-linux-[\w-]+|lib(atomic|c|dl|gcc_s|m|pthread|stdc\+\+))\.so\.\d$/,
  /^usr\/bin\/(node|usage-sidecar)$/,
  /^usr\/lib\/usage-sidecar\/(package\.json|usage-sidecar\.js|chunks\/[\w-]+\.js)$/,
  /^usr\/share\/licenses\/(@[\w-]+\/)?[\w.+-]+\/(LICENSE|copyright)$/,
  /^usr\/share\/sbom\/usage-sidecar\.cdx\.json$/,
]

const root = new URL('../../', import.meta.url).pathname
const tar = (...args: string[]): string =>
  execFileSync('tar', args, { encoding: 'utf8', maxBuffer: 2 ** 28 })
const blob = (digest: string): string => `blobs/sha256/${digest.slice('sha256:'.length)}`

/**
 * Every entry of the layers has a place in the image, and could not have been written by this
 * machine's user or clock.
 */
function checkLayers(folder: string, layers: readonly Descriptor[]): void {
  const entries = layers.flatMap(({ digest }) =>
    tar('-tvzf', join(folder, blob(digest)))
      .trim()
      .split('\n'),
  )
  for (const entry of entries) {
    const [mode, owner, , day, , path] = entry.split(/\s+/) as [
      string,
      string,
      string,
      string,
      string,
      string,
    ]
    assert.match(mode, /^(drwxr-xr-x|-rwxr-xr-x|-rw-r--r--|lrwxrwxrwx)$/, entry)
    assert.equal(owner, '0/0', entry)
    assert.equal(day, '1970-01-01', entry)
    const name = path.replace(/^\//, '')
    if (!mode.startsWith('d'))
      assert.ok(
        ALLOWED.some((allowed) => allowed.test(name)),
        `${name} has no place in the image`,
      )
  }
}

function componentsOf(rootfs: string): string[] {
  const text = readFileSync(join(rootfs, 'usr/share/sbom/usage-sidecar.cdx.json'), 'utf8')
  return (JSON.parse(text) as { components: { name: string }[] }).components.map(({ name }) => name)
}

test('two builds give the same images: their files, their user, their program, and no more', async (t) => {
  const folder = await temporaryFolder(t)
  const first = await buildImages(join(folder, 'first'))
  const second = await buildImages(join(folder, 'second'))
  assert.deepEqual(
    first.map(({ digest }) => digest),
    second.map(({ digest }) => digest),
  )
  for (const { image, archive, digest, archiveBytes } of first) {
    const read = <T>(of: string): T => JSON.parse(tar('-xOf', archive, blob(of))) as T
    const manifest = read<{ config: Descriptor; layers: Descriptor[] }>(digest)
    const { config } = read<Config>(manifest.config.digest)
    const [node, ...flags] = config.Entrypoint
    const { starts, heapMiB } = IMAGES[image]
    assert.deepEqual([config.User, node, config.Cmd], ['65532:65532', '/usr/bin/node', [starts]])
    assert.ok(flags.includes(`--max-old-space-size=${heapMiB}`))
    tar('-xf', archive, '-C', folder)
    checkLayers(folder, manifest.layers)
    // The other way to an image says the same of how it starts.
    const dockerfile = readFileSync(join(root, 'deploy/Dockerfile'), 'utf8')
    assert.ok(
      dockerfile.includes(
        `ENTRYPOINT ${JSON.stringify(config.Entrypoint).replaceAll(',', ', ')}\nCMD ["${starts}"]`,
      ),
      image,
    )
    t.diagnostic(`${image}: ${archiveBytes} bytes packed`)
  }

  const rootfs = join(folder, 'first/rootfs/usage-sidecar')
  const inside = (...args: string[]): string =>
    execFileSync(
      '/usr/sbin/chroot',
      ['--userspec=65532:65532', rootfs, '/usr/bin/usage-sidecar', ...args],
      {
        encoding: 'utf8',
        stdio: 'pipe',
      },
    )
  assert.match(inside('help'), /usage-sidecar status/)
  // The program knows it; the image does not have it, and says so without a stack.
  for (const absent of ['collect', 'facts'])
    assert.throws(
      () => inside(absent),
      new RegExp(`usage-sidecar ${absent} failed \\(ERR_MODULE_NOT_FOUND\\)\\.\\n$`),
    )
  const names = componentsOf(rootfs)
  assert.deepEqual(names.filter((name) => !name.startsWith('lib')).sort(), [
    `node-linux-${process.arch}`,
    'ulid',
    'yaml',
  ])
  assert.ok(
    componentsOf(join(folder, 'first/rootfs/usage-sidecar-facts')).includes(
      '@kubernetes/client-node',
    ),
  )
  const { residentMiB, anonymousMiB } = await idleMemory(rootfs)
  t.diagnostic(`idle: ${residentMiB} MiB resident, ${anonymousMiB} MiB anonymous`)
})
