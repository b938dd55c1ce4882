// Installs the Debian packages that the end-to-end tests need. Each test builds its other programs
// itself, in the cache. Throws with the name of a package that cannot be installed.
import { installDebian } from './tools.ts'

/** A command, and the package that contains it. */
const PACKAGES: readonly [command: string, name: string][] = [
  ['/usr/bin/chromium', 'chromium'],
  ['/usr/bin/strace', 'strace'],
  ['/usr/sbin/ip', 'iproute2'],
  ['/usr/bin/tcpdump', 'tcpdump'],
  ['/usr/bin/etcd', 'etcd-server'],
  ['/usr/bin/buildah', 'buildah'],
]

export function install(): void {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    throw new Error('The end-to-end tests need Linux and root.')
  installDebian(PACKAGES)
}
