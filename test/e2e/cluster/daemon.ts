// A program of Kubernetes that runs beside a test: its output in a file, and its end certain. The
// kernel kills it when the test's process is gone, however that went.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const STOP_MS = 10_000

export interface Daemon {
  child: ChildProcess
  /** Its last lines, for an error message. */
  tail(): string
  stop(): Promise<void>
}

export function startDaemon(
  folder: string,
  name: string,
  command: readonly string[],
  env: NodeJS.ProcessEnv = process.env,
): Daemon {
  const file = join(folder, `${name}.log`)
  const output = openSync(file, 'a')
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...command], {
    stdio: ['ignore', output, output],
    env,
  })
  closeSync(output)
  // A test that has nothing more to do is over, whatever runs beside it.
  child.unref()
  const tail = (): string => readFileSync(file, 'utf8').split('\n').slice(-15).join('\n')
  const stop = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
    await once(child, 'exit')
    clearTimeout(late)
  }
  return { child, tail, stop }
}

/**
 * Waits until it holds; throws, with what the program said last, when it has ended or the time is
 * over.
 */
export async function ready(
  { child, tail }: Daemon,
  what: string,
  holds: () => boolean | Promise<boolean>,
  seconds = 90,
): Promise<void> {
  const deadline = Date.now() + 1000 * seconds
  while (!(await holds())) {
    const over = Date.now() > deadline
    if (over || child.exitCode !== null || child.signalCode !== null)
      throw new Error(
        `${what}: ${over ? `not after ${seconds} s` : 'the program has ended'}.\n${tail()}`,
      )
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
