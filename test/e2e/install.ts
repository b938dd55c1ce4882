// Brings what the end-to-end tests need and a plain machine lacks: Debian packages by apt-get, Python packages into a
// virtual environment in the cache, by version. Throws with the name of what cannot be had.
import { join } from 'node:path'
import { CACHE, cached } from './cache.ts'
import { installDebian, runTool } from './tools.ts'

/** A command that the package brings, and the package. */
const PACKAGES: readonly [command: string, name: string][] = [
  ['/usr/bin/chromium', 'chromium'],
  ['/usr/bin/strace', 'strace'],
  ['/usr/sbin/ip', 'iproute2'],
  ['/usr/bin/tcpdump', 'tcpdump'],
  ['/usr/bin/etcd', 'etcd-server'],
  ['/usr/bin/buildah', 'buildah'],
]
const OPENTELEMETRY_PYTHON = '1.45.2'

/** Of the virtual environment with the official SDK and exporter. */
export const PYTHON = join(CACHE, `python-otlp-${OPENTELEMETRY_PYTHON}`, 'bin', 'python')

export function install(): void {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) throw new Error('The end-to-end tests need Linux and root.')
  installDebian(PACKAGES)
  cached(`python-otlp-${OPENTELEMETRY_PYTHON}`, (folder) => {
    runTool('python3', ['-m', 'venv', folder])
    const packages = ['opentelemetry-sdk', 'opentelemetry-exporter-otlp-proto-http', 'opentelemetry-exporter-otlp-proto-grpc']
    const pinned = packages.map((name) => `${name}==${OPENTELEMETRY_PYTHON}`)
    runTool(join(folder, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', ...pinned])
  })
}
