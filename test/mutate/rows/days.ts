// Promise 10: days cannot be joined.
import type { Promised } from '../row.ts'

export const days: Promised = {
  number: 10,
  title: 'Days cannot be joined',
  rows: {
    'test/anonymize/oracle.test.ts': {
      'ids-of-the-day': {
        keeps: 'Each day has new keys for ids.',
        change: 'delete',
        noticedBy: 'makes ids and pseudonyms of the day',
      },
      'pseudonyms-of-the-period': {
        keeps: 'Each period has new pseudonyms.',
        change: { replace: '$1 !== $2', by: "$2 === ''" },
        noticedBy: 'makes ids and pseudonyms of the day',
      },
      'no-earlier-pseudonym': {
        keeps: 'No pseudonym of an earlier period is remembered.',
        change: 'delete',
        noticedBy: 'makes ids and pseudonyms of the day',
      },
    },
    'test/send/tls.test.ts': {
      'no-tls-resumption': {
        keeps: 'No TLS session is resumed.',
        change: 'delete',
        noticedBy: 'no connection resumes',
      },
    },
    'test/sidecar/heartbeat.test.ts': {
      'heartbeat-alone': {
        keeps: 'A heartbeat has a body of its own.',
        change: { replace: 'appendIsolated', by: 'append' },
        noticedBy: 'shares no file of the queue',
      },
    },
    'test/queue/queue.test.ts': {
      'batch-order-hidden': {
        keeps: 'The order of batches in a body does not leave.',
        change: 'delete',
        noticedBy: 'next gives the oldest',
      },
    },
    'test/queue/isolated-append.test.ts': {
      'isolated-record': {
        keeps: 'An isolated record joins no other file.',
        change: 'delete',
        noticedBy: 'shares its file with nothing',
      },
    },
    'test/send/send.test.ts': {
      'connection-per-drain': {
        keeps: 'A connection ends with its drain.',
        change: 'delete',
        noticedBy: 'one drain takes every body',
      },
    },
    'test/anonymize/anonymize.test.ts': {
      'day-never-returns': {
        keeps: 'The day never goes back.',
        change: 'delete',
        noticedBy: 'the day never goes back',
      },
    },
    'test/enrich/enrich.test.ts': {
      'resource-of-the-day': {
        keeps: 'Each day has a new resource.',
        change: { condition: false },
        noticedBy: 'a new day has new',
      },
      'batch-id-once': {
        keeps: 'Each batch has an id of its own.',
        change: 'delete',
        noticedBy: 'each batch has an id',
      },
      'span-order-hidden': {
        keeps: 'The order in which spans arrived does not leave.',
        change: 'delete',
        noticedBy: 'orders spans by their ids',
      },
    },
  },
}
