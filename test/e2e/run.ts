// `npm run e2e`: what needs Linux, root, Debian packages, Go, Java or Python, with the real thing
// on the other side. What is missing is installed; what cannot be had is a loud failure, never a
// silent skip. `--update-pictures` takes README's pictures anew.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { install } from './install.ts'

const folder = new URL('.', import.meta.url).pathname
const [pattern = ''] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'))
if (process.argv.includes('--update-pictures')) process.env.USAGE_UPDATE_PICTURES = '1'

install()
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.e2e.ts') && name.includes(pattern))
  .sort()
// One after the other: they measure memory and packets.
const { status } = spawnSync(
  process.execPath,
  ['--test', '--test-concurrency=1', '--test-reporter=spec', ...files.map((name) => folder + name)],
  {
    stdio: 'inherit',
  },
)
process.exitCode = status ?? 1
