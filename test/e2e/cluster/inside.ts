// What runs in the cluster's namespaces: it starts the cluster, then every test of this folder, one after the other in this
// process. The end of this process ends all others.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'

const [pattern = ''] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const { api } = await import('./cluster.ts')
if (process.argv.includes('--stay')) {
  process.stdout.write(`KUBECONFIG=${api.kubeconfig}\n`)
  process.stdout.write('In another terminal: nsenter --target $(pgrep -f cluster/inside.ts | tail -n 1) --all kubectl …\n')
  setInterval(() => undefined, 1_000_000)
} else {
  const files = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.cluster.ts') && new RegExp(pattern).test(name))
  if (files.length === 0) throw new Error(`No test of the cluster has \`${pattern}\` in its name.`)
  for (const file of files.sort()) await import(join(import.meta.dirname, file))
}
