// Caches what is slow to build, outside the checkout. Each entry is one folder, named after its
// inputs. A folder gets its name when it is complete, so an existing folder is complete.
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

export const CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'usage-sidecar')

/** A digest of these files and texts, in 16 digits. It is part of the name of a cached folder. */
export function keyOf(
  ...parts: readonly (string | { file: string } | { folder: string })[]
): string {
  const hash = createHash('sha256')
  const add = (text: string | Buffer): void => void hash.update(`${text.length}\n`).update(text)
  for (const part of parts) {
    if (typeof part === 'string') add(part)
    else if ('file' in part) add(readFileSync(part.file))
    else
      for (const name of readdirSync(part.folder, { recursive: true, encoding: 'utf8' }).sort()) {
        const path = join(part.folder, name)
        if (!statSync(path).isFile()) continue
        add(name)
        add(readFileSync(path))
      }
  }
  return hash.digest('hex').slice(0, 16)
}

/**
 * Returns the cached folder `name`, e.g. `collector-0.161.0-KEY`. `make` fills it if it does not
 * exist.
 */
export function cached(name: string, make: (folder: string) => void): string {
  const folder = join(CACHE, name)
  if (existsSync(folder)) return folder
  process.stdout.write(`making ${name}\n`)
  mkdirSync(dirname(folder), { recursive: true })
  const unfinished = mkdtempSync(`${folder}.`)
  try {
    make(unfinished)
    renameSync(unfinished, folder)
  } catch (error) {
    rmSync(unfinished, { recursive: true, force: true })
    // Another run was faster.
    if (!existsSync(folder)) throw error
  }
  return folder
}
