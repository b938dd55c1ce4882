// Runs an OpenTelemetry Collector as a process. It can be killed and started again on the same port
// and folder. If it exits by itself, its output is shown.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { freePort } from '../support/free-port.ts'
import { collectorBinary } from './collector.ts'
import { atEnd } from './processes.ts'

const RECIPES = new URL('collector/', import.meta.url).pathname
export const TOP_LEVEL_CONFIG = new URL('../../otel-collector-config.yaml', import.meta.url)
  .pathname
const READY_MS = 30_000

export const recipeFile = (name: string): string => join(RECIPES, name)

export const configFlags = (files: readonly string[]): string[] =>
  files.flatMap((file) => ['--config', file])

export interface OtelCollector {
  port: number
  /** Sends SIGKILL and waits for the exit. */
  kill(): Promise<void>
  /** Starts it again with the same settings and waits until it listens. */
  start(): Promise<void>
}

/** Starts it and waits until it listens. `env` gets the port. */
export async function startOtelCollector(
  t: TestContext,
  files: readonly string[],
  env: (port: number) => Record<string, string>,
): Promise<OtelCollector> {
  const port = await freePort()
  let child: ChildProcess | undefined
  const kill = async (): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'close')
  }
  atEnd(t, kill)
  const start = async (): Promise<void> => {
    const started = spawn(collectorBinary('usage'), configFlags(files), {
      env: env(port),
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    child = started
    let said = ''
    started.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('utf8')).slice(-8000)
    })
    for (
      const deadline = Date.now() + READY_MS;
      !(await isListening(port));
      await new Promise((resolve) => setTimeout(resolve, 20))
    )
      if (started.exitCode !== null || Date.now() > deadline)
        throw new Error(`The Collector does not listen.\n${said}`)
  }
  await start()
  return { port, kill, start }
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}
