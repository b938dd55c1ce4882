// Builds the OpenTelemetry Collectors of the end-to-end tests and the benchmark, with the official
// builder and pinned modules, and caches them. As a program it builds both. With `--update` it
// updates the pinned modules.
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cached, keyOf } from './cache.ts'
import { goBuild, goEnvironment } from './go.ts'
import { runTool } from './tools.ts'

const VERSION = '0.161.0'
const RECIPES = join(new URL('.', import.meta.url).pathname, 'collector')
/**
 * Build tags of the official distributions. They leave out gRPC tracing, which stops the linker
 * from removing dead code.
 */
const TAGS = '-tags=grpcnotrace'

/** `sidecar` does the sidecar's job. `usage` runs before and behind the sidecar. */
export type Recipe = 'sidecar' | 'usage'

/** Returns the path of the built Collector. */
export function collectorBinary(recipe: Recipe): string {
  const folder = join(RECIPES, recipe)
  const key = keyOf({ folder }, { folder: join(RECIPES, 'ocb') }, TAGS)
  const built = cached(`otelcol-${recipe}-${VERSION}-${key}`, (output) => {
    checkPins(folder)
    withSources(folder, ['--skip-get-modules'], (sources) => {
      for (const name of ['go.mod', 'go.sum']) copyFileSync(join(folder, name), join(sources, name))
      const env = goEnvironment()
      goBuild(sources, output, ['.'], {
        ...env,
        CGO_ENABLED: '0',
        GOFLAGS: `${env.GOFLAGS} ${TAGS}`,
      })
    })
  })
  return join(built, `otelcol-${recipe}`)
}

/**
 * The builder writes the versions of the recipe into the program, but Go uses those of go.mod. They
 * must be equal.
 */
function checkPins(folder: string): void {
  const pinned = readFileSync(join(folder, 'go.mod'), 'utf8')
  for (const [, module] of readFileSync(join(folder, 'builder.yaml'), 'utf8').matchAll(
    /gomod: (.+)/g,
  ))
    if (!pinned.includes(`\t${module}\n`) && !pinned.includes(`\t${module} //`))
      throw new Error(
        `${folder}/go.mod does not pin ${module}. Run \`node test/e2e/collector.ts --update\`.`,
      )
}

/** Generates the sources of a recipe in a folder that exists while `use` runs. */
function withSources(
  folder: string,
  options: readonly string[],
  use: (sources: string) => void,
): void {
  const work = mkdtempSync(join(tmpdir(), 'usage-ocb-'))
  try {
    const builder = cached(`ocb-${VERSION}-${keyOf({ folder: join(RECIPES, 'ocb') })}`, (output) =>
      goBuild(join(RECIPES, 'ocb'), output, ['go.opentelemetry.io/collector/cmd/builder']),
    )
    const sources = join(work, 'sources')
    mkdirSync(sources)
    const config = ['--config', join(folder, 'builder.yaml'), '--skip-compilation', ...options]
    const env = { ...goEnvironment(), 'dist.output_path': sources, GOFLAGS: '-buildvcs=false' }
    runTool(join(builder, 'builder'), config, { cwd: work, env })
    use(sources)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  for (const recipe of ['sidecar', 'usage'] as const) {
    const folder = join(RECIPES, recipe)
    if (process.argv.includes('--update'))
      withSources(folder, [], (sources) => {
        for (const name of ['go.mod', 'go.sum'])
          copyFileSync(join(sources, name), join(folder, name))
      })
    process.stdout.write(`${collectorBinary(recipe)}\n`)
  }
}
