// Guards of consent and of the wiring: what ends first when consent ends, and what stands between a request and the disk.
import type { GuardTable, Witness } from './guard.ts'

const consent = (name: string): Witness => ({ test: 'test/consent.test.ts', name })
const watch = (name: string): Witness => ({ test: 'test/watch.test.ts', name })
const modes = (name: string): Witness => ({ test: 'test/pipeline.test.ts', name })
const restart = (name: string): Witness => ({ test: 'test/pipeline-restart.test.ts', name })
/** These wait for the next look at a file, or for what is tried again. */
const PATIENT = { USAGE_TEST_DEADLINE_MS: '9000' }
const changes = (name: string): Witness => ({ test: 'test/pipeline-changes.test.ts', name, env: PATIENT })
const broken = (name: string): Witness => ({ test: 'test/pipeline-broken.test.ts', name, env: PATIENT })

const lowest = consent('^the lowest switch')
const torn = consent('^an epoch file that is torn')
const onDisk = consent('^an epoch is on disk')
const ended = consent('^an epoch that has ended')
const unreadable = watch('^what is larger than 1 MiB')
const silent = modes('opens no connection')
const expired = changes('drops and counts what was queued under it')

export const road: GuardTable = {
  'src/consent/consent.ts': [
    {
      promise: 'DO_NOT_TRACK is heard',
      text: "if (doNotTrack !== undefined && !['', '0', 'false'].includes(doNotTrack.trim().toLowerCase())) return { mode: 'off', by: 'DO_NOT_TRACK' }\n",
      noticed: lowest,
    },
    { promise: 'DO_NOT_TRACK=0 says nothing', text: "'', '0', 'false'", instead: "''", noticed: lowest },
    { promise: 'DO_NOT_TRACK is heard in any letters', text: '.trim().toLowerCase()', noticed: lowest },
    {
      promise: 'a mode that nobody knows is off',
      text: "mode ?? 'off'",
      instead: "mode ?? 'local'",
      noticed: consent('^a mode that nobody knows'),
    },
    {
      promise: 'an epoch file that is not whole is none',
      text: 'since === undefined || Number.isNaN(Date.parse(since)) ? undefined',
      instead: 'since === undefined ? undefined',
      noticed: torn,
    },
    { promise: 'an epoch file has its form to the last byte', text: 'Z)\\n$/', instead: 'Z)/', noticed: torn },
    {
      promise: 'an epoch that cannot be read is none',
      text: '  } catch {\n    return undefined\n  }\n',
      instead: '  } finally {\n  }\n',
      noticed: torn,
    },
    { promise: 'an epoch is on disk before it has its name', text: '    fsyncSync(file)\n', noticed: onDisk },
    {
      promise: 'an epoch is durable when it has begun',
      text: '  syncFolder(folder)\n  return epoch',
      instead: '  return epoch',
      noticed: onDisk,
    },
    {
      promise: 'each epoch is another one',
      text: "randomBytes(16).toString('hex')",
      instead: "'0'.repeat(32)",
      noticed: consent('^an epoch that was begun'),
    },
    {
      promise: 'the end of an epoch is durable',
      text: 'throw error\n  }\n  syncFolder(folder)\n',
      instead: 'throw error\n  }\n',
      noticed: ended,
    },
    { promise: 'an epoch that has ended is gone', text: "unlinkSync(join(folder, 'epoch'))\n", noticed: ended },
    {
      promise: 'an epoch that cannot be ended is told',
      text: "if (errorCode(error) !== 'ENOENT') throw error\n",
      noticed: consent('^an epoch that cannot be ended'),
    },
    {
      promise: 'ending what never began makes nothing',
      text: 'if (!folderExists(folder)) return\n',
      noticed: consent('^ending an epoch where'),
    },
    { promise: 'the epoch is for our user only', text: "'w', 0o600", instead: "'w'", noticed: consent('^an epoch that was begun') },
  ],
  'src/watch.ts': [
    { promise: 'a large file is never read', text: ' && file.size <= MAX_FILE_BYTES', noticed: unreadable },
    { promise: 'what is no file is not read', text: 'file.isFile() && ', noticed: watch('^a pipe is unreadable') },
    { promise: 'a watched text is UTF-8', text: ', { fatal: true }', noticed: unreadable },
    {
      promise: 'the same content is told once',
      text: 'if (next !== content) {',
      instead: 'if (next !== undefined) {',
      noticed: watch('^the same content'),
    },
    { promise: 'a watch that is stopped tells nothing more', text: 'if (stopped) return\n', noticed: watch('^a watch that is stopped') },
    {
      promise: 'a file that cannot be read is told as undefined',
      text: '.catch(() => undefined)',
      instead: '.catch(() => content)',
      noticed: watch('^a file that goes'),
    },
  ],
  'src/pipeline.ts': [
    {
      promise: 'a wrong setting turns it off',
      text: 'options.mistakes.length > 0\n',
      instead: 'options.mistakes.length > 9\n',
      noticed: broken('are told all at once, and nothing'),
    },
    {
      promise: 'without a policy nothing is kept',
      text: 'if (road === undefined || queue === undefined || expired(road.policy)) {\n      counters',
      instead: 'if (queue === undefined || expired(road!.policy)) {\n      counters',
      noticed: changes('an invalid version stops'),
    },
    {
      promise: 'under a policy that has expired nothing is kept',
      text: ' || expired(road.policy)) {\n      counters',
      instead: ') {\n      counters',
      noticed: expired,
    },
    { promise: 'requests that are discarded are counted', text: "counters.add('requests.discarded')\n", noticed: modes('DO_NOT_TRACK=1') },
    {
      promise: '200 means that what is kept is on disk',
      text: 'await queue.append(',
      instead: 'void queue.append(',
      noticed: modes('answers 503 with Retry-After'),
    },
    { promise: 'kept spans are counted', text: "counters.add('spans.kept', spans)\n", noticed: broken('a taken port is said') },
    {
      promise: 'the application is told of spans that are not valid',
      text: "return { rejected, message: rejected > 0 ? REJECTED_MESSAGE : '' }",
      instead: "return { rejected: 0, message: '' }",
      noticed: modes('tells the application'),
    },
    {
      promise: 'the day never goes back when facts change',
      text: 'maxBytes: limits.maxBody, clock })',
      instead: 'maxBytes: limits.maxBody })',
      noticed: changes('^a day that has begun'),
    },
    { promise: 'what cannot be done now is tried again', text: 'void persist(what, attempt)\n', noticed: broken('a taken port is said') },
    {
      promise: 'a digest that was not shipped is custom',
      text: "digest === config.policyDigest ? digest : 'custom'",
      instead: 'digest',
      noticed: modes('reports what the policy lets out'),
    },
    {
      promise: 'a wrong policy stops what the one before it began',
      text: 'return undefined\n    }\n  }\n\n  /** Drops',
      instead: 'return road\n    }\n  }\n\n  /** Drops',
      noticed: changes('an invalid version stops'),
    },
    {
      promise: 'what an old policy made is dropped when a new one takes over',
      text: 'if (queue !== undefined) void persist(OLD_BATCHES, () => queue!.relabel(label!))\n',
      noticed: changes('a new version takes over'),
    },
    {
      promise: 'what an expired policy made is dropped',
      text: 'expired(road.policy) ? EXPIRED : policyDigest(road.policy)',
      instead: 'policyDigest(road.policy)',
      noticed: expired,
    },
    {
      promise: 'expiry is looked for while nothing happens',
      text: 'timers.add(setInterval(look, WATCH_EVERY_MS).unref())\n',
      noticed: expired,
    },
    {
      promise: 'facts that change are in the next batch',
      text: 'watched(config.factsFile, config.facts)',
      instead: 'watched(undefined, config.facts)',
      noticed: changes('facts that change'),
    },
    {
      promise: 'a folder without its epoch is wiped before it is read',
      text: "mode === 'on' ? epoch === undefined : folderExists(`",
      instead: "mode === 'on' ? false : folderExists(`",
      noticed: restart('whose epoch is gone'),
    },
    {
      promise: 'a folder with an epoch is wiped where nothing may leave',
      text: 'epoch === undefined : folderExists(`',
      instead: 'epoch === undefined : folderExists(`-',
      noticed: modes('local removes what was accepted'),
    },
    {
      promise: 'an epoch ends where nothing may leave',
      text: "if (mode !== 'on') endEpoch(folder)\n",
      noticed: modes('local removes what was accepted'),
    },
    {
      promise: 'a preview refuses nothing',
      text: "mode === 'local' ? 'ring' : config.queueFull",
      instead: 'config.queueFull',
      noticed: modes('refuses nothing when the queue is full'),
    },
    {
      promise: 'only mode on sends',
      text: "if (mode === 'on') sender",
      instead: 'if (config.endpoint !== undefined) sender',
      noticed: modes('keeps on disk what would be reported'),
    },
    {
      promise: 'nothing is accepted before the epoch is on disk',
      text: '      await opened.close()\n      throw error\n',
      instead: '      log.debug(String(error))\n',
      noticed: broken('accepts nothing before the epoch'),
    },
    {
      promise: 'an opening that failed frees the lock',
      text: '      await opened.close()\n',
      // Referenced, because otherwise the garbage collector would free it as well.
      instead: '      Object.assign(globalThis, { opened })\n',
      noticed: broken('accepts nothing before the epoch'),
    },
    {
      promise: 'a policy that changes during the opening is not missed',
      text: 'if (label !== labelAtOpening) void persist(OLD_BATCHES, () => opened.relabel(label!))\n',
      noticed: changes('a policy that changes while the data folder'),
    },
    {
      promise: 'nothing is sent without a policy',
      text: 'road !== undefined && !expired(road.policy) && readEpoch',
      instead: 'readEpoch',
      noticed: changes('a file that is gone stops'),
    },
    { promise: 'off ends the epoch', text: '        endEpoch(config.dataDir)\n', noticed: modes('removes what an earlier life left') },
    {
      promise: 'off wipes what was kept',
      text: '        await wipeFolder(config.dataDir, counters)\n',
      noticed: modes('removes what an earlier life left'),
    },
    {
      promise: 'off opens nothing',
      text: '      return\n    }\n    road = watchInputs()',
      instead: '    }\n    road = watchInputs()',
      noticed: silent,
    },
    { promise: 'a stop closes the queue', text: 'await queue?.close()\n', noticed: restart('that another policy filled') },
    { promise: 'a stop ends the sending', text: 'await sender?.stop(graceMs)\n', noticed: restart('is let go of by a stop') },
  ],
}
