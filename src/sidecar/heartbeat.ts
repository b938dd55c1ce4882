// The sidecar's own sign of life: at most one record per UTC day, over restarts too, in a body of
// its own, so that what counts installations never lies beside what they do. The day is marked on
// disk before its record is: a crash in between loses one heartbeat, and none is ever sent twice. A
// clock that was put back is waited for.
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Counters } from '../support/counters.ts'
import { writeDurably } from '../support/durable-file.ts'
import { errorCode } from '../support/errors.ts'
import type { Log } from '../support/log.ts'

export interface HeartbeatOptions {
  /**
   * Where the day is marked; `undefined` in mode local, where nothing is ever sent and memory is
   * enough.
   */
  folder: string | undefined
  counters: Counters
  log: Log
}

export interface Heartbeat {
  /**
   * `make` makes the record and gives what puts it into a body of its own; nothing where the policy
   * names no heartbeat.
   */
  beat(day: string, make: () => (() => Promise<void>) | undefined): void
}

const DAY = /^\d{4}-\d\d-\d\d\n$/

export function createHeartbeat({ folder, counters, log }: HeartbeatOptions): Heartbeat {
  const path = folder === undefined ? undefined : join(folder, 'heartbeat')
  let last: string | undefined

  /**
   * The day of the last heartbeat of the processes before this one; the empty text where there was
   * none.
   */
  const lastDay = (): string => {
    if (path === undefined) return ''
    try {
      const text = readFileSync(path, 'utf8')
      return DAY.test(text) ? text.slice(0, 10) : ''
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return ''
      throw error
    }
  }

  const mark = (day: string): void => {
    if (path === undefined || folder === undefined) return
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    writeDurably(path, `${day}\n`)
  }

  const lost = (error: unknown): void => {
    counters.add('heartbeats.lost')
    log.warn('heartbeat: the one of today is lost', { code: errorCode(error) })
  }

  return {
    beat: (day, make) => {
      try {
        last ??= lastDay()
        if (day <= last) return
        const append = make()
        if (append === undefined) return
        last = day
        mark(day)
        append().then(() => counters.add('heartbeats.kept'), lost)
      } catch (error) {
        // Whatever is wrong with the mark, without it a second one could follow.
        last = day
        lost(error)
      }
    },
  }
}
