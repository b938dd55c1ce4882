// Guards of the checker of one attribute of a policy, and of the digest that names a policy.
import type { GuardTable, Witness } from './guard.ts'

const policy = (name: string): Witness => ({ test: 'test/policy/parse.test.ts', name })
const checker = (name: string): Witness => ({ test: 'test/policy/rules.test.ts', name })
const words = (name: string): Witness => ({ test: 'test/policy/words.test.ts', name })
const schema: Witness = {
  test: 'test/policy/schema.test.ts',
  name: '^the checker tells each mistake',
}
const names = checker('^outgoing names')
const from = checker('^sources')
const values = checker('^values that are sent')
const together = checker('^words that do not go together')
const bounds = checker('^a policy is bounded')

export const policyFields: GuardTable = {
  'src/policy/parse-field.ts': [
    {
      promise: 'the application’s resource is never a source of the batch’s',
      text: "  if (part === 'resource')\n    reader.mistake(\n      keyNode,\n      'Under",
      instead:
        "  if (part !== 'resource' && part !== 'spans')\n    reader.mistake(\n      keyNode,\n      'Under",
      noticed: from,
    },
    {
      promise: 'every attribute has a reason',
      text: "if (!given.has('reason') && word !== 'constant') reader.mistake(keyNode, 'Say why this is needed: reason: \"…\".')\n",
      noticed: policy('^refuses .keep: .a..$'),
    },
    {
      promise: 'a word of one action goes with no other',
      text: 'if (given.has(extra) && word !== owner) reader',
      instead: "if (given.has(extra) && word === 'else') reader",
      noticed: together,
    },
    {
      promise: 'a constant takes no steps and no sources',
      text: 'if (given.has(extra)) reader',
      instead: "if (extra === 'reason') reader",
      noticed: policy('^refuses .constant: x'),
    },
    {
      promise: 'steps need text',
      text: 'if (given.has(step) && !takesText)',
      instead: 'if (!given.has(step) && !takesText && false)',
      noticed: policy('^refuses .buckets: .1., split'),
    },
    {
      promise: 'the resource does not split',
      text: "if (part === 'resource' && given.has('split'))",
      instead: "if (part === 'resource' && !given.has('reason') && given.has('split'))",
      noticed: together,
    },
    {
      promise: 'the instance id reaches pseudonyms and hashes only',
      text: 'if (!mayHoldIdentity && ',
      instead: 'if (mayHoldIdentity && ',
      noticed: policy('^refuses .from: "fact:instance'),
    },
    {
      promise: 'the instance id reaches pseudonyms and hashes only, as a second source too',
      text: '[field.from, field.or].some',
      instead: '[field.from].some',
      noticed: together,
    },
    {
      promise: 'the instance id reaches pseudonyms and hashes only, in a list too',
      text: 'placesOf(source).some',
      instead: '[source as Place].some',
      noticed: words('^refuses .from: .a, "fact:instance'),
    },
    {
      promise: 'an outgoing name is plain and short',
      text: '!OUTGOING_NAME.test(name) || name.length > MAX_NAME_BYTES',
      instead: 'name.length > MAX_NAME_BYTES',
      noticed: names,
    },
    {
      promise: 'an outgoing name is bounded',
      text: ' || name.length > MAX_NAME_BYTES',
      noticed: names,
    },
    {
      promise: 'our own names cannot be taken',
      text: "else if (name === 'usage' || name.startsWith('usage.')) reader.mistake(keyNode, 'Names that begin with \"usage.\" belong to the sidecar.')\n",
      noticed: names,
    },
    {
      promise: 'no unknown word is ignored in an attribute',
      text: 'else reader.mistake(at, `',
      instead: "else if (key === '') reader.mistake(at, `",
      noticed: policy('^refuses .keep: .a., reason: Because., kepe'),
    },
    {
      promise: 'an attribute has one action',
      text: 'if (actions.length !== 1) {',
      instead: 'if (actions.length === 0) {',
      noticed: policy('^refuses .keep: .a., buckets'),
    },
    {
      promise: 'absent is of the type that is sent',
      text: ' && typeof value === sentType(action)) return',
      instead: ') return',
      noticed: policy('^refuses .keep: .a., absent'),
    },
  ],
  'src/policy/parse-action.ts': [
    {
      promise: 'buckets have bounds, and not too many',
      text: 'if (bounds.length === 0 || bounds.length > MAX_BUCKETS)',
      instead: 'if (bounds.length > 1e6)',
      noticed: bounds,
    },
    {
      promise: 'the bounds of buckets ascend',
      text: 'if (bounds.some((bound, i) =>',
      instead: 'if (bounds.length > 1e6 && bounds.some((bound, i) =>',
      noticed: policy('^refuses .buckets: .2'),
    },
    {
      promise: 'keep has values, and not too many',
      text: 'if (items.length === 0 || items.length > MAX_KEPT_VALUES)',
      instead: 'if (items.length > 1e6)',
      noticed: bounds,
    },
    {
      promise: 'kept values are of one type',
      text: "    if (values.length > 0 && typeof value !== typeof values[0])\n      reader.mistake(item, 'All values of a keep are of one type. Put numbers in quotes to make them words.')\n",
      noticed: policy('^refuses .keep: .a, 1'),
    },
    {
      promise: 'a kept value is listed once',
      text: "if (values.includes(value)) reader.mistake(item, 'This value is listed twice.')\n",
      noticed: policy('^refuses .keep: .a, a'),
    },
    {
      promise: 'a kept value can match after the fold',
      text: "if (typeof value === 'string' && fold !== undefined && value !== folded(value, fold)) {",
      instead: 'if (false) {',
      noticed: policy('^refuses .keep: .A'),
    },
    {
      promise: 'else is of the type that is kept',
      text: ' || typeof value !== type)',
      instead: ')',
      noticed: policy('^refuses .keep: .a., else'),
    },
    {
      promise: 'a sent number is exact',
      text: 'Number.isSafeInteger(value) && !Object.is(value, -0)',
      instead: 'Number.isFinite(value)',
      noticed: values,
    },
    { promise: 'a sent word is not empty', text: "value !== '' && ", noticed: values },
    {
      promise: 'a sent word is short',
      text: 'Buffer.byteLength(value) <= MAX_VALUE_BYTES && ',
      noticed: values,
    },
    {
      promise: 'a sent word is printable',
      text: ' && !/[\\p{Cc}\\p{Cs}]/u.test(value)',
      noticed: values,
    },
    {
      promise: 'a kept value can be sent',
      text: '    if (value === undefined || !isSendable(value)) {\n      reader',
      instead: '    if (value === undefined) {\n      reader',
      noticed: values,
    },
    {
      promise: 'a constant can be sent',
      text: '      if (value === undefined || !isSendable(value))\n        reader',
      instead: '      if (value === undefined)\n        reader',
      noticed: values,
    },
    {
      promise: 'hashes and exact values are for compat policies',
      text: 'if (COMPAT_ACTIONS.includes(word) && !compat) reader.mistake(node, needsCompat(word))\n',
      noticed: words('^refuses .hash: sha256.$'),
    },
    {
      promise: 'a pseudonym for ever is for compat policies',
      text: "if (period === 'forever' && !compat) reader.mistake(node, needsCompat('pseudonym: forever'))\n",
      noticed: words('^refuses .pseudonym: forever.$'),
    },
    {
      promise: 'an hmac has a key',
      text: "if (key === undefined) reader.mistake(node, 'hmac needs a key: SOURCE.')\n",
      noticed: words('^refuses .hmac: sha256. in a compat'),
    },
  ],
  'src/policy/parse-source.ts': [
    {
      promise: 'a source is text of at most 256 bytes',
      text: ' || Buffer.byteLength(text) > MAX_KEY_BYTES',
      noticed: from,
    },
    {
      promise: 'unknown parts of the span are refused, not taken for keys',
      text: "if (text.startsWith('span:')) {",
      instead: 'if (false) {',
      noticed: policy('^refuses .from: "span:name'),
    },
    {
      promise: 'the name of a fact is plain',
      text: 'if (/^[a-z][a-z0-9_.-]{0,127}$/i.test(name)) return',
      instead: 'return',
      noticed: from,
    },
    {
      promise: 'the resource has facts and literals only',
      text: "if (part === 'resource') {",
      instead: "if (part !== 'resource' && part !== 'spans') {",
      noticed: from,
    },
    {
      promise: 'a list of sources is short',
      text: 'if (items.length === 0 || items.length > MAX_PLACES)',
      instead: 'if (items.length > 1e6)',
      noticed: schema,
    },
  ],
  'src/policy/policy.ts': [
    {
      promise: 'the digest does not follow reasons',
      text: '({ ...full, reason: undefined })',
      instead: '({ ...full })',
      noticed: policy('^the digest follows'),
    },
    {
      promise: 'equal meanings have equal digests',
      text: '.sort(([a], [b]) => (a < b ? -1 : 1))',
      noticed: checker('^the digest is that'),
    },
    {
      promise: 'the digest follows every rule',
      text: '({ ...rule, fields: fields.map(field) })',
      instead: '({ fields: fields.map(field) })',
      noticed: checker('^the digest is that'),
    },
  ],
}
