// Guards of the queue's memory: receipts, what a start makes of the folder, and how a file leaves.
import type { GuardTable, Witness } from './guard.ts'

const queue = (name: string): Witness => ({ test: 'test/queue/queue.test.ts', name })
const failures = (name: string): Witness => ({ test: 'test/queue/failures.test.ts', name })
const consent = (name: string): Witness => ({ test: 'test/queue/consent.test.ts', name })
const recovery = (name: string): Witness => ({ test: 'test/queue/recover.test.ts', name })
const powerLoss: Witness = { test: 'test/queue/power-loss.test.ts', name: '^after power loss' }
const kill: Witness = { test: 'test/queue/power-loss.test.ts', name: '^what a start finds' }
const receipts: Witness = { test: 'test/queue/power-loss.test.ts', name: '^receipts that begin' }

export const queueMemory: GuardTable = {
  'src/queue/receipts.ts': [
    {
      promise: 'receipts that a start finds are durable before they count',
      text: 'await disk.sync(opened)\n',
      noticed: kill,
    },
    {
      promise: 'a line that was cut off does not spoil the next one',
      text: 'if (length < bytes.length) await disk.truncate(opened, length)\n',
      noticed: recovery('^a receipt that was cut off'),
    },
    {
      promise: 'a receipt is durable when it is said to be',
      text: '        await disk.sync(file)\n      } catch',
      instead: '      } catch',
      noticed: powerLoss,
    },
    {
      promise: 'the name of the receipts is durable with their first line',
      text: 'if (isNew) await disk.syncFolder(folder)\n',
      noticed: powerLoss,
    },
    {
      promise: 'old receipts are durable under their name before another file takes it',
      text: '        await disk.syncFolder(folder)\n        length',
      instead: '        length',
      noticed: receipts,
    },
    {
      promise: 'receipts are bounded',
      text: 'if (file !== undefined && length >= MAX_BYTES && mayForget) await rotate(file)\n',
      noticed: queue('^receipts over 1 MiB'),
    },
    {
      promise: 'a change of file that failed half way does not end the receipts',
      text: 'if (file === undefined) await begin()\n',
      noticed: failures('^receipts go on.*create, after'),
    },
    {
      promise: 'receipts forget nothing that recovery needs',
      text: ' && mayForget',
      noticed: failures('^a settled body'),
    },
    {
      promise: 'the receipts before the last change of file are read too',
      text: 'await readIfThere(disk, oldPath), ',
      noticed: recovery('^a body that the old receipts'),
    },
    {
      promise: 'the sequence goes on from receipts',
      text: 'greatest = Math.max(greatest, read.sequence)\n',
      noticed: queue('^the sequence goes on from receipts'),
    },
    {
      promise: 'a body is settled only by a line with its digest',
      text: 'settled: (sequence, sha256) =>',
      instead:
        'settled: (sequence, _, sha256 = /settled \\d+ (\\w+)/.exec([...known].join())?.[1]) =>',
      noticed: recovery('^a body that the old receipts'),
    },
    {
      promise: 'an attempt that failed settles nothing',
      text: "read.result === 'delivered' || read.result === 'refused'",
      instead: 'read.result !== undefined',
      noticed: recovery('^a body that the old receipts'),
    },
    {
      promise: 'what is refused is settled',
      text: " || read.result === 'refused'",
      noticed: recovery('^a body that the old receipts'),
    },
  ],
  'src/queue/recover.ts': [
    {
      promise: 'a body that a start finds in sending/ is durable before its queue file goes',
      text: "await disk.syncFolder(join(folder, 'sending'))\n",
      noticed: kill,
    },
    {
      promise: 'the sequence goes on from sent/',
      text: '    greatest = Math.max(greatest, sequence)\n    shelf.addSent',
      instead: '    shelf.addSent',
      noticed: queue('^sent/ keeps the last'),
    },
    {
      promise: 'the sequence goes on from sending/',
      text: 'greatest = Math.max(greatest, sequence)\n    bodies.add',
      instead: 'bodies.add',
      noticed: recovery('^the sequence goes on'),
    },
    {
      promise: 'the sequence goes on from queue/',
      text: 'greatest = Math.max(greatest, sequence)\n    if (bodies',
      instead: 'if (bodies',
      noticed: recovery('^the sequence goes on'),
    },
    {
      promise: 'what is in sent/ counts for its bound after a start',
      text: "shelf.addSent(sequence, (await disk.stat(join(folder, 'sent', name))).bytes)\n",
      noticed: queue('^sent/ keeps the last'),
    },
    {
      promise: 'a temporary body of a killed process goes',
      text: "if (name.endsWith('.tmp')) await disk.unlink(path)\n",
      noticed: recovery('^recovery prefers'),
    },
    {
      promise: 'a file that is not ours stays',
      text: "if (name.endsWith('.tmp')) await",
      instead: 'await',
      noticed: recovery('^files that are not ours'),
    },
    {
      promise: 'a body that the receipts call settled is not sent again',
      text: 'if (body.settled) await shelf.moveToSent(body)\n    else found.push(body)',
      instead: 'found.push({ ...body, settled: false })',
      noticed: recovery('^recovery prefers'),
    },
    {
      promise: 'a body that was attempted in an earlier life is kept to be seen',
      text: 'attempted: past.attempted(sequence, sha256)',
      instead: 'attempted: false',
      noticed: recovery('^a body that the old receipts'),
    },
    {
      promise: 'where queue/ and sending/ hold the same sequence, the queue file goes',
      text: 'if (bodies.has(sequence)) {',
      instead: 'if (bodies.has(-1)) {',
      noticed: recovery('^recovery prefers'),
    },
    {
      promise: 'the oldest is sent first after a start',
      text: 'found.sort((a, b) => a.sequence - b.sequence)\n',
      noticed: recovery('^the sequence goes on'),
    },
    {
      promise: 'a torn tail is counted',
      text: "if (state === 'torn') counters.add('queue.recovered.torn')\n",
      noticed: recovery('^a torn tail'),
    },
    {
      promise: 'a damaged file is counted',
      text: "counters.add('queue.dropped.corrupt')\n",
      noticed: recovery('^of a file that is damaged'),
    },
    {
      promise: 'a file without a whole record goes',
      text: 'await unlinkIfThere(disk, path)\n',
      noticed: recovery('^a file without a whole record'),
    },
    {
      promise: 'a torn tail is cut',
      text: 'await disk.truncate(file, length)\n',
      noticed: recovery('^a torn tail'),
    },
  ],
  'src/queue/file-index.ts': [
    {
      promise: 'an attempted body that is dropped is kept to be seen',
      text: "if (item.attempted && reason !== 'consent') await shelf.moveToSent(item)\n",
      instead: 'if (item.sequence < 0) return\n',
      noticed: recovery('^files over the age limit'),
    },
    {
      promise: 'a drop removes the file under both names',
      text: "for (const place of ['queue', 'sending'] as const)",
      instead: "for (const place of ['queue'] as const)",
      noticed: consent('^a commit that failed'),
    },
    {
      promise: 'every drop is counted by its reason',
      text: ", reason === 'corrupt' ? 1 : spans)\n",
      instead: ", reason === 'corrupt' ? 1 : 0)\n",
      noticed: recovery('^files over the age limit'),
    },
    {
      promise: 'a damaged file counts once, whatever it held',
      text: "reason === 'corrupt' ? 1 : spans",
      instead: 'spans',
      noticed: recovery('^a damaged or vanished file'),
    },
    {
      promise: 'a body that somebody took away does not hold up those behind it',
      text: "if (errorCode(error) !== 'ENOENT') throw error\n",
      instead: 'throw error\n',
      noticed: failures('^a body that somebody'),
    },
    {
      promise: 'a body in sent/ survives a power loss',
      text: "await disk.syncFolder(join(folder, 'sent'))\n",
      noticed: powerLoss,
    },
    {
      promise: 'sent/ is bounded',
      text: "await unlinkIfThere(disk, join(folder, 'sent', bodyName(sequence)))\n",
      noticed: queue('^sent/ keeps the last'),
    },
    {
      promise: 'a wipe unlinks what holds spans',
      text: 'await disk.unlink(join(path, name))\n',
      noticed: consent('^an open with wipe'),
    },
    {
      promise: 'spans that a wipe removes are counted',
      text: '}`, spans)\n',
      instead: '}`, 0)\n',
      noticed: consent('^an open with wipe'),
    },
    {
      promise: 'spans in sent/ were counted before',
      text: "place !== 'sent' && ",
      noticed: consent('^wipe removes every body'),
    },
    {
      promise: 'a wipe is durable',
      text: 'if (names.length > 0 || known !== undefined) await disk.syncFolder(path)\n',
      noticed: powerLoss,
    },
    {
      promise: 'a wipe of a queue syncs folders that are empty already',
      text: ' || known !== undefined',
      noticed: powerLoss,
    },
    {
      promise: 'a wipe forgets what it removed',
      text: '      stored.clear()\n',
      noticed: consent('^wipe removes every body'),
    },
    {
      promise: 'a wipe leaves sent/ empty for its bound',
      text: '      sent.clear()\n',
      noticed: consent('^wipe removes every body'),
    },
  ],
}
