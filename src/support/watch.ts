// Reports when a small file changes, appears or disappears, by reading it every two seconds.
// Reading finds what notifications miss: symlink swaps of Kubernetes volumes, files that appear
// later, network file systems and exhausted inotify limits. An unreadable file is reported as
// `undefined`, and the caller decides what that means. For consent it means off.
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readFileSync,
  type Stats,
} from 'node:fs'
import { lstat, open } from 'node:fs/promises'
import { errorCode } from './errors.ts'
import { release } from './memory.ts'

export const WATCH_EVERY_MS = 2_000
/** No file that we watch is larger; one that is counts as unreadable. */
const MAX_FILE_BYTES = 1024 * 1024

export interface Watch<Seen = string | undefined> {
  /** What the last look saw. */
  current(): Seen
  /** Looks now, and tells of a change before it returns. */
  look(): Seen
  stop(): void
}

/** Without O_NONBLOCK a pipe would be waited for. */
const HOW = constants.O_RDONLY | constants.O_NONBLOCK

/**
 * Asked before the file is read: a large one would fill the memory, and a device would never end.
 */
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

/** Content of `path`; `undefined` where it could not be read as UTF-8 text of at most 1 MiB. */
export function watchFile(
  path: string,
  onChange: (content: string | undefined) => void,
  everyMs = WATCH_EVERY_MS,
): Watch {
  const now = (): string | undefined => {
    try {
      return readNow(path)
    } catch {
      return undefined
    }
  }
  return watch(now, () => read(path).catch(() => undefined), onChange, everyMs)
}

/**
 * Whether anything stands at `path`, a symlink to nothing too; `undefined` where that could not be
 * found out.
 */
export function watchPresence(
  path: string,
  onChange: (there: boolean | undefined) => void,
  everyMs = WATCH_EVERY_MS,
): Watch<boolean | undefined> {
  // promise: only-enoent-is-absence
  const missing = (error: unknown): false | undefined =>
    errorCode(error) === 'ENOENT' ? false : undefined
  const now = (): boolean | undefined => {
    try {
      lstatSync(path)
      return true
    } catch (error) {
      return missing(error)
    }
  }
  return watch(now, () => lstat(path).then(() => true as const, missing), onChange, everyMs)
}

/**
 * Looks with `now` at once, then with `later` every `everyMs`; `onChange` is never called twice
 * with the same.
 */
function watch<Seen>(
  now: () => Seen,
  later: () => Promise<Seen>,
  onChange: (seen: Seen) => void,
  everyMs: number,
): Watch<Seen> {
  let seen = now()
  let looks = 0
  let stopped = false

  const take = (next: Seen): void => {
    if (next === seen) return
    seen = next
    onChange(next)
  }
  const look = async (): Promise<void> => {
    const before = looks
    const next = await later()
    if (stopped) return
    // A look() meanwhile may have seen what is newer than this.
    if (looks === before) take(next)
    timer = setTimeout(() => void look(), everyMs).unref()
  }
  let timer = setTimeout(() => void look(), everyMs).unref()

  return {
    current: () => seen,
    look: () => {
      looks++
      take(now())
      return seen
    },
    stop: () => {
      stopped = true
      clearTimeout(timer)
    },
  }
}
