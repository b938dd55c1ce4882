// When to send, and when to retry: a fresh random moment in each interval, full jitter after a
// failure, and never sooner than the collector asks. Pure functions: time and randomness come from
// the caller.

/** OTLP/HTTP "Retryable Response Codes". No other status may be retried. */
// promise: unavailable-retried
const RETRYABLE = new Set([429, 502, 503, 504])
const FIRST_WAIT_MS = 1_000
const MAX_WAIT_MS = 3_600_000
/** A collector can ask for a day of silence, not for more. */
const MAX_RETRY_AFTER_MS = 86_400_000

/** The code of an answer that is larger than OTLP/HTTP allows. Its request is not retried. */
export const TOO_LARGE = 'TOO_LARGE'

export type Result = 'delivered' | 'refused' | 'retry'

/** Status 0 means no answer. A redirect is a refusal, because the body must not go elsewhere. */
export function resultOf(status: number, code = ''): Result {
  // promise: redirect-not-followed
  if (status >= 200 && status < 300) return 'delivered'
  if (code === TOO_LARGE) return 'refused'
  // promise: refusal-not-retried
  return status === 0 || RETRYABLE.has(status) ? 'retry' : 'refused'
}

/**
 * The wait before attempt `failures + 1`: what Retry-After asks for, then full jitter over an
 * exponential bound. The jitter is at least as wide as Retry-After, an hour at most. So a date that
 * many sidecars get does not bring them back in the same second.
 */
export function waitMs(
  failures: number,
  retryAfterMs: number | undefined,
  random: () => number,
  firstMs = FIRST_WAIT_MS,
): number {
  const asked = Math.min(retryAfterMs ?? 0, MAX_RETRY_AFTER_MS)
  const bound = Math.min(MAX_WAIT_MS, Math.max(firstMs * 2 ** failures, asked))
  return asked + Math.floor(random() * bound)
}

/** The three forms of a date in HTTP (RFC 9110 5.6.7). The asctime form means GMT, too. */
const HTTP_DATE =
  /^[A-Z][a-z]{2,8}(?:, \d\d[ -][A-Z][a-z]{2}[ -](?:\d{4}|\d\d) \d\d:\d\d:\d\d GMT| [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \d{4})$/

/** Retry-After (RFC 9110 10.2.3): seconds, or a date. `undefined` if it is neither. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  const text = header?.trim() ?? ''
  if (/^\d+$/.test(text)) return Number(text) * 1000
  const date = HTTP_DATE.test(text)
    ? Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
    : Number.NaN
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs)
}

/** A random moment in interval number `index` since `startMs`. */
export function momentOf(
  index: number,
  startMs: number,
  intervalMs: number,
  random: () => number,
): number {
  return startMs + index * intervalMs + Math.floor(random() * intervalMs)
}
