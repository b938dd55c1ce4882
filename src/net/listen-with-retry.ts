// Listens on a port that may be in use now and free later: another process may be about to end.
// The sidecar starts without the port and takes it when it can.
import { errorCode } from '../support/errors.ts'
import type { Log } from '../support/log.ts'
import type { ListenAddress } from '../support/setting-parsers.ts'
import { formatAddress } from './listen.ts'

export interface ListenAttempt {
  /** The setting that gives the address, for the log line. */
  setting: string
  address: ListenAddress
  listen: () => Promise<ListenAddress>
  /** Called once, with the address in use. */
  onListening: (at: ListenAddress) => void
}

const RETRY_MS = 5_000
const CAUSES: Record<string, string> = {
  EADDRINUSE: 'address in use',
  EADDRNOTAVAIL: 'address not available',
  EACCES: 'permission denied',
}

/**
 * Resolves after the first attempt, also if it failed. Attempts go on in the background until one
 * works or `signal` is aborted. They do not keep the process alive.
 */
export async function listenWithRetry(
  attempt: ListenAttempt,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const { setting, address, listen, onListening } = attempt
  try {
    onListening(await listen())
  } catch (error) {
    const code = errorCode(error)
    const cause = CAUSES[code] ?? code
    log.error(
      `cannot listen on ${formatAddress(address)} (${setting}): ${cause}; retrying in ${RETRY_MS / 1000} s`,
      { code },
    )
    setTimeout(() => {
      if (!signal.aborted) void listenWithRetry(attempt, log, signal)
    }, RETRY_MS).unref()
  }
}
