#!/usr/bin/env node
// The only file that touches `process`: arguments and environment in, exit code out. It imports
// nothing by name, so that even a Node that is too old for the rest can say which one is needed.
const NEEDED = 24
const SMALL = 256 * 1024 * 1024
const major = Number(process.versions.node.split('.')[0])
if (major < NEEDED) {
  process.stderr.write(
    `usage-sidecar needs Node.js ${NEEDED} or newer; this is ${process.versions.node}.\n`,
  )
  process.exitCode = 1
} else {
  const constrained = process.constrainedMemory()
  // Without a limit the kernel names a number larger than any machine.
  const memoryLimit = constrained > 0 && constrained < 2 ** 46 ? constrained : undefined
  // V8 then prefers small to fast; without flags its heap would take what the bodies of requests
  // need.
  if (memoryLimit !== undefined && memoryLimit < SMALL)
    (await import('node:v8')).setFlagsFromString('--memory-saver-mode')
  const { runCommand } = await import('./cli/commands.ts')
  const stops: (() => void)[] = []
  let signals = 0
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      for (const stop of stops) stop()
      // A second signal ends the process at once. Nothing acknowledged is only in memory.
      if (++signals > 1) process.exit(1)
    })
  }
  process.exitCode = await runCommand(process.argv.slice(2), {
    env: process.env,
    machine: {
      arch: process.arch,
      platform: process.platform,
      memoryLimit,
    },
    self: [process.execPath, ...process.execArgv, process.argv[1]!],
    out: (text) => process.stdout.write(text),
    err: (text) => process.stderr.write(text),
    stdin: process.stdin,
    terminal: process.stdout.isTTY ? { columns: process.stdout.columns } : undefined,
    forget: (prefix) => {
      for (const name of Object.keys(process.env))
        if (name.startsWith(prefix)) delete process.env[name]
    },
    onStop: (stop) => stops.push(stop),
  })
}

export {}
