// Guards of the overlay, which can only narrow, and of the sidecar's own sign of life, which comes
// once a day.
import type { GuardTable, Witness } from './guard.ts'

const overlay = (name: string): Witness => ({ test: 'test/policy/overlay.test.ts', name })
const heartbeat = (name: string): Witness => ({ test: 'test/sidecar/heartbeat.test.ts', name })

const widen = overlay('^every attempt to widen')
const named = overlay('^an overlay names')
const narrows = overlay('^narrows values')
const onceADay = heartbeat('is made once a day')

export const overlayGuards: GuardTable = {
  'src/policy/overlay.ts': [
    {
      promise: 'an overlay with a mistake is none',
      text: 'if (reader.mistakes.length > 0) throw new ConfigError(reader.sorted())\n',
      noticed: widen,
    },
    {
      promise: 'an overlay is for one project',
      text: 'else if (reader.scalar(narrows) !== base.project)',
      instead: "else if (reader.scalar(narrows) === '')",
      noticed: named,
    },
    {
      promise: 'an overlay names its project',
      text: 'if (narrows === undefined) reader.mistake(root, \'"narrows" is missing; it names the project of the policy.\')\n  else if',
      instead: 'if (narrows === undefined) reader.mistakes.slice(0)\n  else if',
      noticed: named,
    },
    {
      promise: 'an overlay names the version of its language',
      text: 'if (apiVersion === undefined) reader.mistake(root, \'"apiVersion" is missing.\')\n  else reader',
      instead: 'if (apiVersion !== undefined) reader',
      noticed: named,
    },
    {
      promise: 'an overlay changes nothing else',
      text: 'else reader.mistake(keyNode, `An',
      instead: "else if (key === '') reader.mistake(keyNode, `An",
      noticed: widen,
    },
    {
      promise: 'an overlay adds no span',
      text: 'if (!base.some((rule) => rule.name === name)) reader',
      instead: 'if (base.length === 0) reader',
      noticed: widen,
    },
    {
      promise: 'an overlay adds no attribute',
      text: 'if (!base.some((field) => field.name === name))',
      instead: 'if (base.length === 0)',
      noticed: widen,
    },
    {
      promise: 'ids, times, status and periods are no finer',
      text: 'if (order.indexOf(word) > order.indexOf(base)) reader',
      instead: 'if (order.length === 0) reader',
      noticed: widen,
    },
    {
      promise: 'an action stays what it is',
      text: 'if (change === undefined || given.size !== 1) {',
      instead: 'if (change === undefined && given.size === 0) {',
      noticed: widen,
    },
    {
      promise: 'a span can be dropped',
      text: "return reader.scalar(change) === 'drop' ? [] : [narrowSpan(reader, change, rule)]",
      instead: 'return [narrowSpan(reader, change, rule)]',
      noticed: narrows,
    },
    {
      promise: 'what the policy skips is skipped',
      text: '[...base.skip, ...keys(reader, skip)]',
      instead: '[...keys(reader, skip)]',
      noticed: overlay('^what the policy skips'),
    },
  ],
  'src/policy/overlay-narrow.ts': [
    {
      promise: 'the first bound stays',
      text: 'if (bounds[0] !== action.bounds[0]) reader',
      instead: 'if (bounds.length === 99) reader',
      noticed: widen,
    },
    {
      promise: 'a version is no finer',
      text: 'if (LEVELS.indexOf(level) > LEVELS.indexOf(action.level))',
      instead: 'if (LEVELS.length === 0)',
      noticed: widen,
    },
    {
      promise: 'values are those of the policy',
      text: 'if (found === undefined) reader',
      instead: "if (what === '') reader",
      noticed: widen,
    },
    {
      promise: 'a list of nothing is a mistake',
      text: "if (items.length === 0) reader.mistake(node, 'An empty list keeps nothing; drop the attribute instead.')\n",
      noticed: widen,
    },
    {
      promise: 'a condition has values that are left',
      text: 'if (scalar !== undefined && (field === undefined || canLeave(field, scalar))) return',
      instead: 'if (scalar !== undefined) return',
      noticed: widen,
    },
    {
      promise: 'a condition on what has no list has values that the wire has',
      text: 'return isSendable(value) && typeof value === sentType(action)',
      instead: 'return true',
      noticed: overlay('^a condition has a value of the type'),
    },
    {
      promise: 'a condition is on an attribute that is left',
      text: "else if (field.narrow?.kind === 'drop') reader.mistake(keyNode, 'This attribute is dropped by the overlay.')\n",
      noticed: widen,
    },
  ],
  'src/anonymize/narrow.ts': [
    {
      promise: 'a dropped attribute does not leave',
      text: "if (narrow.kind === 'drop') return () => undefined\n",
      instead: "if (narrow.kind === 'drop') return undefined\n",
      noticed: narrows,
    },
    {
      promise: 'a value that the overlay does not list becomes the else',
      text: '!values.includes(value)',
      instead: 'false',
      noticed: narrows,
    },
    {
      promise: 'a bound that the overlay does not name does not leave',
      text: 'bounds.findLast((kept) => kept <= bound) ?? bounds[0]!',
      instead: 'bound',
      noticed: overlay('^what the policy skips'),
    },
  ],
  'src/sidecar/pipeline.ts': [
    {
      promise: 'a heartbeat is in a body of its own',
      text: 'queue.appendAlone(record, spans)',
      instead: 'queue.append(record, spans)',
      noticed: heartbeat('^shares no file of the queue'),
    },
  ],
  'src/sidecar/heartbeat.ts': [
    {
      promise: 'a day of a process before is over',
      text: '        if (day <= last) return\n',
      noticed: onceADay,
    },
    {
      promise: 'the day is marked before the record is handed on',
      text: '        mark(day)\n',
      noticed: heartbeat('is marked on disk before'),
    },
    {
      promise: 'no second one follows what could not be marked',
      text: '        // Whatever is wrong with the mark, without it a second one could follow.\n        last = day\n',
      noticed: heartbeat('is not made where its day'),
    },
    {
      promise: 'a heartbeat that the policy does not name leaves the day',
      text: '        if (append === undefined) return\n        last = day\n',
      instead: '        last = day\n        if (append === undefined) return\n',
      noticed: heartbeat('that the policy does not name'),
    },
    {
      promise: 'a heartbeat that is lost is counted',
      text: "counters.add('heartbeats.lost')\n",
      noticed: heartbeat('that could not be kept'),
    },
    {
      promise: 'a mark that cannot be read is told',
      text: "if (errorCode(error) === 'ENOENT') return ''\n      throw error",
      instead: "return ''",
      noticed: heartbeat('is not made where the mark'),
    },
  ],
}
