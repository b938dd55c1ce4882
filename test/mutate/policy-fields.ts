// Guards of the checker of one attribute of a policy, and of the digest that names a policy.
import type { GuardTable, Witness } from './guard.ts'

const policy = (name: string): Witness => ({ test: 'test/policy.test.ts', name })
const rules = (name: string): Witness => ({ test: 'test/policy-rules.test.ts', name })

const names = rules('^outgoing names')
const from = rules('^sources')
const values = rules('^values that are sent')
const together = rules('^words that do not go together')
const bounds = rules('^a policy is bounded')

export const policyFields: GuardTable = {
  'src/anonymize/parse-field.ts': [
    {
      promise: 'an outgoing name is plain and short',
      text: '!OUTGOING_NAME.test(name) || name.length > MAX_NAME_BYTES',
      instead: 'name.length > MAX_NAME_BYTES',
      noticed: names,
    },
    { promise: 'an outgoing name is bounded', text: ' || name.length > MAX_NAME_BYTES', noticed: names },
    {
      promise: 'our own names cannot be taken',
      text: "else if (name === 'usage' || name.startsWith('usage.')) reader.mistake(keyNode, 'Names that begin with \"usage.\" belong to the sidecar.')\n",
      noticed: names,
    },
    {
      promise: 'words of later versions are refused, not ignored',
      text: 'else if (LATER.includes(key)) reader',
      instead: 'else if (LATER.includes(key)) reader.mistakes.slice(0)\n    else if (LATER.includes(key)) reader',
      noticed: policy('^refuses .hash'),
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
      promise: 'what is not printable is not repeated',
      text: "/^[\\x20-\\x7e]{1,40}$/.test(key) ? key : '…'",
      instead: 'key',
      noticed: policy('^never repeats'),
    },
    {
      promise: 'the application’s resource is never a source',
      text: "  if (place === 'resource')\n    reader",
      instead: "  if (place !== 'resource' && place !== 'spans')\n    reader",
      noticed: from,
    },
    { promise: 'a source is text of at most 256 bytes', text: ' || Buffer.byteLength(text) > MAX_KEY_BYTES', noticed: from },
    {
      promise: 'the name of a fact is plain',
      text: 'if (/^[a-z][a-z0-9_.-]{0,127}$/i.test(name)) return',
      instead: 'return',
      noticed: from,
    },
    {
      promise: 'resource sources are refused, not taken for keys',
      text: "if (text.startsWith('resource:')) {",
      instead: 'if (false) {',
      noticed: policy('^refuses .from: "resource'),
    },
    {
      promise: 'the resource has facts and literals only',
      text: '    reader.mistake(node, \'Under "resource" only fact:NAME and text:WORDS are sources.\')\n',
      noticed: from,
    },
    {
      promise: 'unknown parts of the span are refused, not taken for keys',
      text: "if (text.startsWith('span:')) {",
      instead: 'if (false) {',
      noticed: policy('^refuses .from: "span:name'),
    },
    {
      promise: 'buckets have bounds, and not too many',
      text: 'if (bounds.length === 0 || bounds.length > MAX_BUCKETS)',
      instead: 'if (bounds.length > 1e6)',
      noticed: bounds,
    },
    {
      promise: 'the bounds of buckets ascend',
      text: "      if (bounds.some((bound, i) => i > 0 && bound <= bounds[i - 1]!))\n        reader.mistake(node, 'The bounds of buckets ascend, each above the one before.')\n",
      noticed: policy('^refuses .buckets: .2'),
    },
    {
      promise: 'a constant can be sent',
      text: '      if (value === undefined || !isSendable(value))\n        reader',
      instead: '      if (value === undefined)\n        reader',
      noticed: values,
    },
    {
      promise: 'keep has values, and not too many',
      text: 'if (items.length === 0 || items.length > MAX_KEPT_VALUES)',
      instead: 'if (items.length > 1e6)',
      noticed: bounds,
    },
    {
      promise: 'a kept value can be sent',
      text: '    if (value === undefined || !isSendable(value)) {\n      reader',
      instead: '    if (value === undefined) {\n      reader',
      noticed: values,
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
    { promise: 'a sent word is short', text: 'Buffer.byteLength(value) <= MAX_VALUE_BYTES && ', noticed: values },
    { promise: 'a sent word is printable', text: ' && !/[\\p{Cc}\\p{Cs}]/u.test(value)', noticed: values },
    {
      promise: 'absent is of the type that is sent',
      text: ' && typeof value === sentType(action)) return',
      instead: ') return',
      noticed: policy('^refuses .keep: .a., absent'),
    },
    {
      promise: 'every attribute has a reason',
      text: "if (!given.has('reason') && action.kind !== 'constant') reader.mistake(keyNode, 'Say why this is needed: reason: \"…\".')\n",
      noticed: policy('^refuses .keep: .a.}'),
    },
    {
      promise: 'else goes with keep',
      text: "if (given.has('else') && action.kind !== 'keep') reader.mistake(given.get('else')!, 'else goes with keep only.')\n",
      noticed: together,
    },
    {
      promise: 'releases goes with version',
      text: "if (given.has('releases') && action.kind !== 'version') reader.mistake(given.get('releases')!, 'releases goes with version only.')\n",
      noticed: together,
    },
    {
      promise: 'a constant takes no steps',
      text: 'if (given.has(step)) reader',
      instead: "if (step === '') reader",
      noticed: policy('^refuses .constant: x'),
    },
    {
      promise: 'split and fold need text',
      text: 'if (given.has(step) && !takesText)',
      instead: "if (step === '')",
      noticed: policy('^refuses .buckets: .1., split'),
    },
    {
      promise: 'the resource does not split',
      text: "if (place === 'resource' && given.has('split'))",
      instead: 'if (false)',
      noticed: together,
    },
    {
      promise: 'the instance id reaches a pseudonym only',
      text: "source?.kind === 'fact' && source.name === 'instance.id' && action.kind !== 'pseudonym'",
      instead: 'source === undefined && false',
      noticed: policy('^refuses .from: "fact:instance'),
    },
    {
      promise: 'the instance id reaches a pseudonym only, as a second source too',
      text: 'for (const source of [from, or]) {',
      instead: 'for (const source of [from]) {',
      noticed: together,
    },
  ],
  'src/anonymize/policy.ts': [
    {
      promise: 'the digest does not follow reasons',
      text: '({ ...full, reason: undefined })',
      instead: '({ ...full })',
      noticed: policy('^the digest follows'),
    },
    { promise: 'equal meanings have equal digests', text: '.sort(([a], [b]) => (a < b ? -1 : 1))', noticed: rules('^the digest is that') },
    {
      promise: 'the digest follows every rule',
      text: '({ ...rule, fields: fields.map(field) })',
      instead: '({ fields: fields.map(field) })',
      noticed: rules('^the digest is that'),
    },
  ],
}
