// Removes the engines of the dependencies from package-lock.json. npm compares them with the Node
// that runs npm, and prints a page of warnings under Node 20. Our programs run under the Node that
// is a dependency itself, so the comparison says nothing.
import { readFileSync } from 'node:fs'

const LOCK = new URL('../package-lock.json', import.meta.url).pathname

interface Lock {
  packages: Record<string, { engines?: object }>
}

/** The lock file and its path. */
export function lockWithoutEngines(): [path: string, content: string] {
  const lock = JSON.parse(readFileSync(LOCK, 'utf8')) as Lock
  // The first entry is our own package, whose engines are for its users.
  for (const [place, entry] of Object.entries(lock.packages)) if (place !== '') delete entry.engines
  return [LOCK, `${JSON.stringify(lock, undefined, 2)}\n`]
}
