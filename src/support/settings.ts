// Every setting of the sidecar, in one table: name, default, parser, description. README's table is
// made from it. All wrong settings are told at once; one that is wrong is never replaced by its
// default, the sidecar then reports nothing.

import { LOG_LEVELS } from './log.ts'
import { MODES } from './mode.ts'
import * as parsers from './setting-parsers.ts'

export interface Setting {
  name: string
  /** `undefined`: not set, and there is none. */
  default: string | undefined
  parse: (text: string) => unknown
  description: string
}

export const SETTINGS = [
  {
    name: 'USAGE_REPORTING',
    default: 'local',
    parse: parsers.oneOf(MODES),
    description:
      '`off`: nothing is kept, nothing is sent. `local`: everything but sending, to look at what would leave. `on`: reports are sent. DO_NOT_TRACK and the two files below can only lower it.',
  },
  {
    name: 'USAGE_ANNOTATIONS_FILE',
    default: undefined,
    parse: parsers.anyText,
    description:
      'Annotations of the pod, a file of a downward API volume. `usage-sidecar.dev/reporting` (`off`, `local`, `on`) is in force in two seconds. A file that cannot be read, or another word, is off.',
  },
  {
    name: 'USAGE_OFF_FILE',
    default: undefined,
    parse: parsers.anyText,
    description:
      'Kill switch: while a file of this name exists, whatever it holds, reporting is off. In force in two seconds.',
  },
  {
    name: 'USAGE_POLICY',
    default: undefined,
    parse: parsers.anyText,
    description: 'File of the policy. Read again when it changes.',
  },
  {
    name: 'USAGE_POLICY_TEXT',
    default: undefined,
    parse: parsers.anyText,
    description: 'The policy itself, instead of a file.',
  },
  {
    name: 'USAGE_POLICY_OVERLAY',
    default: undefined,
    parse: parsers.anyText,
    description:
      'File that narrows the policy and can do nothing else. Read again when it changes.',
  },
  {
    name: 'USAGE_POLICY_DIGEST',
    default: undefined,
    parse: parsers.digest,
    description:
      'Digest of the policy as its maintainers ship it. Only a policy with this digest names it in reports; any other says `custom`.',
  },
  {
    name: 'USAGE_ENDPOINT',
    default: undefined,
    parse: parsers.endpoint,
    description: 'Base URL of the usage collector; `/v1/traces` is appended. Needed for `on`.',
  },
  {
    name: 'USAGE_HEADERS_FILE',
    default: undefined,
    parse: parsers.anyText,
    description: 'Headers for the collector, `Name: value` a line. Read again for every drain.',
  },
  {
    name: 'USAGE_CA_FILE',
    default: undefined,
    parse: parsers.anyText,
    description: 'Certificates (PEM) that are trusted instead of those of the system.',
  },
  {
    name: 'USAGE_CLIENT_CERT_FILE',
    default: undefined,
    parse: parsers.anyText,
    description: 'Certificate (PEM) that the sidecar shows to the collector.',
  },
  {
    name: 'USAGE_CLIENT_KEY_FILE',
    default: undefined,
    parse: parsers.anyText,
    description: 'Its private key (PEM).',
  },
  {
    name: 'USAGE_PROXY',
    default: undefined,
    parse: parsers.proxy,
    description:
      'HTTP proxy on the way to the collector, `http://[user:password@]host:port`; it sees the host of the endpoint, not what is sent. No other variable names one.',
  },
  {
    name: 'USAGE_HTTP_LISTEN',
    default: '127.0.0.1:4318',
    parse: parsers.loopbackAddress,
    description: 'Where OTLP over HTTP is taken in; loopback only.',
  },
  {
    name: 'USAGE_GRPC_LISTEN',
    default: '127.0.0.1:4317',
    parse: parsers.loopbackAddress,
    description: 'Where OTLP over gRPC is taken in; loopback only.',
  },
  {
    name: 'USAGE_PAGE_LISTEN',
    default: '127.0.0.1:4320',
    parse: parsers.loopbackAddress,
    description: 'Where the page shows what is reported, what waits and what left; loopback only.',
  },
  {
    name: 'USAGE_HEALTH_LISTEN',
    default: ':4319',
    parse: parsers.listenAddress,
    description: 'Where `/startupz` and `/livez` answer, and nothing else.',
  },
  {
    name: 'USAGE_METRICS_LISTEN',
    default: undefined,
    parse: parsers.listenAddress,
    description:
      'Address where Prometheus reads `/metrics`, such as `:9464`. Without it, only the address of the page serves `/metrics`.',
  },
  {
    name: 'USAGE_DATA_DIR',
    default: '/var/lib/usage-sidecar',
    parse: parsers.anyText,
    description: 'Folder of the queue, the receipts and what was sent, for one process at a time.',
  },
  {
    name: 'USAGE_IDENTITY_DIR',
    default: undefined,
    parse: parsers.anyText,
    description:
      'Folder with `instance-id` and `secret`, made if it can be written to. Without it there are no pseudonyms.',
  },
  {
    name: 'USAGE_FACTS',
    default: undefined,
    parse: parsers.anyText,
    description: 'Facts that the policy may name, as a JSON object: `{"app.version": "1.32.0"}`.',
  },
  {
    name: 'USAGE_FACTS_FILE',
    default: undefined,
    parse: parsers.anyText,
    description:
      'More of them from a file, such as those of the cluster; of one name, USAGE_FACTS wins. Read again when it changes.',
  },
  {
    name: 'USAGE_SEND_INTERVAL',
    default: '1h',
    parse: parsers.positiveDuration,
    description: 'Reports are sent once in each interval, at a random moment of it.',
  },
  {
    name: 'USAGE_FIRST_SEND_DELAY',
    default: '0',
    parse: parsers.duration,
    description:
      'Nothing is sent before this time after reporting was turned on, nor before this time after the policy changed.',
  },
  {
    name: 'USAGE_HEARTBEAT',
    default: 'on',
    parse: parsers.oneOf(['on', 'off'] as const),
    description:
      '`off`: this sidecar makes no `usage.heartbeat`, as in the pod of the facts job, which is no application.',
  },
  {
    name: 'USAGE_MAX_BODY',
    default: '64MiB',
    parse: parsers.size,
    description:
      'Largest request, before and after inflation (JSON: 8MiB); less where the memory limit of the container asks for it.',
  },
  {
    name: 'USAGE_MAX_INFLIGHT',
    default: '128MiB',
    parse: parsers.size,
    description:
      'Bytes of all requests that are taken in at the same moment; less where the memory limit of the container asks for it.',
  },
  {
    name: 'USAGE_QUEUE_MAX',
    default: '64MiB',
    parse: parsers.size,
    description: 'Bytes on disk that may wait for the collector.',
  },
  {
    name: 'USAGE_QUEUE_MAX_AGE',
    default: '7d',
    parse: parsers.positiveDuration,
    description: 'What waits longer is dropped and counted.',
  },
  {
    name: 'USAGE_QUEUE_FULL',
    default: 'refuse',
    parse: parsers.oneOf(['refuse', 'drop-oldest'] as const),
    description:
      'When the queue is full: `refuse` answers 503 until there is room, `drop-oldest` drops and counts the oldest file.',
  },
  {
    name: 'USAGE_LOG_LEVEL',
    default: 'info',
    parse: parsers.oneOf(LOG_LEVELS),
    description: '`debug`, `info`, `warn` or `error`. No level ever shows data.',
  },
] as const satisfies readonly Setting[]

type Capitals<Words extends string> = Words extends `${infer Word}_${infer Rest}`
  ? `${Capitalize<Lowercase<Word>>}${Capitals<Rest>}`
  : Capitalize<Lowercase<Words>>

/** `USAGE_SEND_INTERVAL` is the member `sendInterval`. */
type MemberOf<Name extends string> = Name extends `USAGE_${infer Words}`
  ? Uncapitalize<Capitals<Words>>
  : never

/** The value of a setting is what its parser returns; without a default it may be missing. */
type ValueOf<S extends Setting> = S['default'] extends string
  ? ReturnType<S['parse']>
  : ReturnType<S['parse']> | undefined

/** The values of some settings, by member. */
export type ConfigOf<S extends Setting> = {
  readonly [Each in S as MemberOf<Each['name']>]: ValueOf<Each>
}

export type Config = ConfigOf<(typeof SETTINGS)[number]>
export type SettingName = (typeof SETTINGS)[number]['name']

/** `USAGE_SEND_INTERVAL` is the flag `--send-interval`. */
export const flagOf = (setting: string): string =>
  setting.replace('USAGE_', '').toLowerCase().replaceAll('_', '-')
const memberOf = (setting: string): string =>
  flagOf(setting).replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())

export interface ReadSettings<S extends Setting> {
  /**
   * Holds the default of every setting that is wrong. A caller that gets errors uses it only to
   * answer the application while nothing is reported.
   */
  config: ConfigOf<S>
  errors: readonly string[]
  /** Names of the settings that are set, valid or not. */
  given: ReadonlySet<string>
}

type Texts = Readonly<Record<string, string | undefined>>

/** Reads all settings. A flag wins over its variable; an empty variable counts as not set. */
export function readConfig(env: Texts, flags: Texts = {}): ReadSettings<(typeof SETTINGS)[number]> {
  const { config, given, errors } = readSettings(SETTINGS, env, flags)
  return { config, given, errors: [...errors, ...crossValidate(config, given)] }
}

/** Reads some of the settings, each by itself. */
export function readSettings<S extends Setting>(
  settings: readonly S[],
  env: Texts,
  flags: Texts,
): ReadSettings<S> {
  const errors: string[] = []
  const given = new Set<string>()
  const read = ({ name, default: fallback, parse }: S): unknown => {
    const flag = flags[flagOf(name)]
    const text = flag ?? (env[name] === '' ? undefined : env[name])
    if (text !== undefined) given.add(name)
    try {
      if (text !== undefined) return parse(text)
    } catch (error) {
      if (!(error instanceof parsers.WrongSetting)) throw error
      errors.push(`${flag === undefined ? name : `--${flagOf(name)}`} ${error.message}`)
    }
    return fallback === undefined ? undefined : parse(fallback)
  }
  const values: Readonly<Record<string, unknown>> = Object.freeze(
    Object.fromEntries(settings.map((setting) => [memberOf(setting.name), read(setting)])),
  )
  if (!isConfigOf(settings, values)) throw new TypeError('a setting has no value')
  return { config: values, given, errors }
}

/** Each value comes from the parser of its setting, so presence is all that is left to check. */
const isConfigOf = <S extends Setting>(
  settings: readonly S[],
  values: Readonly<Record<string, unknown>>,
): values is ConfigOf<S> => settings.every(({ name }) => memberOf(name) in values)

/**
 * Settings that do not fit each other; `given` are the names of those that are set, rightly or
 * wrongly.
 */
function crossValidate(config: Config, given: ReadonlySet<string>): string[] {
  const errors: string[] = []
  if (config.reporting === 'off') return errors
  if (config.policy === undefined && config.policyText === undefined)
    errors.push(
      'USAGE_POLICY is not set. Name the file of the policy, or give it in USAGE_POLICY_TEXT.',
    )
  if (config.policy !== undefined && config.policyText !== undefined)
    errors.push('USAGE_POLICY and USAGE_POLICY_TEXT are both set. Remove one.')
  if (config.reporting === 'on' && !given.has('USAGE_ENDPOINT'))
    errors.push(
      'USAGE_ENDPOINT is not set, and USAGE_REPORTING is on. Give the base URL of the collector.',
    )
  if (config.proxy !== undefined && config.endpoint?.startsWith('http:'))
    errors.push(
      'USAGE_PROXY is set, and USAGE_ENDPOINT is not https. Remove the proxy, or use an https endpoint.',
    )
  if ((config.clientCertFile === undefined) !== (config.clientKeyFile === undefined))
    errors.push('USAGE_CLIENT_CERT_FILE and USAGE_CLIENT_KEY_FILE go together. Set both or none.')
  return errors
}

/** What the process itself needs, whatever arrives: measured, see test/bench/README.md. */
const OWN_MEMORY = 64 * 1024 * 1024
const JSON_BODY = 8 * 1024 * 1024
/** Of records for the disk, where no memory limit asks for less. */
const WAITING = 8 * 1024 * 1024

export interface Limits {
  maxBody: number
  maxJsonBody: number
  maxInflight: number
  /** Of the records that wait for the disk. */
  maxWaiting: number
}

/**
 * The limits that the settings ask for, lowered to what a memory limit bears: of what it leaves, a
 * body b may take 1/16, all bodies on their way in 4b, and as much as one body may wait for the
 * disk. Then there are at most, besides them: while one body is policed, its spans and the record
 * made of them (2b); the two groups of records of which one is being written, in buffers that may
 * be twice as large (2b); in a drain a file of the queue, joined and compressed, each at most 1 MiB
 * and what one write added to it (3b + 3 MiB). That is 11b + 3 MiB of the 16b that there are.
 */
export function limitsFor(config: Config, memoryLimit: number | undefined): Limits {
  const free =
    memoryLimit === undefined
      ? Number.POSITIVE_INFINITY
      : Math.max(8 * 1024 * 1024, memoryLimit - OWN_MEMORY)
  const maxBody = Math.floor(Math.min(config.maxBody, free / 16))
  return {
    maxBody,
    maxJsonBody: Math.min(maxBody, JSON_BODY),
    maxInflight: Math.floor(Math.min(config.maxInflight, free / 4)),
    maxWaiting: Math.floor(Math.min(WAITING, free / 16)),
  }
}
