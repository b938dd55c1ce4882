// Reads the policy for the commands that want a sound one: a file, or what the settings of the
// sidecar name.
import { createReadStream } from 'node:fs'
import { applyOverlay } from '../policy/overlay.ts'
import { parsePolicy } from '../policy/parse.ts'
import type { Policy } from '../policy/policy.ts'
import { ConfigError } from '../support/errors.ts'
import { type Host, type Input, UsageError } from './command.ts'

export const unreadable = (file: string): ConfigError =>
  new ConfigError([`${file}: cannot be read.`])

/** What is longer is refused for its length, and a device would never end. */
const ENOUGH_BYTES = 1024 * 1024 + 1

export async function readText(file: string): Promise<string> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of createReadStream(file, { end: ENOUGH_BYTES - 1 }))
      chunks.push(chunk as Buffer)
  } catch {
    throw unreadable(file)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Throws a ConfigError whose errors read `file:line:column: sentence`. */
export async function readPolicy(file: string): Promise<Policy> {
  const text = await readText(file)
  try {
    return parsePolicy(text)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(error.errors.map((message) => `${file}:${message}`))
  }
}

/** A flag, or the setting of the same name; the empty text is none. */
export const setting = (host: Host, input: Input, flag: string, name: string): string | undefined =>
  input.flags[flag] ?? (host.env[name] === '' ? undefined : host.env[name])

/** The policy as the overlay narrows it, by flags or by the settings of the sidecar. */
export async function policyOf(host: Host, input: Input): Promise<Policy> {
  const file = setting(host, input, 'policy', 'USAGE_POLICY')
  const text = setting(host, input, 'policy-text', 'USAGE_POLICY_TEXT')
  const overlay = setting(host, input, 'policy-overlay', 'USAGE_POLICY_OVERLAY')
  if (file === undefined && text === undefined)
    throw new UsageError('Name the policy: --policy, or USAGE_POLICY.')
  const policy =
    file === undefined
      ? named('USAGE_POLICY_TEXT', () => parsePolicy(text!))
      : await readPolicy(file)
  if (overlay === undefined) return policy
  const narrows = await readText(overlay)
  return named(overlay, () => applyOverlay(policy, narrows))
}

/** Says where the errors are. */
function named<T>(where: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(error.errors.map((message) => `${where}:${message}`))
  }
}
