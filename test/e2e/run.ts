// `npm run e2e`: runs the tests that need Linux, root, Debian packages, Go, Java or Python. It
// installs missing packages. A missing requirement is an error, never a skip. `--update-pictures`
// replaces the README's pictures.
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
// One at a time, because they measure memory and packets.
const { status } = spawnSync(
  process.execPath,
  ['--test', '--test-concurrency=1', '--test-reporter=spec', ...files.map((name) => folder + name)],
  {
    stdio: 'inherit',
  },
)
process.exitCode = status ?? 1
