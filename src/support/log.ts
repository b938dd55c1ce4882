// One line of JSON per event, to one writer. The text of a line is a constant and its fields are
// numbers, booleans or words of our own (a mode, an error code): raw data has no way in. A line
// that comes again and again is written after ten seconds, twenty, and so on to an hour, with how
// often it came; whatever lasts for a week does not fill a disk.

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'
export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']

/**
 * Fields of a log line. Strings must be our own words: file names of ours, modes, error codes,
 * settings' names.
 */
export type LogFields = Record<string, number | boolean | string>

export interface Log {
  /** Exists at the level debug only: `log.debug?.(…)` evaluates no fields at other levels. */
  debug?: (event: string, fields?: LogFields) => void
  info(event: string, fields?: LogFields): void
  warn(event: string, fields?: LogFields): void
  error(event: string, fields?: LogFields): void
}

const QUIET_MS = 10_000
const LONGEST_QUIET_MS = 3_600_000
const REMEMBERED = 256

/** `write` gets whole lines; `now` is milliseconds since 1970. */
export function createLog(
  level: LogLevel,
  write: (line: string) => void,
  now: () => number = Date.now,
): Log {
  const written = new Map<string, { at: number; quietMs: number; repeated: number }>()

  const emit = (at: LogLevel, event: string, fields: LogFields = {}): void => {
    if (LOG_LEVELS.indexOf(at) < LOG_LEVELS.indexOf(level)) return
    const time = now()
    const key = `${at} ${event} ${JSON.stringify(fields)}`
    const last = written.get(key)
    // Also of a clock that was set back.
    const ago = last === undefined ? Number.POSITIVE_INFINITY : Math.abs(time - last.at)
    if (last !== undefined && ago < last.quietMs) {
      last.repeated++
      return
    }
    // promise: log-memory-bounded
    if (written.size >= REMEMBERED) written.clear()
    const goesOn = last !== undefined && ago < 2 * last.quietMs
    // promise: log-repeats-bounded
    written.set(key, {
      at: time,
      quietMs: goesOn ? Math.min(2 * last.quietMs, LONGEST_QUIET_MS) : QUIET_MS,
      repeated: 0,
    })
    const repeated = last?.repeated
    write(
      `${JSON.stringify({ time: new Date(time).toISOString(), level: at, event, ...fields, ...(repeated ? { repeated } : {}) })}\n`,
    )
  }

  return {
    ...(level === 'debug'
      ? { debug: (event: string, fields?: LogFields) => emit('debug', event, fields) }
      : {}),
    info: (event, fields) => emit('info', event, fields),
    warn: (event, fields) => emit('warn', event, fields),
    error: (event, fields) => emit('error', event, fields),
  }
}
