// Makes the file system of each image from a checkout after `npm ci`: Node from its npm package,
// its libraries from Debian, the chunks of the bundle, licence texts and an SBOM. The same input
// gives the same bytes, names, modes and times. The Dockerfile and build.ts both use it. Alone:
// `node deploy/image/rootfs.ts FOLDER`.
import { createHash } from 'node:crypto'
import {
  chmodSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { bundle } from '../../scripts/build.ts'
import { type Architecture, type NodeFiles, nodeFor, thisArchitecture } from './architecture.ts'
import { chunksOf, IMAGES, type Package, packagesIn, root } from './contents.ts'
import type { DebianPackage } from './libraries.ts'
import { sbom } from './sbom.ts'

const HOME = '/usr/lib/usage-sidecar'
const LICENSES = '/usr/share/licenses'

/**
 * Fills `folder`/IMAGE for every image. A later image does not repeat the files of an earlier one.
 */
export async function makeRootFileSystems(
  folder: string,
  architecture: Architecture = thisArchitecture(),
): Promise<void> {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  // Beside the sources, because output names are relative to them and are part of the chunks.
  const built = relative(root, mkdtempSync(join(root, 'build-')))
  const scratch = mkdtempSync(join(tmpdir(), 'usage-node-'))
  try {
    const metafile = await bundle(built)
    const files = nodeFor(architecture, scratch)
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      version: string
    }
    // Files of earlier images. A layer holds only new files.
    const below = new Map<string, string>()
    for (const [image, { commands }] of Object.entries(IMAGES)) {
      const into = join(folder, image)
      const put: Put = (path, content, mode = 0o644) => {
        const digest = createHash('sha256').update(content).digest('hex')
        if (below.get(path) === digest) return
        below.set(path, digest)
        mkdirSync(dirname(join(into, path)), { recursive: true })
        writeFileSync(join(into, path), content)
        chmodSync(join(into, path), mode)
      }
      const [entry, ...chunks] = chunksOf(metafile, built, commands)
      for (const chunk of chunks) put(`${HOME}/${chunk}`, readFileSync(join(root, built, chunk)))
      // Makes `kubectl exec POD -c usage-sidecar -- usage-sidecar status` work without a shell and
      // without `env`.
      const program = readFileSync(join(root, built, entry!), 'utf8').replace(
        /^#!.*\n/,
        '#!/usr/bin/node\n',
      )
      put(`${HOME}/${entry}`, program, 0o755)
      put(
        `${HOME}/package.json`,
        `${JSON.stringify({ name: 'usage-sidecar', version, license: 'Apache-2.0', type: 'module' })}\n`,
      )
      put('/etc/nsswitch.conf', 'hosts: files dns\n')
      const packages = packagesIn(metafile, built, [entry!, ...chunks])
      for (const one of packages) put(`${LICENSES}/${one.name}/LICENSE`, licenceText(one))
      put(`${LICENSES}/usage-sidecar/LICENSE`, readFileSync(join(root, 'LICENSE')))
      put(
        '/usr/share/sbom/usage-sidecar.cdx.json',
        sbom({ name: image, version, packages, ...putNode(put, files) }),
      )
      if (image === 'usage-sidecar')
        symlinkSync(`../lib/usage-sidecar/${entry}`, join(into, '/usr/bin/usage-sidecar'))
      settle(into)
    }
  } finally {
    rmSync(join(root, built), { recursive: true })
    rmSync(scratch, { recursive: true })
  }
}

type Put = (path: string, content: string | Buffer, mode?: number) => void

function putNode(
  put: Put,
  { node, program, libraries }: NodeFiles,
): { node: Package; nodeDigest: string; debian: DebianPackage[] } {
  const bytes = readFileSync(program)
  // As published and not stripped, so that its digest can be compared.
  put('/usr/bin/node', bytes, 0o755)
  put(`${LICENSES}/node/LICENSE`, licenceText(node))
  for (const { path, file } of libraries) put(path, readFileSync(file), 0o755)
  const debian = [
    ...new Map(libraries.map((library) => [library.package.name, library.package])).values(),
  ]
  for (const { name, copyright } of debian) put(`${LICENSES}/${name}/copyright`, copyright)
  return { node, nodeDigest: createHash('sha256').update(bytes).digest('hex'), debian }
}

/** Licence and notices of a package, in one text. */
function licenceText({ name, version, license, folder }: Package): string {
  const entries = readdirSync(resolve(root, folder), { withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile() && /^(licen[cs]e|copying|notice)/i.test(entry.name))
    .map(({ name: file }) => file)
  if (files.length > 0)
    return files
      .sort()
      .map((file) => readFileSync(resolve(root, folder, file), 'utf8'))
      .join('\n')
  // This licence requires no text, and its authors added none.
  if (license === 'Unlicense') return `${name} ${version}: Unlicense, https://unlicense.org\n`
  throw new Error(`${folder} has no licence text.`)
}

/** Times and modes of the build machine must not be in the image. */
function settle(folder: string): void {
  const all = readdirSync(folder, { recursive: true, withFileTypes: true })
  for (const entry of all)
    if (entry.isDirectory()) chmodSync(join(entry.parentPath, entry.name), 0o755)
  for (const entry of all) lutimesSync(join(entry.parentPath, entry.name), 0, 0)
  chmodSync(folder, 0o755)
  lutimesSync(folder, 0, 0)
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2)
  if (folder === undefined) throw new Error('Which folder?')
  await makeRootFileSystems(folder)
}
