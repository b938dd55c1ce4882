// Bundles the program into dist/: one entry and a chunk for every command, so that `run` loads only what it needs.
// Bundling halves the memory of a Node process, and the chunks keep the demo's SDK and the collector out of it.
import { readFileSync, rmSync } from 'node:fs'
import { build } from 'esbuild'

const root = new URL('..', import.meta.url).pathname
rmSync(`${root}dist`, { recursive: true, force: true })
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: { 'usage-sidecar': 'src/main.ts' },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  chunkNames: 'chunks/[name]-[hash]',
  // A native module: it is loaded from node_modules, by `collect` alone.
  external: ['@duckdb/node-api'],
  // Some libraries of the demo are CommonJS inside and ask for `require`.
  banner: {
    js: "import { createRequire as usageSidecarRequire } from 'node:module'; const require = usageSidecarRequire(import.meta.url);",
  },
  metafile: true,
  logLevel: 'warning',
})
const version = (JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { version: string }).version
const bytes = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0)
process.stdout.write(`dist/usage-sidecar.js ${version}: ${Object.keys(metafile.outputs).length} files, ${Math.round(bytes / 1024)} KiB\n`)
