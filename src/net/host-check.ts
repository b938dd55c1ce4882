// Which Host headers a server accepts. A web site can let its own name resolve to this machine (DNS
// rebinding). The reader's browser then sends that name, and the server must refuse it.
import { isLoopback } from '../support/setting-parsers.ts'

/** Any port: a port-forward may use another one than the server. */
const LOOPBACK = /^(localhost|[\d.]+|\[::1\])(?::\d{1,5})?$/i
/**
 * Names that no public DNS zone can hold: names without a dot, names below `localhost`, addresses.
 */
const LOCAL = /^(?:[\w-]*|[\w.-]+\.localhost|[\d.]+|\[[\da-f:.]+\])\.?(?::\d*)?$/i

/** Accepts `localhost` and every loopback address. For pages that a browser reads. */
export function isLoopbackHost(host: string | undefined): boolean {
  const name = LOOPBACK.exec(host ?? '')?.[1]
  return name !== undefined && isLoopback(name.replace(/^\[|\]$/g, '').toLowerCase())
}

/** Also accepts other addresses, and names that cannot be in DNS, such as a container's name. */
export const isLocalHost = (host: string): boolean => LOCAL.test(host)
