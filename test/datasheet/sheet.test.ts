// The data sheet is true: every field that leaves has a row, every row can leave, and the values of
// a row are all that it can have, for the shipped policies and those of the oracle. Texts of a
// policy cannot become markup in it.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { parse } from 'yaml'
import { type Anonymizer, createAnonymizer, type Passed } from '../../src/anonymize/anonymize.ts'
import { type Sheet, type SheetRow, sheetOf } from '../../src/datasheet/sheet.ts'
import { sheetHtml } from '../../src/datasheet/sheet-html.ts'
import { sheetMarkdown } from '../../src/datasheet/sheet-markdown.ts'
import { Enricher } from '../../src/enrich/enrich.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { type Policy, placesRead, policyDigest, type Scalar } from '../../src/policy/policy.ts'
import { Counters } from '../../src/support/counters.ts'
import { Refusal } from '../../src/support/errors.ts'
import type { PolicyFile } from '../support/oracle-policy.ts'
import { requestOf } from '../support/otlp-arbitrary.ts'
import { encode } from '../support/otlp-pieces.ts'
import { Rng } from '../support/rng.ts'
import { policyText, SECRET } from '../support/spans.ts'
import { type Found, type FoundBatch, onTheWire } from './wire-fields.ts'

const FOLDERS = ['../../deploy/policies/', '../fixtures/policies/'].map(
  (folder) => new URL(folder, import.meta.url).pathname,
)
const FILES = FOLDERS.flatMap((folder) =>
  readdirSync(folder).flatMap((name) => (name.endsWith('.yaml') ? [`${folder}${name}`] : [])),
)
const INSTALLATIONS = 24
const REQUESTS = 40
/** From before the first attribute of the fixtures expires. */
const FIRST_MOMENT = Date.UTC(2025, 11, 30, 12)
const STEP_MS = 30 * 86_400_000
const ULID = '01ARZ3NDEKTSV4RRFFQ69G5FAV'

/** Values that a fact of this name could have, near what the policy does with it. */
function candidates(policy: Policy, fact: string): Scalar[] {
  const fields = [...policy.resource, ...policy.spans.flatMap((rule) => rule.fields)]
  const near = fields
    .filter((field) =>
      placesRead(field).some((place) => place.kind === 'fact' && place.name === fact),
    )
    .flatMap(({ action }): Scalar[] => {
      if (action.kind === 'keep') return [...action.values]
      if (action.kind === 'buckets')
        return action.bounds.flatMap((bound) => [bound, bound - 1, bound + 0.5])
      return action.kind === 'version'
        ? ['v1.31.4-gke.100', '2.0', '1.2.3.4', 'latest']
        : ['some text', 'other text', 12]
    })
  return [...near, ...near, 'acme', '', 7, true]
}

function factsOf(policy: Policy, rng: Rng): Map<string, Scalar> {
  const fields = [...policy.resource, ...policy.spans.flatMap((rule) => rule.fields)]
  const names = new Set(
    fields.flatMap(placesRead).flatMap((place) => (place.kind === 'fact' ? [place.name] : [])),
  )
  const facts = new Map<string, Scalar>()
  for (const name of names) {
    if (name === 'instance.id') facts.set(name, ULID)
    else if (rng.chance(85)) facts.set(name, rng.pick(candidates(policy, name)))
  }
  return facts
}

/** Every batch that leaves of many requests, of many installations on different days. */
function* batches(text: string, policy: Policy): IterableIterator<FoundBatch> {
  const file = parse(text) as PolicyFile
  for (let installation = 0; installation < INSTALLATIONS; installation++) {
    const nowMs = FIRST_MOMENT + installation * STEP_MS
    const facts = factsOf(policy, new Rng(installation))
    const anonymizer = createAnonymizer({
      policy,
      facts,
      secret: SECRET,
      counters: new Counters(),
      maxBytes: 2 ** 26,
    })
    const enricher = new Enricher(policy, policyDigest(policy), anonymizer)
    for (let i = 0; i < REQUESTS; i++) {
      const passed =
        i === 0
          ? anonymizer.heartbeat(nowMs)
          : attempt(anonymizer, file, nowMs, installation * REQUESTS + i)
      if (passed !== undefined && passed.spans > 0)
        yield onTheWire(Buffer.from(enricher.wrapResourceSpans(passed)))
    }
  }
}

/** `undefined`: the generator made one that is refused. */
function attempt(
  anonymizer: Anonymizer,
  file: PolicyFile,
  nowMs: number,
  seed: number,
): Passed | undefined {
  try {
    return anonymizer.pass(encode(requestOf(file, nowMs, seed)).wire, nowMs)
  } catch (error) {
    if (error instanceof Refusal) return undefined
    throw error
  }
}

const HEX = (digits: number): RegExp => new RegExp(`^[0-9a-f]{${digits}}$`)
const UNIT_NS: Record<string, bigint> = {
  'the UTC day': 86_400_000_000_000n,
  'the UTC hour': 3_600_000_000_000n,
  'the UTC minute': 60_000_000_000n,
}

/**
 * Whether one of the values that the row lists, or a sentence in their place, holds for this one.
 */
const isListed = (row: SheetRow, value: Found['value']): boolean =>
  row.values.some(
    (words) =>
      words === String(value) || words.startsWith(`${value} (`) || holds(words, row, value),
  )

function holds(words: string, row: SheetRow, value: Found['value']): boolean {
  const said = String(value)
  if (/^32 (random )?hex digits/.test(words)) return HEX(32).test(said)
  if (words.startsWith('SHA-256') || words.startsWith('HMAC-SHA-256')) return HEX(64).test(said)
  if (words.startsWith('MD5')) return HEX(32).test(said)
  if (words.startsWith('a version such as'))
    return /^[0-9.]+$/.test(said) && said.split('.').length === row.example.split('.').length
  if (words === 'the number unchanged')
    return typeof value !== 'string' && typeof value !== 'boolean'
  const bytes = /^the (?:text|version) unchanged, up to (\d+) bytes$/.exec(words)?.[1]
  if (bytes !== undefined)
    return typeof value === 'string' && Buffer.byteLength(value) <= Number(bytes)
  if (words === 'random' || words.startsWith('derived from the incoming id'))
    return HEX(2 * Number(row.type.split(' ')[0])).test(said)
  if (words === 'start and end to the nanosecond') return typeof value === 'bigint'
  if (words.endsWith('if the maintainers ship this policy, else "custom"'))
    return words.startsWith(`${said} `)
  const unit = UNIT_NS[words.split(',')[0]!]
  return unit !== undefined && (value as bigint) % unit === 0n
}

const TYPES: Record<string, (value: Found['value']) => boolean> = {
  text: (value) => typeof value === 'string',
  'whole number': (value) => typeof value === 'bigint',
  number: (value) => typeof value === 'bigint' || typeof value === 'number',
  'true or false': (value) => typeof value === 'boolean',
  time: (value) => typeof value === 'bigint',
  '16 bytes': (value) => typeof value === 'string',
  '8 bytes': (value) => typeof value === 'string',
}

/** Holds the fields of one record against the rows for it; `seen` gets the rows that came out. */
function compare(
  where: string,
  rows: readonly SheetRow[],
  fields: readonly Found[],
  seen: Set<SheetRow>,
): void {
  const byWire = new Map(rows.map((row) => [row.wire, row]))
  assert.equal(byWire.size, rows.length, `${where}: two rows for one field`)
  const start = fields.find(({ wire }) => wire === 'span.start_time_unix_nano')?.value
  for (const { wire, value } of fields) {
    const row = byWire.get(wire)
    assert.ok(row, `${where}: ${wire} leaves and has no row`)
    seen.add(row)
    assert.ok(TYPES[row.type]!(value), `${where}: ${wire} is ${typeof value}, not ${row.type}`)
    if (row.values.includes('the same as the start'))
      assert.equal(value, start, `${where}: ${wire}`)
    else
      assert.ok(
        isListed(row, value),
        `${where}: ${wire} is ${String(value)}, which is not in ${row.values.join(' | ')}`,
      )
  }
  const present = new Set(fields.map(({ wire }) => wire))
  assert.equal(present.size, fields.length, `${where}: a field twice`)
  for (const row of rows)
    assert.ok(
      present.has(row.wire) || row.values.some((words) => words.startsWith('(absent)')),
      `${where}: ${row.wire} is missing`,
    )
}

for (const file of FILES) {
  const text = readFileSync(file, 'utf8')
  const name = file.split('/').slice(-2).join('/')
  test(`every field that leaves has a row and every row leaves: ${name}`, () => {
    const policy = parsePolicy(text)
    const sheet = sheetOf(policy)
    const seen = new Set<SheetRow>()
    for (const { resource, spans } of batches(text, policy)) {
      compare('the batch', sheet.batch, resource, seen)
      for (const { name: span, fields } of spans) {
        const rows = sheet.spans.find((one) => one.name === span)?.rows
        assert.ok(rows, `span ${span} leaves and has no rows`)
        compare(span, rows, fields, seen)
      }
    }
    const rows = [...sheet.batch, ...sheet.spans.flatMap((span) => span.rows)]
    assert.deepEqual(
      rows.filter((row) => !seen.has(row)).map(({ wire }) => wire),
      [],
      'rows that never left',
    )
  })
}

const sheet = (spans: string, head = ''): Sheet => sheetOf(parsePolicy(head + policyText(spans)))

test('a row says that its attribute can be missing exactly where it can', () => {
  const optional = (line: string): boolean =>
    sheet(`execution:\n  attributes:\n    out: {${line}}`).spans[0]!.rows[0]!.values.includes(
      '(absent)',
    )
  const why = 'reason: Because.'
  for (const line of [
    'constant: x',
    `from: "text:a", keep: [a], ${why}`,
    `from: "fact:f", absent: a, keep: [a], ${why}`,
  ])
    assert.equal(optional(line), false, line)
  for (const line of [
    'constant: x, expires: 2030-01-01',
    `from: "text:a", absent: b, keep: [b], else: none, ${why}`,
    `from: "fact:f", keep: [a], ${why}`,
    `absent: a, keep: [a], ${why}`,
    `from: "text:7", version: minor, absent: other, ${why}`,
  ])
    assert.equal(optional(line), true, line)
})

const HOSTILE = `</table><script>alert(1)</script>| a | [x](javascript:alert) \`code\` **b** <!-- & "q" 'q' \\`

const REVIEW = 'https://example.org/><script>x</script>|"onclick=`x`'
/** A kept value, a constant and the name of a span have at most 64 characters. */
const SHORT = '`<script>x</script>`|a[x](y)</td><!-- & "q" \'q\' *b*'

test('a hostile reason, purpose, key or value stays text, in Markdown and in HTML', () => {
  const [quoted, short] = [JSON.stringify(HOSTILE), JSON.stringify(SHORT)]
  const spans = `execution:\n  skip: [${quoted}]\n  attributes:\n    out: {from: ${quoted}, keep: [${short}], reason: ${quoted}}\n    fixed: {constant: ${short}}\n${short}: {}`
  const policy = policyText(spans).replace(
    'purpose: A test.',
    `purpose: ${quoted}\nreview: ${JSON.stringify(REVIEW)}`,
  )
  const hostile = sheetOf(parsePolicy(policy))
  assert.equal(hostile.spans[0]!.rows[0]!.reason, HOSTILE)
  const html = sheetHtml(hostile)
  const plain = sheetHtml(
    sheet(
      'execution:\n  skip: [a]\n  attributes:\n    out: {from: a, keep: [b], reason: Because.}\n    fixed: {constant: c}\nother: {}',
      'review: https://example.org/a\n',
    ),
  )
  // The same elements with the same attributes, whatever the words say.
  const tags = (page: string): string[] =>
    page
      .replace(/<style>[\s\S]*?<\/style>/, '')
      .replace(/href="[^"<>]*"/, 'href=""')
      .match(/<[^>]*>/g) ?? []
  assert.deepEqual(tags(html), tags(plain))
  assert.ok(html.includes('&lt;script&gt;alert(1)&lt;/script&gt;'))
  const markdown = sheetMarkdown(hostile)
  for (const line of markdown.split('\n')) {
    // Nothing but the cells of the table parts a row, and no markup character is bare outside of
    // code.
    const bare = line
      .replace(/<https:[^<>|`\s]*>/, '')
      .replace(/\\[\\`*_[\]<>|#~&$]/g, '')
      .replace(/`[^`]*`/g, '')
    assert.doesNotMatch(bare, /<|>|\[|\]|&/, line)
    if (line.startsWith('| `span.attributes.')) assert.equal(bare.split('|').length, 9, line)
  }
})

test('HTML replaces characters that could hide or turn text', () => {
  const page = sheetHtml({ ...sheet('execution: {}'), purpose: 'Count\u200bs\u202e.' })
  assert.ok(page.includes('Count\ufffds\ufffd.'))
  assert.doesNotMatch(page, /\p{Cf}/u)
})

test('the verdict is anonymous only without pseudonyms, hashes, linked ids and exact values', () => {
  const verdict = (rule: string, head = ''): string => sheet(`execution: ${rule}`, head).verdict
  const attribute = (line: string): string => `{attributes: {out: {${line}, reason: Because.}}}`
  const compat = 'compat: true\nlimits: none\n'
  for (const rule of [
    '{}',
    attribute('keep: [a]'),
    attribute('buckets: [1]'),
    attribute('version: core'),
    '{status: keep, time: minute}',
  ])
    assert.match(verdict(rule), /^Anonymous\. /, rule)
  for (const [rule, head] of [
    ['{ids: linked}', ''],
    [attribute('pseudonym: day'), ''],
    [attribute('from: "fact:instance.id", pseudonym: month'), ''],
    [attribute('pseudonym: forever'), compat],
    [attribute('hash: sha256'), compat],
    [attribute('hmac: sha256, key: k'), compat],
    [attribute('exact: text'), compat],
    [attribute('exact: number'), compat],
    ['{time: exact}', compat],
  ] as const)
    assert.match(verdict(rule, head), /^Pseudonymous, not anonymous, because of /, rule)
  const inResource = parsePolicy(
    policyText(
      'execution: {}',
      'id: {from: "fact:instance.id", pseudonym: month, reason: Because.}',
    ),
  )
  assert.match(sheetOf(inResource).verdict, /^Pseudonymous/)
})

test('markdown and HTML say the verdict, every row and every weakness', () => {
  for (const file of FILES) {
    const said = sheetOf(parsePolicy(readFileSync(file, 'utf8')))
    const pages = [
      sheetMarkdown(said).replaceAll('\\', ''),
      sheetHtml(said).replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&'),
    ]
    for (const page of pages) {
      for (const words of [
        said.verdict,
        said.purpose,
        said.digest,
        ...said.weaknesses,
        ...said.off,
      ])
        assert.ok(page.includes(words), words)
      for (const { wire, reason, values } of [
        ...said.batch,
        ...said.spans.flatMap(({ rows }) => rows),
      ])
        for (const words of [wire, reason, ...values])
          assert.ok(page.replaceAll('&lt;', '<').replaceAll('&gt;', '>').includes(words), words)
    }
  }
})

test('the sheet says what the number of copies reveals', () => {
  const weak = (steps: string): string =>
    sheet(`execution: {attributes: {out: {${steps}keep: [a], reason: Because.}}}`).weaknesses.join(
      '\n',
    )
  assert.doesNotMatch(weak(''), /how many parts/)
  assert.match(weak('split: ",", '), /how many parts/)
})
