// The chart of the tests' application beside the library chart, as Helm installs it into a world.
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEPLOY } from '../charts/tools.ts'
import { APPLICATION } from './application-image.ts'
import { helm } from './cluster.ts'
import { IMAGE, POLICY, type World } from './world.ts'

const folder = join(process.env.USAGE_CLUSTER_FOLDER!, 'charts')
let chart: string | undefined

async function chartFolder(): Promise<string> {
  if (chart !== undefined) return chart
  for (const from of [join(DEPLOY, 'helm'), join(import.meta.dirname, 'shop')])
    cpSync(from, from.endsWith('shop') ? join(folder, 'shop') : folder, { recursive: true })
  await helm('dependency', 'update', '--skip-refresh', join(folder, 'shop'))
  chart = join(folder, 'shop')
  return chart
}

/** Values that report to the collector of this world, at once. */
export function usageValues({ settings }: World): Record<string, unknown> {
  const {
    USAGE_REPORTING: reporting,
    USAGE_ENDPOINT: endpoint,
    USAGE_FIRST_SEND_DELAY: firstSendDelay,
    ...rest
  } = settings
  return {
    reporting,
    endpoint,
    firstSendDelay,
    settings: rest,
    policy: POLICY,
    image: IMAGE,
    identity: { create: false },
  }
}

/** `helm upgrade --install` of the release `shop` with these values; gives what it said. */
export async function installShop(
  { namespace }: World,
  values: Record<string, unknown>,
  ...args: readonly string[]
): Promise<string> {
  const file = join(folder, `values-${namespace}.json`)
  const path = await chartFolder()
  writeFileSync(file, JSON.stringify({ image: APPLICATION, ...values }))
  return helm(
    'upgrade',
    '--install',
    'shop',
    path,
    '--namespace',
    namespace,
    '--values',
    file,
    ...args,
  )
}
