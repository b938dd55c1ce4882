// Makes docs/decisions/README.md, the overview of all decisions, from the files beside it. Throws
// if a file breaks the form that the overview describes.
import { readdirSync, readFileSync } from 'node:fs'

const FOLDER = new URL('../docs/decisions/', import.meta.url).pathname
const OVERVIEW = 'README.md'
const NAME = /^(\d{4})-[a-z0-9]+(-[a-z0-9]+)*\.md$/
/** A decision fits on one screen. */
const MAX_LINES = 50

const INTRODUCTION = `# Decisions

Each file records one decision: its context, the decision and the consequence. Read the ones for
the folder that you change. To add a decision, take the next number and run \`npm run generate\`.
If a decision no longer holds, rewrite its file and say why in the commit.
`

/** The overview and its path. */
export function decisionsOverview(): [path: string, content: string] {
  const files = readdirSync(FOLDER)
    .filter((name) => name !== OVERVIEW)
    .sort()
  const lines = files.map(
    (name, index) => `- [${name.slice(0, 4)}](${name}) ${titleOf(name, index + 1)}`,
  )
  return [FOLDER + OVERVIEW, `${INTRODUCTION}\n${lines.join('\n')}\n`]
}

function titleOf(name: string, number: number): string {
  if (Number(NAME.exec(name)?.[1]) !== number)
    throw new Error(
      `docs/decisions/${name}: the name must be ${String(number).padStart(4, '0')}-some-words.md`,
    )
  return decisionTitle(name, readFileSync(FOLDER + name, 'utf8'))
}

/** The title of a decision in the right form. */
export function decisionTitle(name: string, text: string): string {
  const headings = [...text.matchAll(/^#+ .+$/gm)].map(([heading]) => heading)
  const [title = '', ...parts] = headings
  if (!title.startsWith('# ') || parts.join() !== '## Context,## Decision,## Consequence')
    throw new Error(`docs/decisions/${name}: write a title, then Context, Decision and Consequence`)
  if (text.split('\n').length > MAX_LINES)
    throw new Error(`docs/decisions/${name}: at most ${MAX_LINES} lines`)
  return title.slice(2)
}
