// `npm run release -- COMMAND`: the work of .github/workflows/release.yml, step by step.
//
//   check TAG             says what must be set or changed before a release of this tag
//   build FOLDER          builds everything that a release publishes; publishes nothing
//   publish FOLDER TAG    publishes the folder; --dry-run prints the commands instead
import { parseArgs } from 'node:util'
import { placeholders, projectVariables } from './project.ts'
import { buildRelease } from './release/build.ts'
import { releaseErrors } from './release/check.ts'
import { publishCommands, publishRelease } from './release/publish.ts'
import { readSources } from './release/sources.ts'

const USAGE = 'Use: npm run release -- check TAG | build FOLDER | publish FOLDER TAG [--dry-run]'

function check(tag: string): void {
  const errors = releaseErrors(tag, readSources(), placeholders(projectVariables()))
  if (errors.length > 0) throw new Error(errors.join('\n'))
}

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { 'dry-run': { type: 'boolean', default: false } },
  })
  const [command, first, second] = positionals
  if (command === 'check' && first !== undefined) return check(first)
  if (command === 'build' && first !== undefined) return buildRelease(first)
  if (command === 'publish' && first !== undefined && second !== undefined) {
    const commands = publishCommands(first, second, readSources().version, projectVariables())
    if (values['dry-run']) {
      for (const { program, args } of commands)
        process.stdout.write(`${[program, ...args].join(' ')}\n`)
      return
    }
    check(second)
    return publishRelease(commands, process.env)
  }
  throw new Error(USAGE)
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 1
}
