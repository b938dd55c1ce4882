// Promise 3: raw data lives only in memory.
import type { Promised } from '../row.ts'

export const rawData: Promised = {
  number: 3,
  title: 'Raw data lives only in memory',
  rows: {
    'test/send/tls.test.ts': {
      'certificate-checked': {
        keeps: 'A collector with a wrong certificate gets nothing.',
        change: 'delete',
        noticedBy: 'a certificate with',
      },
    },
    'test/policy/rules.test.ts': {
      'yaml-errors-not-repeated': {
        keeps: "An error about a policy never repeats the parser's text.",
        change: { replace: '$1 ?? $2', by: 'error.message' },
        noticedBy: 'never repeats the text of a file',
      },
    },
    'test/accept/http-receiver.test.ts': {
      'errors-logged-by-place': {
        keeps: 'An internal error is logged by its place, never by its text.',
        change: { replace: '$1.slice($1.indexOf($2) + $2.length)', by: '$1' },
        noticedBy: 'reports an internal error',
      },
      'http-error-without-text': {
        keeps: 'An HTTP answer never repeats the text of an internal error.',
        change: { value: 'error instanceof Refusal ? error : new Refusal(500, String(error))' },
        noticedBy: 'reports an internal error',
      },
    },
    'test/accept/hostile.test.ts': {
      'accept-host-checked': {
        keeps: 'A request with another Host is refused.',
        change: 'delete',
        noticedBy: 'refuses a Host that DNS',
      },
    },
    'test/accept/grpc-receiver.test.ts': {
      'grpc-error-without-text': {
        keeps: 'A gRPC answer never repeats the text of an internal error.',
        change: { value: 'error instanceof Refusal ? error : new Refusal(500, String(error))' },
        noticedBy: 'answers an internal error',
      },
    },
    'test/page/page.test.ts': {
      'page-error-without-text': {
        keeps: 'The page never shows the text of an internal error.',
        change: { replace: 'catch { $1($2)', by: 'catch (error) { $1(String(error))' },
        noticedBy: 'answers an internal error',
      },
      'page-host-checked': {
        keeps: 'The page answers no other Host than its own.',
        change: { condition: false },
        noticedBy: 'answers loopback',
      },
      'page-loads-nothing': {
        keeps: 'The page loads and runs nothing.',
        change: 'delete',
        noticedBy: 'lets no script',
      },
      'page-escapes-html': {
        keeps: 'The page escapes every text.',
        change: { replace: '[&<>"\']|', by: '' },
        noticedBy: 'lets no script',
      },
    },
    'test/support/settings.test.ts': {
      'loopback-only': {
        keeps: 'Raw spans are accepted on loopback only.',
        change: { condition: false },
        noticedBy: 'tells all wrong settings',
      },
      'https-only': {
        keeps: 'Reports leave by HTTPS, except to loopback.',
        change: { condition: false },
        noticedBy: 'plain http is for loopback',
      },
    },
    'test/queue/queue.test.ts': {
      'files-private': {
        keeps: 'Only the user of the sidecar can read its files.',
        change: { replace: "'wx', 0o600", by: "'wx'" },
        noticedBy: 'folders and files are for our user',
      },
    },
  },
}
