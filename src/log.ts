// One line of JSON per event, to one writer. The text of a line is a constant and its fields are numbers, booleans
// or words of our own (a mode, an error code): raw data has no way in. Equal lines are bounded to one in ten seconds.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/** Fields of a log line. Strings must be our own words: file names of ours, modes, error codes, settings' names. */
export type LogFields = Record<string, number | boolean | string>

export interface Log {
  debug(event: string, fields?: LogFields): void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}

const QUIET_MS = 10_000
const REMEMBERED = 256

/** `write` gets whole lines; `now` is milliseconds since 1970. */
export function createLog(level: LogLevel, write: (line: string) => void, now: () => number = Date.now): Log {
  const lastAt = new Map<string, number>()
  const suppressed = new Map<string, number>()

  const emit = (at: LogLevel, event: string, fields: LogFields = {}): void => {
    if (LOG_LEVELS.indexOf(at) < LOG_LEVELS.indexOf(level)) return
    const time = now()
    const key = `${at} ${event} ${JSON.stringify(fields)}`
    const last = lastAt.get(key)
    if (last !== undefined && Math.abs(time - last) < QUIET_MS) {
      suppressed.set(key, (suppressed.get(key) ?? 0) + 1)
      return
    }
    if (lastAt.size >= REMEMBERED) {
      lastAt.clear()
      suppressed.clear()
    }
    lastAt.set(key, time)
    const repeated = suppressed.get(key)
    suppressed.delete(key)
    write(`${JSON.stringify({ time: new Date(time).toISOString(), level: at, event, ...fields, ...(repeated ? { repeated } : {}) })}\n`)
  }

  return {
    debug: (event, fields) => emit('debug', event, fields),
    info: (event, fields) => emit('info', event, fields),
    warn: (event, fields) => emit('warn', event, fields),
    error: (event, fields) => emit('error', event, fields),
  }
}
