// Guards of what the checker refuses of the whole policy language: compat and what it alone may
// say, lists, steps, periods that would join, and limits on bits. And of the heartbeat, which is
// kept at most once a day and alone.
import type { GuardTable, Witness } from './guard.ts'

const words = (name: string): Witness => ({ test: 'test/policy/words.test.ts', name })
const bits = (name: string): Witness => ({ test: 'test/policy/bits.test.ts', name })
const heartbeat = (name: string): Witness => ({ test: 'test/sidecar/heartbeat.test.ts', name })
const alone = (name: string): Witness => ({ test: 'test/queue/isolated-append.test.ts', name })

const overRecord = words('^a record over its limit')
const outlives = words('^a pseudonym of the resource')
const surroundings = bits('^time and status')

export const languageChecks: GuardTable = {
  'src/policy/parse-source.ts': [
    {
      promise: 'a list joins texts only',
      text: "if (place.kind === 'span' && place.what === 'duration')",
      instead: 'if (false)',
      noticed: words('^refuses .from: .a, "span:duration'),
    },
  ],
  'src/policy/parse-action.ts': [
    {
      promise: 'no word is ignored at an exact number',
      text: "if (max !== undefined) reader.mistake(max, 'max is the bytes of a text; a number has none.')\n",
      noticed: words('^refuses .exact: number, max'),
    },
  ],
  'src/policy/parse-field.ts': [
    {
      promise: 'a shape is one of those that are known',
      text: "reader.word(item, 'shape', SHAPES)",
      instead: "reader.word(node.range === undefined ? node : item, 'shape', [...SHAPES, 'word'])",
      noticed: words('^refuses .shape: word'),
    },
    {
      promise: 'a list of shapes is not empty',
      text: 'if (items?.length === 0) reader.mistake',
      instead: 'if (items?.length === -1) reader.mistake',
      noticed: words('^refuses .shape: ..,'),
    },
  ],
  'src/policy/parse.ts': [
    {
      promise: 'periods are looked at',
      text: 'if (policy !== undefined && reader.mistakes.length === 0) checkPeriods(reader, policy)\n',
      noticed: outlives,
    },
  ],
  'src/policy/check-whole.ts': [
    {
      promise: 'a pseudonym of the resource may last as long as those of spans, and no longer',
      text: 'PERIODS.indexOf(action.period) > PERIODS.indexOf(shortest)',
      instead: 'action.period !== shortest',
      noticed: outlives,
    },
    {
      promise: 'linked ids count as a day',
      text: "rule.ids === 'linked' ? (['day'] as const) : []",
      instead: '[]',
      noticed: outlives,
    },
    {
      promise: 'a record within its limit is none over it',
      text: 'if (bits <= limits.recordBits) return\n',
      noticed: overRecord,
    },
    {
      promise: 'what is stable has a limit',
      text: 'if (stableBits > limits.stableBits)',
      instead: 'if (stableBits > 1e6)',
      noticed: words('^what stays the same'),
    },
  ],
  'src/policy/bits.ts': [
    {
      promise: 'a record tells what its resource tells',
      text: 'sum([...resource, ...shares])',
      instead: 'sum(shares)',
      noticed: surroundings,
    },
    {
      promise: 'the time adds to a record',
      text: "TIME_BITS[rule.time] > 0 ? [share('time', TIME_BITS[rule.time])] : []",
      instead: '[]',
      noticed: surroundings,
    },
    {
      promise: 'the status adds to a record',
      text: "rule.status === 'keep' ? [share('status', STATUS_BITS)] : []",
      instead: '[]',
      noticed: surroundings,
    },
    {
      promise: 'facts are stable',
      text: "kind === 'fact' || ",
      noticed: bits('^facts and resources'),
    },
    {
      promise: 'the incoming resource is stable',
      text: "kind === 'resource' || (report",
      instead: '(report',
      noticed: bits('^facts and resources'),
    },
    {
      promise: 'the cluster report is stable',
      text: " || (report && kind === 'attribute')",
      noticed: bits('^the cluster report'),
    },
    {
      promise: 'rows of nodes add up',
      text: 'bits: share.bits * rows',
      instead: 'bits: share.bits',
      noticed: bits('^the cluster report'),
    },
    {
      promise: 'one fact counts once',
      text: '.filter(once).map((field): Share',
      instead: '.map((field): Share',
      noticed: bits('^stable bits count'),
    },
    {
      promise: 'a split sends a set',
      text: 'if (split !== undefined) return action.values.length + 1\n',
      noticed: bits('split: ",", keep'),
    },
    {
      promise: 'being left out is an outcome',
      text: 'sent.size + (canBeLeftOut(field) ? 1 : 0)',
      instead: 'sent.size',
      noticed: bits('keep: .a, b.. tells'),
    },
    {
      promise: 'malformed input can leave out what absent would send',
      text: '  if (sources.some((source) => placesOf(source).some(canBeMalformed))) return true\n',
      noticed: bits('absent: nobody'),
    },
  ],
  'src/sidecar/heartbeat.ts': [
    {
      promise: 'the day is marked before the record is kept',
      text: '        mark(day)\n        append().then(',
      instead: '        const kept = append()\n        mark(day)\n        kept.then(',
      noticed: heartbeat('^is marked on disk before'),
    },
    {
      promise: 'a policy without a heartbeat leaves the day for one that has it',
      text: '        const append = make()\n        if (append === undefined) return\n        last = day\n',
      instead: '        const append = make() ?? (() => Promise.resolve())\n        last = day\n',
      noticed: heartbeat('^that the policy does not name'),
    },
    {
      promise: 'where the day cannot be marked no other heartbeat of it follows',
      text: '        last = day\n        lost(error)\n',
      instead: '        last = undefined\n        lost(error)\n',
      noticed: heartbeat('^is not made where its day'),
    },
  ],
  'src/queue/appends.ts': [
    {
      promise: 'a record alone does not join a file that grows',
      text: '        await growing.seal()\n        await commit(mine)\n',
      instead: '        await commit(mine)\n',
      noticed: alone('^shares its file with nothing'),
    },
    {
      promise: 'nothing joins the file of a record alone',
      text: '        await commit(mine)\n        await growing.seal()\n',
      instead: '        await commit(mine)\n',
      noticed: alone('^shares its file with nothing'),
    },
  ],
}
