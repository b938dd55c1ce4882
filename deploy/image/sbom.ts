// Writes the CycloneDX 1.6 SBOM of an image from what was put in. The same contents give the same
// SBOM, without time or serial number.
import type { Package } from './contents.ts'
import type { DebianPackage } from './libraries.ts'

export interface Contents {
  name: string
  version: string
  node: Package
  /** SHA-256 of the Node binary in the image. */
  nodeDigest: string
  packages: readonly Package[]
  debian: readonly DebianPackage[]
}

export function sbom({ name, version, node, nodeDigest, packages, debian }: Contents): string {
  const npm = ({ name, version, license, integrity }: Package, hashes: object[] = []): object => {
    const purl = `pkg:npm/${name.replace('@', '%40')}@${version}`
    const [, base64 = ''] = integrity.split('-')
    const archive = { alg: 'SHA-512', content: Buffer.from(base64, 'base64').toString('hex') }
    const source = { type: 'distribution', url: purl, hashes: [archive] }
    return {
      type: 'library',
      'bom-ref': purl,
      name,
      version,
      purl,
      licenses: [licence(license)],
      hashes,
      externalReferences: [source],
    }
  }
  const deb = ({ name, version, arch }: DebianPackage): object => {
    const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${arch}`
    return { type: 'library', 'bom-ref': purl, name, version, purl }
  }
  const components = [
    npm(node, [{ alg: 'SHA-256', content: nodeDigest }]),
    ...packages.map((one) => npm(one)),
    ...debian.map(deb),
  ]
  const component = {
    type: 'application',
    'bom-ref': name,
    name,
    version,
    licenses: [licence('Apache-2.0')],
  }
  return `${JSON.stringify({ bomFormat: 'CycloneDX', specVersion: '1.6', version: 1, metadata: { component }, components }, undefined, 2)}\n`
}

/** An SPDX identifier or expression. */
const licence = (text: string): object =>
  /[ (]/.test(text) ? { expression: text } : { license: { id: text } }
