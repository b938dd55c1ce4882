// Guards of the wiring: what stands between a request and the disk, and what changes under it.
import type { GuardTable, Witness } from './guard.ts'

const watch = (name: string): Witness => ({ test: 'test/support/watch.test.ts', name })
const modes = (name: string): Witness => ({ test: 'test/sidecar/pipeline.test.ts', name })
const restart = (name: string): Witness => ({ test: 'test/sidecar/pipeline-restart.test.ts', name })
/** These wait for the next look at a file, or for what is tried again. */
const PATIENT = { USAGE_TEST_DEADLINE_MS: '9000' }
const changes = (name: string): Witness => ({
  test: 'test/sidecar/pipeline-changes.test.ts',
  name,
  env: PATIENT,
})
const overlay = (name: string): Witness => ({
  test: 'test/sidecar/pipeline-overlay.test.ts',
  name,
  env: PATIENT,
})
const broken = (name: string): Witness => ({
  test: 'test/sidecar/pipeline-broken.test.ts',
  name,
  env: PATIENT,
})

const unreadable = watch('^what is larger than 1 MiB')
const expired = changes('drops and counts what was queued under it')

export const road: GuardTable = {
  'src/support/watch.ts': [
    {
      promise: 'a large file is never read',
      text: ' && file.size <= MAX_FILE_BYTES',
      noticed: unreadable,
    },
    {
      promise: 'what is no file is not read',
      text: 'file.isFile() && ',
      noticed: watch('^a pipe is unreadable'),
    },
    { promise: 'a watched text is UTF-8', text: ', { fatal: true }', noticed: unreadable },
    {
      promise: 'the same content is told once',
      text: 'if (next === seen) return\n',
      noticed: watch('^the same content'),
    },
    {
      promise: 'a watch that is stopped tells nothing more',
      text: 'if (stopped) return\n',
      noticed: watch('^a watch that is stopped'),
    },
    {
      promise: 'a file that cannot be read is told as undefined',
      text: '.catch(() => undefined)',
      instead: ".catch(() => 'gone')",
      noticed: watch('^a file that goes'),
    },
  ],
  'src/sidecar/pipeline.ts': [
    {
      promise: 'requests that are discarded are counted',
      text: "counters.add('requests.discarded')\n",
      noticed: modes('DO_NOT_TRACK=1'),
    },
    {
      promise: '200 means that what is kept is on disk',
      text: 'await kept\n',
      instead: 'void kept\n',
      noticed: modes('answers 503 with Retry-After'),
    },
    {
      promise: 'kept spans are counted',
      text: "counters.add('spans.kept', spans)\n",
      noticed: broken('a taken port is said'),
    },
    {
      promise: 'the application is told of spans that are not valid',
      text: "return { rejected, message: rejected > 0 ? REJECTED_MESSAGE : '' }",
      instead: "return { rejected: 0, message: '' }",
      noticed: modes('tells the application'),
    },
    {
      promise: 'what cannot be done now is tried again',
      text: 'void persist(what, attempt)\n',
      noticed: broken('a taken port is said'),
    },
    {
      promise: 'a preview refuses nothing',
      text: "mode === 'local' ? 'ring' : config.queueFull",
      instead: 'config.queueFull',
      noticed: modes('refuses nothing when the queue is full'),
    },
    {
      promise: 'a wrong setting turns it off',
      text: 'mistakes.length > 0 }',
      instead: 'mistakes.length > 9 }',
      noticed: broken('are told all at once, and nothing'),
    },
    {
      promise: 'without a policy nothing is kept',
      text: 'anonymizer === undefined || enricher === undefined || queue === undefined) {\n      counters',
      instead: 'queue === undefined) {\n      counters',
      noticed: changes('an invalid version stops'),
    },
    {
      promise: 'expiry is looked for while nothing happens',
      text: 'timers.add(setInterval(tick, WATCH_EVERY_MS).unref())\n',
      noticed: expired,
    },
    {
      promise: 'a stop closes the queue',
      text: 'await modes.stop(graceMs)\n',
      noticed: restart('that another policy filled'),
    },
    {
      promise: 'a heartbeat of mode local leaves no mark',
      text: 'local: createHeartbeat({ folder: undefined,',
      instead: 'local: createHeartbeat({ folder: config.dataDir,',
      noticed: { test: 'test/sidecar/heartbeat.test.ts', name: 'waits in mode local' },
    },
  ],
  'src/sidecar/policy-runtime.ts': [
    {
      promise: 'the day never goes back when facts change',
      text: 'counters, maxBytes, clock })',
      instead: 'counters, maxBytes })',
      noticed: changes('^a day that has begun'),
    },
    {
      promise: 'a digest that was not shipped is custom',
      text: "digest === config.policyDigest ? digest : 'custom'",
      instead: 'digest',
      noticed: modes('reports what the policy lets out'),
    },
    {
      promise: 'an overlay that cannot be read is a mistake, not none',
      text: 'if (policyOverlay === undefined) return policy',
      instead: 'if (overlayText === undefined) return policy',
      noticed: overlay('an overlay narrows'),
    },
    {
      promise: 'a new policy never meets the overlay of the old one',
      text: '    for (const watch of watches) watch.look()\n',
      noticed: overlay('^a volume that changes'),
    },
    {
      promise: 'facts that change are in the next batch',
      text: 'watched(config.factsFile, undefined)',
      instead: 'watched(undefined, undefined)',
      noticed: changes('facts that change'),
    },
    {
      promise: 'an identity that is made later is read',
      text: ", 'secret'), undefined)",
      instead: ", 'no secret'), undefined)",
      noticed: changes('an identity that is made after'),
    },
    {
      promise: 'facts of the setting win over those of the file',
      text: "[...ofFile, ...(setting === undefined ? [] : parseFacts(setting, 'USAGE_FACTS'))]",
      instead: "[...(setting === undefined ? [] : parseFacts(setting, 'USAGE_FACTS')), ...ofFile]",
      noticed: changes('^of facts that the setting'),
    },
    {
      promise: 'under a policy that has expired nothing is kept',
      text: 'road === undefined || hasExpired(clock, road.policy) !== undefined ? undefined',
      instead: 'road === undefined ? undefined',
      noticed: expired,
    },
    {
      promise: 'what an expired policy made is dropped',
      text: 'expired === undefined ? road.digest : EXPIRED',
      instead: 'road.digest',
      noticed: expired,
    },
    {
      promise: 'status says that the policy has expired',
      text: 'expired === undefined ? mistakes : [expired]',
      instead: 'mistakes',
      noticed: changes('is told at the start'),
    },
    {
      promise: 'a wrong policy stops what the one before it began',
      text: 'road === undefined ? undefined : label',
      instead: 'label',
      noticed: changes('an invalid version stops'),
    },
    {
      promise: 'a new version is told',
      text: '    onChange()\n',
      noticed: changes('what is accepted right behind'),
    },
  ],
}
