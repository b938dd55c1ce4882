// Runs one client program. Each line on its input is one execution. The end of its input ends the
// program.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { TestContext } from 'node:test'
import type { Client } from './client-programs.ts'
import { atEnd } from './processes.ts'

/** SDKs allow 10 seconds for the last export at shutdown. The rest is for a busy machine. */
const END_MS = 45_000

export interface Ports {
  http: number
  grpc: number
}

export interface Ended {
  code: number | null
  stdout: string
  stderr: string
  /** Time from the end of its input to its exit. */
  ms: number
}

export interface ClientRun {
  execute(count: number): void
  /** Ends its input and waits for its exit. */
  end(): Promise<Ended>
}

export function startClient(
  t: TestContext,
  { name, command }: Pick<Client, 'name' | 'command'>,
  { http, grpc }: Ports,
  env: Record<string, string> = {},
): ClientRun {
  const [program, ...args] = command
  const endpoints = {
    USAGE_OTLP_ENDPOINT: `http://127.0.0.1:${http}`,
    USAGE_OTLP_GRPC_ENDPOINT: `http://127.0.0.1:${grpc}`,
  }
  // Python writes nothing into the checkout.
  const standard = { PATH: process.env.PATH, PYTHONDONTWRITEBYTECODE: '1', ...endpoints }
  const child = spawn(program!, args, {
    env: { ...standard, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  const closed = once(child, 'close')
  const ended: Ended = { code: null, stdout: '', stderr: '', ms: 0 }
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (text: string) => {
      ended[stream] += text
    })
  // The exit code reports it.
  child.stdin.on('error', () => undefined)
  atEnd(t, async () => {
    child.kill('SIGKILL')
    await closed
  })
  return {
    execute: (count) => void child.stdin.write('next\n'.repeat(count)),
    end: async () => {
      const began = performance.now()
      child.stdin.end()
      let late = false
      const timer = setTimeout(() => {
        late = true
        child.kill('SIGKILL')
      }, END_MS)
      ;[ended.code] = await closed
      clearTimeout(timer)
      assert.ok(!late, `${name} did not end in ${END_MS} ms\n${ended.stdout}${ended.stderr}`)
      ended.ms = Math.round(performance.now() - began)
      return ended
    },
  }
}
