// The commands, one row each, and the choice of the one that runs. `help` and the reference of
// commands are made from this table. A command is loaded when it is called, so that `run` needs no
// memory for the others.
import { parseArgs } from 'node:util'
import { ConfigError, errorCode, placeOf } from '../support/errors.ts'
import { type Command, EXIT, type Host, type Input, UsageError } from './command.ts'

export const COMMANDS: readonly Command[] = [
  {
    name: 'run',
    usage: 'run [--SETTING VALUE …]',
    summary: 'Run the sidecar. Each setting USAGE_NAME is also the flag --name.',
    flags: [],
    settings: true,
    load: async () => (await import('./run.ts')).run,
  },
  {
    name: 'policy check',
    usage: 'policy check FILE',
    summary:
      'Print every error of a policy with its line and column. Without errors, print what the policy lets out and how many bits that tells.',
    flags: [],
    load: async () => (await import('./policy-check.ts')).check,
  },
  {
    name: 'policy sheet',
    usage: 'policy sheet FILE [--format markdown|html|json]',
    summary:
      'Print the data sheet: every field that can leave, its reason and its values, who receives it, and how to turn it off.',
    flags: ['format'],
    load: async () => (await import('./policy-sheet.ts')).sheet,
  },
  {
    name: 'policy diff',
    usage: 'policy diff OLD NEW',
    summary:
      'Print what the new version sends in addition. Exit code 3: it sends something new, but `review` is unchanged.',
    flags: [],
    load: async () => (await import('./policy-diff.ts')).diff,
  },
  {
    name: 'policy preview',
    usage: 'policy preview --policy FILE --input SPANS [--facts JSON]',
    summary:
      'Print what would leave of an OTLP request in a file (protobuf or JSON, with or without gzip). `-` reads standard input.',
    flags: ['policy', 'input', 'facts'],
    load: async () => (await import('./policy-preview.ts')).preview,
  },
  {
    name: 'show',
    usage: 'show [FILE] [--data-dir FOLDER]',
    summary:
      'List the queue, the sent reports and the receipts. With a file of queue/, sending/ or sent/, print it decoded, with its SHA-256 as in receipts.jsonl.',
    flags: ['data-dir'],
    load: async () => (await import('./show.ts')).show,
  },
  {
    name: 'identity show',
    usage: 'identity show [--policy FILE] [--policy-overlay FILE] [--identity-dir FOLDER]',
    summary:
      'Print the values under which the collector knows this installation today. You need them to ask for deletion.',
    flags: ['policy', 'policy-overlay', 'identity-dir'],
    load: async () => (await import('./identity.ts')).showIdentity,
  },
  {
    name: 'identity reset',
    usage: 'identity reset [--identity-dir FOLDER] --yes',
    summary:
      'Remove the id and the secret of this installation. After the next start it counts as a new one.',
    flags: ['identity-dir'],
    switches: ['yes'],
    load: async () => (await import('./identity.ts')).resetIdentityCommand,
  },
  {
    name: 'status',
    usage: 'status [--json] [--page ADDRESS]',
    summary:
      'Print the status of a running sidecar: mode, policy, queue, sent reports, counters. Exit code 0 only if there is no problem.',
    flags: ['page'],
    switches: ['json'],
    load: async () => (await import('./status.ts')).status,
  },
  {
    name: 'facts rights',
    usage:
      'facts rights --policy FILE [--policy-overlay FILE] [--facts JSON] [--namespace NAME] [--facts-config-map NAME]',
    summary:
      'Print the RBAC rights that the facts job needs under a policy, for kubectl, each with its reason.',
    flags: ['policy', 'policy-overlay', 'facts', 'namespace', 'facts-config-map'],
    load: async () => (await import('./facts-rights.ts')).factsRights,
  },
  {
    name: 'facts',
    usage:
      'facts [--facts-config-map NAME] [--namespace NAME] [--start-within TIME] [--wait TIME] | facts --identity-secret NAME',
    summary:
      'Read the facts that the policy names from the Kubernetes API, once. Publish them in a ConfigMap for the sidecars, and report them through the sidecar in the same pod. With --identity-secret, create the Secret of the identity if it does not exist.',
    flags: [
      ...[
        'reporting',
        'annotations-file',
        'off-file',
        'policy',
        'policy-text',
        'policy-overlay',
        'facts',
        'first-send-delay',
      ],
      ...[
        'page-listen',
        'log-level',
        'otlp-endpoint',
        'facts-config-map',
        'namespace',
        'start-within',
        'wait',
        'identity-secret',
      ],
    ],
    load: async () => (await import('./facts.ts')).facts,
  },
  {
    name: 'inject',
    usage:
      'inject --image IMAGE [-f FILE|-] [--explain] [--config-map NAME] [--facts-config-map NAME] [--identity-secret NAME] [--SETTING VALUE …]',
    summary:
      'Print the manifests of a file with the sidecar in every pod. Everything else stays the same byte for byte. --explain says what was done to each document, and why.',
    flags: ['file', 'image', 'config-map', 'facts-config-map', 'identity-secret'],
    settings: true,
    switches: ['explain'],
    short: { file: 'f' },
    load: async () => (await import('./inject.ts')).inject,
  },
  {
    name: 'uninject',
    usage: 'uninject [-f FILE|-] [--explain]',
    summary:
      'Print the manifests without the sidecar. The result of inject becomes its input again, byte for byte.',
    flags: ['file'],
    switches: ['explain'],
    short: { file: 'f' },
    load: async () => (await import('./inject.ts')).uninject,
  },
  {
    name: 'collect',
    usage: 'collect [--listen ADDRESS] [--page-listen ADDRESS] [--data-dir FOLDER]',
    summary:
      'Run a usage collector for a small project. It receives reports, counts them, and shows the counts on a page.',
    flags: ['listen', 'page-listen', 'data-dir'],
    load: async () => (await import('./collect.ts')).collect,
  },
  {
    name: 'demo',
    usage: 'demo [--once]',
    summary: 'Run an application, the sidecar and a collector together, and show what leaves.',
    flags: [],
    switches: ['once'],
    load: async () => (await import('./demo.ts')).demo,
  },
  {
    name: 'demo-application',
    usage: 'demo-application',
    summary: 'The application of the demo.',
    flags: ['endpoint', 'executions'],
    hidden: true,
    load: async () => (await import('./demo-application.ts')).demoApplication,
  },
]

const isHelp = (arg: string | undefined): boolean => ['help', '--help', '-h'].includes(arg ?? '')

/** Prints what concerns no single command. `undefined`: the arguments name one. */
async function answerWithoutCommand(args: readonly string[], host: Host): Promise<number> {
  const [first, second] = args
  const texts = await import('./help.ts')
  if (first === undefined || isHelp(first)) {
    host.out(texts.help(COMMANDS))
    return first === undefined ? EXIT.usage : EXIT.done
  }
  if (first === '--version') {
    host.out(texts.version())
    return EXIT.done
  }
  // `policy` alone, and `policy --help`.
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${first} `))
  if (group.length > 0 && (second === undefined || isHelp(second))) {
    host.out(texts.listOf(group))
    return second === undefined ? EXIT.usage : EXIT.done
  }
  const word = group.length > 0 ? second! : first
  const known = COMMANDS.filter(({ hidden }) => hidden !== true).map(({ name }) => name.split(' '))
  const words = known.flatMap(([one, two]) =>
    group.length === 0 ? one! : one === first ? two! : [],
  )
  host.err(`${texts.unknown('command', word, words)}\nSee: usage-sidecar help\n`)
  return EXIT.usage
}

const isNamed = ({ name }: Command, args: readonly string[]): boolean =>
  name === args.slice(0, name.split(' ').length).join(' ')

/** The exit code. Never throws: an error becomes a sentence on standard error. */
export async function runCommand(args: readonly string[], host: Host): Promise<number> {
  const command = COMMANDS.find((each) => isNamed(each, args))
  if (command === undefined) return await answerWithoutCommand(args, host)
  try {
    const input = await readInput(command, args.slice(command.name.split(' ').length))
    if (input === undefined) {
      host.out((await import('./help.ts')).commandHelp(command))
      return EXIT.done
    }
    const run = await command.load()
    return await run(host, input)
  } catch (error) {
    return report(error, command, host)
  }
}

function report(error: unknown, command: Command, host: Host): number {
  if (error instanceof UsageError) {
    host.err(`${error.message}\nUsage: usage-sidecar ${command.usage}\n`)
    return EXIT.usage
  }
  if (error instanceof ConfigError) {
    host.err(error.errors.map((message) => `${message}\n`).join(''))
    return EXIT.config
  }
  // The system's code, or else the place in our code. The text of an error may hold input.
  const code = errorCode(error)
  host.err(
    `usage-sidecar ${command.name} failed (${code === 'UNKNOWN' ? placeOf(error) : code}).\n`,
  )
  return EXIT.failed
}

const HELP = { type: 'boolean' as const, short: 'h' }

/** `undefined`: the command's help is wanted. */
async function readInput(command: Command, args: readonly string[]): Promise<Input | undefined> {
  const { flagOf, SETTINGS } = await import('../support/settings.ts')
  const values = [
    ...command.flags,
    ...(command.settings ? SETTINGS.map(({ name }) => flagOf(name)) : []),
  ]
  const switches = command.switches ?? []
  const { tokens, positionals } = parseArgs({
    args: [...args],
    options: Object.fromEntries([
      ...values.map((flag) => [flag, { type: 'string' as const, ...shortOf(command, flag) }]),
      ...switches.map((flag) => [flag, { type: 'boolean' as const }]),
      ['help', HELP],
    ]),
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  const given = tokens.filter((token) => token.kind === 'option')
  if (given.some(({ name }) => name === 'help')) return undefined
  const flags: Record<string, string> = {}
  for (const { name, rawName, value, inlineValue } of given) {
    const isSwitch = switches.includes(name)
    if (!isSwitch && !values.includes(name)) {
      const { unknown } = await import('./help.ts')
      const known = [...values, ...switches].map((flag) => `--${flag}`)
      throw new UsageError(unknown('flag', rawName, known))
    }
    if (isSwitch && value !== undefined)
      throw new UsageError(`\`--${name}\` takes no value. Give it alone.`)
    // What looks like a flag is one, unless it is joined to this one: `--facts=-1`.
    const isMissing = value === undefined || (!inlineValue && /^-./.test(value))
    if (!isSwitch && isMissing)
      throw new UsageError(`\`--${name}\` has no value. Give one after it.`)
    flags[name] = value ?? 'true'
  }
  return { flags, positionals }
}

const shortOf = ({ short }: Command, flag: string): { short?: string } => {
  const letter = short?.[flag]
  return letter === undefined ? {} : { short: letter }
}
