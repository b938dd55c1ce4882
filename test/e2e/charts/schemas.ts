// The schemas of Kubernetes 1.29 to 1.37, in which an unknown field is a mistake, as the Python
// package kubernetes-validate carries them: made from the OpenAPI description of each release. The
// package is pinned by its digest.
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { CACHE, cached } from '../cache.ts'
import { runTool } from '../tools.ts'

export const MINORS = [29, 30, 31, 32, 33, 34, 35, 36, 37] as const
export type Minor = (typeof MINORS)[number]

const VERSION = '1.37.0'
const SHA256 = '85136d018a27b50ec7fc049d902bfa5193f5976807e6c0f408e3ab6fe078cad9'
const FOLDER = `kubernetes-validate-${VERSION}`

export function installSchemas(): void {
  cached(FOLDER, (folder) => {
    const requirements = join(folder, 'requirements.txt')
    writeFileSync(requirements, `kubernetes-validate==${VERSION} --hash=sha256:${SHA256}\n`)
    const environment = join(folder, 'environment')
    runTool('python3', ['-m', 'venv', environment])
    const pip = [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--no-deps',
      '--no-compile',
      '--require-hashes',
      '--target',
      folder,
    ]
    runTool(join(environment, 'bin', 'python'), [...pip, '-r', requirements])
    rmSync(environment, { recursive: true })
  })
}

export interface KubernetesObject {
  apiVersion: string
  kind: string
  metadata: {
    name: string
    namespace?: string
    labels?: Record<string, string>
    annotations?: Record<string, string>
  }
  [field: string]: unknown
}

interface Release {
  ajv: Ajv2020
  folder: string
}
const releases = new Map<Minor, Release>()

function release(minor: Minor): Release {
  const known = releases.get(minor)
  if (known !== undefined) return known
  installSchemas()
  const folder = join(
    CACHE,
    FOLDER,
    'kubernetes_validate',
    'kubernetes-json-schema',
    `v1.${minor}.0-local-strict`,
  )
  const ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true })
  ajv.addSchema(
    JSON.parse(readFileSync(join(folder, '_definitions.json'), 'utf8')) as object,
    'https://kubernetes.io/api/_definitions.json',
  )
  releases.set(minor, { ajv, folder })
  return { ajv, folder }
}

/** Every mistake that Kubernetes 1.`minor` would find in the shape of `object`, with its place. */
export function mistakesIn(minor: Minor, object: KubernetesObject): string[] {
  const { ajv, folder } = release(minor)
  const [group, version] = object.apiVersion.includes('/')
    ? object.apiVersion.split('/')
    : [undefined, object.apiVersion]
  const name = [
    object.kind.toLowerCase(),
    ...(group === undefined ? [] : [group.split('.')[0]]),
    version,
  ].join('-')
  const file = join(folder, `${name}.json`)
  const who = `${object.kind} ${object.metadata.name}`
  let validate = ajv.getSchema(file)
  if (validate === undefined) {
    let schema: object
    try {
      schema = JSON.parse(readFileSync(file, 'utf8')) as object
    } catch {
      return [`${who}: Kubernetes 1.${minor} has no ${object.apiVersion} ${object.kind}`]
    }
    ajv.addSchema(schema, file)
    validate = ajv.getSchema(file)!
  }
  if (validate(object) === true) return []
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) =>
      `${who}${instancePath}: ${message} ${JSON.stringify(params)}`,
  )
}
