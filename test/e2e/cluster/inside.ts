// What runs in the cluster's namespaces: it starts the cluster, then every test of this folder, one
// after the other in this process. The end of this process ends all others.
import { copyFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const [pattern = ''] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
const { api } = await import('./cluster.ts')
if (process.argv.includes('--stay')) {
  copyFileSync(api.kubeconfig, join(process.env.USAGE_CLUSTER_FOLDER!, 'kubeconfig'))
  setInterval(() => undefined, 1_000_000)
} else {
  const files = readdirSync(import.meta.dirname).filter(
    (name) => name.endsWith('.cluster.ts') && new RegExp(pattern).test(name),
  )
  if (files.length === 0) throw new Error(`No test of the cluster has \`${pattern}\` in its name.`)
  for (const file of files.sort()) await import(join(import.meta.dirname, file))
}
