// Guards of the checker of policies: what it refuses, so that what a policy says and what the
// sidecar does never differ.
import type { GuardTable, Witness } from './guard.ts'

const policy = (name: string): Witness => ({ test: 'test/policy/parse.test.ts', name })
const checker = (name: string): Witness => ({ test: 'test/policy/rules.test.ts', name })
const words = (name: string): Witness => ({ test: 'test/policy/words.test.ts', name })
const surprising = policy('^refuses what makes YAML surprising')
const onlyList = policy('^only names an outgoing')
const head = checker('^the head of a policy')
const spans = checker('^what surrounds the attributes')
const bounds = checker('^a policy is bounded')

export const policyGuards: GuardTable = {
  'src/policy/yaml-reader.ts': [
    {
      promise: 'a policy ends on a day that exists',
      text: "if (day !== '' && new Date",
      instead: "if (day === 'x' && new Date",
      noticed: head,
    },
    {
      promise: 'anchors are refused',
      text: "else if (node.anchor !== undefined) this.mistake(node, 'Anchors are not allowed; write the value out.')\n",
      instead: '\n',
      noticed: surprising,
    },
    {
      promise: 'aliases are refused',
      text: "if (isAlias(node)) this.mistake(node, 'Aliases are not allowed; write the value out.')\n        else if",
      instead: 'if',
      noticed: checker('^an alias'),
    },
    {
      promise: 'tags are refused',
      text: "else if (node.tag !== undefined) this.mistake(node, 'Tags are not allowed.')\n",
      noticed: surprising,
    },
    {
      promise: 'a key twice is a mistake',
      text: 'if (seen.has(key.value)) this',
      instead: "if (seen.has('')) this",
      noticed: surprising,
    },
    {
      promise: 'merge keys mean nothing',
      text: 'merge: false',
      instead: 'merge: true',
      noticed: checker('^an alias'),
    },
    {
      promise: 'every mistake of the parser is one',
      text: "for (const error of [...document.errors, ...document.warnings])\n      this.#report(error.pos[0], PARSE_MISTAKES[error.code] ?? 'This is not YAML.')\n",
      noticed: surprising,
    },
    {
      promise: 'the parser’s sentences are ours',
      text: "PARSE_MISTAKES[error.code] ?? 'This is not YAML.'",
      instead: 'error.message',
      noticed: checker('^what the parser says'),
    },
    {
      promise: 'warnings of the parser are mistakes',
      text: ', ...document.warnings]',
      instead: ']',
      noticed: checker('^what the parser says'),
    },
    {
      promise: 'a policy has at most 1 MiB',
      text: "if (Buffer.byteLength(text) > MAX_POLICY_BYTES) return '1:1: The file is larger than 1 MiB.'\n",
      noticed: surprising,
    },
    {
      promise: 'an empty file is a mistake',
      text: "if (document.contents === null && this.mistakes.length === 0) this.mistakes.push('1:1: The file is empty.')\n",
      noticed: surprising,
    },
    {
      promise: 'mistakes are bounded',
      text: 'if (this.mistakes.length >= MAX_MISTAKES) return\n',
      noticed: bounds,
    },
    {
      promise: 'a mistake is told once',
      text: 'if (!this.mistakes.includes(mistake)) this',
      instead: 'this',
      noticed: checker('^a mistake is told once'),
    },
    {
      promise: 'mistakes are in the order of their places',
      text: 'place(a)[0] - place(b)[0] || place(a)[1] - place(b)[1]',
      instead: '0',
      noticed: checker('^a mistake is told once'),
    },
    {
      promise: 'a map is a map',
      text: 'if (!isMap(node)) {',
      instead: 'if (!isMap(node)) return []\n    if (node === null) {',
      noticed: surprising,
    },
    {
      promise: 'a name is a word',
      text: "        this.mistake(key, 'A name is a plain word here.')\n",
      noticed: checker('^names and values are there'),
    },
    {
      promise: 'a name has a value',
      text: 'if (value === null) {',
      instead: 'if (value === null) return []\n      if (value === undefined) {',
      noticed: checker('^names and values are there'),
    },
    {
      promise: 'a list is a list',
      text: 'if (items === undefined) this.mistake',
      instead: "if (what === '') this.mistake",
      noticed: checker('^names and values are there'),
    },
    {
      promise: 'a text has its form',
      text: '&& test.test(value)) return value',
      instead: ') return value',
      noticed: head,
    },
    {
      promise: 'a word is one of those that are allowed',
      text: 'if (found === undefined) this.mistake',
      instead: "if (what === '') this.mistake",
      noticed: spans,
    },
    {
      promise: 'a number is within its range',
      text: 'value >= min && value <= max',
      instead: 'value > -1e6',
      noticed: head,
    },
    {
      promise: 'a number is whole and within its range',
      text: 'Number.isSafeInteger(value) && value >= min && value <= max',
      instead: 'value >= min && value <= max',
      noticed: head,
    },
  ],
  'src/policy/parse.ts': [
    {
      promise: 'compat is true or not there',
      text: "if (reader.scalar(node) !== true) reader.mistake(node, 'compat is true, or the line is left out.')\n",
      noticed: head,
    },
    {
      promise: 'a policy without limits says that it is compat',
      text: "if (!compat) reader.mistake(node, needsCompat('limits: none'))\n",
      noticed: words('^what only a compat'),
    },
    {
      promise: 'exact times are for compat policies',
      text: "if (time === 'exact' && !compat) reader.mistake(node, needsCompat('time: exact'))\n",
      noticed: words('^what only a compat'),
    },
    {
      promise: 'pseudonyms of the whole are looked at',
      text: 'checkPeriods(reader, policy)\n',
      instead: '{}\n',
      noticed: words('^a pseudonym of the resource'),
    },
    {
      promise: 'a policy over its limits is no policy',
      text: 'if (over.length > 0) throw new ConfigError(over)\n',
      noticed: words('^a record over its limit'),
    },
    {
      promise: 'a policy with a mistake is no policy',
      text: ' || reader.mistakes.length > 0) throw',
      instead: ') throw',
      noticed: policy('^tells all mistakes at once'),
    },
    {
      promise: 'no unknown word is ignored at the top',
      text: 'else reader.mistake(keyNode, `This',
      instead: "else if (key === '') reader.mistake(keyNode, `This",
      noticed: head,
    },
    {
      promise: 'what is required is there',
      text: 'if (!given.has(word)) reader',
      instead: 'if (word === undefined) reader',
      noticed: policy('^tells all mistakes at once'),
    },
    {
      promise: 'the version of the language is one we know',
      text: "if (given.has('apiVersion')) reader.word(given.get('apiVersion')!, 'apiVersion', [API_VERSION])\n",
      noticed: policy('^tells all mistakes at once'),
    },
    {
      promise: 'no unknown limit is ignored',
      text: "else reader.mistake(keyNode, 'limits has recordBits and stableBits.')\n",
      noticed: head,
    },
    {
      promise: 'attributes are bounded',
      text: 'if (entries.length > MAX_ATTRIBUTES)',
      instead: 'if (entries.length > 1e6)',
      noticed: bounds,
    },
    {
      promise: 'spans are bounded',
      text: 'if (entries.length > MAX_SPANS)',
      instead: 'if (entries.length > 1e6)',
      noticed: bounds,
    },
    {
      promise: 'the name of a span is short and printable',
      text: "  if (!/^[\\x21-\\x7e]([\\x20-\\x7e]{0,62}[\\x21-\\x7e])?$/.test(name))\n    reader.mistake(keyNode, 'The name of a span is 1 to 64 printable ASCII characters.')\n",
      noticed: spans,
    },
    {
      promise: 'no unknown word is ignored in a span',
      text: 'else reader.mistake(at, `This',
      instead: "else if (key === '') reader.mistake(at, `This",
      noticed: spans,
    },
    {
      promise: 'one attribute of a span splits',
      text: "if (splits.length > 1) reader.mistake(keyNode, 'One attribute of a span may split.')\n",
      noticed: spans,
    },
    {
      promise: 'ids are random where nothing is said',
      text: ": 'random',\n    time",
      instead: ": 'linked',\n    time",
      noticed: checker('^what is not said is the least'),
    },
    {
      promise: 'times are days where nothing is said',
      text: ": 'day',\n    status",
      instead: ": 'minute',\n    status",
      noticed: checker('^what is not said is the least'),
    },
    {
      promise: 'the status is dropped where nothing is said',
      text: ": 'drop',\n    only",
      instead: ": 'keep',\n    only",
      noticed: checker('^what is not said is the least'),
    },
    {
      promise: 'only names an attribute of its span',
      text: "if (field === undefined) reader.mistake(keyNode, 'only names an outgoing attribute of this span.')\n",
      noticed: onlyList,
    },
    {
      promise: 'an only that lets nothing through is a mistake',
      text: "if (items.length === 0) reader.mistake(value, 'An empty list lets nothing through; drop the span instead.')\n",
      noticed: onlyList,
    },
    {
      promise: 'only has values that can be sent',
      text: ' && canBeSent(field, scalar)',
      noticed: onlyList,
    },
    {
      promise: 'only has values of the type that is sent',
      text: 'typeof scalar === sentType(field.action) && ',
      noticed: checker('^only has values'),
    },
    {
      promise: 'skip names a key',
      text: "if (items.length === 0) reader.mistake(node, 'skip lists one or more attribute keys.')\n",
      noticed: spans,
    },
  ],
  'src/policy/check-whole.ts': [
    {
      promise: 'linked ids count as a day',
      text: "...(rule.ids === 'linked' ? (['day'] as const) : [])",
      instead: '',
      noticed: words('^a pseudonym of the resource'),
    },
    {
      promise: 'a record is within its limit',
      text: 'if (bits <= limits.recordBits) return\n',
      instead: 'return\n',
      noticed: words('^a record over its limit'),
    },
    {
      promise: 'what is stable has a limit of its own',
      text: 'if (stableBits > limits.stableBits)',
      instead: 'if (stableBits === -1)',
      noticed: words('^what stays the same'),
    },
    {
      promise: 'a record without a bound is told',
      text: 'if (unbounded.length > 0)\n',
      instead: 'if (unbounded.length > 1e6)\n',
      noticed: words('^a compat policy whose'),
    },
  ],
}
