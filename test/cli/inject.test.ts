// `inject` and `uninject` as a person calls them: a filter, what it says with --explain, and what
// it refuses.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parse } from 'yaml'
import { call, EXIT, fileWith } from '../support/program.ts'

const POD =
  'apiVersion: v1\nkind: Pod\nmetadata: {name: p} # mine\nspec:\n  containers:\n  - name: app\n    image: x\n'
const MAP = 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n'
const IMAGE = ['--image', 'registry.example/usage-sidecar:1']

test('inject is a filter, and uninject takes it back', async (t) => {
  const text = `${POD}---\r\n${MAP}`
  const piped = call(['inject', ...IMAGE], text)
  assert.deepEqual([piped.status, piped.stderr], [EXIT.done, ''])
  assert.match(piped.stdout, /image: registry\.example\/usage-sidecar:1\n/)
  assert.deepEqual(call(['inject', '-f', await fileWith(t, 'x.yaml', text), ...IMAGE]), piped)
  assert.deepEqual(call(['uninject', '-f', '-'], piped.stdout), {
    status: EXIT.done,
    stdout: text,
    stderr: '',
  })
})

test('--explain says of every object what became of it', () => {
  const text = `${MAP}---\n${POD}---\n${POD.replace('{name: p}', '{name: q, annotations: {usage-sidecar.dev/inject: disabled}}')}`
  const { status, stderr } = call(['inject', '--explain', ...IMAGE], text)
  assert.equal(status, EXIT.done)
  assert.deepEqual(stderr.trimEnd().split('\n'), [
    'document 1: ConfigMap m: left as it is, because this kind makes no pods',
    'document 2: Pod p: injected',
    'document 3: Pod q: left as it is, because it has the annotation usage-sidecar.dev/inject: disabled',
  ])
})

test('a name cannot write to the terminal or make up a line', () => {
  const text = MAP.replace('{name: m}', '{name: "m\\e[31m\\ndocument 2: Pod p: injected"}')
  assert.equal(
    call(['inject', '--explain', ...IMAGE], text).stderr,
    'document 1: ConfigMap m…[31m…document 2: Pod p: injected: left as it is, because this kind makes no pods\n',
  )
})

test('what cannot be done is told without being asked, and all the text is there', () => {
  const text = `${POD}---\nkind: [\n---\n${POD}`
  const { status, stdout, stderr } = call(['inject', ...IMAGE], text)
  assert.equal(status, EXIT.failed)
  assert.equal(stderr, 'document 2: left as it is, because it is not valid YAML\n')
  assert.deepEqual(
    [stdout.split('- name: usage-sidecar\n').length, call(['uninject'], stdout).stdout],
    [3, text],
  )
})

test('settings are flags, and a wrong one is told before anything is printed', () => {
  const set = [
    '--reporting',
    'on',
    '--endpoint',
    'https://usage.example.org',
    '--facts',
    '{"app.version": "$(X)"}',
  ]
  const { stdout } = call(['inject', ...IMAGE, ...set, '--identity-secret', 'mine'], POD)
  const { initContainers, volumes } = parse(stdout).spec
  const env = Object.fromEntries(
    (initContainers[0].env as { name: string; value: string }[]).map(({ name, value }) => [
      name,
      value,
    ]),
  )
  assert.deepEqual(
    [env.USAGE_REPORTING, env.USAGE_ENDPOINT, env.USAGE_FACTS],
    ['on', 'https://usage.example.org', '{"app.version": "$$(X)"}'],
  )
  assert.ok(
    volumes.some(
      ({ secret }: { secret?: { secretName: string } }) => secret?.secretName === 'mine',
    ),
  )
  const wrong = call(
    ['inject', ...IMAGE, '--reporting', 'on', '--http-listen', '127.0.0.1:1', '--policy', 'x'],
    POD,
  )
  assert.deepEqual([wrong.status, wrong.stdout], [EXIT.config, ''])
  assert.deepEqual(wrong.stderr.split('\n').length, 4)
  for (const flag of ['--http-listen', '--policy', 'USAGE_ENDPOINT'])
    assert.ok(wrong.stderr.includes(flag), flag)
})

test('it is used wrongly without an image, and does not read what is no text', () => {
  assert.equal(call(['inject'], POD).status, EXIT.usage)
  assert.equal(call(['inject', 'x.yaml', ...IMAGE], POD).status, EXIT.usage)
  assert.equal(call(['uninject', '--image', 'x'], POD).status, EXIT.usage)
  const binary = call(['inject', ...IMAGE], Uint8Array.of(0x6b, 0xff, 0xfe))
  assert.deepEqual(
    [binary.status, binary.stdout, binary.stderr],
    [EXIT.config, '', 'Standard input: cannot be read as UTF-8 text.\n'],
  )
})
