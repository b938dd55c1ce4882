// Guards of what people are told about a policy, of what refuses a hostile one before it is parsed,
// and of the identity.
import type { GuardTable, Witness } from './guard.ts'

const sheet = (name: string): Witness => ({ test: 'test/datasheet/sheet.test.ts', name })
const diff = (name: string): Witness => ({ test: 'test/policy/diff.test.ts', name })
const hostile = (name: string): Witness => ({ test: 'test/policy/hostile.test.ts', name })
const identity = (name: string): Witness => ({ test: 'test/cli/identity.test.ts', name })
const markup = sheet('^a hostile reason')
const bijection = sheet('policies/(sample|steps|kinds)')
const missing = sheet('^a row says')
const verdict = sheet('^the word anonymous')

export const sheetGuards: GuardTable = {
  'src/policy/yaml-reader.ts': [
    {
      promise: 'what is not UTF-8 is refused',
      text: 'if (notUtf8 >= 0)',
      instead: 'if (notUtf8 > text.length)',
      noticed: hostile('Latin-1|UTF-16|surrogate'),
    },
    {
      promise: 'no text is turned around',
      text: 'if (unseen >= 0)',
      instead: 'if (unseen > text.length)',
      noticed: hostile('that is turned around|ends unseen'),
    },
    {
      promise: 'no escape turns a text around',
      text: 'UNSEEN.test(String(node.value))',
      instead: 'false',
      noticed: hostile('an escape turns'),
    },
    {
      promise: 'a key is not repeated with what a terminal obeys',
      text: "test(key) ? key : '…'",
      instead: 'test(key) ? key : key',
      noticed: hostile('of the terminal'),
    },
    {
      promise: 'a file of too many parts is not parsed',
      text: 'if (++parts > MAX_PARTS)',
      instead: 'if (++parts < 0)',
      noticed: hostile('more spans than can be read|: items in items'),
    },
    {
      promise: 'brackets in brackets are not parsed',
      text: 'if (nesting > MAX_NESTING)',
      instead: 'if (nesting < 0)',
      noticed: hostile('lists in lists'),
    },
    {
      promise: 'brackets that are closed do not nest',
      text: "else if (token === ']' || token === '}') nesting--\n",
      noticed: hostile('again and again'),
    },
  ],
  'src/datasheet/sheet-markdown.ts': [
    {
      promise: 'a span’s name is no markup',
      text: 'code(span.name)',
      instead: 'span.name',
      noticed: markup,
    },
    {
      promise: 'the review is no markup',
      text: '.replace(/[<>|`\\\\]/g, encodeURIComponent)',
      noticed: markup,
    },
    {
      promise: 'a reason is no markup',
      text: 'text(row.reason)',
      instead: 'row.reason',
      noticed: markup,
    },
    {
      promise: 'a value is no markup',
      text: 'row.values.map(text)',
      instead: 'row.values',
      noticed: markup,
    },
  ],
  'src/datasheet/sheet-html.ts': [
    {
      promise: 'a reason is no HTML',
      text: 'escapeHtml(row.reason)',
      instead: 'row.reason',
      noticed: markup,
    },
    { promise: 'a value is no HTML', text: 'escapeHtml(value)', instead: 'value', noticed: markup },
    {
      promise: 'a span’s name is no HTML',
      text: 'escapeHtml(name)',
      instead: 'name',
      noticed: markup,
    },
    {
      promise: 'the purpose is no HTML',
      text: 'escapeHtml(sheet.purpose)',
      instead: 'sheet.purpose',
      noticed: markup,
    },
  ],
  'src/datasheet/sheet.ts': [
    {
      promise: 'a root span has no parent',
      text: "[...row.values, '(absent)']",
      instead: 'row.values',
      noticed: bijection,
    },
    {
      promise: 'a kept status has a row',
      text: "rule.status === 'keep'",
      instead: 'rule.fields.length < 0',
      noticed: bijection,
    },
    {
      promise: 'linked ids have a row for the parent',
      text: '...(isLinked ? [withAbsent',
      instead: '...(!isLinked ? [withAbsent',
      noticed: bijection,
    },
    {
      promise: 'the sheet says that copies can be counted',
      text: 'fields.some(({ split }) => split !== undefined)',
      instead: 'fields.length < 0',
      noticed: sheet('^what the number of copies'),
    },
  ],
  'src/policy/words.ts': [
    { promise: 'what expires can be missing', text: 'expires !== undefined || ', noticed: missing },
    {
      promise: 'what can be left out can be missing',
      text: 'canBeLeftOut(field)',
      instead: 'absent === undefined',
      noticed: missing,
    },
    {
      promise: 'linked ids are not anonymous',
      text: "rule.ids === 'linked'",
      instead: "rule.name === ''",
      noticed: verdict,
    },
    {
      promise: 'exact times are not anonymous',
      text: "rule.time === 'exact'",
      instead: "rule.name === ''",
      noticed: verdict,
    },
    {
      promise: 'pseudonyms are not anonymous',
      text: "...named('pseudonyms', ({ action }) => action.kind === 'pseudonym'),\n",
      noticed: verdict,
    },
    {
      promise: 'hashes are not anonymous',
      text: "...named('hashes', ({ action }) => action.kind === 'hash' || action.kind === 'hmac'),\n",
      noticed: verdict,
    },
    {
      promise: 'values as they are are not anonymous',
      text: "...named('values as they are', ({ action }) => action.kind === 'exact'),\n",
      noticed: verdict,
    },
  ],
  'src/policy/diff.ts': [
    {
      promise: 'to take the review away is none',
      text: 'next.review === undefined || ',
      noticed: diff('^what is new asks'),
    },
    {
      promise: 'what is new stays new',
      text: 'this.isNew ||= isNew',
      instead: 'this.isNew = isNew',
      noticed: diff('^to send the same'),
    },
    {
      promise: 'the else of a keep counts',
      text: '[...values, otherwise]',
      instead: '[...values]',
      noticed: diff('^the else of a keep'),
    },
    {
      promise: 'more inputs for a listed value are new',
      text: 'next.otherwise !== undefined && all(old)',
      instead: 'next.otherwise === null && all(old)',
      noticed: diff('^a listed value as the else'),
    },
    {
      promise: 'more spans through a condition are new',
      text: 'if (moved.length > 0) this.add',
      instead: 'if (moved.length > 0) this.remove',
      noticed: diff('^a value that becomes one'),
    },
    {
      promise: 'another source or step is new',
      text: 'if (meaning(old) !== meaning(next))',
      instead: "if (place === '')",
      noticed: diff('^another (source|step|shape)'),
    },
    {
      promise: 'a skip less is new',
      text: 'if (!next.skip.includes(key)) this.add',
      instead: 'if (!next.skip.includes(key)) this.remove',
      noticed: diff('^a skip less'),
    },
  ],
  'src/anonymize/own-pseudonyms.ts': [
    {
      promise: 'shown is only what still leaves',
      text: "policyOn(policy, clock.period('day'))",
      instead: 'policy',
      noticed: identity('^the values are'),
    },
    {
      promise: 'shown is only what the overlay leaves',
      text: 'effective(policyOn',
      instead: '(policyOn',
      noticed: identity('^identity show tells'),
    },
    {
      promise: 'shown is only what the id alone makes',
      text: "place.kind === 'text' || isId(place)",
      instead: 'true',
      noticed: identity('^the values are'),
    },
    {
      promise: 'what is the same for everybody is not shown as own',
      text: ' && placesRead(own).some(isId)',
      noticed: identity('^the values are'),
    },
    {
      promise: 'shown is what is joined with a literal too',
      text: 'placesOf(source).every',
      instead: "source.kind !== 'list' && placesOf(source).every",
      noticed: identity('^the values are'),
    },
  ],
  'src/cli/identity.ts': [
    {
      promise: 'a reset asks first',
      text: 'input.flags.yes === undefined',
      instead: "input.flags.yes === ''",
      noticed: identity('asks first'),
    },
    {
      promise: 'to show makes no identity',
      text: 'openIdentity(folder, false)',
      instead: 'openIdentity(folder, true)',
      noticed: identity('makes no identity'),
    },
  ],
  'src/identity/identity.ts': [
    {
      promise: 'a reset removes what a killed process left',
      text: '|\\.(?:secret|instance-id)-[0-9a-f]{16}',
      noticed: identity('^identity reset removes'),
    },
  ],
}
