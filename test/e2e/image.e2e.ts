// The image as it is built without a registry: what is in it and nothing else, who runs in it, that a second build gives the
// same digest, and that the program in it runs on its own files alone.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { test } from 'node:test'
import { buildImages, idleMemory } from '../../deploy/image/build.ts'
import { temporaryFolder } from './processes.ts'

interface Descriptor {
  digest: string
}
interface Config {
  config: { User: string; Entrypoint: string[]; Cmd: string[]; Env: string[]; Labels: Record<string, string> }
}

const ALLOWED = [
  /^etc\/nsswitch\.conf$/,
  /^lib(64)?\/(\w+-linux-gnu\/)?(ld-linux-[\w-]+|lib(atomic|c|dl|gcc_s|m|pthread|stdc\+\+))\.so\.\d$/,
  /^usr\/bin\/(node|usage-sidecar)$/,
  /^usr\/lib\/usage-sidecar\/(package\.json|usage-sidecar\.js|chunks\/[\w-]+\.js)$/,
  /^usr\/share\/licenses\/[\w+-]+\/(LICENSE|copyright)$/,
  /^usr\/share\/sbom\/usage-sidecar\.cdx\.json$/,
]

test('two builds give one image: its files, its user, its program, and no more', async (t) => {
  const folder = await temporaryFolder(t)
  const [first] = await buildImages(join(folder, 'first'))
  const [second] = await buildImages(join(folder, 'second'))
  assert.equal(first!.digest, second!.digest)

  const tar = (...args: string[]): string => execFileSync('tar', args, { encoding: 'utf8', maxBuffer: 2 ** 28 })
  const blob = (digest: string): string => `blobs/sha256/${digest.slice('sha256:'.length)}`
  const read = <T>(digest: string): T => JSON.parse(tar('-xOf', first!.archive, blob(digest))) as T
  const manifest = read<{ config: Descriptor; layers: Descriptor[] }>(first!.digest)
  const { config } = read<Config>(manifest.config.digest)
  assert.equal(config.User, '65532:65532')
  assert.equal(config.Entrypoint[0], '/usr/bin/node')
  assert.ok(config.Entrypoint.some((flag) => flag.startsWith('--max-old-space-size=')))
  assert.deepEqual(config.Cmd, ['run'])

  tar('-xf', first!.archive, '-C', folder)
  const entries = manifest.layers.flatMap(({ digest }) =>
    tar('-tvzf', join(folder, blob(digest)))
      .trim()
      .split('\n'),
  )
  for (const entry of entries) {
    const [mode, owner, , day, , path] = entry.split(/\s+/) as [string, string, string, string, string, string]
    assert.match(mode, /^([d-]rwxr-xr-x|-rw-r--r--|lrwxrwxrwx)$/, entry)
    assert.equal(owner, '0/0', entry)
    assert.equal(day, '1970-01-01', entry)
    const name = path.replace(/^\//, '')
    if (!mode.startsWith('d'))
      assert.ok(
        ALLOWED.some((allowed) => allowed.test(name)),
        `${name} has no place in the image`,
      )
  }

  const rootfs = join(folder, 'first/rootfs/usage-sidecar')
  const inside = (...args: string[]): string =>
    execFileSync('/usr/sbin/chroot', ['--userspec=65532:65532', rootfs, ...args], { encoding: 'utf8' })
  assert.match(inside('/usr/bin/usage-sidecar', 'help'), /usage-sidecar status/)
  // What it was built from knows `collect`; the image does not have it, and says so without a stack.
  assert.throws(() => inside('/usr/bin/usage-sidecar', 'collect'), /usage-sidecar collect failed \(ERR_MODULE_NOT_FOUND\)\.\n$/)
  const listed = JSON.parse(execFileSync('cat', [join(rootfs, 'usr/share/sbom/usage-sidecar.cdx.json')], { encoding: 'utf8' })) as {
    components: { name: string; version: string }[]
  }
  const names = listed.components.map(({ name }) => name)
  for (const name of [`node-linux-${process.arch}`, 'ulid', 'yaml', 'libc6', 'libstdc++6']) assert.ok(names.includes(name), name)
  assert.deepEqual(
    names.filter((name) => /duckdb|opentelemetry/.test(name)),
    [],
  )

  const { residentMiB, anonymousMiB } = await idleMemory(rootfs)
  t.diagnostic(`${first!.archiveBytes} bytes; idle: ${residentMiB} MiB resident, ${anonymousMiB} MiB anonymous`)
})
