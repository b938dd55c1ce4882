// Guards of the walk over what comes in: the frame of a span, and the values that a policy names.
import type { GuardTable, Witness } from './guard.ts'

const pass = (name: string): Witness => ({ test: 'test/anonymize/anonymize.test.ts', name })
const malformed = (name: string): Witness => ({ test: 'test/anonymize/malformed.test.ts', name })
const source = (name: string): Witness => ({ test: 'test/anonymize/sources.test.ts', name })
const oracle = (world: string): Witness => ({
  test: 'test/anonymize/oracle.test.ts',
  name: `policy says: ${world}$`,
  env: { USAGE_TEST_RUNS: '3600', USAGE_TEST_SEED: '7' },
})
const kinds = oracle('kinds')
const copies = oracle('copies')
const sources = oracle('sources')
const badIds = pass('^spans with bad ids')
const twoWays = pass('^a value that decoders could read')

export const anonymizeIn: GuardTable = {
  'src/anonymize/span-offsets.ts': [
    {
      promise: 'a field of Span with another wire type refuses the request',
      text: "if ((fieldTag & 7) !== WIRE_TYPES[field]) throw badRequest('A field of Span has the wrong wire type', cursor.pos)\n",
      noticed: kinds,
    },
    {
      promise: 'a field of Span that occurs twice rejects the span',
      text: 'if ((seen >>> field) & 1) repeated = true\n',
      noticed: badIds,
    },
    {
      promise: 'unknown fields of Span are stepped over',
      text: 'if (field > 16) {',
      instead: 'if (field > 32) {',
      noticed: kinds,
    },
    { promise: 'a trace id has 16 bytes', text: 'length === 16 && ', noticed: malformed('^ids') },
    { promise: 'a trace id is not zero', text: ' && anyBit(bytes, start, 16)', noticed: badIds },
    {
      promise: 'a span id has 8 bytes',
      text: 'idsFit &&= length === 8 && anyBit',
      instead: 'idsFit &&= anyBit',
      noticed: malformed('^ids'),
    },
    {
      promise: 'a span id is not zero',
      text: 'idsFit &&= length === 8 && anyBit(bytes, start, 8)',
      instead: 'idsFit &&= length === 8',
      noticed: malformed('^ids'),
    },
    {
      promise: 'a parent id has 8 bytes or none',
      text: 'idsFit &&= length === 0 || length === 8\n',
      noticed: badIds,
    },
    {
      promise: 'a parent id of zeros is no parent',
      text: 'length === 8 && anyBit(bytes, start, 8) ? start',
      instead: 'length === 8 ? start',
      noticed: copies,
    },
    {
      promise: 'a span without a trace id is rejected',
      text: ' && this.traceId !== NO_ID',
      noticed: malformed('^ids'),
    },
    {
      promise: 'a span without a span id is rejected',
      text: ' && this.spanId !== NO_ID',
      noticed: malformed('^ids'),
    },
    {
      promise: 'no span has the ids or times of the one before',
      text: 'this.traceId = this.spanId = this.parentId = this.startTime = this.endTime = NO_ID\n',
      noticed: malformed('^a span has nothing of the one before'),
    },
    {
      promise: 'no span has the name or status of the one before',
      text: 'this.nameStart = this.nameEnd = this.statusStart = this.statusEnd = this.attributeCount = 0\n',
      instead: 'this.attributeCount = 0\n',
      noticed: malformed('^a span has nothing of the one before'),
    },
    {
      promise: 'a span has at most 4096 attributes',
      text: 'if (this.attributeCount === MAX_ATTRIBUTES) return false\n',
      noticed: kinds,
    },
    {
      promise: 'a span may have more attributes than the first buffer holds',
      text: 'grown.set(this.attributes)\n',
      noticed: malformed('^a span with more than 4096'),
    },
    {
      promise: 'a status code twice is no status',
      text: 'seen || (fieldTag & 7) !== VARINT',
      instead: '(fieldTag & 7) !== VARINT',
      noticed: kinds,
    },
    {
      promise: 'a status code is a varint',
      text: 'seen || (fieldTag & 7) !== VARINT',
      instead: 'seen',
      noticed: malformed('^a status that cannot be told'),
    },
    {
      promise: 'a status message of a wrong wire type is no status',
      text: 'else if (fieldTag >>> 3 === 2 && (fieldTag & 7) !== LEN) return undefined\n',
      noticed: kinds,
    },
    {
      promise: 'a status that is cut off is no status',
      text: '} catch {\n      return undefined\n    }',
      instead: '} catch {\n      return code\n    }',
      noticed: malformed('^a status that cannot be told'),
    },
    {
      promise: 'a status code is 0, 1 or 2',
      text: 'return code <= 2 ? code : undefined',
      instead: 'return code',
      noticed: kinds,
    },
    {
      promise: 'there is no duration where a time is absent or zero',
      text: '|| !anyBit(bytes, start, 8) || !anyBit(bytes, end, 8)',
      noticed: malformed('^there is no duration'),
    },
    {
      promise: 'a duration needs both times',
      text: 'start === NO_ID || end === NO_ID || ',
      noticed: malformed('^there is no duration'),
    },
  ],
  'src/anonymize/attribute-slots.ts': [
    {
      promise: 'no span has the values of the one before',
      text: 'for (let i = 0; i < this.filledCount; i++) this.values[this.filled[i]!]!.kind = ABSENT\n',
      noticed: kinds,
    },
    {
      promise: 'a listed key twice on a span gives no value',
      text: '    if (value.kind !== ABSENT) {\n      value.kind = MALFORMED\n      return\n    }\n',
      noticed: twoWays,
    },
    {
      promise: 'a value that does not end with its KeyValue is read the long way',
      text: 'if (at + length === end) {',
      instead: 'if (at < end) {',
      noticed: malformed('^a length'),
    },
    {
      promise: 'a value of three length bytes is read the long way',
      text: 'bytes[at]! < 0x80 ? (length & 0x7f) | (bytes[at++]! << 7) : end',
      instead: 'bytes[at]! < 0x80 ? (length & 0x7f) | (bytes[at++]! << 7) : length',
      noticed: malformed('^a length'),
    },
    {
      promise: 'a text whose length has two bytes is read the long way',
      text: ' && bytes[start + 1]! < 0x80) {\n      value',
      instead: ') {\n      value',
      noticed: malformed('^a length'),
    },
    {
      promise: 'an unknown member of a KeyValue gives no value',
      text: 'if (field > 3 || ',
      instead: 'if (',
      noticed: twoWays,
    },
    {
      promise: 'a member of a KeyValue of a wrong wire type gives no value',
      text: ' || (fieldTag & 7) !== (field === 3 ? VARINT : LEN)) sound = false',
      instead: ') sound = false',
      noticed: kinds,
    },
    {
      promise: 'a KeyValue that is cut off gives no value',
      text: '} catch {\n      sound = false\n    }',
      instead: '} catch {\n      // Nothing.\n    }',
      noticed: twoWays,
    },
    {
      promise: 'a KeyValue with two keys gives no value',
      text: 'sound && keys <= 1 && values <= 1',
      instead: 'sound && values <= 1',
      noticed: twoWays,
    },
    {
      promise: 'a KeyValue with two values gives no value',
      text: 'sound && keys <= 1 && values <= 1',
      instead: 'sound && keys <= 1',
      noticed: twoWays,
    },
    {
      promise: 'an unsound KeyValue gives no value',
      text: 'sound && keys <= 1 && values <= 1',
      instead: 'keys <= 1 && values <= 1',
      noticed: twoWays,
    },
    {
      promise: 'every listed key in an unsound KeyValue is marked',
      text: 'else this.#mark(slot)\n',
      noticed: twoWays,
    },
    {
      promise: 'a member of a value has its own wire type',
      text: 'if (VALUE_WIRE_TYPES[field] !== (fieldTag & 7)) {',
      instead: 'if (VALUE_WIRE_TYPES[field] === undefined) {',
      noticed: malformed('^a member of a value'),
    },
    {
      promise: 'a value has one member, to the end',
      text: 'if (cursor.pos !== end) value.kind = MALFORMED\n',
      noticed: twoWays,
    },
    {
      promise: 'a value that is cut off is malformed',
      text: '} catch {\n    value.kind = MALFORMED\n  }',
      instead: '} catch {\n    value.kind = OTHER\n  }',
      noticed: kinds,
    },
    {
      promise: 'NaN and the infinities are values of another kind',
      text: 'Number.isFinite(number) ? DOUBLE : OTHER',
      instead: 'DOUBLE',
      noticed: pass('^buckets send'),
    },
    {
      promise: 'a value that points into a dictionary is of another kind',
      text: '      else if (field === 8) value.kind = OTHER\n',
      noticed: kinds,
    },
    {
      promise: 'an int64 has 64 bits',
      text: 'if (cursor.pos - start === 10 && bytes[cursor.pos - 1]! > 1) {',
      instead: 'if (false) {',
      noticed: kinds,
    },
    {
      promise: 'bit 63 makes an int64 negative',
      text: '(high | 0) * 0x1_0000_0000',
      instead: '(high >>> 0) * 0x1_0000_0000',
      noticed: pass('^buckets send'),
    },
    {
      promise: 'any boolean but zero is true',
      text: 'value.number === 0 ? 0 : 1',
      instead: 'value.number',
      noticed: malformed('^any boolean'),
    },
  ],
  'src/anonymize/source.ts': [
    {
      promise: 'a list is missing where a part is',
      text: 'if (part.kind === ABSENT) missing = true\n      else if',
      instead: 'if',
      noticed: source('^a list joins'),
    },
    {
      promise: 'a part of a list is UTF-8 by itself',
      text: ' || (part.kind === STRING && !isText(part))',
      noticed: source('^parts that are UTF-8'),
    },
    {
      promise: 'a malformed part makes the list malformed',
      text: 'part.kind === MALFORMED || ',
      noticed: source('^a list joins'),
    },
  ],
  'src/anonymize/resource-slots.ts': [
    {
      promise: 'two resources are malformed',
      text: 'if (start >= 0) sound = false\n',
      noticed: source('^two resources'),
    },
    {
      promise: 'a resource that is not sound marks all that reads it',
      text: 'if (!sound) slots.markAll()\n',
      noticed: source('^two resources'),
    },
    {
      promise: 'a resource has nothing of the one before it',
      text: '  slots.clear()\n',
      noticed: source('^the resource is read'),
    },
    {
      promise: 'a field of Resource has its own wire type',
      text: 'if (field <= 3 && WIRE_TYPES[field] !== (fieldTag & 7)) return false\n',
      noticed: source('^two resources'),
    },
  ],
  'src/anonymize/anonymize.ts': [
    {
      promise: 'a new day has new keys for ids',
      text: 'writer.ids.setDay(day)\n    if (day <=',
      instead: 'if (day <=',
      noticed: {
        test: 'test/anonymize/oracle.test.ts',
        name: '^makes ids and pseudonyms of the day',
      },
    },
    {
      promise: 'an unsound span is rejected',
      text: 'if (!frame.sound) {',
      instead: 'if (false) {',
      noticed: badIds,
    },
    { promise: 'received spans are counted', text: 'this.#received.count++\n', noticed: badIds },
    {
      promise: 'rejected spans are counted',
      text: 'this.#rejectedCell.count += this.#rejected\n',
      noticed: badIds,
    },
    {
      promise: 'unlisted spans are counted',
      text: 'this.#unlisted.count++\n',
      instead: 'return\n',
      noticed: badIds,
    },
    {
      promise: 'rejected spans are those of this request',
      text: '    this.#rejected = 0\n',
      noticed: kinds,
    },
    {
      promise: 'a span that is skipped is counted',
      text: '        plan.skipped.count++\n        return',
      instead: '        return',
      noticed: pass('^only and skip'),
    },
    {
      promise: 'an attribute to skip leaves the span out',
      text: 'if (value.kind !== ABSENT && !value.isEmptyText) {',
      instead: 'if (false) {',
      noticed: pass('^only and skip'),
    },
    {
      promise: 'an empty text to skip is none',
      text: ' && !value.isEmptyText) {',
      instead: ') {',
      noticed: pass('^only and skip'),
    },
    {
      promise: 'a field of the frame with another wire type refuses the request',
      text: "if (field <= known && (fieldTag & 7) !== LEN) throw badRequest('A field has the wrong wire type', at)\n",
      noticed: kinds,
    },
    {
      promise: 'the status of this span, not of the one before',
      text: 'if (plan.status !== undefined) setStatusValue(plan.status, code)\n',
      noticed: kinds,
    },
    {
      promise: 'the duration of this span, not of the one before',
      text: 'if (plan.duration !== undefined) setDurationValue(plan.duration, frame.durationNs(body))\n',
      noticed: sources,
    },
    {
      promise: 'the time of this span, not of the one before',
      text: 'plan.time.cut(body, frame.startTime, frame.endTime)\n',
      noticed: pass('^times are cut'),
    },
    {
      promise: 'a request begins with nothing of the one before',
      text: '      writer.begin()\n      const rejected',
      instead: '      const rejected',
      noticed: malformed('^a span has nothing'),
    },
  ],
}
