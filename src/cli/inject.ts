// `inject` and `uninject`: filters over manifests, from a file or standard input to standard
// output. What could not be done goes to standard error, what was done and what was left alone
// with `--explain`.
import { readFile } from 'node:fs/promises'
import {
  DEFAULTS,
  FIXED_SETTINGS,
  literal,
  type Options,
  POLICY_FILE,
} from '../inject/container.ts'
import { type Filtered, injectText, type Outcome, uninjectText } from '../inject/inject.ts'
import { ConfigError } from '../support/errors.ts'
import { flagOf, readConfig, SETTINGS } from '../support/settings.ts'
import { EXIT, type Host, type Input, UsageError } from './command.ts'

export async function inject(host: Host, input: Input): Promise<number> {
  const options = optionsOf(input)
  return filter(host, input, 'injected', (text) => injectText(text, options))
}

export async function uninject(host: Host, input: Input): Promise<number> {
  return filter(host, input, 'taken out', uninjectText)
}

async function filter(
  host: Host,
  { flags, positionals }: Input,
  done: string,
  change: (text: string) => Filtered,
): Promise<number> {
  if (positionals.length > 0) throw new UsageError('Give the file with -f.')
  const { text, outcomes } = change(await read(host, flags.file ?? '-'))
  host.out(text)
  for (const line of outcomes)
    if (line.failed || flags.explain !== undefined) host.err(`${sentence(line, done)}\n`)
  return outcomes.some(({ failed }) => failed) ? EXIT.failed : EXIT.done
}

const sentence = ({ document, name, done, reason }: Outcome, word: string): string =>
  `document ${document}: ${name === '' ? '' : `${name}: `}${done ? word : `left as it is, because ${reason}`}`

async function read(host: Host, file: string): Promise<string> {
  const pieces: Buffer[] = []
  try {
    if (file !== '-') pieces.push(await readFile(file))
    else for await (const piece of host.stdin) pieces.push(Buffer.from(piece))
    // The mark of byte order stays: it is one of the bytes.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.concat(pieces))
  } catch {
    throw new ConfigError([
      `${file === '-' ? 'Standard input' : file}: cannot be read as UTF-8 text.`,
    ])
  }
}

function optionsOf({ flags }: Input): Options {
  const { image } = flags
  if (image === undefined || image === '')
    throw new UsageError('Name the image of the sidecar with --image.')
  const given = SETTINGS.map(({ name }) => [name, flags[flagOf(name)]] as const).filter(
    ([, value]) => value !== undefined,
  )
  const settings = {
    ...DEFAULTS.settings,
    ...Object.fromEntries(given as [string, string][]),
  } as Record<string, string>
  const fixed = Object.keys({ ...FIXED_SETTINGS, ...POLICY_FILE }).filter(
    (name) => settings[name] !== undefined,
  )
  const errors = fixed.map(
    (name) => `--${flagOf(name)} cannot be given: the pod has its own ${name}.`,
  )
  const { errors: wrong } = readConfig(
    settings.USAGE_POLICY_TEXT === undefined ? { ...settings, ...POLICY_FILE } : settings,
  )
  if (errors.length + wrong.length > 0) throw new ConfigError([...errors, ...wrong])
  return {
    image,
    configMap: flags['config-map'] ?? DEFAULTS.configMap,
    factsConfigMap: flags['facts-config-map'] ?? DEFAULTS.factsConfigMap,
    identitySecret: flags['identity-secret'] ?? DEFAULTS.identitySecret,
    settings: Object.fromEntries(
      Object.entries(settings).map(([name, value]) => [name, literal(value)]),
    ),
  }
}
