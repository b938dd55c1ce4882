// The addresses and contacts of the project. They are in `.github/release.env` and nowhere else.
import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'

const NAMES = ['REPOSITORY', 'IMAGES', 'CHARTS', 'SECURITY_CONTACT', 'CONDUCT_CONTACT'] as const
export type ProjectVariables = Readonly<Record<(typeof NAMES)[number], string>>
export const PROJECT_FILE = '.github/release.env'

/** Throws if a variable is missing or unknown. */
export function parseProject(text: string): ProjectVariables {
  const values = parseEnv(text)
  const missing = NAMES.filter((name) => !values[name])
  if (missing.length > 0) throw new Error(`${PROJECT_FILE}: set ${missing.join(', ')}`)
  const unknown = Object.keys(values).filter((name) => !NAMES.some((known) => known === name))
  if (unknown.length > 0) throw new Error(`${PROJECT_FILE}: remove ${unknown.join(', ')}`)
  return values as ProjectVariables
}

export function projectVariables(): ProjectVariables {
  return parseProject(readFileSync(new URL(`../${PROJECT_FILE}`, import.meta.url), 'utf8'))
}

/** Names of the variables that nobody has set for a real project. */
export function placeholders(variables: ProjectVariables): string[] {
  return NAMES.filter((name) => /\bexample\b/.test(variables[name]))
}
