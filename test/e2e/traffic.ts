// An application that sends ten executions a second to a sidecar on loopback. When it is stopped,
// it prints the number of answers by status.
import { execution, post } from '../support/sidecar.ts'

const ports = process.argv.slice(2).map(Number)
const counts: Record<string, number> = {}
let stopped = false
process.once('SIGTERM', () => {
  stopped = true
})
process.stdout.write('ready\n')
while (!stopped) {
  for (const port of ports) {
    const status = await post(port, execution()).then(
      (answer) => answer.status,
      () => 0,
    )
    counts[`${port} ${status}`] = (counts[`${port} ${status}`] ?? 0) + 1
  }
  await new Promise((resolve) => setTimeout(resolve, 100))
}
process.stdout.write(`${JSON.stringify(counts)}\n`)
