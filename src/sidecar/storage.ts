// How the mode controller opens, locks and wipes the queue, and sends what it holds.
import { batchIdOf } from '../enrich/enrich.ts'
import { rejectedSpans } from '../otlp/answer.ts'
import { lockFolder, openQueue, wipeFolder } from '../queue/queue.ts'
import { Sender } from '../send/send.ts'
import type { Counters } from '../support/counters.ts'
import type { Log } from '../support/log.ts'
import type { Config } from '../support/settings.ts'
import type { ModeControllerOptions } from './mode-controller.ts'

export type Storage = Pick<
  ModeControllerOptions,
  'openQueue' | 'lockFolder' | 'wipeFolder' | 'openSender'
>

/** `maxWaitingBytes` is the limit of the records that wait for the disk. */
export function createStorage(
  config: Config,
  maxWaitingBytes: number,
  counters: Counters,
  log: Log,
): Storage {
  const { dataDir: folder, queueMax, queueMaxAge, queueFull, sendInterval } = config
  return {
    openQueue: ({ policyDigest, mode, wipe }) =>
      openQueue({
        folder,
        maxBytes: queueMax,
        maxWaitingBytes,
        maxAgeMs: queueMaxAge,
        full: mode === 'local' ? 'ring' : queueFull,
        policyDigest,
        wipe,
        order: batchIdOf,
        counters,
        log,
      }),
    lockFolder: () => lockFolder(folder),
    wipeFolder: () => wipeFolder(folder, counters),
    openSender: (queue, notBefore, allowed) => {
      const sender = new Sender({
        queue,
        // Mode `on` without an endpoint is an error of the settings, which means off.
        destination: { ...config, endpoint: config.endpoint! },
        intervalMs: sendInterval,
        notBefore,
        allowed,
        rejectedSpans,
        counters,
        log,
      })
      sender.start()
      return sender
    },
  }
}
