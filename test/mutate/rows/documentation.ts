// Promise 9: documentation is generated.
import type { Promised } from '../row.ts'

export const documentation: Promised = {
  number: 9,
  title: 'Documentation is generated',
  rows: {
    'test/datasheet/sheet.test.ts': {
      'sheet-reason-escaped': {
        keeps: 'A reason in the sheet is no markup.',
        change: { argument: 1 },
        noticedBy: 'a hostile reason',
      },
      'sheet-expiring-missing': {
        keeps: 'The sheet says that an expiring attribute can be missing.',
        change: { withoutOperand: 1 },
        noticedBy: 'a row says',
      },
      'sheet-pseudonyms-not-anonymous': {
        keeps: 'The sheet never calls pseudonyms anonymous.',
        change: 'delete',
        noticedBy: 'the verdict is anonymous only',
      },
    },
    'test/policy/diff.test.ts': {
      'diff-more-spans': {
        keeps: 'The diff reports a condition that admits more spans.',
        change: { condition: false },
        noticedBy: 'a value that a condition newly lets',
      },
    },
    'test/policy/parse.test.ts': {
      'digest-of-meaning': {
        keeps: 'The digest follows the meaning of a policy, not its reasons.',
        change: { value: '(full) => full' },
        noticedBy: 'the digest follows',
      },
    },
  },
}
