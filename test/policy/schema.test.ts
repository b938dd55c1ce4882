// Broken policies, each with the place and the sentence that the checker must tell, and whether the
// published JSON Schema sees the mistake too, so that an editor underlines what the checker
// refuses. Sound policies pass both.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Ajv } from 'ajv'
import { parse } from 'yaml'
import { policySchema } from '../../scripts/generate-policy-schema.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { ACTIONS, COMPAT_ACTIONS } from '../../src/policy/parse-action.ts'
import {
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
} from '../../src/policy/policy.ts'
import { ConfigError } from '../../src/support/errors.ts'

interface Broken {
  /** Line of BASE that the text takes the place of, counted from 1. */
  line: number
  text: string
  /** The rest of BASE is left out. */
  cut?: true
  errors: string[]
  /** Why the schema accepts it all the same. */
  schema?: string
}

const BASE = `apiVersion: usage-sidecar.dev/v1
project: example.org/demo
version: 3
purpose: To learn.
contact: usage@example.org
retention: 395d
expires: 2027-12-31
spans:
  execution:
    attributes:
      a.b: {keep: [x], reason: Because.}
`
const file = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const broken = JSON.parse(file('test/fixtures/broken-policies.json')) as Broken[]
const fitsSchema = new Ajv({ strict: false }).compile(
  JSON.parse(file('deploy/policy.schema.json')) as object,
)

function errorsOf(text: string): readonly string[] {
  try {
    parsePolicy(text)
    return []
  } catch (error) {
    assert.ok(error instanceof ConfigError)
    return error.errors
  }
}

/** `undefined` where it is no YAML that a schema could judge. */
function schemaAccepts(text: string): boolean | undefined {
  let value: unknown
  try {
    value = parse(text)
  } catch {
    return undefined
  }
  return fitsSchema(value)
}

function policyOf({ line, text, cut }: Broken): string {
  const lines = BASE.split('\n')
  lines[line - 1] = text
  return lines.slice(0, cut ? line : undefined).join('\n')
}

test('the checker reports each error with its line, column and sentence', () => {
  assert.ok(broken.length >= 60)
  for (const one of broken) {
    assert.ok(one.errors.length > 0)
    assert.deepEqual(errorsOf(policyOf(one)), one.errors, one.text)
  }
})

test('the schema refuses what the checker refuses, but for what a schema cannot say', () => {
  for (const one of broken) {
    const accepted = schemaAccepts(policyOf(one))
    if (one.schema === undefined) assert.equal(accepted, false, one.text)
    else assert.notEqual(accepted, false, `the schema can say it: ${one.text}`)
  }
})

test('the schema and the checker accept the same sound policies', () => {
  const sound = ['deploy/policies', 'test/fixtures/policies'].flatMap((folder) =>
    readdirSync(new URL(`../../${folder}`, import.meta.url))
      .filter((name) => name.endsWith('.yaml'))
      .map((name) => `${folder}/${name}`),
  )
  assert.ok(sound.length > 5)
  for (const path of sound) {
    assert.deepEqual(errorsOf(file(path)), [], path)
    assert.equal(schemaAccepts(file(path)), true, path)
  }
  assert.deepEqual(errorsOf(BASE), [])
  assert.equal(schemaAccepts(BASE), true)
})

/** A compat policy with these lines in its span and these words in its attribute. */
const compatPolicy = (attribute: string, span = ''): string =>
  BASE.replace('version: 3', 'version: 3\ncompat: true\nlimits: none')
    .replace('    attributes:', `${span}    attributes:`)
    .replace('keep: [x]', attribute)

const VALUE_OF_ACTION: Record<(typeof ACTIONS)[number], string> = {
  keep: '[x]',
  buckets: '[1]',
  version: 'minor',
  pseudonym: 'day',
  constant: 'x',
  hash: 'sha256',
  hmac: 'sha256, key: "fact:app.key"',
  exact: 'text',
}

test('the schema and the checker accept every word of every enumeration', () => {
  const policies = [
    ...ACTIONS.map((action) => compatPolicy(`${action}: ${VALUE_OF_ACTION[action]}`)),
    ...SHAPES.flatMap((shape) => [
      compatPolicy(`shape: ${shape}, keep: [x]`),
      compatPolicy(`shape: [${shape}], keep: [x]`),
    ]),
    ...FOLDS.map((fold) => compatPolicy(`fold: ${fold}, pseudonym: day`)),
    ...VERSION_LEVELS.map((level) => compatPolicy(`version: ${level}`)),
    ...PERIODS.map((period) => compatPolicy(`pseudonym: ${period}`)),
    ...HASH_ALGORITHMS.map((algorithm) => compatPolicy(`hash: ${algorithm}`)),
    ...HMAC_ALGORITHMS.map((algorithm) => compatPolicy(`hmac: ${algorithm}, key: "fact:app.key"`)),
    ...EXACT_TYPES.map((type) => compatPolicy(`exact: ${type}`)),
    ...SPAN_SOURCES.map((what) => compatPolicy(`from: "span:${what}", buckets: [1]`)),
    ...TIME_UNITS.map((time) => compatPolicy('keep: [x]', `    time: ${time}\n`)),
    ...ID_MODES.map((ids) => compatPolicy('keep: [x]', `    ids: ${ids}\n`)),
    ...STATUS_MODES.map((status) => compatPolicy('keep: [x]', `    status: ${status}\n`)),
  ]
  for (const policy of policies) {
    assert.deepEqual(errorsOf(policy), [], policy)
    assert.equal(schemaAccepts(policy), true, policy)
  }
})

test('the schema and the checker refuse words outside the enumerations', () => {
  const policies = [
    compatPolicy('shape: word, keep: [x]'),
    compatPolicy('shape: [word], keep: [x]'),
    ...COMPAT_ACTIONS.map((action) =>
      BASE.replace('keep: [x]', `${action}: ${VALUE_OF_ACTION[action]}`),
    ),
    compatPolicy('from: "span:name", keep: [x]'),
    compatPolicy('keep: [x]', '    time: week\n'),
    compatPolicy('version: patch'),
  ]
  for (const policy of policies) {
    assert.notDeepEqual(errorsOf(policy), [], policy)
    assert.equal(schemaAccepts(policy), false, policy)
  }
})

test('the schema in deploy/ is the one that the generator makes', () => {
  const [path, content] = policySchema()
  assert.equal(readFileSync(path, 'utf8'), content)
})
