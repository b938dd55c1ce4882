// The program as a person calls it: what it prints where, and the exit code that tells a script how
// it went.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import packageJson from '../../package.json' with { type: 'json' }
import type { Host } from '../../src/cli/command.ts'
import { COMMANDS, runCommand } from '../../src/cli/commands.ts'
import { SETTINGS } from '../../src/support/settings.ts'
import { temporaryFolder } from '../queue/queue-setup.ts'
import { childEnv } from '../support/child-env.ts'
import { call, EXIT, MAIN } from '../support/program.ts'
import { DEFAULT_POLICY_FILE } from '../support/spans.ts'

test('help prints every command with its usage, and the exit codes', () => {
  const { status, stdout, stderr } = call(['help'])
  assert.deepEqual([status, stderr], [EXIT.done, ''])
  for (const { usage, summary, hidden } of COMMANDS) {
    assert.equal(
      stdout.includes(`  usage-sidecar ${usage}\n      ${summary}\n`),
      hidden !== true,
      usage,
    )
  }
  assert.match(stdout, /\nExit codes: 0 done, 1 .*, 2 .*, 64 .*\.\n$/)
  for (const args of [['--help'], ['-h']]) assert.deepEqual(call(args), { status, stdout, stderr })
  assert.deepEqual(call([]), { status: EXIT.usage, stdout, stderr })
})

test('--version prints the version of the package', () => {
  const stdout = `usage-sidecar ${packageJson.version}\n`
  assert.deepEqual(call(['--version']), { status: EXIT.done, stdout, stderr: '' })
})

test('--help explains every command, whatever stands beside it', () => {
  for (const { name, usage, summary, settings } of COMMANDS)
    for (const more of [['--help'], ['-h'], ['CANARY', '--help', '--CANARY']]) {
      const { status, stdout, stderr } = call([...name.split(' '), ...more])
      assert.deepEqual([status, stderr], [EXIT.done, ''], name)
      assert.ok(stdout.startsWith(`Usage: usage-sidecar ${usage}\n\n${summary}\n`), stdout)
      for (const setting of settings ? SETTINGS : [])
        assert.ok(stdout.includes(`(${setting.name}`) && stdout.includes(setting.description))
    }
})

test('the first word of a group of commands lists them', () => {
  const { status, stdout, stderr } = call(['policy'])
  assert.deepEqual([status, stderr], [EXIT.usage, ''])
  for (const { name, usage } of COMMANDS)
    assert.equal(stdout.includes(`usage-sidecar ${usage}\n`), name.startsWith('policy '), usage)
  assert.deepEqual(call(['policy', '--help']), { status: EXIT.done, stdout, stderr })
})

test('an unknown command is wrong usage, and anything but a plain word is not repeated', () => {
  for (const args of [['CANARY'], ['policy', 'CANARY'], ['Run'], ['--Version']])
    assert.deepEqual(call(args), {
      status: EXIT.usage,
      stdout: '',
      stderr: 'Unknown command.\nSee: usage-sidecar help\n',
    })
})

test('an unknown command or flag is named, with the nearest one', () => {
  const cases: [args: string[], sentence: string][] = [
    [['polcy', 'check'], 'Unknown command `polcy`. Did you mean `policy`?'],
    [['policy', 'chek'], 'Unknown command `chek`. Did you mean `check`?'],
    [['frobnicate'], 'Unknown command `frobnicate`.'],
    [
      ['run', '--http-lisen', '127.0.0.1:1'],
      'Unknown flag `--http-lisen`. Did you mean `--http-listen`?',
    ],
    [['run', '--http-lisen=CANARY'], 'Unknown flag `--http-lisen`. Did you mean `--http-listen`?'],
    [['demo', '--onc'], 'Unknown flag `--onc`. Did you mean `--once`?'],
    [['demo', '-x'], 'Unknown flag `-x`.'],
    [['policy', 'sheet', '--format'], '`--format` has no value. Give one after it.'],
    [['run', '--policy', '--endpoint', 'x'], '`--policy` has no value. Give one after it.'],
    [['demo', '--once=CANARY'], '`--once` takes no value. Give it alone.'],
  ]
  for (const [args, sentence] of cases) {
    const { status, stdout, stderr } = call(args)
    assert.deepEqual([status, stdout, stderr.split('\n')[0]], [EXIT.usage, '', sentence])
    assert.doesNotMatch(stderr, /CANARY/)
  }
})

const WRONG_USAGE: string[][] = [
  ['run', 'CANARY'],
  ['run', '--CANARY', 'x'],
  ['run', '--policy'],
  ['policy check'],
  ['policy check', 'CANARY', 'CANARY'],
  ['policy check', '--CANARY', 'CANARY'],
  ['policy sheet'],
  ['policy diff', 'CANARY'],
  ['policy preview'],
  ['policy preview', '--policy', 'CANARY'],
  ['policy preview', '--input', 'CANARY'],
  ['policy preview', '--policy', 'CANARY', '--input', 'CANARY', 'CANARY'],
  ['show', 'CANARY', 'CANARY'],
  ['collect', 'CANARY'],
  ['collect', '--CANARY'],
  ['collect', '--listen'],
  ['demo', 'CANARY'],
  ['demo', '--once=CANARY'],
]
test('wrong usage is told with the usage of the command, and nothing of what was given', () => {
  for (const [name = '', ...given] of WRONG_USAGE) {
    const { status, stdout, stderr } = call([...name.split(' '), ...given])
    assert.deepEqual([status, stdout], [EXIT.usage, ''], `${name} ${given.join(' ')}`)
    const { usage } = COMMANDS.find((command) => command.name === name)!
    assert.match(stderr, /^.*[.?]\nUsage: /)
    assert.ok(stderr.endsWith(`\nUsage: usage-sidecar ${usage}\n`), stderr)
    assert.doesNotMatch(stderr, /CANARY/)
  }
})

test('collect tells all wrong flags at once and repeats none', () => {
  const { status, stdout, stderr } = call([
    'collect',
    '--listen',
    'CANARY',
    '--page-listen',
    '0.0.0.0:1',
  ])
  assert.deepEqual([status, stdout], [EXIT.config, ''])
  assert.match(stderr, /^--listen must .*\.\n--page-listen must .*\.\n$/)
  assert.doesNotMatch(stderr, /CANARY|0\.0\.0\.0/)
})

test('a fault of ours is told by its place, and by nothing of the text of its error', async () => {
  const written: string[] = []
  const host: Host = {
    env: { USAGE_LOG_LEVEL: 'debug' },
    machine: { arch: 'x64', platform: 'linux', memoryLimit: undefined },
    self: [],
    out: () => {
      throw new Error('CANARY.ts:1:1')
    },
    err: (line) => written.push(line),
    stdin: Readable.from([]),
    forget: () => undefined,
    terminal: undefined,
    onStop: () => undefined,
  }
  assert.equal(await runCommand(['policy', 'check', DEFAULT_POLICY_FILE], host), EXIT.failed)
  assert.match(
    written.join(''),
    /^usage-sidecar policy check failed \(commands\.test\.ts:\d+:\d+\)\.\n$/,
  )
})

test('a command whose work fails says so by a code, and exits 1', async (t) => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const taken = `127.0.0.1:${(server.address() as { port: number }).port}`
  const flags = [
    '--listen',
    taken,
    '--page-listen',
    '127.0.0.1:0',
    '--data-dir',
    join(await temporaryFolder(t), 'CANARY'),
  ]
  const { status, stdout, stderr } = call(['collect', ...flags], '', { USAGE_LOG_LEVEL: 'debug' })
  assert.deepEqual([status, stdout], [EXIT.failed, ''])
  assert.match(stderr, /^usage-sidecar collect failed \(EADDRINUSE\)\.\n$/m)
  assert.doesNotMatch(stderr, /CANARY/)
})

for (const [command, flags] of [
  [
    'run',
    [
      '--reporting',
      'local',
      '--policy',
      DEFAULT_POLICY_FILE,
      '--http-listen',
      '127.0.0.1:0',
      '--health-listen',
      '127.0.0.1:0',
    ],
  ],
  [
    'run',
    ['--reporting', 'CANARY', '--http-listen', '127.0.0.1:0', '--health-listen', '127.0.0.1:0'],
  ],
  ['collect', ['--listen', '127.0.0.1:0', '--page-listen', '127.0.0.1:0']],
] as const) {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    test(`${command} ${flags[1]} ends with 0 on ${signal}`, { timeout: 60_000 }, async (t) => {
      const dataDir = join(await temporaryFolder(t), 'data')
      await mkdir(dataDir)
      const child = spawn(process.execPath, [MAIN, command, ...flags, '--data-dir', dataDir], {
        env: childEnv({}),
        stdio: ['ignore', 'ignore', 'pipe'],
      })
      t.after(() => child.kill('SIGKILL'))
      const lines = createInterface({ input: child.stderr })
      for await (const line of lines) if (/"event":"(accept|collect): ready"/.test(line)) break
      child.stderr.resume()
      child.kill(signal)
      assert.deepEqual(await once(child, 'exit'), [0, null])
    })
  }
}
