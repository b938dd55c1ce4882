// Bundles the program into dist/: one entry, and a chunk for every command, so that `run` loads
// only what it needs. Bundling halves the memory of a Node process.
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { build, type Metafile, type Plugin } from 'esbuild'

const root = new URL('..', import.meta.url).pathname

/**
 * Loads Node's modules by `require`. An `import` reads every export once, including those that Node
 * creates on first use. In `node:http` that is WebSocket and with it fetch, which costs 15 MB.
 */
const builtinsByRequire: Plugin = {
  name: 'builtins-by-require',
  setup({ onResolve, onLoad }) {
    const ours = (importer: string): boolean => importer.startsWith(`${root}src/`)
    onResolve({ filter: /^node:/ }, ({ path, kind, importer }) =>
      kind === 'import-statement' && ours(importer) ? { path, namespace: 'builtin' } : undefined,
    )
    onLoad({ filter: /^/, namespace: 'builtin' }, ({ path }) => ({
      contents: `const builtin = require('${path}')\nexport default builtin\nexport const { ${importedFrom(path)} } = builtin`,
    }))
  },
}

/**
 * Every name that src/ imports from a module of Node. Named imports cost nothing; esbuild's own way
 * makes a getter for each export.
 */
function importedFrom(builtin: string): string {
  const files = readdirSync(`${root}src`, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  )
  const imports = new RegExp(`^import (?!type )[^']*?\\{([^}]*)\\} from '${builtin}'`, 'gm')
  const lists = files.flatMap((file) =>
    [...readFileSync(`${root}src/${file}`, 'utf8').matchAll(imports)].map((match) => match[1]!),
  )
  const names = lists
    .flatMap((list) => list.split(','))
    .map((item) => item.trim().split(' as ')[0]!)
  return [...new Set(names)].filter((name) => name !== '' && !name.startsWith('type ')).join(', ')
}

/** Writes the bundle to a folder and returns which input went into which file. */
export async function bundle(outdir: string): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { 'usage-sidecar': 'src/main.ts' },
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    chunkNames: 'chunks/[name]-[hash]',
    plugins: [builtinsByRequire],
    // A native module. Only `collect` loads it, from node_modules.
    external: ['@duckdb/node-api'],
    // Some CommonJS libraries of the demo call `require`.
    banner: {
      js: "import { createRequire as usageSidecarRequire } from 'node:module'; const require = usageSidecarRequire(import.meta.url);",
    },
    metafile: true,
    logLevel: 'warning',
  })
  return metafile
}

if (import.meta.main) {
  rmSync(`${root}dist`, { recursive: true, force: true })
  const { outputs } = await bundle('dist')
  const { version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string }
  const bytes = Object.values(outputs).reduce((sum, output) => sum + output.bytes, 0)
  process.stdout.write(
    `dist/usage-sidecar.js ${version}: ${Object.keys(outputs).length} files, ${Math.round(bytes / 1024)} KiB\n`,
  )
}
