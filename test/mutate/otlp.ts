// Guards of the wire format: what a reader of protobuf refuses, what it never reads beyond, and
// what it says back.
import type { GuardTable, Witness } from './guard.ts'

const wire = (name: string): Witness => ({ test: 'test/otlp/wire.test.ts', name })
const decode = (name: string): Witness => ({ test: 'test/otlp/decode.test.ts', name })
const answer = (name: string): Witness => ({ test: 'test/otlp/answer.test.ts', name })

export const otlp: GuardTable = {
  'src/otlp/wire.ts': [
    {
      promise: 'no number is read beyond its message',
      text: "if (this.pos >= this.end) throw badRequest('A number is cut off', this.pos)\n",
      noticed: wire('^tags and lengths'),
    },
    {
      promise: 'a tag or a length has 32 bits',
      text: "if (shift === 28 && (byte & 0x70) !== 0) throw badRequest('A number is too large', this.pos - 1)\n",
      noticed: wire('^tags and lengths'),
    },
    {
      promise: 'a tag or a length has at most five bytes',
      text: "throw badRequest('A number is too long', this.pos)",
      instead: 'return result >>> 0',
      noticed: wire('^tags and lengths'),
    },
    {
      promise: 'there is no field number 0',
      text: "if (result >>> 3 === 0) throw badRequest('Field number 0', at)\n",
      noticed: wire('^field number 0'),
    },
    {
      promise: 'there are no wire types 6 and 7',
      text: "if ((result & 7) > FIXED32) throw badRequest('An unknown wire type', at)\n",
      noticed: wire('^field number 0'),
    },
    {
      promise: 'no length goes beyond its message',
      text: "if (result > this.end - this.pos) throw badRequest('A field is longer than its message', at)\n",
      noticed: wire('^a length does not'),
    },
    {
      promise: 'no number has more than ten bytes',
      text: 'Math.min(this.end, this.pos + 10)',
      instead: 'this.end',
      noticed: wire('^values are stepped over'),
    },
    {
      promise: 'no number is stepped over beyond its message',
      text: 'Math.min(this.end, this.pos + 10)',
      instead: 'this.pos + 10',
      noticed: wire('^values are stepped over'),
    },
    {
      promise: 'no value is stepped over beyond its message',
      text: "if (count > this.end - this.pos) throw badRequest('A field is cut off', this.pos)\n",
      noticed: wire('^values are stepped over'),
    },
    {
      promise: 'the end of a group needs its beginning',
      text: "throw badRequest('The end of a group that did not begin', this.pos)",
      noticed: wire('^values are stepped over'),
    },
    {
      promise: 'groups nest 32 levels',
      text: "if (depth >= MAX_GROUP_DEPTH) throw badRequest('Groups are nested too deeply', this.pos)\n",
      noticed: wire('^values are stepped over'),
    },
    {
      promise: 'groups inside groups count their depth',
      text: 'this.skip(inner, depth + 1)',
      instead: 'this.skip(inner)',
      noticed: wire('^values are stepped over'),
    },
    {
      promise: 'a group ends with its own number',
      text: "if (inner >>> 3 !== field) throw badRequest('The end of another group', this.pos)\n",
      noticed: wire('^values are stepped over'),
    },
    {
      promise: 'a group has an end',
      text: "    throw badRequest('A group is cut off', this.pos)\n",
      noticed: wire('^values are stepped over'),
    },
    {
      promise: 'negative numbers are int64 on the wire',
      text: 'BigInt.asUintN(64, BigInt(value))',
      instead: 'BigInt(value)',
      noticed: wire('^negative numbers'),
    },
  ],
  'src/otlp/decode.ts': [
    {
      promise: 'a known field with another wire type is refused',
      text: "if (wireType !== wanted) throw badRequest('A field has the wrong wire type', cursor.pos)\n",
      instead: '\n',
      noticed: decode('are refused where a known field'),
    },
    {
      promise: 'values nest 64 levels',
      text: "if (depth > MAX_DEPTH) throw badRequest('Values are nested too deeply', cursor.pos)\n",
      noticed: decode('nests 64 deep'),
    },
    {
      promise: 'a fixed64 does not go beyond its message',
      text: "if (cursor.end - cursor.pos < 8) throw badRequest('A field is cut off', cursor.pos)\n",
      noticed: decode('ends inside a number'),
    },
    {
      promise: 'an int64 has 64 bits',
      text: 'return result & MASK_64',
      instead: 'return result',
      noticed: decode('is exact over 64 bits'),
    },
    {
      promise: 'a value outlives the body it came in',
      text: 'Uint8Array.from(buffer(message(cursor, wireType)))',
      instead: 'buffer(message(cursor, wireType))',
      noticed: decode('does not change with the request'),
    },
    {
      promise: 'unknown fields are stepped over',
      text: 'if (!read(fieldTag >>> 3, fieldTag & 7)) cursor.skip(fieldTag)',
      instead: 'read(fieldTag >>> 3, fieldTag & 7)',
      noticed: decode('unknown fields stepped over'),
    },
  ],
  'src/otlp/answer.ts': [
    {
      promise: 'partial_success is unset on full success, in protobuf',
      text: 'if (isFull) return Buffer.alloc(0)\n',
      noticed: answer('leaves partial_success unset'),
    },
    {
      promise: 'partial_success is unset on full success, in JSON',
      text: 'isFull ? {} : { partialSuccess',
      instead: 'false ? {} : { partialSuccess',
      noticed: answer('leaves partial_success unset'),
    },
    {
      promise: 'an answer that is no protobuf rejects nothing',
      text: '  } catch {\n    return 0\n  }\n',
      instead: '  } finally {\n  }\n',
      noticed: answer('nothing sensible'),
    },
    {
      promise: 'a rejected count is one that can be counted',
      text: 'Number.isSafeInteger(count) ? count : 0',
      instead: 'count',
      noticed: answer('nothing sensible'),
    },
    {
      promise: 'a rejected count is a varint',
      text: '(fieldTag & 7) === VARINT ? countIn(cursor.bytes, start, cursor.pos) : 0',
      instead: 'countIn(cursor.bytes, start, cursor.pos)',
      noticed: answer('nothing sensible'),
    },
    {
      promise: 'partial_success is a message',
      text: 'if ((fieldTag & 7) !== LEN) return 0\n',
      noticed: answer('nothing sensible'),
    },
    {
      promise: 'other fields of an answer are stepped over',
      text: 'if (fieldTag >>> 3 !== 1) {\n        cursor',
      instead: 'if (false) {\n        cursor',
      noticed: answer('are those that it says'),
    },
  ],
}
