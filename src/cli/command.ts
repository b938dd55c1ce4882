// What a command is: its input, its exit code, and the error for wrong usage.
import type { Machine } from '../support/machine.ts'

/** What a command may know of its process; only main.ts touches `process`. */
export interface Host {
  env: Readonly<Record<string, string | undefined>>
  machine: Machine
  /** Program and arguments that start this program again. */
  self: readonly string[]
  out: (text: string) => void
  err: (text: string) => void
  stdin: AsyncIterable<Buffer | string>
  /** `undefined` where the output is no terminal. */
  terminal: { columns: number } | undefined
  /**
   * Takes the variables that begin so out of the environment of this process, before a library
   * reads them.
   */
  forget: (prefix: string) => void
  /** Called on SIGTERM and SIGINT; after the second one the process ends at once. */
  onStop: (stop: () => void) => void
}

export interface Input {
  flags: Readonly<Record<string, string | undefined>>
  positionals: readonly string[]
}

export interface Command {
  name: string
  usage: string
  summary: string
  /** Flags with a value. */
  flags: readonly string[]
  /** Those of the settings as well. */
  settings?: true
  /** Letters for flags: `-f` for `--file`. */
  short?: Readonly<Record<string, string>>
  /** Flags without one. */
  switches?: readonly string[]
  hidden?: true
  load: () => Promise<(host: Host, input: Input) => Promise<number>>
}

export const EXIT = { done: 0, failed: 1, usage: 2, unreviewed: 3, config: 64 } as const

/** A command used wrongly: exit 2. */
export class UsageError extends Error {}

/** The one positional argument that a command takes. */
export function onlyPositional(input: Input, what: string): string {
  const [first, ...rest] = input.positionals
  if (first === undefined || rest.length > 0) throw new UsageError(`Give ${what}.`)
  return first
}
