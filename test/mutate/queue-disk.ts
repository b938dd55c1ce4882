// Guards of the queue's files: what is synced, in which order, under which name, and what a start
// makes of them.
import type { GuardTable, Witness } from './guard.ts'

const queue = (name: string): Witness => ({ test: 'test/queue/queue.test.ts', name })
const failures = (name: string): Witness => ({ test: 'test/queue/failures.test.ts', name })
const consent = (name: string): Witness => ({ test: 'test/queue/consent.test.ts', name })
const recovery = (name: string): Witness => ({ test: 'test/queue/recover.test.ts', name })
const disk = (name: string): Witness => ({ test: 'test/queue/disk.test.ts', name })
const powerLoss: Witness = { test: 'test/queue/power-loss.test.ts', name: '^after power loss' }

export const queueDisk: GuardTable = {
  'src/queue/active-file.ts': [
    {
      promise: 'appends are durable before they are acknowledged',
      text: 'await disk.sync(file)\n',
      noticed: powerLoss,
    },
    {
      promise: 'the name of a new file is durable before its appends are acknowledged',
      text: "if (isNew) await disk.syncFolder(join(folder, 'queue'))\n",
      noticed: powerLoss,
    },
    {
      promise: 'a file is given up after a failed write',
      text: 'await abandon()\n',
      noticed: failures('^a failed sync answers 503'),
    },
    {
      promise: 'a file that was given up is never written again',
      text: '    current = undefined\n    // Best effort',
      instead: '    // Best effort',
      noticed: failures('^a failed sync answers 503'),
    },
    {
      promise: 'a file that was given up is cut at its last good length',
      text: 'else await disk.truncate(file, stored.bytes)\n',
      noticed: failures('^a failed sync answers 503'),
    },
    {
      promise: 'a new file without a good record does not stay',
      text: 'if (stored.bytes === 0) await unlinkIfThere(disk, path)\n      else await',
      instead: 'await',
      noticed: failures('^a new file whose first'),
    },
    {
      promise: 'a growing file that is dropped for its age takes no more',
      text: 'if (item === current?.stored) await seal()\n',
      noticed: recovery('^the age of a file'),
    },
    {
      promise: 'each append stands behind the one before',
      text: 'stored.bytes += content.length\n',
      noticed: recovery('^a torn tail'),
    },
  ],
  'src/queue/body.ts': [
    {
      promise: 'the order of batches in a body tells nothing',
      text: 'keyed.sort((a, b) => Buffer.compare(a.key, b.key))\n',
      noticed: queue('^next gives the oldest'),
    },
    {
      promise: 'a commit that failed half way does not stop the next one',
      text: 'await unlinkIfThere(disk, temporary)\n',
      noticed: failures('^a commit that failed'),
    },
    {
      promise: 'a body is durable before it takes its name',
      text: 'await disk.sync(file)\n',
      noticed: powerLoss,
    },
    {
      promise: 'the age of spans goes on when they are committed',
      text: 'await disk.setModifiedAt(temporary, since)\n',
      noticed: recovery('^the age of a file'),
    },
    {
      promise: 'consent is asked again right before the commit',
      text: '  if (!allowed()) {\n    await disk.unlink(temporary)\n    return false\n  }\n',
      noticed: queue('^next commits nothing'),
    },
    {
      promise: 'a commit that is not allowed leaves nothing behind',
      text: 'await disk.unlink(temporary)\n',
      noticed: queue('^next commits nothing'),
    },
    {
      promise: 'the name in sending/ is durable before the queue file goes',
      text: 'await disk.syncFolder(sending)\n',
      noticed: powerLoss,
    },
    {
      promise: 'spans are never in queue/ and sending/ at once',
      text: "await unlinkIfThere(disk, join(folder, 'queue', queueName(body.sequence)))\n",
      noticed: queue('^next gives the oldest'),
    },
    {
      promise: 'a queue file is gone for good before its body can be delivered',
      text: "await disk.syncFolder(join(folder, 'queue'))\n",
      noticed: powerLoss,
    },
    {
      promise: 'a body that is damaged is not sent',
      text: 'if (joined === undefined) return undefined\n',
      instead:
        "if (joined === undefined) return { sequence, content, sha256: '', batches: 0, spans: 0 }\n",
      noticed: recovery('^a damaged or vanished file'),
    },
  ],
  'src/queue/disk.ts': [
    {
      promise: 'folders are for our user only',
      text: ', mode: 0o700',
      noticed: queue('^folders and files are for our user'),
    },
    {
      promise: 'files are for our user only',
      text: "'wx', 0o600, done",
      instead: "'wx', done",
      noticed: queue('^folders and files are for our user'),
    },
    {
      promise: 'a file is never created over another',
      text: "'wx', 0o600",
      instead: "'w', 0o600",
      noticed: disk('^a file is created'),
    },
    {
      promise: 'files for appends are for our user only',
      text: 'fs.open(path, flags, 0o600, done)',
      instead: 'fs.open(path, flags, 0o644, done)',
      noticed: queue('^folders and files are for our user'),
    },
    {
      promise: 'a file for appends is never created over another',
      text: ' | constants.O_EXCL',
      noticed: disk('^a file for appends'),
    },
    {
      promise: 'a write to a file for appends is durable when it ends',
      text: 'constants.O_EXCL | SYNCED_WRITES',
      instead: 'constants.O_EXCL',
      noticed: disk('^a file for appends'),
    },
    {
      promise: 'what takes the number of a closed file is synced',
      text: 'synced.delete(file)\n',
      noticed: disk('^a file for appends'),
    },
    {
      promise: 'a folder that is made is durable',
      text: 'await nodeDisk.syncFolder(above)\n',
      noticed: disk('^a folder that is made'),
    },
    {
      promise: 'a sync of a folder reaches the disk',
      text: 'await call((done) => fs.fsync(folder, done))\n',
      noticed: disk('^syncs reach the disk'),
    },
    {
      promise: 'a sync of a file reaches the disk',
      text: 'await call((done) => fs.fdatasync(file, done))',
      instead: 'await Promise.resolve()',
      noticed: disk('^syncs reach the disk'),
    },
    {
      promise: 'a write that the system took in part goes on',
      text: 'for (let at = 0; at < bytes.length; ) {\n      const from = at\n      at += await',
      instead: '{\n      const from = 0\n      await',
      noticed: disk('^a write that the system takes in parts'),
    },
    {
      promise: 'a folder that cannot be read is no empty folder',
      text: "if (errorCode(error) === 'ENOENT') return []\n      throw error",
      instead: 'return []',
      noticed: disk('^what cannot be read'),
    },
    {
      promise: 'a file that cannot be read is no missing file',
      text: "if (errorCode(error) === 'ENOENT') return undefined\n    throw error",
      instead: 'return undefined',
      noticed: disk('^what cannot be read'),
    },
    {
      promise: 'a file that cannot be unlinked is no missing file',
      text: "if (errorCode(error) !== 'ENOENT') throw error\n",
      noticed: disk('^what cannot be read'),
    },
  ],
  'src/queue/policy-file.ts': [
    {
      promise: 'a label is durable before it takes its name',
      text: 'await disk.sync(file)\n',
      noticed: powerLoss,
    },
    {
      promise: 'the name of a label is durable before anything is made under it',
      text: 'await disk.syncFolder(folder)\n',
      noticed: powerLoss,
    },
    {
      promise: 'a label that failed half way does not stop the next one',
      text: 'await unlinkIfThere(disk, temporary)\n',
      noticed: consent('^a label that could not'),
    },
  ],
  'src/queue/lock.ts': [
    {
      promise: 'the lock file is for our user only',
      text: ', 0o600',
      noticed: queue('^folders and files are for our user'),
    },
    {
      promise: 'the lock is exclusive',
      text: '; BEGIN EXCLUSIVE',
      noticed: recovery('^a second process'),
    },
    {
      promise: 'a lock file that is there is no obstacle',
      text: "if (errorCode(error) !== 'EEXIST') throw error",
      instead: 'throw error',
      noticed: recovery('^a second process'),
    },
    {
      promise: 'another process is told from a folder that cannot be locked',
      text: '(error as { errcode?: unknown }).errcode === SQLITE_BUSY',
      instead: 'true',
      noticed: recovery('^a folder that cannot be locked'),
    },
    {
      promise: 'no file beside the lock appears',
      text: 'PRAGMA journal_mode=MEMORY; ',
      noticed: recovery('^a second process'),
    },
  ],
  'src/queue/file.ts': [
    {
      promise: 'no record with a wrong checksum is read',
      text: ' || bytes.readUInt32LE(end + 1) !== crc32(bytes.subarray(at, end))',
      noticed: recovery('^of a file that is damaged'),
    },
    {
      promise: 'a record without its whole checksum is torn',
      text: 'if (end + CHECKSUM_BYTES > bytes.length) {',
      instead: 'if (end > bytes.length) {',
      noticed: recovery('^a torn tail'),
    },
    {
      promise: 'damage in the middle is told from a torn tail',
      text: "torn ? 'torn' : 'corrupt'",
      instead: "'torn'",
      noticed: recovery('^of a file that is damaged'),
    },
    {
      promise: 'a last record that was written in part is torn, not damaged',
      text: 'end + CHECKSUM_BYTES === bytes.length || ',
      noticed: recovery('^a tail that the power'),
    },
    {
      promise: 'zeros to the end are torn, not damaged',
      text: ' || bytes.subarray(at).every((byte) => byte === 0)',
      noticed: recovery('^a tail that the power'),
    },
    {
      promise: 'names sort as their sequences do',
      text: ".padStart(12, '0')",
      noticed: queue('^an acknowledged record'),
    },
    {
      promise: 'a file that is not ours is not touched',
      text: '^(\\d{12,15})\\.otlp',
      instead: '(\\d{12,15})\\.otlp',
      noticed: recovery('^files that are not ours'),
    },
    {
      promise: 'spans are counted in their own place only',
      text: ' && Math.floor(tag / 8) === path[depth]',
      noticed: queue('^spans are counted where'),
    },
  ],
}
