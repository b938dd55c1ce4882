// Guards of the queue's front door: who may open it, what leaves, and what goes when policy or
// consent change.
import type { GuardTable, Witness } from './guard.ts'

const queue = (name: string): Witness => ({ test: 'test/queue/queue.test.ts', name })
const failures = (name: string): Witness => ({ test: 'test/queue/failures.test.ts', name })
const consent = (name: string): Witness => ({ test: 'test/queue/consent.test.ts', name })
const recovery = (name: string): Witness => ({ test: 'test/queue/recover.test.ts', name })
const powerLoss: Witness = { test: 'test/queue/power-loss.test.ts', name: '^after power loss' }
const kill: Witness = { test: 'test/queue/power-loss.test.ts', name: '^what a start finds' }

export const queueDoor: GuardTable = {
  'src/queue/queue.ts': [
    {
      promise: 'one process per folder',
      text: "disk.lock(join(folder, 'lock'))",
      instead: '() => undefined',
      noticed: recovery('^a second process'),
    },
    {
      promise: 'an open that fails frees the lock',
      text: '    unlock()\n    throw error',
      instead: '    throw error',
      noticed: recovery('^a folder that cannot be locked'),
    },
    {
      promise: 'an open after interrupted consent wipes before it reads',
      text: "if (wipe) await wipeAll(folder, counters, disk, 'consent', new Map())\n",
      noticed: consent('^an open with wipe'),
    },
    {
      promise: 'no temporary file of a killed process stays',
      text: "await unlinkIfThere(disk, join(folder, 'policy.tmp'))\n",
      noticed: recovery('^recovery prefers'),
    },
    {
      promise: 'a label that a start finds is durable before it counts',
      text: 'await disk.syncFolder(folder)\n',
      noticed: kill,
    },
    {
      promise: 'what another policy made is dropped at open',
      text: 'if (label !== wanted) await dropAll(wanted)\n',
      noticed: consent('^an open under another label'),
    },
    {
      promise: 'what is too old is dropped at open',
      text: 'await growing.dropOld(maxAgeMs, now())\n\n',
      noticed: recovery('^files over the age limit'),
    },
    {
      promise: 'what is too old is dropped at seal',
      text: '        await growing.seal()\n        await growing.dropOld(maxAgeMs, now())\n',
      instead: '        await growing.seal()\n',
      noticed: recovery('^files over the age limit'),
    },
    {
      promise: 'what is too old is never given to send',
      text: '        await growing.dropOld(maxAgeMs, now())\n        for',
      instead: '        for',
      noticed: recovery('^files over the age limit'),
    },
    {
      promise: 'a change of policy drops what is on disk',
      text: "for (const item of stored.values()) await shelf.drop(item, 'policy')\n",
      noticed: consent('^relabel drops'),
    },
    {
      promise: 'a change of policy begins a new file',
      text: "unfinished.add('relabel')\n    await growing.seal()\n",
      instead: "unfinished.add('relabel')\n",
      noticed: consent('^relabel drops'),
    },
    {
      promise: 'what the old policy made in queue/ is gone for good before the new label stands',
      text: "await disk.syncFolder(join(folder, 'queue'))\n",
      noticed: powerLoss,
    },
    {
      promise: 'what the old policy made in sending/ is gone for good before the new label stands',
      text: "await disk.syncFolder(join(folder, 'sending'))\n    await writeLabel",
      instead: 'await writeLabel',
      noticed: powerLoss,
    },
    {
      promise: 'the label follows the policy',
      text: 'await writeLabel(disk, folder, next)\n',
      noticed: consent('^relabel drops'),
    },
    {
      promise: 'a receipt names the policy of its body',
      text: '    label = next\n',
      noticed: consent('^relabel drops'),
    },
    {
      promise: 'a change of policy that failed is seen until it is done',
      text: "unfinished.add('relabel')\n",
      noticed: consent('^nothing comes in or leaves'),
    },
    {
      promise: 'the growing file is not given to send',
      text: 'item === growing.stored() || ',
      noticed: queue('^next gives the oldest'),
    },
    {
      promise: 'nothing leaves while a change of policy has not come to its end',
      text: ' || blocked() || !allowed()) return undefined',
      instead: ' || !allowed()) return undefined',
      noticed: consent('^nothing comes in or leaves'),
    },
    {
      promise: 'next asks consent before it commits anything',
      text: ' || !allowed()) return undefined\n          if (item.settled)',
      instead: ') return undefined\n          if (item.settled)',
      noticed: queue('^next commits nothing'),
    },
    {
      promise: 'a settled body that could not be moved is moved later and not sent again',
      text: '          if (item.settled) {\n            await shelf.moveToSent(item)\n            continue\n          }\n',
      noticed: failures('^a settled body'),
    },
    {
      promise: 'a damaged file does not hold up those behind it',
      text: "await shelf.drop(item, 'corrupt')\n            continue\n",
      instead: 'return undefined\n',
      noticed: recovery('^a damaged or vanished file'),
    },
    {
      promise: 'a body that was dropped is not sent',
      text: 'item === undefined || blocked()) {\n          throw',
      instead: 'blocked()) {\n          throw',
      noticed: consent('^relabel drops'),
    },
    {
      promise: 'no attempt begins while a change of policy has not come to its end',
      text: 'item === undefined || blocked()) {\n          throw',
      instead: 'item === undefined) {\n          throw',
      noticed: consent('^nothing comes in or leaves'),
    },
    {
      promise: 'an attempt has one line in the receipts',
      text: 'if (item.attempted) return\n',
      noticed: queue('^receipts name the attempt once'),
    },
    {
      promise: 'a receipt is durable before the first attempt',
      text: 'await receipts.append(line, allMoved())\n        item.attempted = true',
      instead: 'item.attempted = true',
      noticed: powerLoss,
    },
    {
      promise: 'an attempted body is kept for the admin to see',
      text: 'item.attempted = true\n',
      noticed: recovery('^files over the age limit'),
    },
    {
      promise: 'every outcome is in the receipts',
      text: 'await receipts.append(line, allMoved()).then(',
      instead: 'await Promise.resolve().then(',
      noticed: queue('^receipts name the attempt once'),
    },
    {
      promise: 'a body that is to be tried again stays in sending/',
      text: "item !== undefined && result !== 'retry'",
      instead: 'item !== undefined',
      noticed: queue('^receipts name the attempt once'),
    },
    {
      promise: 'a delivered body is settled even if its move fails',
      text: 'item.settled = true\n',
      noticed: failures('^a settled body'),
    },
    {
      promise: 'receipts forget nothing while a settled body stands in sending/',
      text: '![...stored.values()].some(({ settled }) => settled)',
      instead: 'true',
      noticed: failures('^a settled body'),
    },
    {
      promise: 'half full counts what waits',
      text: ' + appends.waitingBytes()) >= maxBytes',
      instead: ') >= maxBytes',
      noticed: queue('^what waits for the disk'),
    },
    {
      promise: 'the same policy drops nothing',
      text: "if (next === wanted && !unfinished.has('relabel')) return\n",
      noticed: consent('^the same label drops nothing'),
    },
    {
      promise: 'a change of policy that failed is tried again',
      text: " && !unfinished.has('relabel')) return",
      instead: ') return',
      noticed: consent('^nothing comes in or leaves'),
    },
    {
      promise: 'what waits when the policy changes is discarded',
      text: "appends.discard('policy')\n",
      noticed: consent('^relabel drops'),
    },
    {
      promise: 'what waits when consent ends is discarded',
      text: "appends.discard('consent')\n",
      noticed: consent('^wipe removes every body'),
    },
    {
      promise: 'nothing comes in after a wipe that failed, until it is done',
      text: "unfinished.add('wipe')\n",
      noticed: consent('^nothing comes in after a wipe'),
    },
    {
      promise: 'a wipe ends the growing file',
      text: '        await growing.seal()\n        await shelf.wipe()\n',
      instead: '        await shelf.wipe()\n',
      noticed: consent('^wipe removes every body'),
    },
    {
      promise: 'a closed queue frees the lock',
      text: 'await ended.finally(unlock)',
      instead: 'await ended',
      noticed: recovery('^a second process'),
    },
  ],
}
