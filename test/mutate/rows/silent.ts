// Promise 6: off means silent.
import type { Promised } from '../row.ts'

export const silent: Promised = {
  number: 6,
  title: 'Off means silent',
  rows: {
    'test/send/environment.test.ts': {
      'no-proxy-from-environment': {
        keeps: 'No environment variable adds a proxy.',
        change: { replace: 'proxyEnv: undefined', by: 'proxyEnv: process.env' },
        noticedBy: 'variables of',
      },
    },
    'test/sidecar/consent-requests.test.ts': {
      'off-answers-200': {
        keeps: 'In mode off the application gets its 200.',
        change: { condition: true },
        noticedBy: 'answers 200 to a request that could not',
      },
    },
    'test/sidecar/pipeline.test.ts': {
      'off-makes-no-identity': {
        keeps: 'In mode off no identity is made.',
        change: { condition: true },
        noticedBy: 'opens no connection',
      },
    },
    'test/sidecar/mode-controller.test.ts': {
      'epoch-ends-at-once': {
        keeps: 'The epoch ends on disk as soon as consent ends.',
        change: 'delete',
        noticedBy: 'ends the epoch on disk, then',
      },
      'request-cancelled-at-once': {
        keeps: 'The request in flight is cancelled as soon as consent ends.',
        change: 'delete',
        noticedBy: 'ends the epoch on disk, then',
      },
      'epoch-removal-off': {
        keeps: 'If someone removes the epoch, reporting stops.',
        change: { withoutOperand: 4 },
        noticedBy: 'wipes the directory and begins another',
      },
    },
    'test/system/epochs.test.ts': {
      'mode-end-closes-queue': {
        keeps: 'Nothing enters the queue after a mode has ended.',
        change: 'delete',
        noticedBy: 'sends only what was accepted',
      },
      'mode-end-wipes': {
        keeps: 'What a mode kept is wiped when the mode ends.',
        change: 'delete',
        noticedBy: 'sends only what was accepted',
      },
      'start-wipes-earlier-mode': {
        keeps: 'A start wipes what an earlier process kept in another mode.',
        change: { replace: '($1 === undefined) await $2()', by: '($1 === undefined) undefined' },
        noticedBy: 'sends only what was accepted',
      },
      'local-without-sender': {
        keeps: 'In mode `local` there is no sender.',
        change: { condition: true },
        noticedBy: 'sends only what was accepted',
      },
      'switches-read-before-send': {
        keeps: 'The switches are read again before a body is sent.',
        change: 'delete',
        noticedBy: 'sends only what was accepted',
      },
      'late-request-discarded': {
        keeps: 'A request that began in another epoch is discarded.',
        change: { withoutOperand: 2 },
        noticedBy: 'sends only what was accepted',
      },
      'policy-change-drops': {
        keeps: 'Nothing made under the old policy is sent under the new one.',
        change: { value: 'Promise.resolve()' },
        noticedBy: 'sends only what was accepted',
      },
    },
    'test/queue/queue.test.ts': {
      'consent-before-commit': {
        keeps: 'Consent is read again right before each commit.',
        change: 'delete',
        noticedBy: 'next commits nothing',
      },
    },
    'test/queue/power-loss.test.ts': {
      'wipe-synced': {
        keeps: 'A wipe is synced.',
        change: 'delete',
        noticedBy: 'after power loss',
      },
    },
    'test/send/send.test.ts': {
      'redirect-not-followed': {
        keeps: 'A redirect is a refusal.',
        change: { replace: '$1 < 300', by: '$1 < 400' },
        noticedBy: 'status 302',
      },
    },
    'test/send/consent.test.ts': {
      'consent-before-request': {
        keeps: 'Consent is read again right before each request.',
        change: 'delete',
        noticedBy: 'if consent ends while the receipt',
      },
    },
    'test/consent/switches.test.ts': {
      'consent-do-not-track': {
        keeps: 'DO_NOT_TRACK means off.',
        change: { value: 'void votes' },
        noticedBy: 'in all combinations',
      },
      'consent-unreadable-kill-switch-off': {
        keeps: 'A kill switch that cannot be read means off.',
        change: { replace: '$1 !== false', by: '$1 === true' },
        noticedBy: 'in all combinations',
      },
      'consent-lowest-wins': {
        keeps: 'The lowest mode wins.',
        change: {
          replace: '$1.indexOf($2) < $1.indexOf($3)',
          by: '$1.indexOf($2) > $1.indexOf($3)',
        },
        noticedBy: 'in all combinations',
      },
    },
    'test/consent/watch.test.ts': {
      'only-enoent-is-absence': {
        keeps: 'Only ENOENT means that a file is absent.',
        change: { condition: true },
        noticedBy: 'the kill switch',
      },
    },
    'test/send/cancel.test.ts': {
      'cancel-resets-connection': {
        keeps: 'A cancelled request sends no more bytes.',
        change: { condition: true },
        noticedBy: 'over plain HTTP, the connection of a request in flight',
      },
    },
    'test/facts/facts.test.ts': {
      'facts-job-silent': {
        keeps: 'If the sidecar is off, the facts job asks the cluster nothing.',
        change: { condition: false },
        noticedBy: 'off is silent',
      },
    },
  },
}
