// Promise 7: everything is bounded.
import type { Promised } from '../row.ts'

export const bounded: Promised = {
  number: 7,
  title: 'Everything is bounded',
  rows: {
    'test/anonymize/anonymize.test.ts': {
      'output-bounded': {
        keeps: 'The output of one request is bounded.',
        change: { condition: false },
        noticedBy: 'what one request may become',
      },
    },
    'test/send/post.test.ts': {
      'request-deadline': {
        keeps: 'A request to the collector has a deadline.',
        change: { replace: 'AbortSignal.timeout($1)', by: '' },
        noticedBy: 'a request ends by itself',
      },
      'answer-bounded': {
        keeps: 'At most 64 KiB of an answer are read.',
        change: { condition: true },
        noticedBy: 'of an endless answer',
      },
    },
    'test/policy/parse.test.ts': {
      'policy-size-bounded': {
        keeps: 'A policy has at most 1 MiB.',
        change: 'delete',
        noticedBy: 'refuses what makes YAML surprising',
      },
    },
    'test/accept/limits.test.ts': {
      'json-bounded': {
        keeps: 'The protobuf of a JSON request is bounded.',
        change: { value: 'jsonToProtobuf(body)' },
        noticedBy: 'limits the protobuf of JSON',
      },
      budget: {
        keeps: 'All requests together hold no more than the memory budget.',
        change: 'delete',
        noticedBy: 'releases the bytes of a share',
      },
      'body-limit': {
        keeps: 'A body over the limit is refused while it arrives.',
        change: { replace: '? $1($2) :', by: '? undefined :' },
        noticedBy: 'accepts a body of exactly',
      },
      'body-deadline': {
        keeps: 'A body has a deadline.',
        change: { value: 'setTimeout(() => undefined, DEADLINE_MS)' },
        noticedBy: 'answers a body that misses its deadline',
      },
      'inflate-bounded': {
        keeps: 'Inflation in one call stops at its limit.',
        change: { replace: 'maxOutputLength: $1', by: 'maxOutputLength: 2 ** 30' },
        noticedBy: 'refuses a gzip bomb',
      },
      'inflate-pieces-bounded': {
        keeps: 'Inflation in pieces stops at the limit.',
        change: 'delete',
        noticedBy: 'refuses a gzip bomb',
      },
    },
    'test/net/connection-limiter.test.ts': {
      'connections-bounded': {
        keeps: 'The number of connections is bounded.',
        change: { condition: false },
        noticedBy: 'closes the longest idle',
      },
    },
    'test/accept/hostile.test.ts': {
      'header-bounded': {
        keeps: 'The size of a header is bounded.',
        change: { value: '64 * 1024' },
        noticedBy: 'answers unreadable input',
      },
      'pipelined-requests-bounded': {
        keeps: 'The number of unanswered requests on a connection is bounded.',
        change: { withoutOperand: 1 },
        noticedBy: 'ends a connection with too many',
      },
    },
    'test/accept/grpc-hostile.test.ts': {
      'calls-bounded': {
        keeps: 'The number of gRPC calls is bounded over all connections.',
        change: { condition: false },
        noticedBy: 'limits unfinished calls',
      },
    },
    'test/accept/grpc-receiver.test.ts': {
      'call-deadline': {
        keeps: 'A gRPC call has a deadline.',
        change: { replace: '() => $1($2, $3)', by: '() => undefined' },
        noticedBy: 'ends a call whose deadline',
      },
    },
    'test/queue/full-volume.test.ts': {
      'volume-space-reserved': {
        keeps: 'An append leaves space for the body of its file.',
        change: 'delete',
        noticedBy: 'a full volume refuses',
      },
    },
    'test/queue/queue.test.ts': {
      'sent-bounded': {
        keeps: 'The folder sent/ is bounded.',
        change: 'delete',
        noticedBy: 'sent/ keeps the last',
      },
      'queue-bounded': {
        keeps: 'A full queue answers 503.',
        change: 'delete',
        noticedBy: 'a full queue answers 503',
      },
      'pending-bounded': {
        keeps: 'What waits in memory for the disk is bounded.',
        change: { value: "'admit'" },
        noticedBy: 'bounds the records that wait',
      },
      'receipts-bounded': {
        keeps: 'The receipts are bounded.',
        change: 'delete',
        noticedBy: 'receipts over 1 MiB',
      },
    },
    'test/otlp/wire.test.ts': {
      'groups-nest-bounded': {
        keeps: 'Groups nest at most 32 levels.',
        change: 'delete',
        noticedBy: 'values are stepped over',
      },
    },
    'test/support/log.test.ts': {
      'log-repeats-bounded': {
        keeps: 'A repeated log line is written less and less.',
        change: { replace: 'Math.min(2 * $1, $2)', by: '$1' },
        noticedBy: 'a line that comes every',
      },
      'log-memory-bounded': {
        keeps: 'What the log remembers is bounded.',
        change: 'delete',
        noticedBy: 'what it remembers',
      },
    },
    'test/page/status.test.ts': {
      'shown-file-bounded': {
        keeps: 'A file that the page shows is inflated up to a limit.',
        change: 'delete',
        noticedBy: 'shows the start of the next',
      },
    },
  },
}
