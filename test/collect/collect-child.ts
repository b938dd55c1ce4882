// A collector in a process of its own, to be killed: prints its ports as one line of JSON.
import { createCollector } from '../../src/cli/collect.ts'
import { Counters } from '../../src/support/counters.ts'
import { createLog } from '../../src/support/log.ts'

const free = { host: '127.0.0.1', port: 0 }
const log = createLog('error', (line) => process.stderr.write(line))
const collect = createCollector({
  listen: free,
  pageListen: free,
  folder: process.argv[2]!,
  counters: new Counters(),
  log,
})
process.stdout.write(`${JSON.stringify(await collect.start())}\n`)
