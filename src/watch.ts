// Tells when a small file's content changes, by reading it again every two seconds and comparing. Reading finds what
// notifications miss: the symlink swap of a Kubernetes volume, a file that appears later, network file systems,
// exhausted inotify limits. Unreadable is told as `undefined`; what it means is the caller's business (for consent: off).

import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'

export const WATCH_EVERY_MS = 2_000
/** No file that we watch is larger; one that is counts as unreadable. */
const MAX_FILE_BYTES = 1024 * 1024

export interface Watch {
  /** Content at the last look; `undefined` where the file could not be read as UTF-8 text of at most 1 MiB. */
  current(): string | undefined
  stop(): void
}

function decode(bytes: Buffer): string | undefined {
  if (bytes.length > MAX_FILE_BYTES) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** Reads `path` now, then every `everyMs`; `onChange` is called with the new content, never twice with the same. */
export function watchFile(path: string, onChange: (content: string | undefined) => void, everyMs = WATCH_EVERY_MS): Watch {
  let content: string | undefined
  let stopped = false
  try {
    content = decode(readFileSync(path))
  } catch {
    content = undefined
  }

  const look = async (): Promise<void> => {
    const next = await readFile(path).then(decode, () => undefined)
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
