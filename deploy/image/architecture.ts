// Node and its libraries for an image of another architecture than this machine's. Node comes from
// its npm package, with the digest of the lock file. The libraries come from the Debian packages of
// this machine's release. Nothing is installed on the machine.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type Package, packageAt, root } from './contents.ts'
import { type DebianPackage, type Library, librariesOf } from './libraries.ts'

/** As Node names them, with the name in an image and the triplet of Debian. */
export const ARCHITECTURES = {
  x64: { oci: 'amd64', triplet: 'x86_64-linux-gnu' },
  arm64: { oci: 'arm64', triplet: 'aarch64-linux-gnu' },
} as const
export type Architecture = keyof typeof ARCHITECTURES

/** Debian packages with libraries that Node may need. */
const LIBRARIES = ['libc6', 'libstdc++6', 'libgcc-s1', 'libatomic1']

export interface NodeFiles {
  node: Package
  program: string
  libraries: Library[]
}

const run = (command: string, args: readonly string[], cwd = root): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: 'pipe' })

export function thisArchitecture(): Architecture {
  const { arch } = process
  if (arch === 'x64' || arch === 'arm64') return arch
  throw new Error(`There is no image for ${arch}. Build on x64 or arm64.`)
}

/** The files may be in `scratch`, which must exist as long as they are used. */
export function nodeFor(architecture: Architecture, scratch: string): NodeFiles {
  const locked = `node_modules/node-linux-${architecture}`
  if (architecture === thisArchitecture()) {
    const node = packageAt(locked)
    const program = join(root, node.folder, 'bin/node')
    return { node, program, libraries: librariesOf(program) }
  }
  const node = packageAt(locked, fetchPackage(locked, scratch))
  const program = join(node.folder, 'bin/node')
  return { node, program, libraries: foreignLibraries(architecture, program, scratch) }
}

/** Downloads a package of the lock file and compares its digest. Gives its folder. */
function fetchPackage(locked: string, scratch: string): string {
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string; integrity: string }>
  }
  const { version, integrity } = lock.packages[locked]!
  const name = `${basename(locked)}@${version}`
  const file = run('npm', ['pack', '--silent', '--pack-destination', scratch, name]).trim()
  const archive = join(scratch, basename(file))
  const [algorithm = '', digest] = integrity.split('-')
  if (createHash(algorithm).update(readFileSync(archive)).digest('base64') !== digest)
    throw new Error(`${name} is not the package of package-lock.json: its digest differs.`)
  const folder = join(scratch, 'node')
  mkdirSync(folder)
  run('tar', ['-xzf', archive, '--strip-components=1', '-C', folder])
  return folder
}

/** What ldd cannot say of a foreign program: the libraries that it and they name, from Debian. */
function foreignLibraries(architecture: Architecture, program: string, scratch: string): Library[] {
  const { triplet } = ARCHITECTURES[architecture]
  const debian = foreignDebian(ARCHITECTURES[architecture].oci, scratch)
  const packages = LIBRARIES.map((name) => debian(name))
  const found = new Map<string, Library>()
  const visit = (file: string): void => {
    for (const name of neededBy(file)) {
      if (found.has(name)) continue
      const owner = packages
        .flatMap(({ folder, about }) =>
          ['lib', 'usr/lib'].map((place) => ({ file: join(folder, place, triplet, name), about })),
        )
        .find((candidate) => existsSync(candidate.file))
      if (owner === undefined)
        throw new Error(`No Debian package of ${LIBRARIES.join(', ')} contains ${name}.`)
      // The path of the program's interpreter has no triplet.
      const path = name.startsWith('ld-') ? interpreterOf(program) : `/lib/${triplet}/${name}`
      found.set(name, { path, file: realpathSync(owner.file), package: owner.about })
      visit(owner.file)
    }
  }
  visit(program)
  return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1))
}

const neededBy = (file: string): string[] =>
  [...run('readelf', ['-d', file]).matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name!)

function interpreterOf(program: string): string {
  const path = /interpreter: (\S+)\]/.exec(run('readelf', ['-l', program]))?.[1]
  if (path === undefined) throw new Error(`${program} names no interpreter.`)
  return path
}

interface Unpacked {
  folder: string
  about: DebianPackage
}

/** Gives a function that downloads and unpacks a package once. */
function foreignDebian(arch: string, scratch: string): (name: string) => Unpacked {
  const state = join(scratch, 'apt')
  for (const folder of ['state/lists/partial', 'cache/archives/partial'])
    mkdirSync(join(state, folder), { recursive: true })
  const options = {
    'Dir::State': join(state, 'state'),
    'Dir::State::status': '/dev/null',
    'Dir::Cache': join(state, 'cache'),
    'APT::Architecture': arch,
    'APT::Architectures': arch,
    'APT::Sandbox::User': 'root',
  }
  const flags = Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`])
  const apt = (...args: string[]): string => run('apt-get', ['-qq', ...flags, ...args], state)
  apt('update')
  const download = (name: string): string => {
    const folder = join(scratch, 'debian', name)
    if (existsSync(folder)) return folder
    apt('download', name)
    mkdirSync(folder, { recursive: true })
    run('sh', ['-c', 'dpkg-deb -R "$1"_*.deb "$2"', 'sh', name, folder], state)
    return folder
  }
  return (name) => {
    const folder = download(name)
    const [, version] = /^Version: (.+)$/m.exec(
      readFileSync(join(folder, 'DEBIAN/control'), 'utf8'),
    )!
    const copyright = readFileSync(copyrightOf(name, folder, download), 'utf8')
    return { folder, about: { name, version: version!, arch, copyright } }
  }
}

/** Packages of one source can share the texts of one of them: the folder is then a link. */
function copyrightOf(name: string, folder: string, download: (name: string) => string): string {
  const documents = join(folder, 'usr/share/doc', name)
  if (existsSync(join(documents, 'copyright'))) return join(documents, 'copyright')
  const other = basename(readlinkSync(documents))
  return join(download(other), 'usr/share/doc', other, 'copyright')
}
