// The errors that the pipeline distinguishes. Their messages contain no text of a library and no
// byte of input (promise 3), so they may be logged and sent to clients.
import type { RefusalStatus } from './counters.ts'

/**
 * A request that is not answered 200. `status` is the HTTP status; `retryAfterSeconds` is set where
 * a retry can succeed.
 */
export class Refusal extends Error {
  readonly status: RefusalStatus
  readonly retryAfterSeconds: number | undefined

  constructor(status: RefusalStatus, message: string, retryAfterSeconds?: number) {
    super(message)
    this.name = 'Refusal'
    this.status = status
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** 400: these bytes will never be understood; `position` is the offset in the (inflated) body. */
export const badRequest = (what: string, position: number): Refusal =>
  new Refusal(400, `${what} at byte ${position}. Send an OTLP ExportTraceServiceRequest.`)

/** 503: nothing is wrong with the request, send the same bytes later. */
export const retryLater = (why: string, afterSeconds: number): Refusal =>
  new Refusal(503, why, afterSeconds)

/**
 * Wrong settings, policy or facts: every error at once, each a sentence that says where it is and
 * what to do.
 */
export class ConfigError extends Error {
  readonly errors: readonly string[]

  constructor(errors: readonly string[]) {
    super(errors.join('\n'))
    this.name = 'ConfigError'
    this.errors = errors
  }
}

/**
 * The code of a system error (`ENOSPC`, `ECONNREFUSED`), never its message: messages quote paths
 * and input.
 */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,40}$/.test(code) ? code : 'UNKNOWN'
}

/**
 * Where in our code an error was thrown, such as `queue.ts:12:3`, never its text, which the stack
 * begins with.
 */
export function placeOf(error: unknown): string {
  const { stack = '', message = '' } = error instanceof Error ? error : {}
  // promise: errors-logged-by-place
  const frames = stack.includes(message) ? stack.slice(stack.indexOf(message) + message.length) : ''
  return /([\w.-]+\.[jt]s:\d+:\d+)/.exec(frames)?.[1] ?? 'unknown'
}

/** An error that is recognized by its code, like the errors of the system. */
export const systemError = (code: string, message: string): Error =>
  Object.assign(new Error(message), { code })
