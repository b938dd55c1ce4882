// What `run` loads of the bundle, and of Node: each room, library or part of Node that slips in
// costs memory in every pod.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { bundle } from '../../scripts/build.ts'
import { temporaryFolder } from '../support/sidecar.ts'
import { DEFAULT_POLICY_FILE } from '../support/spans.ts'

/** Where `run` begins, and what it imports when it is asked to. */
const ENTRIES = ['src/main.ts', 'src/cli/commands.ts', 'src/support/settings.ts', 'src/cli/run.ts']
const FOLDERS = [
  'accept',
  'anonymize',
  'cli',
  'consent',
  'enrich',
  'identity',
  'net',
  'otlp',
  'page',
  'policy',
  'queue',
  'send',
  'sidecar',
  'support',
]

test('`run` loads only its own folders and the libraries ulid and yaml', async (t) => {
  const { outputs } = await bundle(await temporaryFolder(t))
  const loaded = new Set<string>()
  const visit = (path: string): void => {
    const output = outputs[path]
    if (output === undefined || loaded.has(path)) return
    loaded.add(path)
    for (const { path: next, kind } of output.imports) if (kind === 'import-statement') visit(next)
  }
  for (const [path, { entryPoint }] of Object.entries(outputs))
    if (ENTRIES.includes(entryPoint ?? '')) visit(path)
  const inputs = [...loaded].flatMap((path) => Object.keys(outputs[path]!.inputs))
  const folders = inputs.map(
    (path) => /(?:^|\/)src\/([\w-]+)\/(?!.*node_modules)/.exec(path)?.[1] ?? 'none',
  )
  const libraries = inputs.map(
    (path) => /node_modules\/((?:@[\w-]+\/)?[\w-]+)\//.exec(path)?.[1] ?? 'none',
  )
  assert.deepEqual([...new Set(folders)].filter((one) => one !== 'none').sort(), FOLDERS)
  assert.deepEqual([...new Set(libraries)].filter((library) => library !== 'none').sort(), [
    'ulid',
    'yaml',
  ])
  assert.ok(
    !inputs.includes('src/send/post.ts'),
    'the outgoing connection is loaded before there is something to send',
  )
})

test('a sidecar that has nothing to send has loaded neither the fetch of Node nor its TLS', async (t) => {
  const folder = await temporaryFolder(t)
  await bundle(folder)
  const tell = join(folder, 'tell.cjs')
  await writeFile(
    tell,
    "process.on('exit', () => process.stdout.write(process.moduleLoadList.join('\\n')))",
  )
  const child = spawn(
    process.execPath,
    ['--require', tell, join(folder, 'usage-sidecar.js'), 'run'],
    {
      env: {
        USAGE_REPORTING: 'on',
        USAGE_POLICY: DEFAULT_POLICY_FILE,
        USAGE_ENDPOINT: 'https://127.0.0.1:1',
        USAGE_HTTP_LISTEN: '127.0.0.1:0',
        USAGE_HEALTH_LISTEN: '127.0.0.1:0',
        USAGE_GRPC_LISTEN: '127.0.0.1:0',
        USAGE_PAGE_LISTEN: '127.0.0.1:0',
        USAGE_DATA_DIR: join(folder, 'data'),
        USAGE_IDENTITY_DIR: join(folder, 'identity'),
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  t.after(() => child.kill('SIGKILL'))
  let loaded = ''
  child.stdout.on('data', (chunk: Buffer) => {
    loaded += chunk.toString('utf8')
  })
  child.stderr.on('data', (line: Buffer) => {
    if (line.includes('accept: ready')) child.kill('SIGTERM')
  })
  await once(child, 'close')
  assert.match(loaded, /NativeModule http\n/, 'the list of what Node loaded is there')
  assert.deepEqual(
    loaded.split('\n').filter((name) => /undici|NativeModule (https|tls|http2)$/.test(name)),
    [],
  )
})
