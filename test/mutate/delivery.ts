// Guards of what a disk, a clock, another version and an end in a hurry may do to delivery.
import type { GuardTable, Witness } from './guard.ts'

const room = (name: string): Witness => ({ test: 'test/queue/full-volume.test.ts', name })
const clock = (name: string): Witness => ({ test: 'test/queue/clock.test.ts', name })
const damage = (name: string): Witness => ({ test: 'test/queue/damage.test.ts', name })
const outage = (name: string): Witness => ({ test: 'test/system/outage.test.ts', name })
const end = (name: string): Witness => ({ test: 'test/sidecar/shutdown.test.ts', name })
const oneFailure: Witness = { test: 'test/send/power-loss.test.ts', name: '^any one operation' }

export const delivery: GuardTable = {
  'src/queue/active-file.ts': [
    {
      promise: 'an append leaves room for the body of its file',
      text: "if ((await missing(content.length)) > 0) throw Object.assign(new Error('The disk is full.'), { code: 'ENOSPC' })\n",
      noticed: room('^a full volume refuses'),
    },
    {
      promise: 'room is asked for where it may have gone, not for every append',
      text: 'if (current !== undefined && bytesOfFile < SEAL_BYTES) return 0\n',
      noticed: room('^room is asked for'),
    },
    {
      promise: 'what came before the clock was set back is not kept for ever',
      text: 'if (item.since > now) item.since = now\n',
      noticed: clock('^what came before'),
    },
    {
      promise: 'a file that is not too old holds up none that is',
      text: 'if (now - item.since <= maxAgeMs) continue\n',
      instead: 'if (now - item.since <= maxAgeMs) return\n',
      noticed: clock('^a file of the future'),
    },
  ],
  'src/queue/file-index.ts': [
    {
      promise: 'sent/ gives way to what waits',
      text: '        await dropOldestSent()\n      }\n    },\n    wipe',
      instead: '        return missing\n      }\n    },\n    wipe',
      noticed: room('^sent/ gives way'),
    },
    {
      promise: 'no more of sent/ goes than is needed',
      text: 'if (missing <= 0 || sent.size === 0)',
      instead: 'if (sent.size === 0)',
      noticed: room('^sent/ gives way'),
    },
  ],
  'src/queue/appends.ts': [
    {
      promise: 'what others fill costs no span',
      text: '(missing === 0 || missing > shelf.bytes())',
      instead: 'missing === 0',
      noticed: room('^a volume that others fill'),
    },
    {
      promise: 'where the oldest may go, it makes room on a full volume',
      text: ' && (missing === 0 || missing > shelf.bytes())) return',
      instead: ') return',
      noticed: room('^a full volume drops'),
    },
    {
      promise: 'a full volume is answered like a full queue',
      text: "code === 'ENOSPC' ? full() : unwritable()",
      instead: 'unwritable()',
      noticed: room('^a full volume refuses'),
    },
    {
      promise: 'spans that are dropped for room are told',
      text: "if (options.full === 'drop-oldest') episodes.dropping.happened()\n",
      noticed: outage('^a queue that is full in the outage.*drop-oldest'),
    },
    {
      promise: 'a full queue is told',
      text: '    episodes.full.happened()\n',
      noticed: outage('^a queue that is full in the outage.*refuse'),
    },
  ],
  'src/queue/throttled-warning.ts': [
    {
      promise: 'an episode is told when it begins, not every time',
      text: 'if (lastAt === undefined) log.warn(begins, fields)\n',
      instead: 'log.warn(begins, fields)\n',
      noticed: outage('^a queue that is full in the outage.*refuse'),
    },
    {
      promise: 'an episode is not over while its cause lasts',
      text: ' || !mayEnd',
      noticed: outage('^a queue that is full in the outage.*drop-oldest'),
    },
    {
      promise: 'the end of an episode is told',
      text: '      log.info(over)\n',
      noticed: room('^when a full queue has room'),
    },
  ],
  'src/queue/queue.ts': [
    {
      promise: 'sent/ gives way to a body that is about to be sent',
      text: 'await shelf.makeRoom(body.content.length + ROOM_BESIDE_BODY)\n',
      noticed: room('^sent/ gives way to a body'),
    },
    {
      promise: 'a delivered body leaves sending/ even if no receipt tells',
      text: '          (error: unknown) => ({ code: errorCode(error) }),\n',
      instead: '          (error: unknown) => { throw error },\n',
      noticed: room('^a delivered body whose receipt'),
    },
    {
      promise: 'where no receipt tells, the move is durable',
      text: "        log.error('queue: a line of the receipts could not be written', unwritten)\n        await disk.syncFolder(join(folder, 'sending'))\n",
      noticed: oneFailure,
    },
    {
      promise: 'a folder of another format is emptied before it is read',
      text: "if (label === undefined) await wipeAll(folder, counters, disk, 'format')\n",
      noticed: damage('^a folder of another format'),
    },
    {
      promise:
        'a body that was committed is kept where its queue file could not be taken away for good',
      text: "            item.place = 'sending'\n",
      instead:
        "            await takeFromQueue(disk, folder, body)\n            item.place = 'sending'\n",
      noticed: oneFailure,
    },
  ],
  'src/queue/policy-file.ts': [
    {
      promise: 'what another version wrote is told from what this one wrote',
      text: 'format === FORMAT && rest.length === 0 ? label : undefined',
      instead: 'label ?? format',
      noticed: damage('^a folder of another format'),
    },
  ],
  'src/queue/file.ts': [
    {
      promise: 'a file of any sequence is found again',
      text: '\\d{12,15}',
      instead: '\\d{12}',
      noticed: damage('^no sequence that a receipt'),
    },
  ],
  'src/queue/receipts.ts': [
    {
      promise: 'no damage makes sequences that cannot be counted on',
      text: ' && Number(sequence) < MAX_SEQUENCE',
      noticed: damage('^no sequence that a receipt'),
    },
    {
      promise: 'part of a receipt does not stay behind the next one',
      text: 'await disk.truncate(file, length).catch(() => undefined)\n        throw',
      instead: 'throw',
      noticed: room('^a receipt that was written in part'),
    },
  ],
  'src/accept/drain-body.ts': [
    {
      promise: 'an application that is connected is waited for',
      text: 'if (open > 0) use()\n',
      noticed: end('^after SIGTERM'),
    },
    {
      promise: 'no application is waited for for ever',
      text: 'performance.now() - began < mostMs && ',
      noticed: end('^an application that never'),
    },
  ],
  'src/sidecar/pipeline.ts': [
    {
      promise: 'the sidecar ends after the application, whichever door it uses',
      text: '[accept, grpc].map(',
      instead: '[accept].map(',
      noticed: end('^after SIGTERM.*gRPC'),
    },
    {
      promise: 'the sidecar ends after the application',
      text: '[accept, grpc].map(',
      instead: '[grpc].map(',
      noticed: end('^after SIGTERM.*HTTP'),
    },
  ],
  'src/main.ts': [
    {
      promise: 'who asks twice is not kept waiting',
      text: 'if (++told > 1) process.exit(1)\n',
      instead: '++told\n',
      noticed: end('^a second signal'),
    },
  ],
}
