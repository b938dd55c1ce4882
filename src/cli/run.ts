// `run`: the sidecar itself, until it receives a signal and the application has ended.

import { createPipeline } from '../sidecar/pipeline.ts'
import { Counters } from '../support/counters.ts'
import { createLog } from '../support/log.ts'
import { readConfig } from '../support/settings.ts'
import { EXIT, type Host, type Input, UsageError } from './command.ts'

export async function run(host: Host, input: Input): Promise<number> {
  if (input.positionals.length > 0) throw new UsageError('run takes settings only.')
  const { config, errors } = readConfig(host.env, input.flags)
  const counters = new Counters()
  const log = createLog(config.logLevel, host.err)
  const pipeline = createPipeline({
    config,
    errors,
    doNotTrack: host.env.DO_NOT_TRACK,
    machine: host.machine,
    counters,
    log,
  })
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
  host.onStop(stop)
  await pipeline.start()
  // Its own timers are unreferenced, so this keeps the process even where no port could be opened.
  const alive = setInterval(() => undefined, 60_000)
  await stopped
  clearInterval(alive)
  await pipeline.finish()
  log.info('run: stopped', counters.snapshot())
  return EXIT.done
}
