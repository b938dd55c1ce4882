// Every setting of the sidecar, in one table: name, default, parser, description. The reference of
// settings is made from it. All errors are listed at once. With any error the sidecar reports
// nothing.

import { LOG_LEVELS } from './log.ts'
import { MODES } from './mode.ts'
import * as parsers from './setting-parsers.ts'

export interface Setting {
  name: string
  /** `undefined`: there is none. */
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
      '`off`: nothing is kept and nothing is sent. `local`: reports are kept for you to read and never sent. `on`: reports are sent. DO_NOT_TRACK and the next two settings can only lower the mode.',
  },
  {
    name: 'USAGE_ANNOTATIONS_FILE',
    default: undefined,
    parse: parsers.anyText,
    description:
      'File of a downward API volume with the annotations of the pod. The sidecar obeys `usage-sidecar.dev/reporting` (`off`, `local`, `on`) within two seconds. An unreadable file and any other word mean off.',
  },
  {
    name: 'USAGE_OFF_FILE',
    default: undefined,
    parse: parsers.anyText,
    description:
      'Kill switch. While a file with this name exists, reporting is off, whatever the file contains. In force within two seconds.',
  },
  {
    name: 'USAGE_POLICY',
    default: undefined,
    parse: parsers.anyText,
    description: 'File of the policy. The sidecar reads it again when it changes.',
  },
  {
    name: 'USAGE_POLICY_TEXT',
    default: undefined,
    parse: parsers.anyText,
    description: 'The text of the policy, instead of a file.',
  },
  {
    name: 'USAGE_POLICY_OVERLAY',
    default: undefined,
    parse: parsers.anyText,
    description:
      'File of an overlay, which can only narrow the policy. The sidecar reads it again when it changes.',
  },
  {
    name: 'USAGE_POLICY_DIGEST',
    default: undefined,
    parse: parsers.digest,
    description:
      'Digest of the policy that the maintainers ship. Reports name a policy with this digest; any other policy is named `custom`.',
  },
  {
    name: 'USAGE_ENDPOINT',
    default: undefined,
    parse: parsers.endpoint,
    description:
      'Base URL of the usage collector. The sidecar appends `/v1/traces`. Required for `on`.',
  },
  {
    name: 'USAGE_HEADERS_FILE',
    default: undefined,
    parse: parsers.anyText,
    description:
      'File of headers for the collector, one `Name: value` on each line. Read again before each drain of the queue.',
  },
  {
    name: 'USAGE_CA_FILE',
    default: undefined,
    parse: parsers.anyText,
    description:
      'File of certificates (PEM) that the sidecar trusts instead of those of the system.',
  },
  {
    name: 'USAGE_CLIENT_CERT_FILE',
    default: undefined,
    parse: parsers.anyText,
    description: 'File of the certificate (PEM) that the sidecar presents to the collector.',
  },
  {
    name: 'USAGE_CLIENT_KEY_FILE',
    default: undefined,
    parse: parsers.anyText,
    description: 'File of the private key (PEM) of that certificate.',
  },
  {
    name: 'USAGE_PROXY',
    default: undefined,
    parse: parsers.proxy,
    description:
      'HTTP proxy for the collector, `http://[user:password@]host:port`. The proxy sees the host of the endpoint, not the reports. The sidecar ignores other proxy variables.',
  },
  {
    name: 'USAGE_HTTP_LISTEN',
    default: '127.0.0.1:4318',
    parse: parsers.loopbackAddress,
    description: 'Address of the receiver for OTLP over HTTP. It must be a loopback address.',
  },
  {
    name: 'USAGE_GRPC_LISTEN',
    default: '127.0.0.1:4317',
    parse: parsers.loopbackAddress,
    description: 'Address of the receiver for OTLP over gRPC. It must be a loopback address.',
  },
  {
    name: 'USAGE_PAGE_LISTEN',
    default: '127.0.0.1:4320',
    parse: parsers.loopbackAddress,
    description:
      'Address of the page, which shows what is reported, queued and sent. It must be a loopback address.',
  },
  {
    name: 'USAGE_HEALTH_LISTEN',
    default: ':4319',
    parse: parsers.listenAddress,
    description: 'Address of the probes `/startupz` and `/livez`.',
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
    description:
      'Data directory, with the queue, the receipts and the reports that were sent. Only one process can use it at a time.',
  },
  {
    name: 'USAGE_IDENTITY_DIR',
    default: undefined,
    parse: parsers.anyText,
    description:
      'Directory of `instance-id` and `secret`. The sidecar creates them if it can write there. Without them there are no pseudonyms.',
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
      'File of more facts, for example those of the cluster. USAGE_FACTS wins if both have a name. The sidecar reads the file again when it changes.',
  },
  {
    name: 'USAGE_SEND_INTERVAL',
    default: '1h',
    parse: parsers.positiveDuration,
    description: 'The sidecar sends reports once in each interval, at a random moment.',
  },
  {
    name: 'USAGE_FIRST_SEND_DELAY',
    default: '0',
    parse: parsers.duration,
    description:
      'The sidecar sends nothing for this time after reporting was turned on, and again after each change of the policy.',
  },
  {
    name: 'USAGE_HEARTBEAT',
    default: 'on',
    parse: parsers.oneOf(['on', 'off'] as const),
    description:
      '`off`: this sidecar makes no `usage.heartbeat`. The pod of the facts job uses this, because it is no application.',
  },
  {
    name: 'USAGE_MAX_BODY',
    default: '64MiB',
    parse: parsers.size,
    description:
      'Largest request, before and after inflation (JSON: 8MiB). It is lower if the memory limit of the container requires it.',
  },
  {
    name: 'USAGE_MAX_INFLIGHT',
    default: '128MiB',
    parse: parsers.size,
    description:
      'Largest size of all requests that are in progress together. It is lower if the memory limit of the container requires it.',
  },
  {
    name: 'USAGE_QUEUE_MAX',
    default: '64MiB',
    parse: parsers.size,
    description: 'Largest size of the queue on disk.',
  },
  {
    name: 'USAGE_QUEUE_MAX_AGE',
    default: '7d',
    parse: parsers.positiveDuration,
    description: 'Reports that stay in the queue for longer are dropped and counted.',
  },
  {
    name: 'USAGE_QUEUE_FULL',
    default: 'refuse',
    parse: parsers.oneOf(['refuse', 'drop-oldest'] as const),
    description:
      'What happens when the queue is full. `refuse` answers 503 until there is space. `drop-oldest` drops the oldest file and counts its spans.',
  },
  {
    name: 'USAGE_LOG_LEVEL',
    default: 'info',
    parse: parsers.oneOf(LOG_LEVELS),
    description:
      '`debug`, `info`, `warn` or `error`. `debug` logs the size and counts of each request. No level logs data.',
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

/** Errors of settings that do not fit each other. `given` are those that are set, valid or not. */
function crossValidate(config: Config, given: ReadonlySet<string>): string[] {
  const errors: string[] = []
  if (config.reporting === 'off') return errors
  if (config.policy === undefined && config.policyText === undefined)
    errors.push(
      'USAGE_POLICY is not set. Set it to the file of the policy, or set USAGE_POLICY_TEXT to its text.',
    )
  if (config.policy !== undefined && config.policyText !== undefined)
    errors.push('USAGE_POLICY and USAGE_POLICY_TEXT are both set. Remove one.')
  if (config.reporting === 'on' && !given.has('USAGE_ENDPOINT'))
    errors.push(
      'USAGE_ENDPOINT is not set, but USAGE_REPORTING is on. Set it to the base URL of the collector.',
    )
  if (config.proxy !== undefined && config.endpoint?.startsWith('http:'))
    errors.push(
      'USAGE_PROXY is set, but USAGE_ENDPOINT is not https. Remove the proxy, or use an https endpoint.',
    )
  if ((config.clientCertFile === undefined) !== (config.clientKeyFile === undefined))
    errors.push(
      'Only one of USAGE_CLIENT_CERT_FILE and USAGE_CLIENT_KEY_FILE is set. Set both or none.',
    )
  return errors
}

/** What the process itself needs, whatever it receives. Measured, see test/bench/README.md. */
const OWN_MEMORY = 64 * 1024 * 1024
const JSON_BODY = 8 * 1024 * 1024
/** Records that wait for the disk, unless a memory limit requires less. */
const WAITING = 8 * 1024 * 1024

export interface Limits {
  maxBody: number
  maxJsonBody: number
  maxInflight: number
  /** Bytes of the records that wait for the disk. */
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
