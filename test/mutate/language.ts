// Guards of what the policy language has beyond one value and one action, in the pass: sources,
// steps, actions of compat policies, days, and the sidecar's own span.
import type { GuardTable, Witness } from './guard.ts'

const source = (name: string): Witness => ({ test: 'test/anonymize/sources.test.ts', name })
const step = (name: string): Witness => ({ test: 'test/anonymize/steps.test.ts', name })
const compat = (name: string): Witness => ({ test: 'test/anonymize/compat.test.ts', name })
const day = (name: string): Witness => ({ test: 'test/anonymize/days.test.ts', name })
const oracle = (world: string): Witness => ({
  test: 'test/anonymize/oracle.test.ts',
  name: `policy says: ${world}$`,
  env: { USAGE_TEST_RUNS: '3600', USAGE_TEST_SEED: '7' },
})

const twoResources = source('^two resources')
const list = source('^a list joins')
const before = step('^before takes')
const texts = compat('^exact texts')
const keyed = compat('^a keyed hash follows')
const gone = day('^an attribute is gone')
const times = compat('^exact times')

export const language: GuardTable = {
  'src/anonymize/source.ts': [
    {
      promise: 'a list joins texts only',
      text: 'missing ? ABSENT : other ? OTHER : STRING',
      instead: 'missing ? ABSENT : STRING',
      noticed: source('^facts, literals'),
    },
  ],
  'src/anonymize/resource-slots.ts': [
    {
      promise: 'a resource that is cut off is not sound',
      text: '} catch {\n    return false\n',
      instead: '} catch {\n    return true\n',
      noticed: twoResources,
    },
  ],
  'src/anonymize/steps.ts': [
    {
      promise: 'a text that is not UTF-8 fails no step: it is malformed',
      text: '        result.kind = MALFORMED\n        return undefined\n      }\n      done',
      instead: '        return this.#first\n      }\n      done',
      noticed: oracle('steps'),
    },
    {
      promise: 'before needs the separator',
      text: 'at < 0 || text',
      instead: 'text',
      noticed: before,
    },
    {
      promise: 'after takes the last separator',
      text: 'lastIndexOf',
      instead: 'indexOf',
      noticed: step('^after takes'),
    },
  ],
  'src/anonymize/compiled-field.ts': [
    {
      promise: 'a failed step is never “other”, unless a keep says so',
      text: 'return field.failed',
      instead: 'return field.otherwise',
      noticed: step('^a version that a step'),
    },
    {
      promise: 'a step that is not folded into a keep is done',
      text: 'whileLookingUp ? undefined : Steps.of(field)',
      instead: 'undefined',
      noticed: before,
    },
  ],
  'src/anonymize/actions/hash.ts': [
    {
      promise: 'a hash is of UTF-8',
      text: '    if (!isText(value)) return undefined\n    const outcome = encode(hash(',
      instead: '    const outcome = encode(hash(',
      noticed: oracle('compat'),
    },
    {
      promise: 'the key is UTF-8',
      text: 'if (!isText(key)) return undefined\n',
      noticed: oracle('compat'),
    },
    {
      promise: 'nothing that was hashed with another key is remembered',
      text: 'keyObject = createSecretKey(keyBytes)\n      made.clear()\n',
      instead: 'keyObject = createSecretKey(keyBytes)\n',
      noticed: keyed,
    },
  ],
  'src/anonymize/actions/exact.ts': [
    {
      promise: 'an exact text is not empty',
      text: ' || value.start === value.end',
      noticed: texts,
    },
  ],
  'src/anonymize/time-cut.ts': [
    {
      promise: 'an exact end is that of the span',
      text: '        this.encoded[10 + i] = endAt === NO_ID ? 0 : bytes[endAt + i]!\n',
      noticed: times,
    },
    {
      promise: 'an absent exact time is 0',
      text: 'at === NO_ID ? 0 : bytes[at + i]!',
      instead: 'bytes[at + i]!',
      noticed: times,
    },
  ],
  'src/policy/expiry.ts': [
    {
      promise: 'an attribute is gone after its last day',
      text: 'expires === undefined || expires >= day',
      instead: "day !== ''",
      noticed: gone,
    },
    {
      promise: 'an attribute is there on its last day',
      text: 'expires >= day',
      instead: 'expires > day',
      noticed: gone,
    },
    {
      promise: 'the first attribute to go makes the table anew',
      text: '.sort()[0]',
      instead: '.sort().at(-1)',
      noticed: gone,
    },
  ],
  'src/anonymize/anonymize.ts': [
    {
      promise: 'what has expired leaves the pass',
      text: '    walk.table = compileSpans(inForce, context)\n',
      noticed: gone,
    },
    {
      promise: 'what has expired leaves the resource',
      text: '    inForce = policyOn(policy, day)\n    walk',
      instead: '    walk',
      noticed: day('^an attribute of the resource'),
    },
    {
      promise: 'no day comes back with a new policy',
      text: 'clock = new Clock(), random = randomFillSync } = options\n',
      instead: 'random = randomFillSync } = options\n  const clock = new Clock()\n',
      noticed: day('^no day comes back'),
    },
    {
      promise: 'the resource is read before its spans',
      text: 'if (resource !== undefined) readResource(resource, this.#body, resourceSpans)\n',
      noticed: source('^the resource is read'),
    },
    {
      promise: 'lists are joined anew for every span',
      text: 'for (const list of plan.joined) list.fill()\n',
      noticed: list,
    },
    {
      promise: 'no application can say that the sidecar lives',
      text: 'else if (index === heartbeat) this.#foreignHeartbeats.count++\n',
      noticed: day('^a span of its name'),
    },
    {
      promise: 'the resource of a request is not that of the sidecar’s own span',
      text: 'resource?.clear()\n',
      noticed: day('^the sidecar’s own span has'),
    },
  ],
  'src/anonymize/heartbeat-span.ts': [
    {
      promise: 'the ids of the sidecar’s own span are fresh',
      text: 'random(ids)\n',
      noticed: day('^the ids of the sidecar'),
    },
  ],
}
