// `collect`: the usage collector for a small project, until it receives a signal.
import { Budget } from '../accept/budget.ts'
import { HttpReceiver } from '../accept/http-receiver.ts'
import { Collector, type CollectorOptions } from '../collect/collector.ts'
import { Counters } from '../support/counters.ts'
import { ConfigError } from '../support/errors.ts'
import { createLog } from '../support/log.ts'
import {
  type ListenAddress,
  listenAddress,
  loopbackAddress,
  WrongSetting,
} from '../support/setting-parsers.ts'
import { EXIT, type Host, type Input, UsageError } from './command.ts'

const MIB = 1024 * 1024
/** The limits of a sidecar. */
const LIMITS = { maxBody: 64 * MIB, maxJsonBody: 8 * MIB }
const MAX_IN_FLIGHT = 128 * MIB

export async function collect(host: Host, input: Input): Promise<number> {
  if (input.positionals.length > 0) throw new UsageError('collect takes flags only.')
  const errors: string[] = []
  const parsed = <T>(flag: string, standard: string, parse: (text: string) => T): T => {
    try {
      return parse(input.flags[flag] ?? standard)
    } catch (error) {
      if (!(error instanceof WrongSetting)) throw error
      errors.push(`--${flag} ${error.message}`)
      return parse(standard)
    }
  }
  const listen = parsed('listen', '127.0.0.1:4328', listenAddress)
  const pageListen = parsed('page-listen', '127.0.0.1:4329', loopbackAddress)
  if (errors.length > 0) throw new ConfigError(errors)
  const counters = new Counters()
  const log = createLog('info', host.err)
  const collector = createCollector({
    listen,
    pageListen,
    folder: input.flags['data-dir'] ?? 'usage-data',
    counters,
    log,
  })
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
  host.onStop(stop)
  const { otlp, page } = await collector.start()
  log.info('collect: ready', { port: otlp.port, page: page.port })
  await stopped
  await collector.stop()
  return EXIT.done
}

/** A collector that receives OTLP over HTTP at `listen`, which may be any address. */
export function createCollector(
  options: Omit<CollectorOptions, 'createReceiver'> & { listen: ListenAddress },
): Collector {
  const { listen, counters, log } = options
  const budget = new Budget(MAX_IN_FLIGHT)
  const createReceiver: CollectorOptions['createReceiver'] = (handle) =>
    new HttpReceiver({ listen, isPublic: true, ...LIMITS, budget, handle, counters, log })
  return new Collector({ ...options, createReceiver })
}
