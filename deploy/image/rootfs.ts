// Makes the file system of each image, from a checkout after `npm ci` and nothing else: Node from its npm package, its
// libraries from Debian, the chunks of the bundle, licence texts, an SBOM. The same input gives the same bytes, names, modes
// and times. Both ways to an image begin here, the Dockerfile and build.ts. Alone: `node deploy/image/rootfs.ts FOLDER`.
import { createHash } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { bundle } from '../../test/build.ts'
import { COMMANDS, chunksOf, packageAt, packagesIn, root } from './contents.ts'
import { librariesOf } from './libraries.ts'
import { sbom } from './sbom.ts'

const HOME = '/usr/lib/usage-sidecar'
const LICENSES = '/usr/share/licenses'

/** Fills `folder`/IMAGE for every image; what one image has, those after it do not repeat. */
export async function makeRootFileSystems(folder: string): Promise<void> {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  // Beside the sources, because the names of the outputs are relative to them and are part of the chunks.
  const built = relative(root, mkdtempSync(join(root, 'build-')))
  try {
    const metafile = await bundle(built)
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    for (const [image, commands] of Object.entries(COMMANDS)) {
      const into = join(folder, image)
      const put = (path: string, content: string | Buffer, mode = 0o644): void => {
        mkdirSync(dirname(join(into, path)), { recursive: true })
        writeFileSync(join(into, path), content)
        chmodSync(join(into, path), mode)
      }
      const chunks = chunksOf(metafile, built, commands)
      for (const chunk of chunks) put(`${HOME}/${chunk}`, readFileSync(join(root, built, chunk)))
      const packages = packagesIn(metafile, built, chunks)
      for (const { name, folder: from } of packages) put(`${LICENSES}/${name}/LICENSE`, licenceText(from))
      const { node, nodeDigest, debian } = putNode(put, into)
      put(`${HOME}/package.json`, `${JSON.stringify({ name: 'usage-sidecar', version, license: 'Apache-2.0', type: 'module' })}\n`)
      putCommand(put, into, chunks[0]!)
      put(`${LICENSES}/usage-sidecar/LICENSE`, readFileSync(join(root, 'LICENSE')))
      put('/usr/share/sbom/usage-sidecar.cdx.json', sbom({ name: image, version, node, nodeDigest, packages, debian }))
      settle(into)
    }
  } finally {
    rmSync(join(root, built), { recursive: true })
  }
}

type Put = (path: string, content: string | Buffer, mode?: number) => void

function putNode(put: Put, into: string) {
  const node = packageAt(`node_modules/node-linux-${process.arch}`)
  const program = join(root, node.folder, 'bin/node')
  const bytes = readFileSync(program)
  // As it was published, not stripped: its digest can be compared.
  put('/usr/bin/node', bytes, 0o755)
  put(`${LICENSES}/node/LICENSE`, readFileSync(join(root, node.folder, 'LICENSE')))
  const libraries = librariesOf(program)
  for (const { path, file } of libraries) {
    mkdirSync(dirname(join(into, path)), { recursive: true })
    copyFileSync(file, join(into, path))
    chmodSync(join(into, path), 0o755)
  }
  const debian = [...new Map(libraries.map((library) => [library.package.name, library.package])).values()]
  for (const { name, copyright } of debian) put(`${LICENSES}/${name}/copyright`, copyright)
  put('/etc/nsswitch.conf', 'hosts: files dns\n')
  return { node, nodeDigest: createHash('sha256').update(bytes).digest('hex'), debian }
}

/** So that `kubectl exec POD -c usage-sidecar -- usage-sidecar status` works, without a shell and without `env`. */
function putCommand(put: Put, into: string, entry: string): void {
  const text = readFileSync(join(into, HOME, entry), 'utf8')
  put(`${HOME}/${entry}`, text.replace(/^#!.*\n/, '#!/usr/bin/node\n'), 0o755)
  symlinkSync(`../lib/usage-sidecar/${entry}`, join(into, '/usr/bin/usage-sidecar'))
}

function licenceText(folder: string): string {
  const file = readdirSync(join(root, folder)).find((name) => /^licen[cs]e/i.test(name))
  if (file === undefined) throw new Error(`${folder} has no licence text.`)
  return readFileSync(join(root, folder, file), 'utf8')
}

/** Times and modes of the machine must not be in the image. */
function settle(folder: string): void {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true })
  for (const entry of all) if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o755)
  for (const entry of all) lutimesSync(join(entry.parentPath, entry.name), 0, 0)
  chmodSync(folder, 0o755)
  lutimesSync(folder, 0, 0)
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2)
  if (folder === undefined) throw new Error('Which folder?')
  await makeRootFileSystems(folder)
}
