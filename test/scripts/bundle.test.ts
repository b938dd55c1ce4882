// The bundle as it is started: what `run` really loads of it over its whole life, and what a Node
// that is too old says.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { createInterface } from 'node:readline'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { transform } from 'esbuild'
import { bundle } from '../../scripts/build.ts'
import { startCollector } from '../support/collector.ts'
import { execution, placeOf, post, until } from '../support/sidecar.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))

const folder = await realpath(await mkdtemp(join(tmpdir(), 'bundle-')))
after(() => rm(folder, { recursive: true }))
const { outputs } = await bundle(folder)
const entry = join(folder, 'usage-sidecar.js')
// Modules, as those of dist/ are by the package.json above it.
await writeFile(join(folder, 'package.json'), '{"type": "module"}')

test('run loads nothing of another command from its start to its end, a delivery included', async (t) => {
  const collector = await startCollector(t)
  const traced = join(folder, 'traced')
  const trace = join(folder, 'trace.js')
  await writeFile(
    trace,
    `import { appendFileSync } from 'node:fs'
    import { registerHooks } from 'node:module'
    registerHooks({
      load: (url, context, next) => {
        appendFileSync(${JSON.stringify(traced)}, url + '\\n')
        return next(url, context)
      },
    })`,
  )
  const { env } = await placeOf(t, { USAGE_ENDPOINT: collector.endpoint })
  const child = spawn(process.execPath, ['--import', trace, entry, 'run'], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  t.after(() => child.kill('SIGKILL'))
  let port = 0
  createInterface({ input: child.stderr }).on('line', (line) => {
    const { event, port: given } = JSON.parse(line) as { event: string; port: number }
    if (event === 'accept: ready') port = given
  })
  await until('it takes spans in', () => port !== 0)
  assert.equal((await post(port, execution())).status, 200)
  await until('the collector has them', () => collector.requests.length > 0)
  child.kill('SIGTERM')
  assert.deepEqual(await once(child, 'exit'), [0, null])

  const loaded = (await readFile(traced, 'utf8'))
    .split('\n')
    .filter((url) => url.startsWith('file:') && !url.endsWith('/trace.js'))
  const inputs = loaded.flatMap((url) =>
    Object.keys(outputs[relative(ROOT, fileURLToPath(url))]!.inputs),
  )
  for (const needed of ['src/main.ts', 'src/cli/run.ts', 'src/send/post.ts'])
    assert.ok(inputs.includes(needed), needed)
  const commands = inputs.filter((input) => input.startsWith('src/cli/'))
  assert.deepEqual(commands.sort(), ['src/cli/command.ts', 'src/cli/commands.ts', 'src/cli/run.ts'])
  assert.deepEqual(
    inputs.filter((input) => /^src\/collect\/|@opentelemetry|duckdb/.test(input)),
    [],
  )
})

test('under a Node that is too old it says in one line which one it needs, and exits 1', async () => {
  const expectLine = (command: string, args: readonly string[], version: string): void => {
    const { status, stdout, stderr } = spawnSync(command, args, {
      encoding: 'utf8',
      timeout: 20_000,
    })
    assert.equal(stderr, `usage-sidecar needs Node.js 24 or newer; this is ${version}.\n`)
    assert.deepEqual([status, stdout], [1, ''])
  }
  const preload = join(folder, 'preload.js')
  for (const version of ['20.0.0', '23.11.1']) {
    await writeFile(
      preload,
      `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`,
    )
    for (const command of ['run', 'help'])
      expectLine(process.execPath, ['--import', preload, entry, command], version)
  }
  // The Node of the machine, where it is such a one; npm puts our own first in PATH.
  const path = (process.env.PATH ?? '')
    .split(':')
    .filter((place) => !place.includes('node_modules'))
  const env = { ...process.env, PATH: path.join(':') }
  const version =
    spawnSync('node', ['--version'], { encoding: 'utf8', env }).stdout?.trim().slice(1) ?? ''
  if (/^2[0-3]\./.test(version))
    expectLine('env', [`PATH=${env.PATH}`, 'node', entry, 'run'], version)
})

test('the file that says so has no syntax and no import that Node 20 lacks', async () => {
  const text = await readFile(entry, 'utf8')
  const lowered = await transform(text, { target: 'node20', format: 'esm' })
  assert.equal(lowered.code, (await transform(text, { target: 'esnext', format: 'esm' })).code)
  const imports = [...text.matchAll(/^(?:import|export)\b[^('"]*['"]([^'"]+)['"]/gm)].map(
    (match) => match[1],
  )
  assert.deepEqual(imports, ['node:module'])
})
