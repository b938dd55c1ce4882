// test/bench/README.md: each benchmark writes the part between its own marks and leaves the others'
// as they are.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, loadavg, release, totalmem, type } from 'node:os'
import { ROOT } from './processes.ts'

const FILE = `${ROOT}test/bench/README.md`

export function writePart(command: string, text: string): void {
  const before = readFileSync(FILE, 'utf8')
  const begin = `<!-- written by ${command} -->\n`
  const end = '<!-- end -->\n'
  const from = before.indexOf(begin)
  const to = before.indexOf(end, from)
  if (from < 0 || to < 0) throw new Error(`${FILE} has no part of ${command}.`)
  writeFileSync(FILE, `${before.slice(0, from)}${begin}\n${text.trim()}\n\n${before.slice(to)}`)
  // Its tables are aligned as the check of the repository wants them.
  spawnSync(
    process.execPath,
    [`${ROOT}node_modules/@biomejs/biome/bin/biome`, 'format', '--write', FILE],
    { stdio: 'inherit' },
  )
}

/** In words, and nothing that names it: cores, memory, kernel, Node. */
export function machine(): string {
  const kernel = /^\d+\.\d+(\.\d+)?/.exec(release())?.[0] ?? ''
  return `${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB of memory, ${type()} ${kernel} on ${process.arch}, Node.js ${process.versions.node}`
}

export const othersLoad = (): string => loadavg()[0]!.toFixed(1)
