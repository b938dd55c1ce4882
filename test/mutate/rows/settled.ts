// Promise 4: 200 means settled.
import type { Promised } from '../row.ts'

export const settled: Promised = {
  number: 4,
  title: '200 means settled',
  rows: {
    'test/sidecar/pipeline.test.ts': {
      'ack-after-append': {
        keeps: 'The answer 200 comes after the append.',
        change: { value: 'void appended' },
        noticedBy: 'answers 503 with Retry-After',
      },
    },
    'test/queue/disk.test.ts': {
      'file-sync-reaches-disk': {
        keeps: 'A sync of a file reaches the disk.',
        change: { value: 'await Promise.resolve()' },
        noticedBy: 'syncs reach the disk',
      },
      'partial-write-continues': {
        keeps: 'A write that the system accepts in parts is completed.',
        change: { replace: '$1 += await', by: '$1 = Infinity; await' },
        noticedBy: 'a write that the system takes in parts',
      },
    },
    'test/queue/power-loss.test.ts': {
      'append-synced': {
        keeps: 'An append is synced before it is acknowledged.',
        change: 'delete',
        noticedBy: 'after power loss',
      },
      'queue-name-synced': {
        keeps: 'The name of a new queue file is synced before its appends are acknowledged.',
        change: 'delete',
        noticedBy: 'after power loss',
      },
      'body-synced': {
        keeps: 'A body is synced before it gets its name.',
        change: 'delete',
        noticedBy: 'after power loss',
      },
      'sending-name-synced': {
        keeps: 'The name in sending/ is synced before the queue file is removed.',
        change: 'delete',
        noticedBy: 'after power loss',
      },
      'queue-removal-synced': {
        keeps: 'The removal of a queue file is synced before its body is delivered.',
        change: 'delete',
        noticedBy: 'after power loss',
      },
    },
    'test/queue/failures.test.ts': {
      'failed-file-abandoned': {
        keeps: 'A file with a failed write is never written again.',
        change: 'delete',
        noticedBy: 'a failed sync answers 503',
      },
      'failed-write-503': {
        keeps: 'A failed write is answered 503.',
        change: { value: 'group.acknowledge()' },
        noticedBy: 'a failed sync answers 503',
      },
    },
    'test/queue/recover.test.ts': {
      'damaged-body-not-sent': {
        keeps: 'A damaged body is not sent.',
        change: { value: "{ sequence, content, sha256: '', batches: 0, spans: 0 }" },
        noticedBy: 'a damaged or missing file',
      },
      'checksum-checked': {
        keeps: 'A record with a wrong checksum is not read.',
        change: { withoutOperand: 2 },
        noticedBy: 'keeps the records before damage',
      },
      'torn-tail-cut': {
        keeps: 'A torn tail is cut when the sidecar starts.',
        change: 'delete',
        noticedBy: 'a torn tail',
      },
      'damage-counted': {
        keeps: 'A damaged file is counted.',
        change: 'delete',
        noticedBy: 'keeps the records before damage',
      },
      'drops-counted': {
        keeps: 'Each drop is counted with its reason.',
        change: { replace: '1 : $1', by: '1 : 0' },
        noticedBy: 'files over the age limit',
      },
      'one-process': {
        keeps: 'One process uses a data directory at a time.',
        change: { value: '() => () => undefined' },
        noticedBy: 'a second process',
      },
    },
    'test/queue/queue.test.ts': {
      'refused-spans-counted': {
        keeps: 'Spans that are answered 503 are counted.',
        change: 'delete',
        noticedBy: 'a full queue answers 503',
      },
    },
    'test/send/send.test.ts': {
      'refusal-not-retried': {
        keeps: 'A refused body is not sent again.',
        change: { replace: '$1.has($2)', by: '$2 >= 400' },
        noticedBy: 'status 400 drops',
      },
      'unavailable-retried': {
        keeps: 'A body that is answered 503 is sent again.',
        change: { replace: '503,', by: '' },
        noticedBy: 'status 503',
      },
      'collector-refusals-counted': {
        keeps: 'Spans that the collector refuses are counted.',
        change: 'delete',
        noticedBy: 'status 400 drops',
      },
    },
  },
}
