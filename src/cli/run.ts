// `run`: the sidecar itself, until it is told to stop and the application is gone.
import { readConfig } from '../config.ts'
import { Counters } from '../counters.ts'
import { createLog } from '../log.ts'
import { createPipeline } from '../pipeline.ts'
import { EXIT, type Host, type Input, UsageError } from './command.ts'

/**
 * After SIGTERM. A native sidecar gets it when the containers of the application have ended, so all connections are closed
 * already; where it is an ordinary container the application may still be about to flush. Together with 5 s for closing,
 * these leave a part of the 30 s that Kubernetes gives a pod by default.
 */
const QUIET_MS = 1_000
const LINGER_MS = 15_000
const LAST_SEND_MS = 5_000

export async function run(host: Host, input: Input): Promise<number> {
  if (input.positionals.length > 0) throw new UsageError('run takes settings only.')
  const { config, mistakes } = readConfig(host.env, input.flags)
  const counters = new Counters()
  const log = createLog(config.logLevel, host.err)
  const pipeline = createPipeline({ config, mistakes, doNotTrack: host.env.DO_NOT_TRACK, machine: host.machine, counters, log })
  const { promise: told, resolve: tell } = Promise.withResolvers<void>()
  host.onStop(tell)
  await pipeline.start()
  // Its own timers are unreferenced, so this keeps the process even where no port could be opened.
  const alive = setInterval(() => undefined, 60_000)
  await told
  clearInterval(alive)
  await pipeline.untilUnused(QUIET_MS, LINGER_MS)
  await pipeline.stop(LAST_SEND_MS)
  log.info('run: stopped', counters.snapshot())
  return EXIT.done
}
