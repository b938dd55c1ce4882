// Guards of the spans that leave: which attributes they have, ids of our making, times that are
// cut, copies, and bounds.
import type { GuardTable, Witness } from './guard.ts'

const pass = (name: string): Witness => ({ test: 'test/anonymize/anonymize.test.ts', name })
const malformed = (name: string): Witness => ({ test: 'test/anonymize/malformed.test.ts', name })
const rules = (name: string): Witness => ({ test: 'test/anonymize/rules.test.ts', name })
const steps = (name: string): Witness => ({ test: 'test/anonymize/steps.test.ts', name })
const expiry = (name: string): Witness => ({ test: 'test/anonymize/days.test.ts', name })
const oracle = (world: string): Witness => ({
  test: 'test/anonymize/oracle.test.ts',
  name: `policy says: ${world}$`,
  env: { USAGE_TEST_RUNS: '3600', USAGE_TEST_SEED: '7' },
})
const copies = oracle('copies')
const sources = oracle('sources')
const ids = pass('^linked ids')
const split = pass('^split makes')
const only = pass('^only and skip')

export const anonymizeOut: GuardTable = {
  'src/anonymize/compile.ts': [
    {
      promise: 'fields with absent are evaluated on every span',
      text: 'absent === undefined && needsAttribute(from)',
      instead: 'needsAttribute(from)',
      noticed: pass('^or is read'),
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
  'src/anonymize/compiled-field.ts': [
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
      promise: 'a value that a step refused is no other value',
      text: '      field.stepFailed[failed].count++\n      return field.failed\n',
      instead: '      field.stepFailed[failed].count++\n      return field.otherwise\n',
      noticed: steps('^a version that a step refuses'),
    },
    {
      promise: 'what a step refused is counted',
      text: 'field.stepFailed[failed].count++\n',
      noticed: steps('^what is not sent is counted'),
    },
  ],
  'src/anonymize/field-set.ts': [
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
  ],
  'src/policy/expiry.ts': [
    {
      promise: 'an attribute is gone on the day after its last',
      text: 'expires === undefined || expires >= day',
      instead: 'true',
      noticed: expiry('^an attribute is gone'),
    },
    {
      promise: 'an attribute is there on its last day',
      text: 'expires >= day)',
      instead: 'expires > day)',
      noticed: expiry('^an attribute is gone'),
    },
    {
      promise: 'the first attribute that expires is seen',
      text: 'days.sort()[0]',
      instead: 'days[0]',
      noticed: expiry('^an attribute is gone'),
    },
  ],
  'src/anonymize/clock.ts': [
    {
      promise: 'the day never goes back',
      text: 'if (day <= this.#day) return\n',
      noticed: pass('^the day never goes back'),
    },
    {
      promise: 'a month is a month',
      text: "of === 'day' ? this.#text : of === 'month' ? this.#text.slice(0, 7) : of",
      instead: 'this.#text',
      noticed: oracle('kinds'),
    },
  ],
  'src/anonymize/ids.ts': [
    {
      promise: 'keys of ids are those of the project',
      text: 'lengthPrefixed(this.#project, which, day)',
      instead: "lengthPrefixed('', which, day)",
      noticed: ids,
    },
    {
      promise: 'trace and span ids have keys of their own',
      text: 'lengthPrefixed(this.#project, which, day)',
      instead: "lengthPrefixed(this.#project, 'trace', day)",
      noticed: ids,
    },
    {
      promise: 'keys of ids are those of the day',
      text: 'lengthPrefixed(this.#project, which, day)',
      instead: "lengthPrefixed(this.#project, which, '')",
      noticed: ids,
    },
    {
      promise: 'keys of ids are those of the installation',
      text: 'secret ?? randomBytes(32)',
      instead: 'randomBytes(32)',
      noticed: ids,
    },
    {
      promise: 'without a secret the keys of ids are random',
      text: 'secret ?? randomBytes(32)',
      instead: 'secret ?? Buffer.alloc(32)',
      noticed: rules('^without a secret'),
    },
    {
      promise: 'the copies of a split have ids of their own',
      text: 'spanIn[span + 15] = copy\n',
      noticed: split,
    },
    {
      promise: 'a root has no parent',
      text: 'if (parent !== NOWHERE) for',
      instead: 'for',
      noticed: copies,
    },
    {
      promise: 'a fresh trace id is never zero',
      text: 'fresh[n * 24] = fresh[n * 24]! | 1\n',
      noticed: rules('^fresh ids are never zero'),
    },
    {
      promise: 'a fresh span id is never zero',
      text: 'fresh[n * 24 + 16] = fresh[n * 24 + 16]! | 1\n',
      noticed: rules('^fresh ids are never zero'),
    },
    { promise: 'fresh ids are random', text: 'this.#random(fresh)\n', noticed: ids },
    {
      promise: 'a request may have more spans than the first buffers hold',
      text: 'larger.set(array)\n',
      noticed: rules('^many spans'),
    },
    {
      promise: 'no id of the request before is written again',
      text: '    this.#linked = 0\n    this.#randoms = 0\n',
      noticed: rules('^many spans'),
    },
  ],
  'src/anonymize/time-cut.ts': [
    {
      promise: 'times are cut',
      text: 'time - (time % unit)',
      instead: 'time',
      noticed: pass('^times are cut'),
    },
    {
      promise: 'a time before the last unit is cut anew',
      text: 'if (!before && !after) return',
      instead: 'if (!after) return',
      noticed: copies,
    },
    {
      promise: 'a time after the last unit is cut anew',
      text: 'if (!before && !after) return',
      instead: 'if (!before) return',
      noticed: copies,
    },
    {
      promise: 'the end equals the start',
      text: 'this.#view.setBigUint64(10, from, true)\n',
      noticed: pass('^times are cut'),
    },
    {
      promise: 'an absent time is 0',
      text: 'at === NO_ID ? 0 : uint32(bytes, at + 4)',
      instead: 'at === NO_ID ? this.#fromHigh : uint32(bytes, at + 4)',
      noticed: copies,
    },
  ],
  'src/anonymize/span-writer.ts': [
    {
      promise: 'a span has at most 16 copies',
      text: ' || parts.length > MAX_PARTS',
      noticed: split,
    },
    {
      promise: 'a text of no part makes one copy without the attribute',
      text: 'parts.length === 0 || ',
      noticed: split,
    },
    {
      promise: 'a split that is left out is counted',
      text: 'field.stepFailed.split.count++\n',
      noticed: rules('^a text to split'),
    },
    {
      promise: 'parts have no blanks around them',
      text: '\n      .map((part) => part.trim())',
      noticed: split,
    },
    { promise: 'each copy has its number', text: 'copy++)\n', instead: 'copy)\n', noticed: split },
    {
      promise: 'only leaves spans out',
      text: 'if (!this.#hold(plan.only, this.#pieces, count)) {',
      instead: 'if (false) {',
      noticed: only,
    },
    {
      promise: 'only counts the spans that it leaves out',
      text: 'count)) {\n      plan.skipped.count++\n      return\n    }\n    let',
      instead: 'count)) {\n      return\n    }\n    let',
      noticed: only,
    },
    {
      promise: 'spans with random ids have no parent',
      text: 'plan.linked && frame.parentId',
      instead: 'frame.parentId',
      noticed: ids,
    },
    {
      promise: 'the status goes out only where the policy keeps it',
      text: 'plan.keepStatus && statusCode !== 0',
      instead: 'statusCode !== 0',
      noticed: rules('^a status that is an attribute'),
    },
    {
      promise: 'ids are linked only where the policy says so',
      text: 'if (plan.linked) this.ids.link',
      instead: 'if (frame.traceId >= 0) this.ids.link',
      noticed: ids,
    },
    {
      promise: 'what one request may become is bounded',
      text: 'if (needed > this.#maxBytes) {',
      instead: 'if (false) {',
      noticed: pass('^what one request may become'),
    },
    {
      promise: 'a buffer that grows keeps what it holds',
      text: 'this.#out.copy(grown, 0, 0, this.#pos)\n',
      noticed: rules('^many spans'),
    },
    {
      promise: 'a request begins with an empty buffer',
      text: '    this.#pos = 0\n    this.#count = 0\n',
      noticed: pass('^only and skip'),
    },
    {
      promise: 'a text with blanks or letters beyond ASCII is split the long way',
      text: 'byte <= 0x20 || byte >= 0x7f || byte === first',
      instead: 'byte === first',
      noticed: rules('^a text to split'),
    },
    {
      promise: 'a text with the separator is split the long way',
      text: ' || byte === first',
      noticed: split,
    },
  ],
}
