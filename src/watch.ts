// Tells when a small file's content changes, by reading it again every two seconds and comparing. Reading finds what
// notifications miss: the symlink swap of a Kubernetes volume, a file that appears later, network file systems,
// exhausted inotify limits. Unreadable is told as `undefined`; what it means is the caller's business (for consent: off).
import { closeSync, constants, fstatSync, openSync, readFileSync, type Stats } from 'node:fs'
import { open } from 'node:fs/promises'
import { release } from './memory.ts'

export const WATCH_EVERY_MS = 2_000
/** No file that we watch is larger; one that is counts as unreadable. */
const MAX_FILE_BYTES = 1024 * 1024

export interface Watch {
  /** Content at the last look; `undefined` where the file could not be read as UTF-8 text of at most 1 MiB. */
  current(): string | undefined
  stop(): void
}

/** Without O_NONBLOCK a pipe would be waited for. */
const HOW = constants.O_RDONLY | constants.O_NONBLOCK

/** Asked before the file is read: a large one would fill the memory, and a device would never end. */
const isReadable = (file: Stats): boolean => file.isFile() && file.size <= MAX_FILE_BYTES

function decode(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  } finally {
    release(bytes)
  }
}

function readNow(path: string): string | undefined {
  const file = openSync(path, HOW)
  try {
    return isReadable(fstatSync(file)) ? decode(readFileSync(file)) : undefined
  } finally {
    closeSync(file)
  }
}

async function read(path: string): Promise<string | undefined> {
  const file = await open(path, HOW)
  try {
    return isReadable(await file.stat()) ? decode(await file.readFile()) : undefined
  } finally {
    await file.close()
  }
}

/** Reads `path` now, then every `everyMs`; `onChange` is called with the new content, never twice with the same. */
export function watchFile(path: string, onChange: (content: string | undefined) => void, everyMs = WATCH_EVERY_MS): Watch {
  let content: string | undefined
  let stopped = false
  try {
    content = readNow(path)
  } catch {
    content = undefined
  }

  const look = async (): Promise<void> => {
    const next = await read(path).catch(() => undefined)
    if (stopped) return
    if (next !== content) {
      content = next
      onChange(next)
    }
    timer = setTimeout(() => void look(), everyMs).unref()
  }
  let timer = setTimeout(() => void look(), everyMs).unref()

  return {
    current: () => content,
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}
