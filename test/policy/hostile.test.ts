// A policy that was made to do harm is refused with a sentence that says where, in bounded work and
// memory; one that only has strange names works like any other. Each file is checked by a process
// of its own with little memory.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { sheetOf } from '../../src/datasheet/sheet.ts'
import { parsePolicy } from '../../src/policy/parse.ts'
import { policyDigest } from '../../src/policy/policy.ts'
import { Counters } from '../../src/support/counters.ts'
import { temporaryFolder } from '../queue/queue-setup.ts'
import { anonymizer, NOW, spansOf } from '../support/anonymize.ts'
import { attribute, int, policyText, request, SECRET, span, text } from '../support/spans.ts'

const MAIN = new URL('../../src/main.ts', import.meta.url).pathname
const CONFIG = 64
/**
 * What the process may take for objects. A file of a megabyte that grows a hundredfold does not
 * fit.
 */
const HEAP_MIB = 96
/**
 * For a process that would not end by itself: work that grows with the square of a megabyte takes
 * longer.
 */
const LIMIT_MS = 20_000

const SOUND = policyText('execution:\n  attributes:\n    a: {keep: [x], reason: Because.}')
const list = (length: number, item: (index: number) => string): string =>
  Array.from({ length }, (_, index) => item(index)).join('')
/** Levels of lists, each of which has the one before nine times. */
const bomb = `${policyText('execution: {}')}z0: &z0 [x]\n${list(9, (i) => `z${i + 1}: &z${i + 1} [${list(9, () => `*z${i},`)}]\n`)}`

/** Each with the sentence that it must be refused with. */
const HOSTILE: readonly [what: string, content: string | Buffer, says: RegExp][] = [
  ['ten megabytes', `${SOUND}# ${'x'.repeat(10_000_000)}`, /larger than 1 MiB/],
  [
    'a keep of a million values',
    SOUND.replace('[x]', `[${list(1_000_000, (i) => `v${i},`)}]`),
    /larger than 1 MiB/,
  ],
  [
    'a keep of as many values as fit',
    SOUND.replace('[x]', `[${list(30_000, (i) => `${i},`)}]`),
    /:11:17: `keep` must list 1 to \d+ values\./,
  ],
  [
    'as many spans as fit',
    `${SOUND}${list(11_000, (i) => `  s${i}: {}\n`)}`,
    /more than 100 spans/,
  ],
  [
    'as many attributes as fit',
    `${SOUND}${list(11_000, (i) => `      a${i}: {}\n`)}`,
    /more than 2000 attributes/,
  ],
  ['as many words as fit', list(13_000, (i) => `k${i}: 1\n`), /This word is unknown/],
  ['a YAML bomb of aliases', bomb, /Aliases are not allowed/],
  [
    'an anchor without an alias',
    SOUND.replace('A test.', '&a A test.'),
    /:4:\d+: Anchors are not allowed/,
  ],
  ['an alias to itself', `${SOUND}review: &a [*a]\n`, /Aliases are not allowed/],
  ['as many anchors as fit', list(9_000, (i) => `k${i}: &a${i} x\n`), /Anchors are not allowed/],
  ['a merge key', SOUND.replace('{keep', '{<<: {}, keep'), /The word `<<` is unknown/],
  ['a tag of a language', SOUND.replace('A test.', '!!js/function "x"'), /Tags are not allowed/],
  ['a tag of YAML', SOUND.replace('A test.', '!!binary eA=='), /Tags are not allowed/],
  ['a key given twice', `${SOUND}purpose: Twice.\n`, /:12:1: This key is given twice\./],
  [
    'a key given twice, deep inside',
    SOUND.replace('keep: [x],', 'keep: [x], keep: [y],'),
    /:11:22: This key is given twice\./,
  ],
  ['a key given twice, once in quotes', `${SOUND}"purpose": Twice.\n`, /given twice/],
  [
    'a key given thirteen thousand times',
    `${SOUND}${list(13_000, () => 'version: 1\n')}`,
    /given twice/,
  ],
  [
    'more spans than can be read',
    `${SOUND}${list(70_000, (i) => `  s${i}: {}\n`)}`,
    /:1:1: The file has more than 100000 tokens/,
  ],
  [
    'lists in lists',
    `a: ${'['.repeat(500_000)}`,
    /:1:20: Brackets are nested more than 16 deep here\./,
  ],
  [
    'closed lists in lists',
    `a: ${'['.repeat(400_000)}${']'.repeat(400_000)}`,
    /nested more than 16 deep/,
  ],
  [
    'lists in lists, again and again',
    `a:\n${list(300, () => `- ${'['.repeat(16)}${']'.repeat(16)}\n`)}- ${'['.repeat(17)}`,
    /:302:19: .*nested more than 16 deep/,
  ],
  ['maps in maps', '{a: '.repeat(200_000), /nested more than 16 deep/],
  ['items in items', '- '.repeat(500_000), /more than 100000 tokens/],
  ['as many items in items as are read', '- '.repeat(40_000), /not YAML/],
  ['as many keys of keys as are read', '? '.repeat(40_000), /not YAML/],
  ['deeper at every line', list(1000, (i) => `${' '.repeat(i)}a:\n`), /not YAML|word is unknown/],
  ['quotes', '"'.repeat(90_000), /not YAML/],
  ['brackets', '}\n'.repeat(45_000), /not YAML/],
  ['commas', `a: [${','.repeat(90_000)}]`, /not YAML/],
  ['documents', '---\na: 1\n'.repeat(8_000), /second document/],
  [
    'a number of a megabyte',
    SOUND.replace('version: 1', `version: ${'9'.repeat(900_000)}`),
    /`version` must be a whole number/,
  ],
  [
    'an exponent',
    SOUND.replace('version: 1', 'version: 1e999999'),
    /`version` must be a whole number/,
  ],
  [
    'a bound that is no number',
    SOUND.replace('keep: [x]', 'buckets: [.nan, .inf]'),
    /whole number/,
  ],
  [
    'one line of a megabyte',
    SOUND.replace('A test.', 'x'.repeat(1_000_000)),
    /`purpose` must be one line/,
  ],
  [
    'Latin-1',
    Buffer.from(SOUND.replace('[x]', '[caf\u00e9]'), 'latin1'),
    /:11:21: This is not UTF-8\./,
  ],
  ['UTF-16', Buffer.from(`\ufeff${SOUND}`, 'utf16le'), /not UTF-8/],
  [
    'half a surrogate',
    Buffer.concat([Buffer.from(SOUND), Buffer.from('# '), Buffer.from([0xed, 0xa0, 0x80])]),
    /:12:3: This is not UTF-8\./,
  ],
  [
    'random bytes',
    Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 167 + (i >> 3)) & 255)),
    /not UTF-8/,
  ],
  ['bytes of zero', Buffer.alloc(100_000), /A policy must be a map|not YAML/],
  ['a zero in a value', SOUND.replace('[x]', '["a\\0b"]'), /A kept value must be text/],
  [
    'an escape in the project',
    SOUND.replace('example.org/demo', '"example.org/\\u200bdemo"'),
    /`project` must be/,
  ],
  [
    'text that is turned around',
    SOUND.replace('A test.', 'Not \u202edetnuoc'),
    /:4:14: An invisible character reorders the text/,
  ],
  [
    'text that an escape turns around',
    SOUND.replace('[x]', '["a\\u2066b"]'),
    /:11:18: An invisible character/,
  ],
  [
    'a line that ends unseen',
    SOUND.replace('Because.', 'Because.\u2028Or not.'),
    /An invisible character/,
  ],
  ['an escape of the terminal as a key', `${SOUND}? "\\e[2J"\n`, /:12:3: `…` has no value\./],
  [
    '__proto__ as a word of the language',
    `${SOUND}__proto__: {compat: true}\n`,
    /:12:1: This word is unknown/,
  ],
  [
    '__proto__ as an outgoing name',
    SOUND.replace('a: {keep', '__proto__: {keep'),
    /The name of an outgoing attribute/,
  ],
  [
    'constructor as an action',
    SOUND.replace('keep: [x]', 'constructor: [x]'),
    /exactly one action/,
  ],
  [
    'toString as a word for a fold',
    SOUND.replace('keep: [x]', 'keep: [x], fold: toString'),
    /`fold` must be one of/,
  ],
  [
    'a map where a word is expected',
    SOUND.replace('A test.', '{toString: 1}'),
    /`purpose` must be/,
  ],
  ['an empty file', '', /empty/],
]

/** Exit code and what is told of a policy in a process with little memory. */
async function check(t: TestContext, content: string | Buffer) {
  const file = join(await temporaryFolder(t), 'policy.yaml')
  await writeFile(file, content)
  const { status, signal, stderr } = spawnSync(
    process.execPath,
    [`--max-old-space-size=${HEAP_MIB}`, MAIN, 'policy', 'check', file],
    {
      timeout: LIMIT_MS,
      killSignal: 'SIGKILL',
      maxBuffer: 1024 * 1024,
      encoding: 'utf8',
    },
  )
  return { status, signal, file, stderr }
}

for (const [what, content, says] of HOSTILE) {
  test(`refuses a policy with a sentence: ${what}`, async (t) => {
    const { status, signal, file, stderr } = await check(t, content)
    assert.deepEqual([status, signal], [CONFIG, null], stderr.slice(0, 500))
    const lines = stderr.trimEnd().split('\n')
    assert.match(lines.pop()!, /^\d+ errors?\. With this policy nothing would be kept or sent\.$/)
    assert.ok(lines.length > 0 && lines.length <= 100, `${lines.length} lines`)
    for (const line of lines) {
      assert.ok(line.startsWith(`${file}:`), line.slice(0, 200))
      assert.match(line.slice(file.length), /^:\d+:\d+: [^\p{Cc}]{10,400}\.$/u, line.slice(0, 200))
    }
    assert.match(stderr, says, stderr.slice(0, 500))
  })
}

test('refuses a policy that never ends', () => {
  const { status, stderr } = spawnSync(process.execPath, [MAIN, 'policy', 'check', '/dev/zero'], {
    timeout: LIMIT_MS,
    encoding: 'utf8',
  })
  assert.equal(status, CONFIG)
  assert.match(stderr, /^\/dev\/zero:1:1: The file is larger than 1 MiB\. Shorten it\.\n/)
})

const NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  '__defineGetter__',
  'then',
]

test('names of the prototype are names like any other: of spans, of attributes, in conditions and values', () => {
  const before = Object.getOwnPropertyNames(Object.prototype)
  const spans = NAMES.map(
    (name) =>
      `${name}:\n  skip: [skip.${name}]\n  only: {out: [${name}, other]}\n  attributes:\n    out: {from: ${name}, keep: [${NAMES.join(', ')}], reason: Because.}\n    constructor: {from: "resource:${name}", keep: [x], reason: Because.}`,
  )
  const policy = policyText(spans.join('\n'))
  const { pass } = anonymizer(policy)
  for (const name of NAMES) {
    const sent = spansOf(
      pass(
        request(span({ name, more: [attribute(name, text(name)), attribute('unlisted', int(1))] })),
        NOW,
      ),
    )
    assert.deepEqual(
      sent.map((one) => [
        one.name,
        one.attributes.map(({ key, value }) => [key, value?.stringValue]),
      ]),
      [[name, [['out', name]]]],
    )
    assert.equal(
      spansOf(pass(request(span({ name, more: [attribute(name, text('valueof'))] })), NOW))[0]!
        .attributes[0]!.value!.stringValue,
      'other',
    )
    assert.equal(
      pass(request(span({ name, more: [attribute(`skip.${name}`, text('x'))] })), NOW).spans,
      0,
    )
  }
  assert.equal(sheetOf(parsePolicy(policy)).spans.length, NAMES.length)
  assert.match(policyDigest(parsePolicy(policy)), /^[0-9a-f]{64}$/)
  assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), before)
})

test('spans and attributes with such names that no policy names are left out like any other', () => {
  const counters = new Counters()
  const { pass } = anonymizer(SOUND, {}, SECRET, counters)
  for (const name of NAMES) {
    assert.equal(pass(request(span({ name })), NOW).spans, 0)
    const [sent] = spansOf(
      pass(request(span({ more: [attribute(name, text('x')), attribute('a', text(name))] })), NOW),
    )
    assert.deepEqual(
      sent!.attributes.map(({ key, value }) => [key, value?.stringValue]),
      [['a', 'other']],
    )
  }
  assert.equal(counters.get('spans.unlisted'), NAMES.length)
})
