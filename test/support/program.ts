// The program as a person calls it, in a process of its own.
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { temporaryFolder } from '../queue/queue-setup.ts'
import { childEnv } from './child-env.ts'

export const MAIN = new URL('../../src/main.ts', import.meta.url).pathname
/** As the design promises them. */
export const EXIT = { done: 0, failed: 1, usage: 2, config: 64 }

export interface Ended {
  status: number | null
  stdout: string
  stderr: string
}

export function call(
  args: readonly string[],
  input: Uint8Array | string = '',
  env: Record<string, string> = {},
): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    input,
    env: childEnv(env),
    timeout: 30_000,
  })
  return { status, stdout: stdout.toString('utf8'), stderr: stderr.toString('utf8') }
}

export async function fileWith(
  t: TestContext,
  name: string,
  content: Uint8Array | string,
): Promise<string> {
  const file = join(await temporaryFolder(t), name)
  await writeFile(file, content)
  return file
}
