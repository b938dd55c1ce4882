// Promise 11: the leak budget is an upper bound.
import type { Promised } from '../row.ts'

export const budget: Promised = {
  number: 11,
  title: 'The leak budget is an upper bound',
  rows: {
    'test/policy/words.test.ts': {
      'policy-within-limits': {
        keeps: 'A policy over its limits is invalid.',
        change: 'delete',
        noticedBy: 'a record over its limit',
      },
      'record-within-limit': {
        keeps: 'The bits of a record are within the limit.',
        change: { condition: true },
        noticedBy: 'a record over its limit',
      },
      'stable-within-limit': {
        keeps: 'The stable bits are within the limit.',
        change: { condition: false },
        noticedBy: 'what stays the same',
      },
    },
    'test/policy/bits.test.ts': {
      'bits-of-time': {
        keeps: 'The time adds bits to a record.',
        change: { replace: 'TIME_BITS[rule.time] > 0', by: 'false' },
        noticedBy: 'time and status',
      },
      'bits-of-split': {
        keeps: 'A split counts as a set.',
        change: 'delete',
        noticedBy: 'split: ",", keep',
      },
      'bits-of-malformed': {
        keeps: 'Malformed input counts as an outcome.',
        change: 'delete',
        noticedBy: 'absent: nobody',
      },
    },
  },
}
