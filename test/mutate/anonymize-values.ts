// Guards of the values that leave: steps, outcomes of the policy, hashes, and how texts are
// compared.
import type { GuardTable, Witness } from './guard.ts'

const pass = (name: string): Witness => ({ test: 'test/anonymize/anonymize.test.ts', name })
const malformed = (name: string): Witness => ({ test: 'test/anonymize/malformed.test.ts', name })
const rules = (name: string): Witness => ({ test: 'test/anonymize/rules.test.ts', name })
const steps = (name: string): Witness => ({ test: 'test/anonymize/steps.test.ts', name })
const compat = (name: string): Witness => ({ test: 'test/anonymize/compat.test.ts', name })
const oracle = (world: string): Witness => ({
  test: 'test/anonymize/oracle.test.ts',
  name: `policy says: ${world}$`,
  env: { USAGE_TEST_RUNS: '3600', USAGE_TEST_SEED: '7' },
})
const days: Witness = {
  test: 'test/anonymize/oracle.test.ts',
  name: '^makes ids and pseudonyms of the day',
}
const wide = oracle('wide')
const buckets = pass('^buckets send')
const version = pass('^version keeps')
const pseudonyms = pass('^pseudonyms need')
const vectors = pass('^strong pseudonyms')

export const anonymizeValues: GuardTable = {
  'src/anonymize/actions/compile-action.ts': [
    {
      promise: 'a version is text that is not empty',
      text: 'if (value.kind !== STRING || value.start === value.end) return undefined\n    const known',
      instead: 'const known',
      noticed: version,
    },
    {
      promise: 'a version is UTF-8',
      text: 'if (text === undefined) return undefined\n    const short',
      instead: 'if (text === undefined) return other\n    const short',
      noticed: version,
    },
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
    {
      promise: 'buckets take numbers only',
      text: 'if (value.kind !== INT && value.kind !== DOUBLE) return undefined\n',
      noticed: buckets,
    },
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
  ],
  'src/anonymize/actions/hash.ts': [
    {
      promise: 'without a secret there are no pseudonyms',
      text: 'const { secret, project } = context\n  if (secret === undefined) return () => undefined\n',
      instead: 'const { secret = Buffer.alloc(32), project } = context\n',
      noticed: pseudonyms,
    },
    {
      promise: 'a pseudonym is of text that is not empty',
      text: 'if (!isFilled(value)) return undefined\n    const now',
      instead: 'const now',
      noticed: pseudonyms,
    },
    {
      promise: 'a new period has new pseudonyms',
      text: 'if (now !== keyPeriod) {',
      instead: "if (keyPeriod === '') {",
      noticed: days,
    },
    {
      promise: 'no pseudonym of an earlier period is remembered',
      text: 'made.clear()\n    }\n    const known = made.get(value)\n    if (known !== undefined) return known\n    const text',
      instead:
        '}\n    const known = made.get(value)\n    if (known !== undefined) return known\n    const text',
      noticed: days,
    },
    {
      promise: 'a text to be hashed is UTF-8',
      text: 'if (!isText(value)) return undefined\n    const outcome = encode(hash',
      instead: 'const outcome = encode(hash',
      noticed: oracle('compat'),
    },
    { promise: 'a keyed hash needs its key', text: ' || !isFilled(key)', noticed: compat('^Kusk') },
    {
      promise: 'a keyed hash follows its key',
      text: ' || keyBytes.compare(key.bytes, key.start, key.end) !== 0',
      noticed: compat('^a keyed hash follows'),
    },
    {
      promise: 'no keyed hash under an earlier key is remembered',
      text: 'keyObject = createSecretKey(keyBytes)\n      made.clear()',
      instead: 'keyObject = createSecretKey(keyBytes)',
      noticed: compat('^a keyed hash follows'),
    },
    {
      promise: 'an empty text is never hashed',
      text: 'value.start < value.end\n',
      instead: 'value.start <= value.end\n',
      noticed: pseudonyms,
    },
  ],
  'src/anonymize/actions/pseudonym.ts': [
    {
      promise: 'texts that are joined cannot be confused',
      text: 'length.writeUInt32BE(bytes.length)\n',
      noticed: vectors,
    },
    {
      promise: 'equal texts have equal pseudonyms however they are composed',
      text: ".normalize('NFC')",
      noticed: pseudonyms,
    },
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
    {
      promise: 'the recipe has a salt of its own',
      text: "'usage-sidecar/pseudonym/v1'\n",
      instead: "''\n",
      noticed: vectors,
    },
  ],
  'src/anonymize/text.ts': [
    {
      promise: 'text is UTF-8',
      text: 'return isUtf8(bytes.subarray(start, end))',
      instead: 'return true',
      noticed: pass('^a value that decoders'),
    },
  ],
  'src/anonymize/actions/exact.ts': [
    {
      promise: 'an exact text is bounded',
      text: ' || value.end - value.start > maxBytes',
      noticed: compat('^exact texts'),
    },
    {
      promise: 'an exact text has no control characters',
      text: '/\\p{Cc}/u.test(text) || ',
      noticed: compat('^exact texts'),
    },
    {
      promise: 'an exact version is one',
      text: " || (what === 'version' && !VERSION.test(text))",
      noticed: compat('^exact texts'),
    },
    {
      promise: 'an exact integer is exact over 64 bits',
      text: 'if (Number.isSafeInteger(number)) return number\n',
      instead: 'return number\n',
      noticed: compat('^exact numbers'),
    },
    {
      promise: 'an exact number is a number',
      text: 'if (value.kind !== DOUBLE) return undefined\n',
      noticed: compat('^exact numbers'),
    },
  ],
  'src/anonymize/steps.ts': [
    {
      promise: 'the separator of before occurs once',
      text: ' || text.indexOf(before, at + before.length) >= 0',
      noticed: steps('^before takes'),
    },
    {
      promise: 'the separator of before occurs',
      text: 'if (at < 0 || text.indexOf(before',
      instead: 'if (text.indexOf(before',
      noticed: steps('^before takes'),
    },
    {
      promise: 'after is behind the last separator',
      text: 'text.lastIndexOf(after)',
      instead: 'text.indexOf(after)',
      noticed: steps('^after takes'),
    },
    {
      promise: 'the separator of after occurs',
      text: "if (at < 0) return 'after'\n",
      noticed: steps('^after takes'),
    },
    {
      promise: 'a shape is looked at after the fold',
      text: 'text = folded(text, fold)\n',
      noticed: steps('^steps are done'),
    },
    {
      promise: 'a shape is one of those that are named',
      text: ' || !shape.some((form) => SHAPE_FORMS[form].test(text))',
      noticed: steps('^of several shapes'),
    },
    {
      promise: 'a shape is bounded',
      text: 'text.length > MAX_SHAPED || ',
      noticed: steps('^shape semver'),
    },
    {
      promise: 'a value that is no text fails the first step',
      text: 'if (value.kind !== STRING) return this.#first\n',
      noticed: steps('^what is no text'),
    },
    {
      promise: 'a malformed value passes no step',
      text: '    if (value.kind === MALFORMED) {\n      result.kind = MALFORMED\n      return undefined\n    }\n',
      noticed: oracle('steps'),
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
