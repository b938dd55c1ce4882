// Reads a policy file for the commands that want a sound one.
import { readFile } from 'node:fs/promises'
import { parsePolicy } from '../anonymize/parse.ts'
import type { Policy } from '../anonymize/policy.ts'
import { ConfigError } from '../errors.ts'

export const unreadable = (file: string): ConfigError => new ConfigError([`${file}: cannot be read.`])

export const readText = (file: string): Promise<string> =>
  readFile(file, 'utf8').catch(() => {
    throw unreadable(file)
  })

/** Throws a ConfigError whose mistakes read `file:line:column: sentence`. */
export async function readPolicy(file: string): Promise<Policy> {
  const text = await readText(file)
  try {
    return parsePolicy(text)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new ConfigError(error.mistakes.map((mistake) => `${file}:${mistake}`))
  }
}
