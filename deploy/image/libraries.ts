// Finds the shared libraries that a program needs on the build machine, and the Debian package of
// each. Nothing else of Debian is in the image. Throws if a library belongs to no package, because
// the SBOM could not name it.
import { execFileSync } from 'node:child_process'
import { readFileSync, realpathSync } from 'node:fs'

export interface Library {
  /** Path at which the loader looks for it. */
  path: string
  /** The file itself, with links resolved. */
  file: string
  package: DebianPackage
}

export interface DebianPackage {
  name: string
  version: string
  arch: string
  /** Its licence texts. */
  copyright: string
}

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' })

export function librariesOf(program: string): Library[] {
  const lines = run('ldd', program).split('\n')
  const missing = lines.filter((line) => line.includes('not found'))
  if (missing.length > 0)
    throw new Error(
      `${program} needs what this machine does not have: ${missing.join(', ').trim()}`,
    )
  const paths = lines
    .map((line) => /(?:=> )?(\/\S+) \(0x/.exec(line)?.[1])
    .filter((path) => path !== undefined)
  return paths.sort().map((path) => ({ path, file: realpathSync(path), package: packageOf(path) }))
}

function packageOf(path: string): DebianPackage {
  const file = realpathSync(path)
  // /lib is a link to /usr/lib, so the package may list either path.
  const names = [path, file, file.replace(/^\/usr/, '')]
  const owner = names.map(tryOwner).find((name) => name !== undefined)
  if (owner === undefined)
    throw new Error(
      `${path} belongs to no Debian package. Build the image on Debian, or with the Dockerfile.`,
    )
  const version = run('dpkg-query', '-W', owner).trim().split('\t')[1]!
  const [name, arch] = owner.split(':') as [string, string]
  return {
    name,
    version,
    arch,
    copyright: readFileSync(`/usr/share/doc/${name}/copyright`, 'utf8'),
  }
}

function tryOwner(file: string): string | undefined {
  try {
    return run('dpkg-query', '-S', file).split(': ')[0]
  } catch {
    return undefined
  }
}
