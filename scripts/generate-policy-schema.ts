// Makes deploy/policy.schema.json from the constants of src/policy, so that an editor accepts the
// words that the checker accepts. Only descriptions and the rules between words are written here.

import {
  API_VERSION,
  MAX_LIMIT_BITS,
  MAX_POLICY_ATTRIBUTES,
  MAX_POLICY_VERSION,
  MAX_SPANS,
  type PolicyWord,
  PROJECT_PATTERN,
  REQUIRED_WORDS,
  RETENTION_PATTERN,
  type SpanWord,
} from '../src/policy/parse.ts'
import {
  ACTION_WORDS,
  ACTIONS,
  type ActionWord,
  COMPAT_ACTIONS,
  MAX_BUCKETS,
  MAX_EXACT_BYTES,
  MAX_KEPT_VALUES,
  MAX_RELEASES,
  MAX_VALUE_BYTES,
} from '../src/policy/parse-action.ts'
import { MAX_NAME_BYTES, OUTGOING_NAME, SOURCE_WORDS, STEPS } from '../src/policy/parse-field.ts'
import { MAX_KEY_BYTES, MAX_LISTED_PLACES, type Part } from '../src/policy/parse-source.ts'
import {
  COMPAT_PERIOD,
  COMPAT_TIME,
  EXACT_TYPES,
  FOLDS,
  HASH_ALGORITHMS,
  HMAC_ALGORITHMS,
  ID_MODES,
  PERIODS,
  SHAPES,
  SPAN_SOURCES,
  STATUS_MODES,
  TIME_UNITS,
  VERSION_LEVELS,
} from '../src/policy/policy.ts'

type Schema = Record<string, unknown>
type Step = (typeof STEPS)[number]
type SourceWord = (typeof SOURCE_WORDS)[number]

const PATH = new URL('../deploy/policy.schema.json', import.meta.url).pathname
/** Not every validator knows \p{Cc}. */
const CONTROL = '\\u0000-\\u001f\\u007f-\\u009f'
const INSTANCE = 'fact:instance.id'

/** The schema and its path. */
export function policySchema(): [path: string, content: string] {
  return [PATH, `${compactArrays(JSON.stringify(schema(), null, 2))}\n`]
}

/** Lists of words stay on one line. */
const compactArrays = (json: string): string =>
  json.replace(
    /\[\n\s+("[\w.-]+"(?:,\n\s+"[\w.-]+")*)\n\s+\]/g,
    (_, items: string) => `[${items.replace(/\s+/g, ' ')}]`,
  )

const line = (minLength: number, maxLength: number, description?: string): Schema => ({
  type: 'string',
  ...(description === undefined ? {} : { description }),
  minLength,
  maxLength,
  pattern: `^[^${CONTROL}]+$`,
})
const integer = (minimum: number, maximum: number, description?: string): Schema => ({
  type: 'integer',
  minimum,
  maximum,
  ...(description === undefined ? {} : { description }),
})
const day = (description: string): Schema => ({
  description,
  type: 'string',
  pattern: '^\\d{4}-\\d\\d-\\d\\d$',
})
const oneOf = (words: readonly string[], description?: string): Schema => ({
  enum: words,
  ...(description === undefined ? {} : { description }),
})
const has = (word: string): Schema => ({ required: [word] })
const hasAny = (words: readonly string[]): Schema => ({ anyOf: words.map(has) })
const none = (words: readonly string[]): Schema => ({ not: hasAny(words) })

/** A rule between words. Biome forbids a literal with the key `then`, because promises have it. */
const when = (condition: Schema, consequence: Schema, otherwise?: Schema): Schema =>
  Object.fromEntries([
    ['if', condition],
    ['then', consequence],
    ...(otherwise === undefined ? [] : [['else', otherwise] as const]),
  ])

const TEXT = line(1, MAX_VALUE_BYTES)
const SAFE_INTEGER = integer(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
const SCALARS: readonly Schema[] = [TEXT, SAFE_INTEGER, { type: 'boolean' }]
const scalar = (description: string): Schema => ({ description, anyOf: SCALARS })

function schema(): Schema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    $id: 'https://usage-sidecar.dev/policy.schema.json',
    title: 'Anonymization policy of usage-sidecar',
    description:
      'Anything that the policy does not name is dropped. `usage-sidecar policy check FILE` checks more than a schema can.',
    type: 'object',
    additionalProperties: false,
    required: REQUIRED_WORDS,
    properties: POLICY_PROPERTIES,
    ...when({ not: has('compat') }, WITHOUT_COMPAT),
    definitions: {
      span: { type: 'object', additionalProperties: false, properties: SPAN_PROPERTIES },
      spanField: field('spans'),
      resourceField: field('resource'),
      spanSource: source('spans'),
      resourceSource: source('resource'),
    },
  }
}

const fields = (definition: string, description?: string): Schema => ({
  type: 'object',
  maxProperties: MAX_POLICY_ATTRIBUTES,
  ...(description === undefined ? {} : { description }),
  propertyNames: {
    pattern: OUTGOING_NAME.source.replace('^', '^(?!usage$)(?!usage\\.)'),
    maxLength: MAX_NAME_BYTES,
  },
  additionalProperties: { $ref: `#/definitions/${definition}` },
})

const POLICY_PROPERTIES: Record<PolicyWord, Schema> = {
  apiVersion: { const: API_VERSION },
  project: {
    type: 'string',
    description:
      'A domain with an optional path, for example example.org/demo. Pseudonyms of different projects never match.',
    pattern: PROJECT_PATTERN.source.replaceAll('\\/', '/'),
  },
  version: integer(1, MAX_POLICY_VERSION, 'Raise it with every change.'),
  purpose: line(3, 500, 'What the project wants to learn, and why.'),
  contact: line(3, 500, 'Where people can ask questions.'),
  retention: {
    type: 'string',
    description: 'How long the collector keeps the records, for example 395d.',
    pattern: RETENTION_PATTERN.source,
  },
  expires: day('The last UTC day on which anything is sent.'),
  spans: {
    type: 'object',
    maxProperties: MAX_SPANS,
    description: 'Exact names of incoming spans. Every other span is dropped.',
    propertyNames: {
      pattern: '^[\\u0021-\\u007e]([\\u0020-\\u007e]{0,62}[\\u0021-\\u007e])?$',
    },
    additionalProperties: { $ref: '#/definitions/span' },
  },
  review: {
    type: 'string',
    description: 'The address where this version was discussed in public.',
    pattern: `^https://[^\\s${CONTROL}]{3,300}$`,
  },
  compat: {
    const: true,
    description:
      'The policy reproduces an old reporter. Its records are pseudonymous, not anonymous.',
  },
  limits: {
    description: 'How many bits a record may reveal. `none` needs compat.',
    anyOf: [
      { const: 'none' },
      {
        type: 'object',
        additionalProperties: false,
        properties: {
          recordBits: integer(0, MAX_LIMIT_BITS),
          stableBits: integer(0, MAX_LIMIT_BITS),
        },
      },
    ],
  },
  resource: fields('resourceField', 'Attributes that are sent once with every batch.'),
}

const FIELD_WITHOUT_COMPAT: Schema = {
  ...none(COMPAT_ACTIONS),
  properties: { pseudonym: oneOf(PERIODS.filter((period) => period !== COMPAT_PERIOD)) },
}
const WITHOUT_COMPAT: Schema = {
  properties: {
    limits: { not: { const: 'none' } },
    resource: { additionalProperties: FIELD_WITHOUT_COMPAT },
    spans: {
      additionalProperties: {
        properties: {
          time: oneOf(TIME_UNITS.filter((time) => time !== COMPAT_TIME)),
          attributes: { additionalProperties: FIELD_WITHOUT_COMPAT },
        },
      },
    },
  },
}

const SPAN_PROPERTIES: Record<SpanWord, Schema> = {
  ids: oneOf(
    ID_MODES,
    'random: new ids. linked: ids derived from the incoming ids with a key that changes every day.',
  ),
  time: oneOf(
    TIME_UNITS,
    'The unit to which times are rounded down, in UTC. `exact` needs compat.',
  ),
  status: oneOf(STATUS_MODES, 'keep: send the status code. The message is never sent.'),
  only: {
    type: 'object',
    description:
      'The span is sent only if each of these outgoing attributes has one of its values.',
    additionalProperties: { type: 'array', minItems: 1, items: { anyOf: SCALARS } },
  },
  skip: {
    type: 'array',
    minItems: 1,
    description: 'The span is dropped if it has one of these incoming attributes.',
    items: line(1, MAX_KEY_BYTES),
  },
  attributes: fields('spanField'),
}

const STEP_SCHEMAS: Record<Step, Schema> = {
  split: line(
    1,
    8,
    'Split the text at this separator and send one copy of the span for each part.',
  ),
  before: line(1, 8, 'Take the text before the separator, which must occur exactly once.'),
  after: line(1, 8, 'Take the text after the last separator, which must occur.'),
  fold: oneOf(FOLDS, 'Convert the text to upper or lower case, independent of the locale.'),
  shape: {
    description: 'The text must have one of these shapes.',
    anyOf: [oneOf(SHAPES), { type: 'array', minItems: 1, items: oneOf(SHAPES) }],
  },
}

const ACTION_SCHEMAS: Record<ActionWord, Schema> = {
  keep: {
    description: 'Send the value if it is listed, otherwise the value of `else`.',
    type: 'array',
    minItems: 1,
    maxItems: MAX_KEPT_VALUES,
    uniqueItems: true,
    anyOf: SCALARS.map((items) => ({ items })),
  },
  buckets: {
    description:
      'Send the largest bound that is not above the number. List the bounds in ascending order.',
    type: 'array',
    minItems: 1,
    maxItems: MAX_BUCKETS,
    uniqueItems: true,
    items: SAFE_INTEGER,
  },
  version: oneOf(
    VERSION_LEVELS,
    'Send 1, 1.31 or 1.31.4. Anything that is not a version becomes `other`.',
  ),
  pseudonym: oneOf(
    PERIODS,
    'Send 32 hex digits that are equal for equal values of one installation within this period. `forever` needs compat.',
  ),
  constant: scalar('Always send this value.'),
  hash: oneOf(HASH_ALGORITHMS, 'Only with compat: send the hash of the text in lower-case hex.'),
  hmac: oneOf(
    HMAC_ALGORITHMS,
    'Only with compat: send the HMAC of the text in lower-case hex. Needs `key`.',
  ),
  exact: oneOf(EXACT_TYPES, 'Only with compat: send the value unchanged.'),
}

/** An attribute of a span or of the resource. A resource cannot be split. */
function field(part: Part): Schema {
  const steps = STEPS.filter((step) => part === 'spans' || step !== 'split')
  const from: Schema = { $ref: `#/definitions/${part === 'spans' ? 'span' : 'resource'}Source` }
  const sources: Record<SourceWord, Schema> = {
    from,
    or: from,
    absent: scalar('Sent if the source has no value.'),
  }
  const extras: Record<keyof typeof ACTION_WORDS, Schema> = {
    else: scalar('Sent for a value that is not listed. `none` drops the attribute.'),
    releases: integer(
      1,
      MAX_RELEASES,
      'How many releases are in use. The leak budget needs this number.',
    ),
    key: from,
    max: integer(1, MAX_EXACT_BYTES, 'The maximum size of the text or version in bytes.'),
  }
  return {
    type: 'object',
    additionalProperties: false,
    properties: {
      ...sources,
      ...Object.fromEntries(steps.map((step) => [step, STEP_SCHEMAS[step]])),
      ...ACTION_SCHEMAS,
      ...extras,
      reason: line(3, 300, 'Why the project needs this attribute.'),
      expires: day('The last UTC day on which this attribute is sent.'),
    },
    oneOf: ACTIONS.map(has),
    dependencies: {
      ...Object.fromEntries(Object.entries(ACTION_WORDS).map(([word, action]) => [word, [action]])),
      hmac: ['key'],
    },
    allOf: fieldRules(part, steps),
  }
}

/** Which words go together. `checkCombinations` holds the same rules in the checker. */
function fieldRules(part: Part, steps: readonly Step[]): Schema[] {
  const exactNumber: Schema = { ...has('exact'), properties: { exact: { const: 'number' } } }
  const keepsNoText: Schema = {
    ...has('keep'),
    properties: { keep: { not: { items: { type: 'string' } } } },
  }
  const digests: readonly ActionWord[] = ['pseudonym', 'hash', 'hmac']
  const notInstance: Schema = {
    not: { anyOf: [{ const: INSTANCE }, { type: 'array', contains: { const: INSTANCE } }] },
  }
  return [
    when(has('constant'), none([...SOURCE_WORDS, ...steps]), {
      required: part === 'resource' ? ['reason', 'from'] : ['reason'],
    }),
    when({ anyOf: [has('buckets'), exactNumber, keepsNoText] }, none(steps)),
    when(exactNumber, none(['max'])),
    when(has('buckets'), { properties: { absent: { type: 'integer' } } }),
    when(hasAny(['version', ...digests]), { properties: { absent: { type: 'string' } } }),
    when(hasAny(ACTIONS.filter((action) => !digests.includes(action))), {
      properties: { from: notInstance, or: notInstance },
    }),
  ]
}

function source(part: Part): Schema {
  const place = part === 'spans' ? spanPlace() : resourcePlace()
  return {
    anyOf: [
      place,
      {
        type: 'array',
        minItems: 1,
        maxItems: MAX_LISTED_PLACES,
        items: { allOf: [place, { not: { const: 'span:duration' } }] },
      },
    ],
  }
}

const place = (description: string, rules: readonly Schema[]): Schema => ({
  type: 'string',
  minLength: 1,
  maxLength: MAX_KEY_BYTES,
  description,
  allOf: [{ pattern: `^[^${CONTROL}]*$` }, ...rules],
})
const prefixed = (prefix: string, form: Schema): Schema => when({ pattern: `^${prefix}:` }, form)
const FACT = prefixed('fact', { pattern: '^fact:[A-Za-z][A-Za-z0-9_.-]{0,127}$' })

function spanPlace(): Schema {
  const ofSpan = SPAN_SOURCES.map((what) => `span:${what}`)
  return place(
    `The key of a span attribute, resource:KEY, fact:NAME, text:WORDS, ${ofSpan.join(' or ')}.`,
    [FACT, prefixed('span', oneOf(ofSpan)), prefixed('resource', { pattern: '^resource:.' })],
  )
}

const resourcePlace = (): Schema =>
  place("fact:NAME or text:WORDS. The application's resource is never used.", [
    { pattern: '^(fact|text):' },
    FACT,
  ])
