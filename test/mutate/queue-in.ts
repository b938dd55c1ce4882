// Guards of the way into the queue: what is acknowledged, refused, discarded and counted.
import type { GuardTable, Witness } from './guard.ts'

const queue = (name: string): Witness => ({ test: 'test/queue/queue.test.ts', name })
const failures = (name: string): Witness => ({ test: 'test/queue/failures.test.ts', name })
const consent = (name: string): Witness => ({ test: 'test/queue/consent.test.ts', name })
const recovery = (name: string): Witness => ({ test: 'test/queue/recover.test.ts', name })

const alone = (name: string): Witness => ({ test: 'test/queue/isolated-append.test.ts', name })

export const queueIn: GuardTable = {
  'src/queue/appends.ts': [
    {
      promise: 'a record alone shares its file with nothing that came before',
      text: '        await growing.seal()\n        await commit(mine)',
      instead: '        await commit(mine)',
      noticed: alone('shares its file'),
    },
    {
      promise: 'a record alone shares its file with nothing that comes after',
      text: 'await commit(mine)\n        await growing.seal()',
      instead: 'await commit(mine)',
      noticed: alone('shares its file'),
    },
    {
      promise: 'a record alone is discarded as well',
      text: 'for (const mine of lonely) discard(mine, reason)\n',
      noticed: alone('never reaches the disk'),
    },
    {
      promise: 'what was discarded never reaches the disk',
      text: 'if (mine.discarded) return\n',
      noticed: consent('^wipe removes every body'),
    },
    {
      promise: 'nothing comes in while a change of policy has not come to its end',
      text: 'if (options.blocked()) throw unwritable()\n',
      noticed: consent('^nothing comes in or leaves'),
    },
    {
      promise: 'a growing file does not take fresh records behind records that are too old',
      text: 'await growing.dropOld(options.maxAgeMs, now())\n',
      noticed: recovery('^the age of a file'),
    },
    {
      promise: 'a queue that refuses nothing makes room',
      text: "if (options.full !== 'refuse') await makeRoom(mine.bytes)\n",
      noticed: queue('^with ring the oldest'),
    },
    {
      promise: 'a queue that refuses for lack of room drops nothing',
      text: "if (options.full !== 'refuse') await",
      instead: 'await',
      noticed: queue('^a full queue that refuses'),
    },
    {
      promise: 'the growing file can be the oldest that goes',
      text: 'if (item === growing.stored()) await growing.seal()\n',
      noticed: queue('^with ring the oldest'),
    },
    {
      promise: 'spans whose write failed are counted as refused',
      text: "counters.add('queue.refused', mine.spans)\n",
      noticed: failures('^a failed sync answers 503'),
    },
    {
      promise: 'a failed write is answered 503',
      text: "mine.settle(code === 'ENOSPC' ? full() : unwritable())",
      instead: 'mine.settle()',
      noticed: failures('^a failed sync answers 503'),
    },
    {
      promise: 'what has been written does not wait any more',
      text: 'waiting -= mine.bytes\n',
      noticed: queue('^a full queue answers 503'),
    },
    {
      promise: 'a file is sealed at its size',
      text: 'file.bytes >= SEAL_BYTES || ',
      noticed: queue('^a file is sealed at 1 MiB'),
    },
    {
      promise: 'a file is sealed by its age',
      text: ' || now() - file.since > options.maxAgeMs / 8',
      noticed: recovery('^the age of a file'),
    },
    {
      promise: 'a closed queue answers 503',
      text: 'if (options.closed()) return unwritable()\n',
      noticed: recovery('^a closed queue'),
    },
    {
      promise: 'a full queue answers 503',
      text: 'if (shelf.bytes() + waiting + size > maxBytes) return full()\n',
      instead: '\n',
      noticed: queue('^a full queue answers 503'),
    },
    {
      promise: 'what waits counts as queued',
      text: '+ waiting + size > maxBytes',
      instead: '+ size > maxBytes',
      noticed: queue('^what waits for the disk'),
    },
    {
      promise: 'a record that can never fit costs no other record its place',
      text: "else if (size > maxBytes) return 'drop'",
      noticed: queue('^with ring the oldest'),
    },
    {
      promise: 'what may wait in memory is bounded',
      text: 'waiting > 0 && waiting + size > maxWaiting ? busy() : undefined',
      instead: 'undefined',
      noticed: queue('^what may wait in memory'),
    },
    {
      promise: 'one record alone may be larger than the bound of what waits',
      text: 'waiting > 0 && ',
      noticed: queue('^what may wait in memory'),
    },
    {
      promise: 'spans of a record that can never fit are counted',
      text: "counters.add('queue.dropped.full', spans)\n",
      noticed: queue('^with ring the oldest'),
    },
    {
      promise: 'spans that are answered 503 are counted',
      text: "counters.add('queue.refused', spans)\n",
      noticed: queue('^a full queue answers 503'),
    },
    {
      promise: 'spans that waited when consent or policy ended are counted',
      text: ', mine.spans)\n    mine.settle()\n',
      instead: ', 0)\n    mine.settle()\n',
      noticed: consent('^relabel drops'),
    },
    {
      promise: 'requests that arrive together share one commit',
      text: 'new Promise<void>((resolve) => void setImmediate(resolve)).then(() => commit(mine))',
      instead: 'commit(mine)',
      noticed: queue('^appends that wait share'),
    },
    {
      promise: 'what comes after a change of policy is not discarded with what waited before it',
      text: 'if (group !== undefined) discard(group, reason)\n      group = undefined\n',
      instead: 'if (group !== undefined) discard(group, reason)\n',
      noticed: consent('^relabel drops'),
    },
  ],
  'src/queue/commit-group.ts': [
    {
      promise: 'a buffer that grows keeps what it holds',
      text: 'this.#buffer.copy(grown, 0, 0, this.bytes)\n',
      noticed: queue('^appends that wait share'),
    },
  ],
}
