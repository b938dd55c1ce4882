// Builds everything that a release publishes into one folder:
//
//   npm/       the npm package
//   images/    an OCI layout of each image, with amd64 and arm64
//   charts/    the Helm charts
//   assets/    an SBOM of each image and architecture, and the SHA-256 of all files
//   notes.md   the release notes
//
// It works without credentials, so everybody can compare the digests with a published release.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { ARCHITECTURES, type Architecture } from '../../deploy/image/architecture.ts'
import { buildImages } from '../../deploy/image/build.ts'
import { joinArchitectures, withStore } from '../../deploy/image/commit.ts'
import { IMAGES } from '../../deploy/image/contents.ts'
import { helm } from '../../test/e2e/charts/tools.ts'
import { projectVariables } from '../project.ts'
import { releaseNotes, sectionOf } from './notes.ts'
import { CHARTS, ROOT, readSources } from './sources.ts'

const PARTS = ['npm', 'images', 'charts', 'assets'] as const

export async function buildRelease(where: string): Promise<void> {
  const folder = resolve(where)
  rmSync(folder, { recursive: true, force: true })
  for (const part of PARTS) mkdirSync(join(folder, part), { recursive: true })
  packNpm(join(folder, 'npm'))
  packageCharts(join(folder, 'charts'))
  const digests = await buildImageLayouts(folder)
  const { version, changelog } = readSources()
  const section = sectionOf(changelog, version) ?? { date: '', text: '' }
  const { IMAGES: registry } = projectVariables()
  const images = Object.entries(digests).map(([image, digest]) => [`${registry}/${image}`, digest])
  writeFileSync(join(folder, 'notes.md'), releaseNotes(section, Object.fromEntries(images)))
  writeFileSync(join(folder, 'assets/SHA256SUMS'), checksums(folder))
}

/** Gives the path of the package. Its program is built first. */
export function packNpm(folder: string): string {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'pipe' })
  const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder]
  const file = execFileSync('npm', args, { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' }).trim()
  return join(folder, file)
}

/** `helm package` of a copy, so that it leaves nothing in the checkout. */
export function packageCharts(folder: string): void {
  const copy = mkdtempSync(join(tmpdir(), 'usage-charts-'))
  try {
    cpSync(join(ROOT, 'deploy/helm'), copy, { recursive: true })
    for (const chart of CHARTS) helm('package', join(copy, chart), '--destination', folder)
  } finally {
    rmSync(copy, { recursive: true })
  }
}

/** One OCI layout for each image, with all architectures. Gives the digest of each. */
async function buildImageLayouts(folder: string): Promise<Record<string, string>> {
  const scratch = mkdtempSync(join(tmpdir(), 'usage-images-'))
  try {
    for (const architecture of Object.keys(ARCHITECTURES) as Architecture[]) {
      const built = join(scratch, architecture)
      await buildImages(built, architecture)
      for (const image of Object.keys(IMAGES))
        copyFileSync(
          join(built, 'rootfs', image, 'usr/share/sbom/usage-sidecar.cdx.json'),
          join(folder, `assets/${image}-${ARCHITECTURES[architecture].oci}.cdx.json`),
        )
    }
    const { version } = readSources()
    const archives = (image: string): string[] =>
      Object.keys(ARCHITECTURES).map((architecture) => join(scratch, architecture, `${image}.tar`))
    return withStore((store) =>
      Object.fromEntries(
        Object.keys(IMAGES).map((image) => [
          image,
          joinArchitectures(store, archives(image), join(folder, 'images', image), version),
        ]),
      ),
    )
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

/** As `sha256sum` writes them, so that `sha256sum --check` reads them. */
function checksums(folder: string): string {
  const lines = (['npm', 'charts', 'assets'] as const).flatMap((part) =>
    readdirSync(join(folder, part))
      .sort()
      .map((name) => {
        const content = readFileSync(join(folder, part, name))
        return `${createHash('sha256').update(content).digest('hex')}  ${name}\n`
      }),
  )
  return lines.join('')
}
