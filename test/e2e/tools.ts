// Runs a tool of the end-to-end tests, and installs it from Debian if it is missing. An error names
// the command and its output.
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, writeFileSync } from 'node:fs'

export interface RunOptions {
  cwd?: string
  env?: NodeJS.ProcessEnv
}

/** Waits for its exit. Returns its output. */
export function runTool(
  command: string,
  args: readonly string[],
  { cwd, env = process.env }: RunOptions = {},
): string {
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  })
  if (status === 0) return stdout
  const why = error?.message ?? (signal === null ? `exit code ${status}` : signal)
  throw new Error(
    `${[command, ...args.slice(0, 4)].join(' ')} failed (${why}).\n${`${stdout}${stderr}`.slice(-4000)}`,
  )
}

/** Debian packages whose command is missing. */
export function installDebian(
  packages: readonly (readonly [command: string, name: string])[],
): void {
  aptInstall(packages.filter(([command]) => !existsSync(command)).map(([, name]) => name))
}

export function aptInstall(names: readonly string[]): void {
  if (names.length === 0) return
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  runTool('apt-get', ['update', '-qq'], { env })
  // Debian starts installed services unless this file exits with 101. A test starts its own.
  const starts = '/usr/sbin/policy-rc.d'
  const guard = !existsSync(starts)
  if (guard) writeFileSync(starts, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    runTool('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], { env })
  } finally {
    if (guard) rmSync(starts)
  }
}

export function works(command: string, args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}
