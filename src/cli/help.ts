// The texts of `help` and `--help`, made from the tables of commands and settings.
import packageJson from '../../package.json' with { type: 'json' }
import { flagOf, SETTINGS } from '../support/settings.ts'
import type { Command } from './command.ts'

const EXIT_CODES =
  'Exit codes: 0 done, 1 the work failed, 2 wrong usage, 3 not reviewed, 64 wrong configuration.\n'

export const version = (): string => `usage-sidecar ${packageJson.version}\n`

/** The usage and summary of these commands. */
export const listOf = (commands: readonly Command[]): string =>
  commands
    .filter(({ hidden }) => hidden !== true)
    .map(({ usage, summary }) => `  usage-sidecar ${usage}\n      ${summary}\n`)
    .join('')

export const help = (commands: readonly Command[]): string =>
  `usage-sidecar: reports to an open source project how it is used, without naming users.\n\n${listOf(commands)}\nCOMMAND --help explains one command, --version prints the version.\n${EXIT_CODES}`

export function commandHelp({ usage, summary, settings }: Command): string {
  const rows = settings
    ? SETTINGS.map(
        ({ name, default: fallback, description }) =>
          `  --${flagOf(name)} (${name}${fallback === undefined ? '' : `, default ${fallback}`})\n      ${description}\n`,
      )
    : []
  const list = rows.length === 0 ? '' : `\nSettings:\n${rows.join('')}`
  return `Usage: usage-sidecar ${usage}\n\n${summary}\n${list}\n${EXIT_CODES}`
}

/** Words of another shape may hold anything, so they are not repeated. */
const PLAIN = /^-{0,2}[a-z][a-z-]{0,40}$/

/** Names the word, and the nearest of those that exist. */
export function unknown(kind: string, word: string, known: readonly string[]): string {
  if (!PLAIN.test(word)) return `Unknown ${kind}.`
  const [nearest] = known
    .map((each) => ({ each, distance: distanceOf(word, each) }))
    .toSorted((a, b) => a.distance - b.distance)
  const near = nearest !== undefined && nearest.distance <= Math.max(2, word.length / 4)
  return `Unknown ${kind} \`${word}\`.${near ? ` Did you mean \`${nearest.each}\`?` : ''}`
}

/** How many letters to insert, remove or replace between two words (Levenshtein). */
function distanceOf(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
    }
    row = next
  }
  return row[b.length]!
}
