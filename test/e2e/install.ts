// Brings the Debian packages that the end-to-end tests need and a plain machine lacks; what is
// built from source, or comes from elsewhere, is made by the test that needs it, in the cache.
// Throws with the name of what cannot be had.
import { installDebian } from './tools.ts'

/** A command that the package brings, and the package. */
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
