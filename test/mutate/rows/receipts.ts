// Promise 5: the bytes of a receipt are the bytes on the wire.
import type { Promised } from '../row.ts'

export const receipts: Promised = {
  number: 5,
  title: 'The bytes of a receipt are the bytes on the wire',
  rows: {
    'test/queue/recover.test.ts': {
      'settled-not-resent': {
        keeps: 'A body that the receipts call settled is not sent again.',
        change: { condition: false },
        noticedBy: 'recovery prefers',
      },
      'sending-wins': {
        keeps: 'If queue/ and sending/ hold the same sequence, the queue file is removed.',
        change: { condition: false },
        noticedBy: 'recovery prefers',
      },
      'receipt-matches-digest': {
        keeps: 'A receipt settles only the body with its digest.',
        change: {
          replace: '(sequence, sha256) =>',
          by: '(sequence, _, sha256 = /settled \\d+ (\\w+)/.exec([...known].join())?.[1]) =>',
        },
        noticedBy: 'a body that the old receipts',
      },
    },
    'test/queue/power-loss.test.ts': {
      'sent-synced': {
        keeps: 'A body in sent/ survives a power loss.',
        change: 'delete',
        noticedBy: 'after power loss',
      },
      'receipt-synced': {
        keeps: 'A receipt line is synced.',
        change: 'delete',
        noticedBy: 'after power loss',
      },
    },
    'test/queue/queue.test.ts': {
      'outcome-in-receipt': {
        keeps: 'Each outcome is in the receipts.',
        change: { replace: 'await $1($2, $3())', by: 'await Promise.resolve()' },
        noticedBy: 'receipts name the attempt once',
      },
    },
    'test/send/send.test.ts': {
      'receipt-before-request': {
        keeps: 'A receipt is on disk before the request starts.',
        change: 'delete',
        noticedBy: 'a receipt is on disk',
      },
    },
  },
}
