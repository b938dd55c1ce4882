// Guards of the values that leave: outcomes of the policy, pseudonyms, and how the table of a policy is read.
import type { GuardTable, Witness } from './guard.ts'

const pass = (name: string): Witness => ({ test: 'test/anonymize.test.ts', name })
const malformed = (name: string): Witness => ({ test: 'test/anonymize-malformed.test.ts', name })
const rules = (name: string): Witness => ({ test: 'test/anonymize-rules.test.ts', name })
const oracle = (world: string): Witness => ({
  test: 'test/oracle.test.ts',
  name: `policy says: ${world}$`,
  env: { USAGE_TEST_RUNS: '2700', USAGE_TEST_SEED: '7' },
})

const letters = oracle('letters')
const sources = oracle('sources')
const wide = oracle('wide')
const buckets = pass('^buckets send')
const version = pass('^version keeps')
const pseudonyms = pass('^pseudonyms need')
const vectors = pass('^strong pseudonyms')
const only = pass('^only and skip')
const days: Witness = { test: 'test/oracle.test.ts', name: '^makes ids and pseudonyms of the day' }

export const anonymizeValues: GuardTable = {
  'src/anonymize/action.ts': [
    {
      promise: 'a malformed value has no else',
      text: 'return value.kind === MALFORMED ? undefined : otherwise\n',
      instead: 'return otherwise\n',
      noticed: pass('^a value that decoders'),
    },
    {
      promise: 'a malformed number has no else',
      text: 'value.kind === MALFORMED ? undefined : otherwise)',
      instead: 'otherwise)',
      noticed: malformed('^a malformed number'),
    },
    {
      promise: 'a text to keep is UTF-8',
      text: '      if (text === undefined) return undefined\n      if (index === NOT_ASCII)',
      instead: '      if (index === NOT_ASCII && text !== undefined)',
      noticed: pass('^a value that decoders'),
    },
    {
      promise: 'letters beyond ASCII are folded',
      text: 'if (index === NOT_ASCII) {',
      instead: 'if (false) {',
      noticed: pass('^fold ignores'),
    },
    {
      promise: 'a kept number is of the kind that is kept',
      text: 'value.kind === kind ? ',
      instead: 'value.kind !== MALFORMED ? ',
      noticed: malformed('^a malformed number'),
    },
    { promise: 'buckets take numbers only', text: 'if (value.kind !== INT && value.kind !== DOUBLE) return undefined\n', noticed: buckets },
    {
      promise: 'below the first bound is the first bucket',
      text: 'encoded[Math.max(0, low - 1)]',
      instead: 'encoded[low - 1]',
      noticed: buckets,
    },
    {
      promise: 'a bound belongs to its own bucket',
      text: 'bounds[middle]! <= value.number',
      instead: 'bounds[middle]! < value.number',
      noticed: buckets,
    },
    {
      promise: 'a version is text that is not empty',
      text: '    if (value.kind !== STRING || value.start === value.end) return undefined\n    const raw',
      instead: '    const raw',
      noticed: version,
    },
    {
      promise: 'a version is UTF-8',
      text: 'if (!isUtf8(value.bytes.subarray(value.start, value.end))) return undefined\n',
      noticed: version,
    },
    {
      promise: 'a version is plain numbers below 10000',
      text: 'parts.every((part) => /^(0|[1-9][0-9]{0,3})$/.test(part)) ? parts',
      instead: 'parts.length > 0 ? parts',
      noticed: version,
    },
    {
      promise: 'a version has all parts of its level',
      text: "if (parts.length < (level === 'major' ? 1 : level === 'minor' ? 2 : 3)) return undefined\n",
      noticed: version,
    },
    {
      promise: 'a version says no more than its level',
      text: "\n    .slice(0, level === 'major' ? 1 : level === 'minor' ? 2 : 3)",
      noticed: version,
    },
    {
      promise: 'without a secret there are no pseudonyms',
      text: 'const { secret, project } = context\n  if (secret === undefined) return () => undefined\n',
      instead: 'const { secret = Buffer.alloc(32), project } = context\n',
      noticed: pseudonyms,
    },
    {
      promise: 'a pseudonym is of text that is not empty',
      text: '    if (value.kind !== STRING || value.start === value.end) return undefined\n    const now',
      instead: '    const now',
      noticed: pseudonyms,
    },
    { promise: 'a new period has new pseudonyms', text: 'if (now !== keyPeriod) {', instead: "if (keyPeriod === '') {", noticed: days },
    {
      promise: 'no pseudonym of an earlier period is remembered',
      text: 'seen.clear()\n    }\n    const raw',
      instead: '}\n    const raw',
      noticed: days,
    },
    { promise: 'a text to be pseudonymized is UTF-8', text: 'if (!isUtf8(bytes)) return undefined\n', noticed: letters },
    {
      promise: 'pseudonyms are of the folded text',
      text: 'const text = foldedText(value, fold)\n    if (text === undefined) return undefined\n    const outcome',
      instead: 'const text = foldedText(value, undefined)\n    if (text === undefined) return undefined\n    const outcome',
      noticed: letters,
    },
  ],
  'src/anonymize/pseudonym.ts': [
    { promise: 'texts that are joined cannot be confused', text: 'length.writeUInt32BE(bytes.length)\n', noticed: vectors },
    { promise: 'equal texts have equal pseudonyms however they are composed', text: ".normalize('NFC')", noticed: pseudonyms },
    { promise: 'a pseudonym is cut to 128 bits', text: '\n    .slice(0, 32)', noticed: vectors },
    {
      promise: 'pseudonyms of two projects cannot be joined',
      text: 'lengthPrefixed(project, field, period)',
      instead: "lengthPrefixed('example.org/demo', field, period)",
      noticed: vectors,
    },
    {
      promise: 'pseudonyms of two fields cannot be joined',
      text: 'lengthPrefixed(project, field, period)',
      instead: "lengthPrefixed(project, 'app', period)",
      noticed: vectors,
    },
    {
      promise: 'pseudonyms of two periods cannot be joined',
      text: 'lengthPrefixed(project, field, period)',
      instead: "lengthPrefixed(project, field, '2026-10-05')",
      noticed: vectors,
    },
    { promise: 'the recipe has a salt of its own', text: "'usage-sidecar/pseudonym/v1'\n", instead: "''\n", noticed: vectors },
  ],
  'src/anonymize/compile.ts': [
    {
      promise: 'or is read only where there is something',
      text: 'or !== undefined && or.kind !== ABSENT && ',
      instead: 'or !== undefined && ',
      noticed: sources,
    },
    {
      promise: 'or is read where from is the empty text',
      text: '(from.kind === ABSENT || from.isEmptyText)',
      instead: 'from.kind === ABSENT',
      noticed: pass('^or is read'),
    },
    {
      promise: 'absent is for an absent value only',
      text: 'value.kind === ABSENT ? field.absent : applied(field, value)',
      instead: 'applied(field, value) ?? field.absent',
      noticed: pass('^a value that decoders'),
    },
    {
      promise: 'values that are left out are counted',
      text: 'if (outcome === undefined) field.leftOut.count++\n  else if',
      instead: 'if',
      noticed: rules('^what a field leaves out'),
    },
    {
      promise: 'values that become other are counted',
      text: 'else if (outcome === field.otherwise) field.folded.count++\n',
      instead: '\n',
      noticed: rules('^what a field leaves out'),
    },
    {
      promise: 'fields with absent are evaluated on every span',
      text: ' || field.absent !== undefined) always',
      instead: ') always',
      noticed: pass('^or is read'),
    },
    {
      promise: 'fields that are always evaluated are so on the second span too',
      text: 'this.#words[word] = this.#always[word]!',
      instead: 'this.#words[word] = 0',
      noticed: sources,
    },
    {
      promise: 'no field of the span before is evaluated',
      text: 'this.#words[word] = this.#always[word]!\n',
      noticed: rules('^fields are given back'),
    },
    {
      promise: 'groups of fields that are always evaluated are so on the second span too',
      text: 'this.#summary[s] = this.#alwaysSummary[s]!',
      instead: 'this.#summary[s] = 0',
      noticed: rules('^fields are given back'),
    },
    {
      promise: 'a status that cannot be told gives no value',
      text: 'if (text === undefined) value.kind = MALFORMED',
      instead: 'if (text === undefined) value.kind = ABSENT',
      noticed: malformed('^a status that cannot be told'),
    },
    {
      promise: 'there is no duration without both times',
      text: 'durationNs === undefined ? ABSENT : DOUBLE',
      instead: 'DOUBLE',
      noticed: sources,
    },
    {
      promise: 'only knows the encoded value',
      text: 'encodeAttribute(SPAN_ATTRIBUTES, name, value)',
      instead: 'encodeAttribute(RESOURCE_ATTRIBUTES, name, value)',
      noticed: only,
    },
    {
      promise: 'the resource has what the policy names',
      text: 'outcomes.filter((outcome) => outcome !== undefined)',
      instead: 'outcomes.filter((outcome) => outcome !== undefined).slice(1)',
      noticed: rules('^the resource'),
    },
  ],
  'src/anonymize/table.ts': [
    {
      promise: 'texts of another length are not equal',
      text: 'if (entry.length !== end - start) return false\n  for (let i = 0; i < entry.length; i++) if (entry[i]',
      instead: 'for (let i = 0; i < entry.length; i++) if (entry[i]',
      noticed: rules('^texts are compared whole'),
    },
    {
      promise: 'texts are compared whole',
      text: 'for (let i = 0; i < entry.length; i++) if (entry[i] !== bytes[start + i]) return false\n',
      noticed: wide,
    },
    {
      promise: 'folded texts are compared whole',
      text: 'if (entry[i] !== (byte >= first && byte <= last ? byte ^ 0x20 : byte)) return false\n',
      noticed: rules('^texts are compared whole'),
    },
    {
      promise: 'letters beyond ASCII are not folded as bytes',
      text: 'if (byte >= 0x80) return NOT_ASCII\n',
      noticed: pass('^fold ignores'),
    },
  ],
}
