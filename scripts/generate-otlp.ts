// Generates test/support/otlp-generated/ from test/support/otlp-proto/ with protoc and ts-proto.
// With --check it writes nothing and exits 1 if the committed files differ.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const PROTOS = join(import.meta.dirname, '../test/support/otlp-proto')
const GENERATED = join(import.meta.dirname, '../test/support/otlp-generated')

/**
 * The result runs under type stripping (no enums, `.ts` imports), keeps 64 bits, and exposes
 * unknown fields.
 */
const OPTIONS = [
  'esModuleInterop=true',
  'importSuffix=.ts',
  'forceLong=bigint',
  'enumsAsLiterals=true',
  'unrecognizedEnum=false',
  'unknownFields=true',
  'outputJsonMethods=false',
  'outputPartialMethods=false',
  'outputServices=none',
]

function generate(folder: string): void {
  const { resolve } = createRequire(import.meta.url)
  const protos = files(PROTOS).filter((name) => name.endsWith('.proto'))
  execFileSync(process.execPath, [
    join(dirname(resolve('protoc/package.json')), 'protoc.cjs'),
    `--plugin=protoc-gen-ts_proto=${join(dirname(resolve('ts-proto/package.json')), 'protoc-gen-ts_proto')}`,
    `--proto_path=${PROTOS}`,
    `--ts_proto_out=${folder}`,
    `--ts_proto_opt=${OPTIONS.join(',')}`,
    ...protos.map((name) => join(PROTOS, name)),
  ])
}

const files = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()

const contents = (folder: string): string =>
  files(folder).reduce(
    (text, name) => `${text}\0${name}\0${readFileSync(join(folder, name), 'utf8')}`,
    '',
  )

const fresh = mkdtempSync(join(tmpdir(), 'otlp-generated-'))
try {
  generate(fresh)
  if (!process.argv.includes('--check')) {
    rmSync(GENERATED, { recursive: true, force: true })
    mkdirSync(GENERATED)
    cpSync(fresh, GENERATED, { recursive: true })
  } else if (contents(fresh) !== contents(GENERATED)) {
    console.error(
      'test/support/otlp-generated differs from what test/support/otlp-proto gives. Run: node scripts/generate-otlp.ts',
    )
    process.exitCode = 1
  }
} finally {
  rmSync(fresh, { recursive: true, force: true })
}
