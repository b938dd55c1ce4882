// Guards of OTLP/JSON: what is no JSON, what is said twice, what is of a wrong kind, and how large
// and deep it may be.
import type { GuardTable, Witness } from './guard.ts'

const malformed = (name: string): Witness => ({ test: 'test/otlp/json-malformed.test.ts', name })
const values = (name: string): Witness => ({ test: 'test/otlp/json-values.test.ts', name })
const sound = (name: string): Witness => ({ test: 'test/otlp/json.test.ts', name })

const notJson = malformed('is refused with 400')
const wrongKind = malformed('is refused where the frame has a value')
const twiceAttribute = malformed('of a KeyValue or an AnyValue')
const twiceSpan = malformed('of a Span reject')
const noWhole = values('that are none')
const noDouble = values('that are doubles')
const otherValues = values('leave their attribute out where')
const nesting = values('nest 64 deep')
const ids = sound('reject their span')

export const otlpJson: GuardTable = {
  'src/otlp/json-reader.ts': [
    {
      promise: 'a string has no control characters',
      text: "if (byte < 0x20) throw this.fail('a control character in a string', pos)\n",
      noticed: notJson,
    },
    {
      promise: 'a string has known escapes only',
      text: "throw this.fail('an unknown escape', pos)\n",
      instead: 'return 1\n',
      noticed: notJson,
    },
    {
      promise: 'an escape of four digits has four',
      text: "for (let i = 1; i <= 4; i++) if (hexDigit(bytes[pos + i]) < 0) throw this.fail('an unknown escape', pos + i)\n",
      noticed: notJson,
    },
    {
      promise: 'a string has an end',
      text: "throw this.fail('', length)",
      noticed: malformed('says where it is cut off'),
    },
    {
      promise: 'a number has no zero before it',
      text: 'if (bytes[this.pos] === 0x30) this.pos++\n    else this.#digits()',
      instead: 'this.#digits()',
      noticed: notJson,
    },
    {
      promise: 'a number has digits where they belong',
      text: "if (!isDigit(this.bytes[this.pos])) throw this.fail('something else where a digit belongs')\n",
      noticed: notJson,
    },
    {
      promise: 'a word is one of three',
      text: "if (this.bytes[this.pos] !== letter) throw this.fail('an unknown word')\n",
      noticed: notJson,
    },
    {
      promise: 'a value is a value',
      text: "if (word === undefined) throw this.fail('something else where a value belongs')\n",
      instead: 'if (word === undefined) return\n',
      noticed: notJson,
    },
    {
      promise: 'members and items stand behind commas',
      text: "if (byte !== COMMA && byte !== close) throw this.fail('something else where a comma or an end belongs')\n",
      noticed: notJson,
    },
    {
      promise: 'a name is a string',
      text: "if (this.peek() !== QUOTE) throw this.fail('something else where the name of a member belongs')\n    this.string()",
      instead: 'this.peek()\n    this.string()',
      noticed: notJson,
    },
    {
      promise: 'a name has a colon behind it',
      text: "if (this.peek() !== 0x3a) throw this.fail('something else where a colon belongs')\n",
      instead: 'this.peek()\n',
      noticed: notJson,
    },
    {
      promise: 'a request is an object',
      text: "if (this.peek() !== open) throw this.fail('something else where an object or a list belongs')\n",
      instead: 'this.peek()\n',
      noticed: notJson,
    },
    {
      promise: 'nothing stands behind the request',
      text: "if (this.peek() !== END) throw this.fail('something behind its end')\n",
      noticed: notJson,
    },
    {
      promise: 'what is stepped over nests 64 levels',
      text: "if (depth === MAX_DEPTH) throw this.fail('values nested too deeply')\n",
      noticed: nesting,
    },
    {
      promise: 'white space is that of JSON',
      text: 'byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09',
      instead: 'byte > 0x20 && byte !== 0xa0',
      noticed: notJson,
    },
  ],
  'src/otlp/json.ts': [
    {
      promise: 'a list twice below the frame leaves its attribute out',
      text: "if (again && member.kind === 'list') this.#wrong(member)\n    else if",
      instead: 'if',
      noticed: {
        test: 'test/otlp/oracle-json.test.ts',
        name: '^makes of every request',
        env: { USAGE_TEST_RUNS: '5000', USAGE_TEST_SEED: '7' },
      },
    },
    {
      promise: 'a list of the frame twice refuses the request',
      text: "if (again && member.kind === 'list' && message.frame) throw badRequest('OTLP JSON with the same list twice', at)\n",
      noticed: malformed('that are lists of the frame'),
    },
    {
      promise: 'a member twice is twice in the protobuf',
      text: "if (again && member.kind === 'list') this.#wrong(member)\n    else if (again) this.#zero(member)\n",
      instead: "if (again && member.kind === 'list') this.#wrong(member)\n",
      noticed: twiceAttribute,
    },
    {
      promise: 'a member twice of which one is null is twice in the protobuf',
      text: "if (again && member.kind !== 'list' && out.pos === before) this.#zero(member)\n",
      noticed: twiceAttribute,
    },
    {
      promise: 'a member that occurred is remembered',
      text: 'seen |= member.bit\n',
      noticed: twiceSpan,
    },
    {
      promise: 'a value of a wrong kind in the frame refuses the request',
      text: "if (message.frame) throw badRequest('OTLP JSON with a value of a wrong kind', at)\n      out.pos",
      instead: 'out.pos',
      noticed: wrongKind,
    },
    {
      promise: 'nothing stays of a value that is not sound',
      text: 'out.pos = before\n      this.#wrong',
      instead: 'this.#wrong',
      noticed: otherValues,
    },
    {
      promise: 'a value of a wrong kind in an attribute leaves it out',
      text: 'out.pos = before\n      this.#wrong(member)\n',
      instead: 'out.pos = before\n',
      noticed: otherValues,
    },
    {
      promise: 'an item of a wrong kind in the frame refuses the request',
      text: 'else if (message.frame) {\n        const at',
      instead: 'else if (false) {\n        const at',
      noticed: wrongKind,
    },
    {
      promise: 'null in a list is a value that is nothing',
      text: 'if (item === NULL) this.#zero(member)\n        else this.#wrong(member)',
      instead: 'this.#wrong(member)',
      noticed: sound('takes null for absent'),
    },
    {
      promise: 'messages nest 64 levels',
      text: "if (inner > MAX_DEPTH) throw this.#reader.fail('values nested too deeply')\n",
      noticed: nesting,
    },
    {
      promise: 'the name of an enum is no number',
      text: '        if (first === QUOTE) {\n          reader.string()\n          return true\n        }\n',
      noticed: values('that are enums'),
    },
    {
      promise: 'nothing stands behind the last brace',
      text: 'this.#reader.finish()\n',
      noticed: notJson,
    },
    { promise: 'an id has its length', text: 'length === size * 2 && ', noticed: ids },
    {
      promise: 'an id is hex',
      text: 'length === size * 2 && writeHex(out, this.#text, this.#start, this.#stop)',
      instead:
        'length === size * 2 && (writeHex(out, this.#text, this.#start, this.#stop) || true)',
      noticed: ids,
    },
    {
      promise: 'names are compared without their escapes',
      text: '      reader.name()\n      this.#takeText()\n',
      instead:
        '      reader.name()\n      this.#text = reader.bytes\n      this.#start = reader.start\n      this.#stop = reader.stop\n',
      noticed: malformed('have their escapes resolved'),
    },
    {
      promise: 'unknown members are stepped over',
      text: 'if (member === undefined) {\n        reader.skip()\n        continue',
      instead: "if (member === undefined) {\n        throw reader.fail('an unknown member')",
      noticed: sound('ignores unknown members'),
    },
    {
      promise: 'no long text is looked at for an id',
      text: ' || stop - start > MAX_SHORT_TEXT',
      noticed: ids,
    },
  ],
  'src/otlp/json-values.ts': [
    {
      promise: 'a whole number has no zero before it',
      text: ' || (bytes[at] === 0x30 && stop - at > 1)',
      noticed: noWhole,
    },
    {
      promise: 'a whole number is digits',
      text: 'if (!isDigit(bytes[at])) return false\n',
      noticed: noWhole,
    },
    {
      promise: 'a whole number is below 2^64',
      text: 'return this.high < TWO_32',
      instead: 'return true',
      noticed: noWhole,
    },
    {
      promise: 'an int64 is not above its range',
      text: 'if (top >= 0x8000_0000 && !isLowest) return false\n',
      noticed: noWhole,
    },
    {
      promise: 'an int32 has 32 bits',
      text: 'if (bits === 32 && this.high !== 0) return false\n',
      noticed: noWhole,
    },
    {
      promise: 'the lowest int64 is one',
      text: ' && !isLowest) return false',
      instead: ') return false',
      noticed: values('of 64 bits are exact'),
    },
    {
      promise: 'a time is not negative',
      text: '(!this.negative || this.isZero) && ',
      noticed: noWhole,
    },
    {
      promise: 'a fixed32 has 32 bits',
      text: ' && (bits === 64 || this.high === 0)',
      noticed: noWhole,
    },
    {
      promise: 'a double is written as JSON writes it',
      text: 'NUMBER.test(text) ? Number(text) : Number.NaN',
      instead: 'Number(text)',
      noticed: noDouble,
    },
    {
      promise: 'a double is not beyond the doubles',
      text: 'Number.isFinite(number) ? number : undefined',
      instead: 'number',
      noticed: noDouble,
    },
    {
      promise: 'NaN and the infinities have their own texts',
      text: 'if (special !== undefined) return special\n',
      noticed: noDouble,
    },
    { promise: 'hex is hex', text: 'if (high < 0 || low < 0) return false\n', noticed: ids },
    {
      promise: 'base64 is base64',
      text: 'if (value < 0 || padding > 0) return false\n',
      noticed: otherValues,
    },
    { promise: 'base64 has whole bytes', text: 'rest !== 1 && ', noticed: otherValues },
    {
      promise: 'base64 has the padding that it needs, or none',
      text: ' && (padding === 0 || (rest > 1 && padding === 4 - rest))',
      noticed: otherValues,
    },
    {
      promise: 'base64 of URLs is base64',
      text: 'SIXTY_FOUR[0x2d] = 62\n',
      noticed: values('are booleans, bytes'),
    },
  ],
  'src/otlp/json-output.ts': [
    {
      promise: 'the protobuf of a request is bounded to the byte',
      text: 'if (this.pos > this.#maxBytes) throw this.#tooLarge()\n',
      noticed: malformed('refuses more protobuf'),
    },
    {
      promise: 'the buffer of a request is bounded while it grows',
      text: 'if (size > largest) throw this.#tooLarge()\n    const grown = new Uint8Array(Math.min(largest, Math.max(size, this.bytes.length * 2)))',
      instead: 'const grown = new Uint8Array(Math.max(size, this.bytes.length * 2))',
      noticed: malformed('bounds the buffer'),
    },
    {
      promise: 'half a surrogate pair is not made whole',
      text: 'if (second >= 0xdc00 && second < 0xe000) {',
      instead: '{',
      noticed: malformed('half a surrogate pair'),
    },
    {
      promise: 'two halves of a surrogate pair are one character',
      text: 'unit = 0x1_0000 + ((unit & 0x3ff) << 10) + (second & 0x3ff)\n            i += 6\n',
      noticed: malformed('have their escapes resolved'),
    },
  ],
  'src/otlp/json-schema.ts': [
    {
      promise: 'names are compared to the last byte',
      text: 'while (i >= 0 && name[i] === bytes[start + i]) i--',
      instead: 'while (i > 0 && name[i] === bytes[start + i]) i--\n    if (i === 0) return member',
      noticed: sound('ignores unknown members'),
    },
  ],
}
