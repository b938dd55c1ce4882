// Brings what the end-to-end tests need and a plain machine lacks: Debian packages by apt-get, Python packages into a
// virtual environment in the cache, by version. Throws with the name of what cannot be had.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** A command that the package brings, and the package. */
const PACKAGES: readonly [command: string, name: string][] = [
  ['/usr/bin/chromium', 'chromium'],
  ['/usr/bin/strace', 'strace'],
  ['/usr/sbin/ip', 'iproute2'],
  ['/usr/bin/tcpdump', 'tcpdump'],
]
const OPENTELEMETRY_PYTHON = '1.45.2'
const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'usage-sidecar')

/** Of the virtual environment with the official SDK and exporter. */
export const PYTHON = join(CACHE, `python-otlp-${OPENTELEMETRY_PYTHON}`, 'bin', 'python')

export function install(): void {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) throw new Error('The end-to-end tests need Linux and root.')
  const missing = PACKAGES.filter(([command]) => !existsSync(command)).map(([, name]) => name)
  if (missing.length > 0) {
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    run('apt-get', ['update', '-qq'], env)
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], env)
  }
  if (existsSync(PYTHON)) return
  mkdirSync(CACHE, { recursive: true })
  const folder = join(CACHE, `python-otlp-${OPENTELEMETRY_PYTHON}`)
  run('python3', ['-m', 'venv', '--clear', folder])
  const packages = ['opentelemetry-sdk', 'opentelemetry-exporter-otlp-proto-http', 'opentelemetry-exporter-otlp-proto-grpc']
  run(join(folder, 'bin', 'pip'), ['install', '--quiet', ...packages.map((name) => `${name}==${OPENTELEMETRY_PYTHON}`)])
}

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): void {
  const { status, error } = spawnSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env })
  if (status !== 0) throw new Error(`${command} ${args.slice(0, 3).join(' ')} … failed (${error?.message ?? `exit code ${status}`}).`)
}
